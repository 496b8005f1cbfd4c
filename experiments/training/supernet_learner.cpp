#include <algorithm>

#include "experiments/data/resize.hpp"
#include "experiments/training/controller.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/learner.hpp"
#include "experiments/training/supernet.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "kernels/training/sandwich.hpp"
#include "kernels/training/supernet_trainer.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

class SupernetLearner : public Learner {
 public:
  explicit SupernetLearner(const LearnerSetup& setup)
      : space_(setup.space),
        data_(setup.data),
        config_(setup.config),
        controller_(setup.controller),
        supernet_(setup.config.supernet.value_or(SupernetConfig{})),
        largest_(space_.normalise(largest_genome(space_))),
        smallest_(space_.normalise(smallest_genome(space_))),
        recalibration_(data_.train, data_.normalisation, Recalibration::usual_images, config_.threads),
        trainer_(space_, config_.seed, trainer_options(setup), first_parameters(setup)) {
    const Network network = space_.decode(largest_).network;
    check_fit(network, data_.train, data_.class_names.size(), data_.name);
    macs_ = ridgeline::macs(with_batch(network, 1));
    for (const ShrinkPhase& phase : supernet_.phases) check_names(space_, sandwich_of(phase));
  }

  void begin_epoch(int epoch) override {
    int first = 1;
    sandwich_ = sandwich_of({});
    for (const ShrinkPhase& phase : supernet_.phases) {
      if (epoch >= first) sandwich_ = sandwich_of(phase);
      // What a phase opens for the first time is to find the important channels in front.
      if (epoch == first && first > 1) trainer_.order_channels();
      first += phase.epochs;
    }
  }

  TrainingStep step(const ImageBatch& batch, std::span<const LossTerm> terms) override {
    const auto images = [&](const Shape& input, std::span<float> out) {
      const ImageShape shape{static_cast<int>(input[1]), static_cast<int>(input[2]), static_cast<int>(input[3])};
      resize_images(batch.images, data_.train.shape(), out, shape);
    };
    const std::uint64_t number = trainer_.steps();
    if (controller_ == nullptr || !controller_->leads(number)) {
      return trainer_.step(sandwich(space_, sandwich_, config_.seed, number), images, terms);
    }
    const Genome chosen = controller_->draw(number);
    const std::vector<Genome> candidates = candidates_with(chosen, number);
    const TrainingStep done = trainer_.step(candidates, images, terms);
    const auto place = static_cast<std::size_t>(std::ranges::find(candidates, chosen) - candidates.begin());
    const std::size_t right = right_answers(trainer_.logits(place), batch.labels, trainer_.classes());
    controller_->learn(number, chosen, static_cast<double>(right) / static_cast<double>(batch.labels.size()));
    return done;
  }
  std::span<const float> logits() const override { return trainer_.logits(); }

  void validate(EpochRecord& record) override {
    const ClassificationScores most = evaluate(largest_);
    record.validation_loss = most.nll;
    record.validation_accuracy = most.accuracy;
    record.smallest_accuracy = evaluate(smallest_).accuracy;
  }

  double accuracy(const Genome& genome) const override { return evaluate(genome).accuracy; }

  TrainingState save() const override { return trainer_.save(); }
  void load(TrainingState state) override { trainer_.load(std::move(state)); }
  TrainingState finished() const override { return without_history(trainer_.save()); }

  std::uint64_t network_hash() const override { return trainer_.layout().fingerprint(); }
  std::int64_t parameters() const override { return static_cast<std::int64_t>(trainer_.layout().size()); }
  std::int64_t macs() const override { return macs_; }
  std::optional<StepTimes> step_times() const override {
    if (!config_.quantize) return std::nullopt;
    Genome genome = largest_genome(space_);
    const Genome least = smallest_genome(space_);
    for (std::size_t i = 0; i < genome.genes.size(); ++i) {
      if (space_.dims()[i].group == GeneGroup::precision) genome.genes[i] = least.genes[i];
    }
    const Design design = space_.decode(space_.normalise(genome));
    TrainingOptions options{config_.threads, config_.format};
    options.quantization.plan = trained_plan(design, config_.quantize->formats);
    return time_steps(design.network, options);
  }

 private:
  // Of a supernet in other formats all but the ranges.
  static std::vector<float> first_parameters(const LearnerSetup& setup) {
    if (setup.from == nullptr) return {};
    const std::string formats = setup.config.quantize ? setup.config.quantize->formats : "";
    std::vector<float> parameters = without_history(setup.from->state).parameters;
    if (trained_formats(*setup.from) != formats) parameters.resize(SharedParameters(setup.space).size());
    return parameters;
  }

  SupernetOptions trainer_options(const LearnerSetup& setup) const {
    SupernetOptions options{{config_.threads, config_.format}, setup.descent, supernet_.distillation};
    if (!config_.quantize) return options;
    options.formats = config_.quantize->formats;
    options.training.quantization.way = config_.quantize->way;
    options.training.quantization.seed = config_.seed;
    check_formats(space_.decode(largest_genome(space_)), options.formats);
    return options;
  }

  SandwichOptions sandwich_of(const ShrinkPhase& phase) const {
    const bool by_gene = trainer_.layout().formats() == by_genes;
    return {supernet_.candidates, supernet_.sandwich, phase.all_open, by_gene, phase.open};
  }

  // The controller's candidate takes the place of the last random one, and is one more where there is none.
  std::vector<Genome> candidates_with(const Genome& chosen, std::uint64_t number) const {
    SandwichOptions options = sandwich_;
    if (options.candidates > (options.ends ? 2U : 0U)) --options.candidates;
    std::vector<Genome> candidates = sandwich(space_, options, config_.seed, number);
    if (std::ranges::count(candidates, chosen) == 0) candidates.push_back(chosen);
    return candidates;
  }

  ClassificationScores evaluate(const Genome& genome) const {
    const Inherited inherited = recalibration_(space_, trainer_.layout(), trainer_.evaluated(), genome);
    return evaluate_classifier(inherited.executed(), data_.validation, data_.normalisation,
                               {.threads = config_.threads, .emulation = Emulation::missing});
  }

  const SearchSpace& space_;
  const Dataset& data_;
  const TrainConfig& config_;
  Controller* controller_;
  SupernetConfig supernet_;
  Genome largest_, smallest_;
  Recalibration recalibration_;
  SupernetTrainer trainer_;
  SandwichOptions sandwich_;
  std::int64_t macs_ = 0;
};

}  // namespace

std::unique_ptr<Learner> make_supernet_learner(const LearnerSetup& setup) {
  return std::make_unique<SupernetLearner>(setup);
}

}  // namespace ridgeline
