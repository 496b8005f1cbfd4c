// A comparison for people and for other programs. Keys and column names are stable; values are natural and SI,
// hypervolumes shares of the box, ratios the baseline's cost over the front's own at equal quality.
#pragma once

#include <string>

#include "experiments/report/comparison_report.hpp"
#include "experiments/report/report_text.hpp"

namespace ridgeline {

std::string comparison_text(const ComparisonReport& report, const TextStyle& style);  // the table and what it means
std::string comparison_markdown(const ComparisonReport& report);
// A row of the table a line: variant, studies, baseline (1 or 0), and each figure with its standard deviation (_sd),
// empty where there is none.
std::string comparison_csv(const ComparisonReport& report);
Json comparison_json(const ComparisonReport& report);

// The table's cells as they are printed, and sentences that state the box, the baseline and what is uneven.
struct PrintedComparison {
  std::vector<std::string> headings;           // the first is of words, the others of numbers
  std::vector<std::vector<std::string>> rows;  // as many cells as headings
  std::vector<std::string> notes;
};
PrintedComparison printed_comparison(const ComparisonReport& report);

// One HTML file that opens offline, as report_html's: the table, all fronts in one chart, hypervolume against trials.
std::string comparison_html(const ComparisonReport& report);

}  // namespace ridgeline
