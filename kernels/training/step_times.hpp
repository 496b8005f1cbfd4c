// What training through number formats costs: one step, forward and backward, with every way of rounding and without.
#pragma once

#include <array>
#include <optional>

#include "kernels/training/training_graph.hpp"

namespace ridgeline {

struct StepTimes {
  double plain_s = 0;            // in full precision
  std::array<double, 2> ways{};  // in the order of RoundingWay
};

// The median of some steps of each on random images, taking turns; seconds on options.threads threads.
// `options.quantization` has the plan.
StepTimes time_steps(const Network& network, const TrainingOptions& options);

}  // namespace ridgeline
