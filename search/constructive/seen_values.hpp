// What objectives' values are worth among those seen so far, for searchers that need one number of a candidate.
//
// Of each objective the mean and deviation (Welford, 1962), the best and the worst of all feasible values. A cost is 0
// at the best value and 1 at the worst, or at two deviations above the mean where that is less: one failure of a
// training must not press all others together. Values are minimised.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "spaces/json_reader.hpp"

namespace ridgeline {

class SeenValues {
 public:
  explicit SeenValues(std::size_t objectives);

  void count(std::span<const double> values);  // one an objective, finite
  double counted() const { return counted_; }
  // From 0 to 1; 0 while nothing differs.
  double cost(std::size_t objective, double value) const;
  // Of all objectives in one direction: the augmented weighted Chebyshev distance from the best values (Steuer and
  // Choo, 1983), from 0 to 1; with one objective its cost. `weights`: one an objective, not negative, not all 0.
  double cost(std::span<const double> values, std::span<const double> weights) const;

  Json save() const;
  // Reads what save() wrote from the object under `key`, noting problems in the reader.
  void load(JsonReader& reader, const std::string& key);

 private:
  double counted_ = 0;
  std::vector<double> mean_, squares_, best_, worst_;  // by objective; 0 while nothing is counted
};

}  // namespace ridgeline
