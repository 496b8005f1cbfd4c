#include "kernels/training/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

bool feeds_addition(const Network& network, NodeId node) {
  const std::vector<NodeId> readers = network.consumers(node);
  return std::any_of(readers.begin(), readers.end(),
                     [&](NodeId reader) { return network.op(reader).kind == OpKind::add; });
}

// Biased variance of the batch to the unbiased one that evaluation wants.
float unbiased(float variance, std::int64_t samples) {
  return samples > 1 ? variance * static_cast<float>(samples) / static_cast<float>(samples - 1) : variance;
}

std::int64_t samples_a_channel(const Network& network, NodeId norm) {
  const Shape& shape = network.shape(norm);
  return elements(shape) / shape[1];
}

}  // namespace

Weights initial_weights(const Network& network, std::uint64_t seed) {
  Weights weights(network.size());
  for (const ParameterBlock& block : parameter_blocks(network)) {
    const Op& op = network.op(block.node);
    std::vector<float>& values = block_of(weights[block.node], block.kind);
    values.assign(block.size, 0.0F);
    if (block.kind == ParameterBlock::Kind::scale) {
      const bool closes_block = op.kind == OpKind::batch_norm && feeds_addition(network, block.node);
      if (!closes_block) std::fill(values.begin(), values.end(), 1.0F);
    }
    if (block.kind == ParameterBlock::Kind::kernel) {
      Rng rng(seed, "initial weights", block.node);
      const double fan_in = static_cast<double>(block.size) / static_cast<double>(op.channels);
      const double deviation = std::sqrt((op.kind == OpKind::conv2d ? 2.0 : 1.0) / fan_in);
      for (float& value : values) value = static_cast<float>(deviation * rng.normal());
    }
    if (op.kind == OpKind::batch_norm) {
      weights[block.node].mean.assign(block.size, 0.0F);
      weights[block.node].variance.assign(block.size, 1.0F);
    }
  }
  return weights;
}

Trainer::Trainer(const Network& network, Weights initial, const TrainerOptions& options)
    : network_(network),
      options_(options),
      weights_(std::move(initial)),
      graph_(network, options.training),
      optimizer_(options.optimizer, parameter_blocks(network)),
      classes_(static_cast<std::size_t>(network.shape(network.outputs().front()).back())) {
  const std::vector<float> parameters = flatten(network, weights_);
  std::copy(parameters.begin(), parameters.end(), graph_.parameters().begin());
  if (options.average_decay > 0) averaged_ = parameters;
  gradient_.resize(parameters.size());
  scheduled_rate(options.schedule, 0, options.total_steps);  // refuses an unknown kind
}

TrainingStep Trainer::step(std::span<const float> images, std::span<const LossTerm> terms) {
  if (images.size() != graph_.input().size()) throw std::invalid_argument("images are not those of the network");
  std::copy(images.begin(), images.end(), graph_.input().begin());
  graph_.forward();
  TrainingStep result;
  result.loss = cross_entropy(graph_.output(), classes_, terms, graph_.output_gradient());
  if (!std::isfinite(result.loss)) {
    throw Diverged("the loss is no finite number at step " + std::to_string(steps()) +
                   "; lower the learning rate, clip the gradient, or warm up for longer");
  }
  graph_.backward();
  std::copy(graph_.gradient().begin(), graph_.gradient().end(), gradient_.begin());
  result.gradient_norm = clip_gradient(gradient_, options_.clip_norm);
  if (!std::isfinite(result.gradient_norm)) {
    throw Diverged("the gradient is no finite number at step " + std::to_string(steps()) +
                   "; lower the learning rate, or warm up for longer");
  }
  result.learning_rate = options_.learning_rate * scheduled_rate(options_.schedule, steps(), options_.total_steps);
  optimizer_.step(graph_.parameters(), gradient_, result.learning_rate);
  if (!averaged_.empty()) {
    // Early averages follow closely, or the initial weights would stay in them for long.
    const double count = static_cast<double>(steps());
    average_into(averaged_, graph_.parameters(), std::min(options_.average_decay, (1.0 + count) / (10.0 + count)));
  }
  update_statistics();
  return result;
}

void Trainer::update_statistics() {
  const double decay = options_.statistics_decay;
  for (const BatchStatistics& batch : graph_.batch_statistics()) {
    NodeWeights& norm = weights_[batch.node];
    const std::int64_t samples = samples_a_channel(network_, batch.node);
    std::vector<float> variance(batch.variance.begin(), batch.variance.end());
    for (float& one : variance) one = unbiased(one, samples);
    average_into(norm.mean, batch.mean, decay);
    average_into(norm.variance, variance, decay);
  }
}

const Weights& Trainer::weights() {
  unflatten(network_, graph_.parameters(), weights_);
  return weights_;
}

Weights Trainer::averaged_weights() {
  Weights result = weights();
  if (!averaged_.empty()) unflatten(network_, averaged_, result);
  return result;
}

Trainer::State Trainer::save() const {
  State state;
  const std::span<const float> parameters = graph_.parameters();
  state.parameters.assign(parameters.begin(), parameters.end());
  state.averaged = averaged_;
  for (const BatchStatistics& one : graph_.batch_statistics()) {
    const NodeWeights& norm = weights_[one.node];
    state.statistics.insert(state.statistics.end(), norm.mean.begin(), norm.mean.end());
    state.statistics.insert(state.statistics.end(), norm.variance.begin(), norm.variance.end());
  }
  state.optimizer = optimizer_.save();
  return state;
}

void Trainer::load(State state) {
  std::size_t statistics = 0;
  for (const BatchStatistics& one : graph_.batch_statistics()) statistics += 2 * one.mean.size();
  if (state.parameters.size() != graph_.parameters().size() || state.averaged.size() != averaged_.size() ||
      state.statistics.size() != statistics) {
    throw std::invalid_argument("the training state is of another network");
  }
  optimizer_.load(std::move(state.optimizer));
  std::copy(state.parameters.begin(), state.parameters.end(), graph_.parameters().begin());
  averaged_ = std::move(state.averaged);
  auto next = state.statistics.begin();
  for (const BatchStatistics& one : graph_.batch_statistics()) {
    const auto channels = static_cast<std::ptrdiff_t>(one.mean.size());
    weights_[one.node].mean.assign(next, next + channels);
    weights_[one.node].variance.assign(next + channels, next + 2 * channels);
    next += 2 * channels;
  }
}

Weights recalibrated(const Network& network, Weights weights, const TrainingOptions& options, std::size_t batches,
                     const std::function<void(std::span<float> images)>& next_batch) {
  TrainingGraph graph(network, options);
  const std::vector<float> parameters = flatten(network, weights);
  std::copy(parameters.begin(), parameters.end(), graph.parameters().begin());
  for (std::size_t i = 0; i < batches; ++i) {
    next_batch(graph.input());
    graph.forward();
    // The mean over the batches so far.
    const double decay = static_cast<double>(i) / static_cast<double>(i + 1);
    for (const BatchStatistics& batch : graph.batch_statistics()) {
      NodeWeights& norm = weights[batch.node];
      norm.mean.resize(batch.mean.size());
      norm.variance.resize(batch.variance.size());
      std::vector<float> variance(batch.variance.begin(), batch.variance.end());
      for (float& one : variance) one = unbiased(one, samples_a_channel(network, batch.node));
      average_into(norm.mean, batch.mean, decay);
      average_into(norm.variance, variance, decay);
    }
  }
  return weights;
}

}  // namespace ridgeline
