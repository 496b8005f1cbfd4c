// One network being trained on this machine: gradient, clipping, optimizer, schedule, moving averages. Knows nothing of
// files and data sets; batches come from outside.
//
// Same initial weights, options, batches and number of threads: the same weights, bit for bit, also when training was
// saved and loaded in between. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

#include "kernels/training/loss.hpp"
#include "kernels/training/optimizer.hpp"
#include "kernels/training/training_graph.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// The loss or the gradient is no finite number any more.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct TrainerOptions {
  TrainingOptions training;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double learning_rate = 0.1;     // the schedule's highest
  std::uint64_t total_steps = 1;  // what the schedule is stretched over
  double clip_norm = 0.0;         // of the gradient; 0: not clipped
  double average_decay = 0.0;     // of the moving average of parameters; 0: none is kept
  double statistics_decay = 0.9;  // of batch norms' running statistics
};

struct TrainingStep {
  double loss = 0, gradient_norm = 0, learning_rate = 0;
};

// He-normal kernels (He et al., 2015, arXiv:1502.01852), 1 / fan-in for linear layers, norms the identity, but the last
// norm before a residual addition scaled to 0 so that every block starts as the identity (Goyal et al., 2017,
// arXiv:1706.02677, section 5.1).
Weights initial_weights(const Network& network, std::uint64_t seed);

class Trainer {
 public:
  // `network` has the training batch as its leading extent. Throws Unsupported and std::invalid_argument.
  Trainer(const Network& network, Weights initial, const TrainerOptions& options);

  // `images` as the network's input, one distribution over classes a row of `terms`. Throws Diverged and leaves the
  // parameters as they were.
  TrainingStep step(std::span<const float> images, std::span<const LossTerm> terms);

  std::uint64_t steps() const { return optimizer_.save().steps; }
  std::size_t classes() const { return classes_; }
  std::span<const float> logits() const { return graph_.output(); }  // of the last step
  const Weights& weights();                                          // with running statistics
  Weights averaged_weights();  // the moving average, or weights() where none is kept

  struct State {
    std::vector<float> parameters, averaged, statistics;  // statistics: mean and variance of every batch norm
    Optimizer::State optimizer;
  };
  State save() const;
  void load(State state);  // throws std::invalid_argument when it is of another network or optimizer

 private:
  void update_statistics();

  Network network_;
  TrainerOptions options_;
  Weights weights_;
  TrainingGraph graph_;
  Optimizer optimizer_;
  std::size_t classes_;
  std::vector<float> averaged_, gradient_;
};

// `weights` with batch-norm statistics measured anew: `next_batch` fills the network's input, and is called `batches`
// times. What weights that were averaged, sliced or extracted need before they are evaluated.
Weights recalibrated(const Network& network, Weights weights, const TrainingOptions& options, std::size_t batches,
                     const std::function<void(std::span<float> images)>& next_batch);

}  // namespace ridgeline
