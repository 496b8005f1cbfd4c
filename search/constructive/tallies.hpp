// Rows of what came out of groups of candidates: of those below a node of a tree, of those with a choice.
//
// Sums are of natural values and scaled when they are read, because the range of what was seen grows with the search. A
// row's cost is the mean over its candidates: that of the mean values of the feasible ones, and for each other one 1
// and a penalty from 0 (a limit hardly broken) to 1 (nothing known).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/constructive/seen_values.hpp"

namespace ridgeline {

class Tallies {
 public:
  explicit Tallies(std::size_t objectives) : objectives_(objectives) {}

  std::size_t size() const { return visits_.size(); }
  std::size_t objectives() const { return objectives_; }
  std::uint64_t visits(std::size_t row) const { return visits_[row]; }
  void append(std::size_t rows);
  void add_feasible(std::size_t row, std::span<const double> values);
  // `violation`: of the limits, relative; none where it has no measure.
  void add_other(std::size_t row, std::optional<double> violation);
  // From 0 to 2; visits(row) > 0.
  double cost(std::size_t row, std::span<const double> weights, const SeenValues& seen) const;
  void keep(std::span<const std::uint32_t> rows);  // ascending

  Json save() const;
  // Reads what save() wrote from the object under `key`, `rows` of them, noting problems in the reader.
  void load(JsonReader& reader, const std::string& key, std::size_t rows);

 private:
  std::size_t objectives_;
  std::vector<std::uint64_t> visits_, feasible_;  // by row
  std::vector<double> penalties_;                 // by row, of the infeasible and the failed
  std::vector<double> sums_;                      // size() x objectives_, of the feasible
};

}  // namespace ridgeline
