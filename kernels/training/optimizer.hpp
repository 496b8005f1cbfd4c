// First-order optimizers over a flat vector of parameters, and what goes with them.
//
// Weight decay is decoupled from the gradient in adamw and lion and added to it in sgd, as their papers have it, and
// acts on kernels only: norms and biases are not decayed. Deterministic; not thread-safe.
//  * sgd: momentum as Nesterov's (Sutskever et al., 2013, in the form deep-learning frameworks use)
//  * adamw: Loshchilov and Hutter, 2019, arXiv:1711.05101
//  * lion: Chen et al., 2023, arXiv:2302.06675
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/training/parameters.hpp"

namespace ridgeline {

struct OptimizerOptions {
  std::string kind = "sgd";                           // sgd, adamw, lion
  double momentum = 0.9;                              // sgd
  bool nesterov = true;                               // sgd
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // adamw; lion's usual beta2 is 0.99
  double weight_decay = 1e-4;
};

std::span<const std::string> optimizer_names();

class Optimizer {
 public:
  // Throws std::invalid_argument for an unknown kind.
  Optimizer(const OptimizerOptions& options, std::span<const ParameterBlock> blocks);

  void step(std::span<float> parameters, std::span<const float> gradient, double learning_rate);

  // Everything a later step depends on; load() throws std::invalid_argument when it is of another optimizer or network.
  struct State {
    std::uint64_t steps = 0;
    std::vector<std::vector<float>> moments;
  };
  const State& save() const { return state_; }
  void load(State state);

 private:
  void sgd(std::span<float> parameters, std::span<const float> gradient, double learning_rate);
  void adamw(std::span<float> parameters, std::span<const float> gradient, double learning_rate);
  void lion(std::span<float> parameters, std::span<const float> gradient, double learning_rate);
  OptimizerOptions options_;
  std::vector<float> decay_;  // one a parameter
  State state_;
};

// Scales the gradient down to `most` where its Euclidean norm is larger; returns the norm before. `most` 0: only the
// norm.
double clip_gradient(std::span<float> gradient, double most);

// averaged = decay * averaged + (1 - decay) * values: the moving average of parameters that is evaluated.
void average_into(std::span<float> averaged, std::span<const float> values, double decay);

// Learning rate of step 0 ... total - 1, relative to the highest. Linear warm-up, then
//  * constant
//  * cosine: (1 + cos(pi t)) / 2, t from 0 to 1 (Loshchilov and Hutter, 2017, arXiv:1608.03983)
//  * cosine_power: (p^((1 + cos(pi t)) / 2 + 1) - p) / (p^2 - p) (Hundt et al., 2019, arXiv:1903.09900); p = 1 is
//  cosine
struct ScheduleOptions {
  std::string kind = "cosine";
  std::uint64_t warmup_steps = 0;
  double power = 10.0;
  double least = 0.0;  // where the schedule ends
};

std::span<const std::string> schedule_names();

// Throws std::invalid_argument for an unknown kind.
double scheduled_rate(const ScheduleOptions& options, std::uint64_t step, std::uint64_t total);

}  // namespace ridgeline
