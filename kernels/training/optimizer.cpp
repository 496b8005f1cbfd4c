#include "kernels/training/optimizer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace ridgeline {

namespace {

const std::array<std::string, 3> optimizers{"sgd", "adamw", "lion"};
const std::array<std::string, 3> schedules{"constant", "cosine", "cosine_power"};

std::size_t moments_of(const std::string& kind) { return kind == "adamw" ? 2 : 1; }

}  // namespace

std::span<const std::string> optimizer_names() { return optimizers; }
std::span<const std::string> schedule_names() { return schedules; }

Optimizer::Optimizer(const OptimizerOptions& options, std::span<const ParameterBlock> blocks) : options_(options) {
  if (std::find(optimizers.begin(), optimizers.end(), options.kind) == optimizers.end()) {
    throw std::invalid_argument("unknown optimizer '" + options.kind + "'");
  }
  decay_.assign(parameter_count(blocks), 0.0F);
  for (const ParameterBlock& block : blocks) {
    if (block.kind != ParameterBlock::Kind::kernel) continue;
    std::fill_n(decay_.begin() + static_cast<std::ptrdiff_t>(block.offset), block.size,
                static_cast<float>(options.weight_decay));
  }
  state_.moments.assign(moments_of(options.kind), std::vector<float>(decay_.size(), 0.0F));
}

void Optimizer::load(State state) {
  const bool fits = state.moments.size() == state_.moments.size() &&
                    std::all_of(state.moments.begin(), state.moments.end(),
                                [&](const std::vector<float>& one) { return one.size() == decay_.size(); });
  if (!fits) throw std::invalid_argument("the optimizer's state is of another optimizer or network");
  state_ = std::move(state);
}

void Optimizer::step(std::span<float> parameters, std::span<const float> gradient, double learning_rate) {
  if (parameters.size() != decay_.size() || gradient.size() != decay_.size()) {
    throw std::invalid_argument("parameters or gradient are of another network");
  }
  ++state_.steps;
  if (options_.kind == "sgd") return sgd(parameters, gradient, learning_rate);
  if (options_.kind == "adamw") return adamw(parameters, gradient, learning_rate);
  lion(parameters, gradient, learning_rate);
}

void Optimizer::sgd(std::span<float> parameters, std::span<const float> gradient, double learning_rate) {
  const auto rate = static_cast<float>(learning_rate), momentum = static_cast<float>(options_.momentum);
  std::vector<float>& velocity = state_.moments[0];
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const float slope = gradient[i] + decay_[i] * parameters[i];
    velocity[i] = momentum * velocity[i] + slope;
    parameters[i] -= rate * (options_.nesterov ? slope + momentum * velocity[i] : velocity[i]);
  }
}

void Optimizer::adamw(std::span<float> parameters, std::span<const float> gradient, double learning_rate) {
  const auto steps = static_cast<double>(state_.steps);
  const auto rate = static_cast<float>(learning_rate);
  const auto first = static_cast<float>(options_.beta1), second = static_cast<float>(options_.beta2);
  const auto epsilon = static_cast<float>(options_.epsilon);
  const auto first_rest = static_cast<float>(1.0 - options_.beta1);
  const auto second_rest = static_cast<float>(1.0 - options_.beta2);
  const auto mean_unit = static_cast<float>(1.0 / (1.0 - std::pow(options_.beta1, steps)));
  const auto square_unit = static_cast<float>(1.0 / (1.0 - std::pow(options_.beta2, steps)));
  std::vector<float>&mean = state_.moments[0], &square = state_.moments[1];
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    mean[i] = first * mean[i] + first_rest * gradient[i];
    square[i] = second * square[i] + second_rest * gradient[i] * gradient[i];
    const float move = mean[i] * mean_unit / (std::sqrt(square[i] * square_unit) + epsilon);
    parameters[i] -= rate * (move + decay_[i] * parameters[i]);
  }
}

void Optimizer::lion(std::span<float> parameters, std::span<const float> gradient, double learning_rate) {
  const auto rate = static_cast<float>(learning_rate);
  const auto first = static_cast<float>(options_.beta1), second = static_cast<float>(options_.beta2);
  std::vector<float>& mean = state_.moments[0];
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const float mixed = first * mean[i] + (1.0F - first) * gradient[i];
    const float sign = mixed > 0.0F ? 1.0F : mixed < 0.0F ? -1.0F : 0.0F;
    parameters[i] -= rate * (sign + decay_[i] * parameters[i]);
    mean[i] = second * mean[i] + (1.0F - second) * gradient[i];
  }
}

double clip_gradient(std::span<float> gradient, double most) {
  double square = 0.0;
  for (const float value : gradient) square += static_cast<double>(value) * static_cast<double>(value);
  const double norm = std::sqrt(square);
  if (most > 0.0 && norm > most) {
    const auto scale = static_cast<float>(most / norm);
    for (float& value : gradient) value *= scale;
  }
  return norm;
}

void average_into(std::span<float> averaged, std::span<const float> values, double decay) {
  const auto keep = static_cast<float>(decay);
  for (std::size_t i = 0; i < averaged.size(); ++i) averaged[i] = keep * averaged[i] + (1.0F - keep) * values[i];
}

double scheduled_rate(const ScheduleOptions& options, std::uint64_t step, std::uint64_t total) {
  if (std::find(schedules.begin(), schedules.end(), options.kind) == schedules.end()) {
    throw std::invalid_argument("unknown schedule '" + options.kind + "'");
  }
  if (step < options.warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
  if (options.kind == "constant") return 1.0;
  const std::uint64_t span = total > options.warmup_steps ? total - options.warmup_steps : 1;
  const double t = std::min(1.0, static_cast<double>(step - options.warmup_steps) / static_cast<double>(span));
  double height = 0.5 * (1.0 + std::cos(std::numbers::pi * t));
  const double p = options.power;
  if (options.kind == "cosine_power" && std::abs(p - 1.0) > 1e-9) {
    height = (std::pow(p, height + 1.0) - p) / (p * p - p);
  }
  return options.least + (1.0 - options.least) * height;
}

}  // namespace ridgeline
