// Pieces of HTML, CSV and Markdown that reports are put together from. Pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/json_reader.hpp"

namespace ridgeline {

std::string html_escaped(std::string_view text);  // for element content and quoted attributes
std::string script_safe(const Json& value);       // JSON that cannot end the <script> it stands in

// `html` is markup and put in as it is; everything else is escaped.
std::string html_cell(std::string_view html, bool number = false);
std::string html_fact(std::string_view name, std::string_view html);  // a row of a table of facts
std::string html_figure(std::string_view name, std::string_view value, std::string_view about);
// Where a script draws a chart, under a bar for its legend and controls where `controls` names one. No escaping.
std::string html_panel(std::string_view id, std::string_view label, std::string_view controls = "");
// Puts texts into the page's {{name}} markers in one pass, so that a marker inside a user's text stays text.
std::string filled_page(std::string_view page, const std::map<std::string, std::string, std::less<>>& texts);

// A page without a script, in the style of all reports, which loads nothing from elsewhere.
struct HtmlPage {
  std::string kind;                   // above the title: "benchmark"
  std::string title, lead;            // plain text; an empty lead is left out
  std::string body;                   // markup
  std::string_view extra_style = "";  // CSS of this page alone
};
std::string html_page(const HtmlPage& page);

std::string csv_line(const std::vector<std::string>& cells);  // RFC 4180, with its line end
std::string exact_text(double value);                         // the shortest that reads back as the same number

std::string markdown_cell(std::string_view text);  // escaped, one line
std::string markdown_row(const std::vector<std::string>& cells);

}  // namespace ridgeline
