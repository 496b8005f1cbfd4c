#include "kernels/quantization/rounding_problem.hpp"

#include <algorithm>

#include "kernels/quantization/matrix_product.hpp"

namespace ridgeline {

std::vector<double> channel_errors(const RoundingProblem& problem, std::span<const float> candidate) {
  const std::size_t taps = problem.taps(), rows = problem.rows();
  std::vector<float> change(candidate.size()), seen(candidate.size());
  for (std::size_t i = 0; i < change.size(); ++i) change[i] = candidate[i] - problem.kernel[i];
  for (std::size_t group = 0; group < problem.moments.groups; ++group) {
    const std::size_t first = group * rows * taps;
    multiply({change.data() + first, taps}, {problem.gram(group), taps}, taps, {seen.data() + first, taps, rows, taps});
  }
  std::vector<double> errors(problem.channels);
  for (std::size_t i = 0; i < change.size(); ++i) {
    errors[i / taps] += static_cast<double>(change[i]) * static_cast<double>(seen[i]);
  }
  return errors;
}

void keep_better(const RoundingProblem& problem, std::span<const float> fallback, std::span<float> candidate) {
  const std::size_t taps = problem.taps();
  const std::vector<double> before = channel_errors(problem, fallback), after = channel_errors(problem, candidate);
  for (std::size_t channel = 0; channel < problem.channels; ++channel) {
    if (after[channel] <= before[channel]) continue;
    std::copy_n(fallback.begin() + static_cast<std::ptrdiff_t>(channel * taps), taps,
                candidate.begin() + static_cast<std::ptrdiff_t>(channel * taps));
  }
}

}  // namespace ridgeline
