#include "kernels/training/descent.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace ridgeline {

Descent::Descent(const DescentOptions& options, std::span<const ParameterBlock> blocks, std::span<const float> initial)
    : options_(options), optimizer_(options.optimizer, blocks) {
  if (options.average_decay > 0) averaged_.assign(initial.begin(), initial.end());
  scheduled_rate(options.schedule, 0, options.total_steps);  // refuses an unknown kind
}

void Descent::begin_average(std::size_t first, std::span<const float> values) {
  if (averaged_.empty()) return;
  std::copy(values.begin(), values.end(), averaged_.begin() + static_cast<std::ptrdiff_t>(first));
}

void Descent::check_loss(double loss) const {
  if (std::isfinite(loss)) return;
  throw Diverged("the loss is no finite number at step " + std::to_string(steps()) +
                 "; lower the learning rate, clip the gradient, or warm up for longer");
}

TrainingStep Descent::step(double loss, std::span<float> parameters, std::span<float> gradient) {
  TrainingStep result;
  result.loss = loss;
  result.gradient_norm = clip_gradient(gradient, options_.clip_norm);
  if (!std::isfinite(result.gradient_norm)) {
    throw Diverged("the gradient is no finite number at step " + std::to_string(steps()) +
                   "; lower the learning rate, or warm up for longer");
  }
  result.learning_rate = options_.learning_rate * scheduled_rate(options_.schedule, steps(), options_.total_steps);
  optimizer_.step(parameters, gradient, result.learning_rate);
  if (!averaged_.empty()) {
    // Early averages follow closely, or the initial weights would stay in them for long.
    const double count = static_cast<double>(steps());
    average_into(averaged_, parameters, std::min(options_.average_decay, (1.0 + count) / (10.0 + count)));
  }
  return result;
}

void Descent::save(TrainingState& state) const {
  state.averaged = averaged_;
  state.optimizer = optimizer_.save();
}

void Descent::load(TrainingState& state) {
  if (state.averaged.size() != averaged_.size()) {
    throw std::invalid_argument("the training state is of another network");
  }
  optimizer_.load(std::move(state.optimizer));
  averaged_ = std::move(state.averaged);
}

}  // namespace ridgeline
