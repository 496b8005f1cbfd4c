// How far predictions made before a value was known were from it: true out-of-sample errors, of one predicted quantity.
//
// The state is bounded: running sums over all pairs, the latest pairs for the rank correlation and the latest rounds.
// Values may have any sign; all are finite.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "spaces/json_reader.hpp"

namespace ridgeline {

class OutOfSampleErrors {
 public:
  static constexpr std::size_t most_pairs = 500;   // for Spearman's rho
  static constexpr std::size_t most_rounds = 100;  // whose mean errors are kept

  // `pairs`: how many of the latest are kept, at most most_pairs.
  explicit OutOfSampleErrors(std::size_t pairs = most_pairs);

  void add(double predicted, double found);
  void end_round();  // the pairs since the last call were predicted together; nothing where there are none

  // {"trials": n, "mean_absolute_error": e, "mean_absolute_percentage_error": p, "spearman": s, "rounds": [e ...]}: the
  // errors over all pairs, the percentage over those whose value is not 0, rho over the latest pairs, the mean absolute
  // error of each of the latest rounds. null for what is not known yet.
  Json summary() const;

  Json save() const;
  void load(JsonReader& reader);  // reads what save() wrote, noting problems

 private:
  struct Sum {
    std::int64_t pairs = 0;
    double error = 0.0;
    Json mean() const { return pairs > 0 ? Json(error / static_cast<double>(pairs)) : Json(); }
  };

  std::size_t kept_pairs_;
  Sum absolute_, relative_, round_;
  std::deque<std::pair<double, double>> latest_;  // predicted, found
  std::deque<double> rounds_;
  std::int64_t ended_ = 0;  // rounds, those no longer kept included
};

}  // namespace ridgeline
