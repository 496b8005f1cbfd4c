#include "predictors/classification.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace ridgeline {
namespace {

struct Answer {
  double confidence;
  std::size_t predicted;
  bool right;
};

void check_rows(std::span<const float> probabilities, std::span<const std::int32_t> labels, std::size_t classes) {
  if (labels.empty() || classes == 0 || probabilities.size() != labels.size() * classes) {
    throw std::invalid_argument("probabilities are not one row of classes a label");
  }
  const auto is_class = [&](std::int32_t label) { return label >= 0 && static_cast<std::size_t>(label) < classes; };
  if (!std::ranges::all_of(labels, is_class)) throw std::invalid_argument("a label is not one of the classes");
}

std::size_t rows_of_both(std::span<const float> p, std::span<const float> q, std::size_t classes) {
  if (p.empty() || classes == 0 || p.size() != q.size() || p.size() % classes != 0) {
    throw std::invalid_argument("two classifiers need the same rows of classes");
  }
  return p.size() / classes;
}

std::vector<Answer> answers(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                            std::size_t classes) {
  check_rows(probabilities, labels, classes);
  std::vector<Answer> result;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    const auto row = probabilities.subspan(r * classes, classes);
    const auto most = std::max_element(row.begin(), row.end());
    const auto predicted = static_cast<std::size_t>(most - row.begin());
    result.push_back({static_cast<double>(*most), predicted, predicted == static_cast<std::size_t>(labels[r])});
  }
  return result;
}

void add(ReliabilityBin& bin, const Answer& answer) {
  ++bin.samples;
  bin.confidence += answer.confidence;
  bin.accuracy += answer.right ? 1.0 : 0.0;
}

void finish(std::vector<ReliabilityBin>& bins) {
  for (ReliabilityBin& bin : bins) {
    if (bin.samples == 0) continue;
    bin.confidence /= static_cast<double>(bin.samples);
    bin.accuracy /= static_cast<double>(bin.samples);
  }
}

}  // namespace

double top_k_accuracy(std::span<const float> probabilities, std::span<const std::int32_t> labels, std::size_t classes,
                      std::size_t k) {
  if (k == 0) throw std::invalid_argument("k is 0");
  check_rows(probabilities, labels, classes);
  std::size_t right = 0;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    const auto row = probabilities.subspan(r * classes, classes);
    const auto label = static_cast<std::size_t>(labels[r]);
    std::size_t before = 0;
    for (std::size_t c = 0; c < classes; ++c) before += row[c] > row[label] || (row[c] == row[label] && c < label);
    right += before < k ? 1U : 0U;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

double agreement(std::span<const float> p, std::span<const float> q, std::size_t classes) {
  const std::size_t rows = rows_of_both(p, q, classes);
  std::size_t same = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto a = p.subspan(r * classes, classes), b = q.subspan(r * classes, classes);
    same += std::ranges::max_element(a) - a.begin() == std::ranges::max_element(b) - b.begin() ? 1U : 0U;
  }
  return static_cast<double>(same) / static_cast<double>(rows);
}

double mean_divergence(std::span<const float> p, std::span<const float> q, std::size_t classes) {
  const std::size_t rows = rows_of_both(p, q, classes);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] <= 0) continue;
    const auto mass = static_cast<double>(p[i]);
    sum += mass * std::log(mass / std::max(static_cast<double>(q[i]), 1e-12));
  }
  return sum / static_cast<double>(rows);
}

std::vector<ReliabilityBin> reliability_bins(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                                             std::size_t classes, std::size_t bins) {
  if (bins == 0) throw std::invalid_argument("no bins");
  std::vector<ReliabilityBin> result(bins);
  for (const Answer& answer : answers(probabilities, labels, classes)) {
    const double place = std::ceil(answer.confidence * static_cast<double>(bins)) - 1.0;
    add(result[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins - 1)))], answer);
  }
  finish(result);
  return result;
}

std::vector<ReliabilityBin> adaptive_bins(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                                          std::size_t classes, std::size_t bins) {
  if (bins == 0) throw std::invalid_argument("no bins");
  std::vector<Answer> all = answers(probabilities, labels, classes);
  std::stable_sort(all.begin(), all.end(),
                   [](const Answer& a, const Answer& b) { return a.confidence < b.confidence; });
  std::vector<ReliabilityBin> result(std::min(bins, all.size()));
  for (std::size_t i = 0; i < all.size(); ++i) add(result[i * result.size() / all.size()], all[i]);
  finish(result);
  return result;
}

double calibration_error(std::span<const ReliabilityBin> bins) {
  double samples = 0, error = 0;
  for (const ReliabilityBin& bin : bins) {
    samples += static_cast<double>(bin.samples);
    error += static_cast<double>(bin.samples) * std::abs(bin.confidence - bin.accuracy);
  }
  return samples > 0 ? error / samples : 0.0;
}

ClassificationScores score_classification(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                                          std::size_t classes, std::size_t bins) {
  const std::vector<Answer> all = answers(probabilities, labels, classes);
  ClassificationScores scores;
  scores.confusion.resize(classes * classes);
  const double count = static_cast<double>(labels.size());
  const auto right = std::count_if(all.begin(), all.end(), [](const Answer& answer) { return answer.right; });
  scores.accuracy = static_cast<double>(right) / count;  // not a sum of shares, which rounds
  for (std::size_t r = 0; r < labels.size(); ++r) {
    const auto label = static_cast<std::size_t>(labels[r]);
    ++scores.confusion[label * classes + all[r].predicted];
    const auto row = probabilities.subspan(r * classes, classes);
    scores.nll -= std::log(std::max(1e-12, static_cast<double>(row[label]))) / count;
    for (std::size_t c = 0; c < classes; ++c) {
      scores.brier += std::pow(static_cast<double>(row[c]) - (c == label ? 1.0 : 0.0), 2) / count;
    }
  }
  scores.ece = calibration_error(reliability_bins(probabilities, labels, classes, bins));
  scores.adaptive_ece = calibration_error(adaptive_bins(probabilities, labels, classes, bins));
  return scores;
}

}  // namespace ridgeline
