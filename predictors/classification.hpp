// How good a classifier's probabilities are. Rows are samples, columns classes; every row of `probabilities` sums to 1;
// one label in [0, classes) a row. Throws std::invalid_argument when sizes do not fit or there is no row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ridgeline {

struct ClassificationScores {
  double accuracy = 0;  // share of rows whose largest probability is the label's, 0 to 1; ties go to the lower class
  double nll = 0;       // mean -log p(label), nats; probabilities below 1e-12 count as 1e-12
  double brier = 0;     // mean over rows of sum_classes (p - [class is label])^2, 0 to 2 (Brier, 1950)
  double ece = 0;       // expected calibration error over equal-width bins of confidence (Naeini et al., 2015)
  double adaptive_ece = 0;              // the same over bins of equal count (Nguyen and O'Connor, 2015)
  std::vector<std::int64_t> confusion;  // classes x classes, row: label, column: predicted
};

ClassificationScores score_classification(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                                          std::size_t classes, std::size_t bins = 15);

// Share of rows in which fewer than `k` classes have a larger probability than the label's, and of those with an equal
// one no lower class that completes the k. k >= 1.
double top_k_accuracy(std::span<const float> probabilities, std::span<const std::int32_t> labels, std::size_t classes,
                      std::size_t k);
// Of two classifiers on the same rows: the share of rows whose largest probability is of the same class, and the mean
// over rows of sum_classes p log(p / q), in nats, where probabilities of q below 1e-12 count as 1e-12.
double agreement(std::span<const float> p, std::span<const float> q, std::size_t classes);
double mean_divergence(std::span<const float> p, std::span<const float> q, std::size_t classes);

// What a group of samples says of its confidence.
struct ReliabilityBin {
  std::size_t samples = 0;
  double confidence = 0, accuracy = 0;  // means
};

// Equal-width bins over confidence 0 to 1; a bin holds (low, high]. Confidence is the largest probability of a row.
std::vector<ReliabilityBin> reliability_bins(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                                             std::size_t classes, std::size_t bins);
// Bins of equal count (sizes differ by at most one) in the order of confidence.
std::vector<ReliabilityBin> adaptive_bins(std::span<const float> probabilities, std::span<const std::int32_t> labels,
                                          std::size_t classes, std::size_t bins);
// sum_bins samples / all * |confidence - accuracy|
double calibration_error(std::span<const ReliabilityBin> bins);

}  // namespace ridgeline
