// A study's report as one HTML file that opens offline: no request, no eval (its content policy forbids both), every
// text of the user escaped. Charts are drawn by the embedded Vega; every figure they show stands in a table or in the
// embedded JSON too.
#pragma once

#include <string>

#include "experiments/report.hpp"

namespace ridgeline {

// `opening`: markup of sections that come first, of what the study was made for.
std::string report_html(const StudyReport& report, const std::string& opening = {});

}  // namespace ridgeline
