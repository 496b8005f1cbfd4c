#include "experiments/quantization/plan_quality.hpp"

#include <array>

#include "experiments/training/evaluate.hpp"
#include "kernels/pinning.hpp"
#include "predictors/classification.hpp"

namespace ridgeline {
namespace {

bool compares(QualityMetric metric) {
  return metric == QualityMetric::agreement || metric == QualityMetric::divergence;
}

}  // namespace

std::span<const std::string> quality_metric_names() {
  static const std::array<std::string, 5> names{"accuracy", "top5", "agreement", "nll", "divergence"};
  return names;
}

std::string unit_of(QualityMetric metric) { return direction_of(metric) == Direction::minimise ? "nat" : "%"; }

Direction direction_of(QualityMetric metric) {
  const bool loss = metric == QualityMetric::nll || metric == QualityMetric::divergence;
  return loss ? Direction::minimise : Direction::maximise;
}

PlanQuality::PlanQuality(PostTraining post_training, LabelledImages images, Normalisation normalisation,
                         QualityMetric metric, int threads)
    : PlanQuality(std::move(post_training), std::vector<LabelledImages>{std::move(images)}, std::move(normalisation),
                  metric, threads) {}

PlanQuality::PlanQuality(PostTraining post_training, std::vector<LabelledImages> images, Normalisation normalisation,
                         QualityMetric metric, int threads)
    : post_training_(std::move(post_training)),
      images_(std::move(images)),
      normalisation_(std::move(normalisation)),
      metric_(metric),
      threads_(threads) {
  if (!compares(metric_)) return;
  const PinnedThreads pinned(threads_);
  for (const LabelledImages& some : images_) {
    reference_.push_back(classify(post_training_.design(), some, normalisation_, {.threads = threads_}));
  }
}

double PlanQuality::of(const PrecisionPlan& plan, std::size_t rung) const {
  const PinnedThreads pinned(threads_);
  const LabelledImages& images = images_[rung];
  const std::vector<float> probabilities = classify(post_training_.quantized(plan), images, normalisation_,
                                                    {.threads = threads_, .emulation = Emulation::missing});
  const std::size_t classes = probabilities.size() / images.size();
  switch (metric_) {
    case QualityMetric::agreement:
      return 100.0 * agreement(reference_[rung], probabilities, classes);
    case QualityMetric::divergence:
      return mean_divergence(reference_[rung], probabilities, classes);
    case QualityMetric::top5:
      return 100.0 * top_k_accuracy(probabilities, images.labels(), classes, 5);
    case QualityMetric::nll:
      return score_classification(probabilities, images.labels(), classes).nll;
    case QualityMetric::accuracy:
      break;
  }
  return 100.0 * score_classification(probabilities, images.labels(), classes).accuracy;
}

}  // namespace ridgeline
