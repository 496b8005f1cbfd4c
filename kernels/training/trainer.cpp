#include "kernels/training/trainer.hpp"

#include <algorithm>
#include <atomic>

#include "kernels/pinning.hpp"
#include "kernels/training/executed_formats.hpp"
#include "kernels/training/rounding_sites.hpp"

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

// Ranges that are 0: none yet.
std::vector<float> with_ranges(std::vector<float> parameters, std::span<const float> ranges, std::size_t count) {
  if (!ranges.empty() && parameters.size() + ranges.size() != count) {
    throw std::invalid_argument("the ranges to begin with are of another network or other formats");
  }
  parameters.insert(parameters.end(), ranges.begin(), ranges.end());
  parameters.resize(count, 0.0F);
  return parameters;
}

}  // namespace

Trainer::Trainer(const Network& network, Weights initial, const TrainerOptions& options, std::vector<float> ranges)
    : network_(network),
      options_(options),
      weights_(std::move(initial)),
      graph_(network, options.training),
      descent_(options.descent, parameter_blocks(network, options.training.quantization.plan),
               with_ranges(flatten(network, weights_), ranges, graph_.parameters().size())),
      classes_(static_cast<std::size_t>(network.shape(network.outputs().front()).back())),
      own_count_(parameter_count(parameter_blocks(network))) {
  const std::vector<float> parameters = with_ranges(flatten(network, weights_), ranges, graph_.parameters().size());
  std::copy(parameters.begin(), parameters.end(), graph_.parameters().begin());
  gradient_.resize(graph_.parameters().size());
}

TrainingStep Trainer::step(std::span<const float> images, std::span<const LossTerm> terms) {
  if (images.size() != graph_.input().size()) throw std::invalid_argument("images are not those of the network");
  std::copy(images.begin(), images.end(), graph_.input().begin());
  graph_.forward(descent_.steps());
  if (descent_.steps() == 0) descent_.begin_average(own_count_, graph_.parameters().subspan(own_count_));  // ranges
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
  unflatten(network_, own(graph_.parameters()), weights_);
  return weights_;
}

Weights Trainer::averaged_weights() {
  Weights result = weights();
  if (!descent_.averaged().empty()) unflatten(network_, own(descent_.averaged()), result);
  return result;
}

Design Trainer::evaluated(std::int64_t batch) {
  const std::vector<float>& averaged = descent_.averaged();
  const std::span<const float> all = averaged.empty() ? graph_.parameters() : std::span<const float>(averaged);
  return executed_in_formats(with_batch(network_, batch), options_.training.quantization.plan, averaged_weights(),
                             all.subspan(own_count_));
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

namespace {

// Of one batch: mean and unbiased variance of every norm, one norm after the other.
std::vector<float> measured_statistics(const Network& network, const TrainingGraph& graph) {
  std::vector<float> statistics;
  for (const BatchStatistics& batch : graph.batch_statistics()) {
    const std::int64_t samples = samples_a_channel(network, batch.node);
    statistics.insert(statistics.end(), batch.mean.begin(), batch.mean.end());
    for (const float variance : batch.variance) statistics.push_back(unbiased(variance, samples));
  }
  return statistics;
}

}  // namespace

void recalibrate(const Network& network, const PrecisionPlan& plan, Weights& weights, std::vector<float>& ranges,
                 int threads, std::size_t batches, const BatchFill& fill) {
  const std::vector<NodeId> live = network.live_nodes();
  const bool norms =
      std::ranges::any_of(live, [&](NodeId node) { return network.op(node).kind == OpKind::batch_norm; });
  if (batches == 0) return;
  TrainingOptions options{.threads = 1, .gradients = false};
  options.quantization.plan = plan;
  std::vector<float> parameters = flatten(network, weights);
  const std::size_t own = parameters.size();
  parameters.insert(parameters.end(), ranges.begin(), ranges.end());
  if (std::ranges::count(ranges, 0.0F) > 0) {
    TrainingGraph graph(network, options);
    std::ranges::copy(parameters, graph.parameters().begin());
    fill(0, graph.input());
    graph.forward();
    std::ranges::copy(graph.parameters(), parameters.begin());
    ranges.assign(parameters.begin() + static_cast<std::ptrdiff_t>(own), parameters.end());
  }
  if (!norms) return;
  std::vector<std::vector<float>> found(batches);
  std::atomic<std::size_t> next = 0;
  on_team(static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(threads), batches)), [&](int) {
    TrainingGraph graph(network, options);
    std::ranges::copy(parameters, graph.parameters().begin());
    for (std::size_t batch = next++; batch < batches; batch = next++) {
      fill(batch, graph.input());
      graph.forward();
      found[batch] = measured_statistics(network, graph);
    }
  });
  std::vector<float> mean(found[0].size(), 0.0F);
  for (const std::vector<float>& one : found) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += one[i] / static_cast<float>(batches);
  }
  auto statistic = mean.begin();
  for (const NodeId node : live) {
    if (network.op(node).kind != OpKind::batch_norm) continue;
    const auto channels = static_cast<std::ptrdiff_t>(weights[node].scale.size());
    weights[node].mean.assign(statistic, statistic + channels);
    weights[node].variance.assign(statistic + channels, statistic + 2 * channels);
    statistic += 2 * channels;
  }
}

}  // namespace ridgeline
