// A study's report as one HTML file that opens offline: no request, no eval (its content policy forbids both), every
// text of the user escaped. Charts are drawn by the embedded Vega; every figure they show stands in a table or in the
// embedded JSON too.
#pragma once

#include <string>
#include <string_view>

#include "experiments/report.hpp"

namespace ridgeline {

std::string report_html(const StudyReport& report);

std::string html_escaped(std::string_view text);  // for element content and quoted attributes
std::string script_safe(const Json& value);       // JSON that cannot end the <script> it stands in

}  // namespace ridgeline
