// A benchmark for people and for other programs: text for a terminal, Markdown, JSON, and one HTML file with inline SVG
// that needs no script. Keys are stable; values natural and SI, hypervolumes and shares from 0 to 1.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/figures.hpp"
#include "experiments/report/report_text.hpp"

namespace ridgeline {

struct BenchReport {
  std::string study, space, about;
  double log10_size = 0;
  BenchFigures figures;
  BenchBudget budget;
  StudyCache cache = StudyCache::functional;
  std::vector<std::pair<std::string, std::string>> skipped;
  std::size_t runs = 0, stored = 0;
  std::uint64_t first_seed = 1;
  int threads = 1;
  double elapsed_s = 0;
  bool interrupted = false;
  std::string begun;  // of BenchResult
  std::string command, program_version;
};

// What is printed, cell by cell: the first column is of words, the others of numbers.
struct BenchTable {
  std::string heading;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
std::vector<BenchTable> bench_tables(const BenchReport& report);
std::vector<std::string> bench_notes(const BenchReport& report);  // what the numbers mean, a sentence or two each

std::string bench_text(const BenchReport& report, const TextStyle& style);
std::string bench_markdown(const BenchReport& report);
Json bench_json(const BenchReport& report);
std::string bench_html(const BenchReport& report);

// Inline SVG: quality against evaluations with bands of 95 %, and a box a searcher over its settings ("" without any).
std::string bench_curves_svg(const BenchReport& report);
std::string bench_spread_svg(const BenchReport& report);

}  // namespace ridgeline
