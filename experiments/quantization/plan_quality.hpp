// How good a trained network is in a precision plan, by what it answers on labelled images: executed in the plan's
// formats, emulated where this machine does not execute them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/quantization/post_training.hpp"
#include "search/trial.hpp"

namespace ridgeline {

//  accuracy    % of images whose most probable class is the label
//  top5        % of images whose label is among the five most probable
//  agreement   % of images of which the f32 network says the same class: needs no labels
//  nll         mean -log p(label), nats
//  divergence  mean KL divergence of its probabilities from the f32 network's, nats: needs no labels
enum class QualityMetric : std::uint8_t { accuracy, top5, agreement, nll, divergence };
std::span<const std::string> quality_metric_names();  // in the order of QualityMetric
std::string unit_of(QualityMetric metric);
Direction direction_of(QualityMetric metric);

// Immutable; of() may be called by one thread at a time, and gives the same number for any number of `threads`.
class PlanQuality {
 public:
  PlanQuality(PostTraining post_training, LabelledImages images, Normalisation normalisation, QualityMetric metric,
              int threads);
  // Several sets of images, one a rung (Trial::rung): of() looks at one of them.
  PlanQuality(PostTraining post_training, std::vector<LabelledImages> images, Normalisation normalisation,
              QualityMetric metric, int threads);

  const PostTraining& post_training() const { return post_training_; }
  std::size_t rungs() const { return images_.size(); }
  const LabelledImages& images(std::size_t rung = 0) const { return images_[rung]; }
  // In the metric's unit and direction. Throws Unsupported (kernels/executable.hpp).
  double of(const PrecisionPlan& plan, std::size_t rung = 0) const;

 private:
  PostTraining post_training_;
  std::vector<LabelledImages> images_;  // by rung
  Normalisation normalisation_;
  QualityMetric metric_;
  int threads_;
  std::vector<std::vector<float>> reference_;  // by rung: what the f32 network answers, where it is compared with
};

}  // namespace ridgeline
