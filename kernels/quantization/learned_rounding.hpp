// Internal: AdaRound on the grid of one layer (rounded_kernel.hpp).
#pragma once

#include <span>
#include <vector>

#include "kernels/quantization/rounding_problem.hpp"

namespace ridgeline {

// Equation 25 of the paper, its expectation taken exactly by the Gram matrix, by Adam. It starts near what GPTQ makes
// of the two neighbours of each weight, which takes fewer steps to a lower error than starting at the weights
// themselves. Then weights are turned, alone and in pairs, for as long as that helps. A channel that `nearest` changes
// less keeps that.
std::vector<float> learned_kernel(const RoundingProblem& problem, std::span<const float> nearest);

}  // namespace ridgeline
