// The files that an HTML report is made of, embedded at build time (scripts/cmake/RidgelineReport.cmake).
#pragma once

#include <string_view>

namespace ridgeline {

extern const std::string_view report_page;    // experiments/report/report.html.in, with {{name}} where text is put in
extern const std::string_view report_charts;  // experiments/report/report_charts.js
extern const std::string_view report_training_page, report_training_charts;      // the same in experiments/training/
extern const std::string_view report_comparison_page, report_comparison_charts;  // experiments/comparison_*
extern const std::string_view report_style;                                      // of every page
extern const std::string_view report_drawing;  // defines the constant `drawing`, which scripts of every page use
extern const std::string_view report_vega;     // defines the constant `vega`; with its licence

}  // namespace ridgeline
