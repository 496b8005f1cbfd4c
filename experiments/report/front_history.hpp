// How good a front was after so many trials. Pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "search/fronts/pareto.hpp"

namespace ridgeline {

struct HypervolumeStep {
  std::int64_t evaluations;
  double value;  // holds from here to the next step
};

// Adds the trials, in id order, to an empty archive; `value` is asked of the front (never empty) at its changes, and
// after the last trial. At most `most_steps` and one more: where there were more, every second one is dropped, and from
// then on only every second change is taken. So a history stays even, and the same for the same trials. Empty without
// a front. Evaluations are trials; where some were cheaper, `spent` says by id what all up to and with a trial cost.
std::vector<HypervolumeStep> front_history(std::span<const Trial> trials, ParetoArchive& archive,
                                           const std::function<double(std::span<const Trial>)>& value,
                                           std::size_t most_steps, std::span<const double> spent = {});

struct MeanStep {
  std::int64_t evaluations;
  double mean;
  std::optional<double> deviation;  // of a sample (n - 1); none for one history
};

// The mean of several histories wherever one of them has a step, up to where the shortest ends. Before its first step a
// history is 0. Empty histories count as 0 throughout and do not shorten the others.
std::vector<MeanStep> mean_history(std::span<const std::vector<HypervolumeStep>> histories);

}  // namespace ridgeline
