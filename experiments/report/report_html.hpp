// A study's report as one HTML file that opens offline: no request, no eval (its content policy forbids both), every
// text of the user escaped. Charts are drawn by the embedded Vega; every figure they show stands in a table or in the
// embedded JSON too.
#pragma once

#include <span>
#include <string>

#include "experiments/report/report.hpp"

namespace ridgeline {

// `opening`: markup of sections that come first, of what the study was made for.
std::string report_html(const StudyReport& report, const std::string& opening = {});

// What pages share: objectives as their scripts read them, and the last line, as markup.
Json chart_objectives(std::span<const ReportObjective> objectives);
std::string report_footer(const std::string& program_version, const std::string& source);

}  // namespace ridgeline
