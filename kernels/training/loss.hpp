// Losses over rows of logits, with the gradient by every logit. Rows are samples, columns classes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ridgeline {

// Each row becomes softmax(row / temperature), computed without overflow.
std::vector<float> softmax_rows(std::span<const float> logits, std::size_t classes, double temperature = 1.0);

// The distributions that labels stand for: 1 - smoothing on the label and smoothing spread over all classes evenly
// (Szegedy et al., 2016, arXiv:1512.00567, section 7). Throws std::out_of_range for a label outside [0, classes).
std::vector<float> smoothed_targets(std::span<const std::int32_t> labels, std::size_t classes, double smoothing = 0.0);

struct LossTerm {
  std::span<const float> targets;  // one distribution a row
  double weight = 1.0;
  double temperature = 1.0;  // of the logits; the term is scaled by its square (Hinton et al., 2015, arXiv:1503.02531)
};

// The mean over rows of sum_terms weight * temperature^2 * cross-entropy(targets, softmax(logits / temperature)), in
// nats; `gradient` (as logits) is overwritten. Distillation is a second term with the teacher's softmax_rows.
double cross_entropy(std::span<const float> logits, std::size_t classes, std::span<const LossTerm> terms,
                     std::span<float> gradient);

}  // namespace ridgeline
