#include "experiments/data/resize.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/learner.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "kernels/training/trainer.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

class CandidateLearner : public Learner {
 public:
  CandidateLearner(const LearnerSetup& setup, const Genome& genome)
      : data_(setup.data), threads_(setup.config.threads), decoded_(fitting_design(setup, genome)) {
    TrainerOptions options;
    options.training.threads = setup.config.threads;
    options.training.format = setup.config.format;
    options.training.quantization = quantization(setup.config);
    options_ = options.training;
    options.descent = setup.descent;
    if (setup.from == nullptr) {
      trainer_.emplace(network_, initial_weights(network_, setup.config.seed), options);
      return;
    }
    const LoadedModel from = loaded_model(*setup.from, with_batch(network_, 1), decoded_.precision);
    const bool same_formats = from.plan == options_.quantization.plan;
    trainer_.emplace(network_, from.weights, options, same_formats ? from.ranges : std::vector<float>{});
  }

  TrainingStep step(const ImageBatch& batch, std::span<const LossTerm> terms) override {
    if (input_shape(network_) == data_.train.shape()) return trainer_->step(batch.images, terms);
    return trainer_->step(resized(batch.images, data_.train.shape(), input_shape(network_)), terms);
  }
  std::span<const float> logits() const override { return trainer_->logits(); }

  void validate(EpochRecord& record) override {
    const ClassificationScores scores =
        evaluate_classifier(trainer_->evaluated(1), data_.validation, data_.normalisation,
                            {.threads = threads_, .emulation = Emulation::missing});
    record.validation_loss = scores.nll;
    record.validation_accuracy = scores.accuracy;
  }

  TrainingState save() const override { return trainer_->save(); }
  void load(TrainingState state) override { trainer_->load(std::move(state)); }
  TrainingState finished() const override { return without_history(trainer_->save()); }

  std::uint64_t network_hash() const override { return structural_hash(with_batch(network_, 1)); }
  std::int64_t parameters() const override {
    return static_cast<std::int64_t>(parameter_count(parameter_blocks(network_)));
  }
  std::int64_t macs() const override { return ridgeline::macs(with_batch(network_, 1)); }
  std::optional<StepTimes> step_times() const override {
    if (options_.quantization.plan.operators.empty()) return std::nullopt;
    return time_steps(network_, options_);
  }
  std::string note() const override { return resize_note(network_, data_.train.shape()); }

 private:
  TrainingQuantization quantization(const TrainConfig& config) const {
    if (!config.quantize) return {};
    const std::string& formats = config.quantize->formats;
    check_formats(decoded_, formats);
    return {trained_plan(decoded_, formats), config.quantize->way, config.seed};
  }
  static Design fitting_design(const LearnerSetup& setup, const Genome& genome) {
    Design design = setup.space.decode(genome);
    check_fit(design.network, setup.data.train, setup.data.class_names.size(), setup.data.name);
    return design;
  }

  const Dataset& data_;
  int threads_;
  Design decoded_;
  const Network& network_ = decoded_.network;
  TrainingOptions options_;
  std::optional<Trainer> trainer_;
};

}  // namespace

void check_formats(const Design& design, const std::string& formats) {
  const bool own = formats == by_genes;
  if (!rounding_sites(design.network, trained_plan(design, formats)).none() || own) return;
  throw ConfigError(Problem{"--quantize", "", "a format that numbers are rounded to, such as int8", "'" + formats + "'",
                            "train in bf16 with --format bf16"});
}

std::unique_ptr<Learner> make_candidate_learner(const LearnerSetup& setup, const Genome& genome) {
  return std::make_unique<CandidateLearner>(setup, genome);
}

}  // namespace ridgeline
