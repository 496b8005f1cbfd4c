#include "search/policies/categorical.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ridgeline {

void softmax(std::span<const double> logits, std::span<const std::uint8_t> allowed, std::span<double> shares) {
  const auto may = [&](std::size_t i) { return allowed.empty() || allowed[i] != 0; };
  double most = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (may(i)) most = std::max(most, logits[i]);
  }
  for (std::size_t i = 0; i < logits.size(); ++i) {
    shares[i] = may(i) ? std::exp(logits[i] - most) : 0.0;
    sum += shares[i];
  }
  for (double& share : shares) share /= sum;
}

double log_of(double probability) { return std::log(std::max(probability, 1e-300)); }

double entropy_of(std::span<const double> probabilities) {
  double sum = 0;
  for (const double p : probabilities) sum -= p * log_of(p);
  return sum;
}

std::uint16_t drawn(std::span<const double> probabilities, Rng& rng) {
  double left = rng.uniform();
  std::size_t i = 0;
  while (i + 1 < probabilities.size() && left >= probabilities[i]) left -= probabilities[i++];
  // Rounding may lead past the last choice that has a share.
  while (i > 0 && probabilities[i] == 0.0) --i;
  while (i + 1 < probabilities.size() && probabilities[i] == 0.0) ++i;
  return static_cast<std::uint16_t>(i);
}

void add_log_probability_gradient(std::span<const double> probabilities, std::size_t choice, double scale,
                                  std::span<double> gradient) {
  for (std::size_t k = 0; k < probabilities.size(); ++k) {
    gradient[k] += scale * ((k == choice ? 1.0 : 0.0) - probabilities[k]);
  }
}

void add_entropy_gradient(std::span<const double> probabilities, double scale, std::span<double> gradient) {
  const double entropy = entropy_of(probabilities);
  for (std::size_t k = 0; k < probabilities.size(); ++k) {
    gradient[k] -= scale * probabilities[k] * (log_of(probabilities[k]) + entropy);
  }
}

}  // namespace ridgeline
