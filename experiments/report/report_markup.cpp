#include "experiments/report/report_markup.hpp"

#include <fmt/format.h>

#include "experiments/report/report_assets.hpp"

namespace ridgeline {
namespace {

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string script_safe(const Json& value) {
  // With every non-ASCII character as \uXXXX, and "<" too, nothing in the text can look like markup.
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else if (c == '&') {
      safe += "\\u0026";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string html_cell(std::string_view html, bool number) {
  return fmt::format("<td{}>{}</td>", number ? " class=\"n\"" : "", html);
}

std::string html_fact(std::string_view name, std::string_view html) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", html_escaped(name), html);
}

std::string html_figure(std::string_view name, std::string_view value, std::string_view about) {
  return fmt::format("<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>", html_escaped(name), html_escaped(value),
                     html_escaped(about));
}

std::string html_panel(std::string_view id, std::string_view label, std::string_view controls) {
  return fmt::format(
      "<div class=\"panel\">{}<div class=\"chart\" id=\"{}\" role=\"img\" aria-label=\"{}\"></div></div>",
      controls.empty() ? "" : fmt::format("<div class=\"controls\" id=\"{}\"></div>", controls), id, label);
}

std::string filled_page(std::string_view page, const std::map<std::string, std::string, std::less<>>& texts) {
  std::string html;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t open = page.find("{{", at);
    const std::size_t close = open == std::string_view::npos ? open : page.find("}}", open);
    if (close == std::string_view::npos) return html.append(page.substr(at));
    html.append(page.substr(at, open - at)).append(texts.at(std::string(page.substr(open + 2, close - open - 2))));
    at = close + 2;
  }
  return html;
}

std::string html_page(const HtmlPage& page) {
  constexpr std::string_view frame = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="ridgeline">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{title}} – Ridgeline</title>
<style>
{{style}}{{extra_style}}</style>
</head>
<body>
<main>
<header>
<div class="eyebrow">Ridgeline {{kind}}</div>
<h1>{{title}}</h1>
{{lead}}</header>
{{body}}</main>
</body>
</html>
)";
  const std::string lead = page.lead.empty() ? "" : "<p class=\"lead\">" + html_escaped(page.lead) + "</p>\n";
  return filled_page(frame, {{"title", html_escaped(page.title)},
                             {"style", std::string(report_style)},
                             {"extra_style", std::string(page.extra_style)},
                             {"kind", html_escaped(page.kind)},
                             {"lead", lead},
                             {"body", page.body}});
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    if (&cell != &cells.front()) line.push_back(',');
    line.append(csv_cell(cell));
  }
  return line.append("\r\n");
}

std::string exact_text(double value) { return fmt::format("{}", value); }

std::string markdown_cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      escaped += ' ';
    } else {
      if (std::string_view("\\|`*_<>[]").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const std::string& cell : cells) row += " " + cell + " |";
  return row + "\n";
}

}  // namespace ridgeline
