// Internal: GPTQ on the grid of one layer (rounded_kernel.hpp).
#pragma once

#include <span>
#include <vector>

#include "kernels/quantization/rounding_problem.hpp"

namespace ridgeline {

struct GptqOptions {
  // Numbers of a row that share a scale found by the largest of them, which then keeps its exponent; 0: scales are
  // given.
  std::size_t block = 0;
  bool neighbours_only = false;  // of each weight: up or down, and no further
};

// Rounds input after input to the nearest value that the format has over the problem's scales.
std::vector<float> gptq_kernel(const RoundingProblem& problem, const GptqOptions& options = {});

// The same where a channel changes less than `nearest`, which it has else.
std::vector<float> fed_back_kernel(const RoundingProblem& problem, std::span<const float> nearest, std::size_t block);

}  // namespace ridgeline
