#include "kernels/training/loss.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace ridgeline {
namespace {

// log(sum(exp(x / temperature))) and the same row's softmax.
double softmax_row(std::span<const float> row, double temperature, std::span<double> probabilities) {
  const double most = static_cast<double>(*std::max_element(row.begin(), row.end())) / temperature;
  double sum = 0.0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    probabilities[i] = std::exp(static_cast<double>(row[i]) / temperature - most);
    sum += probabilities[i];
  }
  for (double& one : probabilities) one /= sum;
  return most + std::log(sum);
}

}  // namespace

std::vector<float> softmax_rows(std::span<const float> logits, std::size_t classes, double temperature) {
  std::vector<float> result(logits.size());
  std::vector<double> row(classes);
  for (std::size_t i = 0; i + classes <= logits.size(); i += classes) {
    softmax_row(logits.subspan(i, classes), temperature, row);
    std::transform(row.begin(), row.end(), result.begin() + static_cast<std::ptrdiff_t>(i),
                   [](double value) { return static_cast<float>(value); });
  }
  return result;
}

std::vector<float> smoothed_targets(std::span<const std::int32_t> labels, std::size_t classes, double smoothing) {
  const float rest = static_cast<float>(smoothing / static_cast<double>(classes));
  std::vector<float> targets(labels.size() * classes, rest);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    if (labels[i] < 0 || label >= classes) throw std::out_of_range("label " + std::to_string(labels[i]));
    targets[i * classes + label] += static_cast<float>(1.0 - smoothing);
  }
  return targets;
}

double cross_entropy(std::span<const float> logits, std::size_t classes, std::span<const LossTerm> terms,
                     std::span<float> gradient) {
  const std::size_t rows = logits.size() / classes;
  if (gradient.size() != logits.size()) throw std::invalid_argument("gradient and logits differ in size");
  std::fill(gradient.begin(), gradient.end(), 0.0F);
  std::vector<double> probabilities(classes);
  double loss = 0.0;
  for (const LossTerm& term : terms) {
    if (term.targets.size() != logits.size()) throw std::invalid_argument("targets and logits differ in size");
    // d/dlogit of weight * T^2 * CE = weight * T * (mass * softmax - target)
    const double scale = term.weight * term.temperature / static_cast<double>(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::span<const float> row = logits.subspan(r * classes, classes);
      const std::span<const float> target = term.targets.subspan(r * classes, classes);
      const double log_sum = softmax_row(row, term.temperature, probabilities);
      double mass = 0.0, entropy = 0.0;
      for (std::size_t i = 0; i < classes; ++i) {
        mass += static_cast<double>(target[i]);
        entropy += static_cast<double>(target[i]) * (log_sum - static_cast<double>(row[i]) / term.temperature);
      }
      loss += scale * term.temperature * entropy;
      for (std::size_t i = 0; i < classes; ++i) {
        gradient[r * classes + i] +=
            static_cast<float>(scale * (mass * probabilities[i] - static_cast<double>(target[i])));
      }
    }
  }
  return loss;
}

}  // namespace ridgeline
