// A study's report as text for a terminal, and the phrases that every form of the report shares.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/report/report.hpp"

namespace ridgeline {

struct TextStyle {
  bool unicode = true;     // braille dots and box lines; ASCII otherwise
  std::size_t width = 80;  // columns
};

// A table whose number columns are right-aligned; widths count characters, not bytes.
class TextTable {
 public:
  struct Column {
    std::string heading;
    bool number = false;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);  // one a column
  std::string text(const TextStyle& style, std::string_view indent = "") const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

struct PlotPoint {
  double x, y;
  bool marked;  // drawn as a member of the front
};

// A scatter plot with its ranges at the axes. Points that are not finite are left out; no points: an empty string.
std::string scatter_plot(std::span<const PlotPoint> points, const std::string& x_heading, const std::string& y_heading,
                         const TextStyle& style);

// The front as a table, and as a picture where there are two objectives or more.
std::string front_table_text(const StudyReport& report, const TextStyle& style, std::size_t most_rows = 40);
std::string front_plot_text(const StudyReport& report, const TextStyle& style);
// How far predictions were from measurements, limits, and why candidates died: a few lines each, empty when there is
// nothing.
std::string comparisons_text(const StudyReport& report);
std::string reasons_text(const StudyReport& report);
std::string report_text(const StudyReport& report, const TextStyle& style);  // all of it

// Phrases without markup.
std::string genome_text(const FrontMember& member);   // "kernel 3 5 · 7, depth 2", or the gene indices
std::string summary_text(const StudyReport& report);  // one to three sentences
// "1,200 evaluations saved, 1,000 by equal genes and 200 by equal functions"
std::string rungs_text(const StudyReport& report);  // of one with rungs: a sentence on how much was evaluated cheaply
std::string saved_phrase(const SavedEvaluations& saved);
// The searcher's notes, a line each: its predictors' errors, its stage; empty where it has none.
std::string searcher_notes_text(const StudyReport& report);
std::string protocol_text(const std::string& protocol);  // "threads 1, cache hot, ..." of a protocol's JSON
std::string size_text(double log10_size);                // "15,625" or "3.2 × 10^19"
std::vector<std::pair<std::string, std::string>> environment_facts(const std::optional<Environment>& environment);
std::string shortened(std::string_view text,
                      std::size_t most_characters);  // with "…" where cut, never inside a character
std::size_t characters(std::string_view utf8);
std::string ascii_text(std::string_view utf8);    // for terminals without UTF-8: "µs" -> "us"
std::string shell_quoted(std::string_view word);  // as a POSIX shell reads it back
std::string hex64_text(std::uint64_t value);

}  // namespace ridgeline
