// What is trained: one candidate of a space, or all of them at once as a supernet. The loop over epochs, batches and
// checkpoints (train.cpp) sees only this.
#pragma once

#include <memory>
#include <stdexcept>

#include "experiments/data/batches.hpp"
#include "experiments/training/train.hpp"
#include "kernels/training/descent.hpp"
#include "kernels/training/step_times.hpp"

namespace ridgeline {

class Controller;

// Images whose label has the highest logit. logits: [labels, classes].
std::size_t right_answers(std::span<const float> logits, std::span<const std::int32_t> labels, std::size_t classes);

class Learner {
 public:
  virtual ~Learner() = default;
  virtual void begin_epoch(int /*epoch*/) {}  // from 1; before its first step, and not again when training goes on
  virtual TrainingStep step(const ImageBatch& batch, std::span<const LossTerm> terms) = 0;
  virtual std::span<const float> logits() const = 0;  // of the last step, on the batch's own images
  virtual void validate(EpochRecord& record) = 0;
  // Of a candidate of a supernet on the validation images, in its formats.
  virtual double accuracy(const Genome& /*genome*/) const { throw std::logic_error("a network has no candidates"); }

  virtual TrainingState save() const = 0;
  virtual void load(TrainingState state) = 0;  // throws std::invalid_argument
  // What is kept of a training that has ended: only what is evaluated.
  virtual TrainingState finished() const = 0;

  virtual std::uint64_t network_hash() const = 0;  // of what is trained: another space or candidate has another
  virtual std::int64_t parameters() const = 0;
  virtual std::int64_t macs() const = 0;  // of the largest network, one image
  // Trained through number formats: what a step of the largest network costs, in the formats with fewest bits.
  virtual std::optional<StepTimes> step_times() const { return std::nullopt; }
  virtual std::string note() const { return {}; }  // what the user should know about how the images are used
};

struct LearnerSetup {
  const SearchSpace& space;  // decodes to networks of the training batch
  const Dataset& data;
  const TrainConfig& config;
  DescentOptions descent;
  const ModelCheckpoint* from = nullptr;  // what to begin with; null: random weights
  Controller* controller = nullptr;       // draws one candidate a step of a supernet; null: none
};

// Throws ConfigError where training through these formats would round nothing.
void check_formats(const Design& design, const std::string& formats);

// Throw ConfigError and Unsupported.
std::unique_ptr<Learner> make_candidate_learner(const LearnerSetup& setup, const Genome& genome);
std::unique_ptr<Learner> make_supernet_learner(const LearnerSetup& setup);

}  // namespace ridgeline
