// What a gradient does to parameters: it is clipped, scheduled, handed to the optimizer, and the result is averaged.
// The part of training that does not know where the gradient came from.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "kernels/training/optimizer.hpp"

namespace ridgeline {

// The loss or the gradient is no finite number any more.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct DescentOptions {
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double learning_rate = 0.1;     // the schedule's highest
  std::uint64_t total_steps = 1;  // what the schedule is stretched over
  double clip_norm = 0.0;         // of the gradient; 0: not clipped
  double average_decay = 0.0;     // of the moving average of parameters; 0: none is kept
};

struct TrainingStep {
  double loss = 0, gradient_norm = 0, learning_rate = 0;
};

// Everything that a later step depends on.
struct TrainingState {
  std::vector<float> parameters, averaged, statistics;  // statistics: mean and variance of every batch norm
  Optimizer::State optimizer;
};

class Descent {
 public:
  // Throws std::invalid_argument for an unknown optimizer or schedule.
  Descent(const DescentOptions& options, std::span<const ParameterBlock> blocks, std::span<const float> initial);

  std::uint64_t steps() const { return optimizer_.save().steps; }
  void check_loss(double loss) const;  // throws Diverged, naming the step
  // Throws Diverged and leaves the parameters as they were. `gradient` is clipped in place.
  TrainingStep step(double loss, std::span<float> parameters, std::span<float> gradient);

  // The average of parameters that had no value before begins with these, at `first`.
  void begin_average(std::size_t first, std::span<const float> values);
  const std::vector<float>& averaged() const { return averaged_; }  // empty where none is kept
  void save(TrainingState& state) const;                            // all but parameters and statistics
  void load(TrainingState& state);  // throws std::invalid_argument when it is of another optimizer or network

 private:
  DescentOptions options_;
  Optimizer optimizer_;
  std::vector<float> averaged_;
};

}  // namespace ridgeline
