#include "kernels/training/trainer.hpp"

#include <algorithm>
#include <cmath>

namespace ridgeline {
namespace {

// Biased variance of the batch to the unbiased one that evaluation wants.
float unbiased(float variance, std::int64_t samples) {
  return samples > 1 ? variance * static_cast<float>(samples) / static_cast<float>(samples - 1) : variance;
}

std::int64_t samples_a_channel(const Network& network, NodeId norm) {
  const Shape& shape = network.shape(norm);
  return elements(shape) / shape[1];
}

}  // namespace

Trainer::Trainer(const Network& network, Weights initial, const TrainerOptions& options)
    : network_(network),
      options_(options),
      weights_(std::move(initial)),
      graph_(network, options.training),
      descent_(options.descent, parameter_blocks(network), flatten(network, weights_)),
      classes_(static_cast<std::size_t>(network.shape(network.outputs().front()).back())) {
  const std::vector<float> parameters = flatten(network, weights_);
  std::copy(parameters.begin(), parameters.end(), graph_.parameters().begin());
  gradient_.resize(parameters.size());
}

TrainingStep Trainer::step(std::span<const float> images, std::span<const LossTerm> terms) {
  if (images.size() != graph_.input().size()) throw std::invalid_argument("images are not those of the network");
  std::copy(images.begin(), images.end(), graph_.input().begin());
  graph_.forward();
  const double loss = cross_entropy(graph_.output(), classes_, terms, graph_.output_gradient());
  descent_.check_loss(loss);
  graph_.backward();
  std::copy(graph_.gradient().begin(), graph_.gradient().end(), gradient_.begin());
  const TrainingStep result = descent_.step(loss, graph_.parameters(), gradient_);
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
  if (!descent_.averaged().empty()) unflatten(network_, descent_.averaged(), result);
  return result;
}

TrainingState Trainer::save() const {
  TrainingState state;
  const std::span<const float> parameters = graph_.parameters();
  state.parameters.assign(parameters.begin(), parameters.end());
  descent_.save(state);
  for (const BatchStatistics& one : graph_.batch_statistics()) {
    const NodeWeights& norm = weights_[one.node];
    state.statistics.insert(state.statistics.end(), norm.mean.begin(), norm.mean.end());
    state.statistics.insert(state.statistics.end(), norm.variance.begin(), norm.variance.end());
  }
  return state;
}

void Trainer::load(TrainingState state) {
  std::size_t statistics = 0;
  for (const BatchStatistics& one : graph_.batch_statistics()) statistics += 2 * one.mean.size();
  if (state.parameters.size() != graph_.parameters().size() || state.statistics.size() != statistics) {
    throw std::invalid_argument("the training state is of another network");
  }
  descent_.load(state);
  std::copy(state.parameters.begin(), state.parameters.end(), graph_.parameters().begin());
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
  const std::vector<NodeId> live = network.live_nodes();
  const bool norms =
      std::ranges::any_of(live, [&](NodeId node) { return network.op(node).kind == OpKind::batch_norm; });
  if (!norms) return weights;
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
