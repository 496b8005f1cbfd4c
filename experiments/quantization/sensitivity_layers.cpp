// cca and lrp: scores of layers alone.
#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/quantization/sensitivity_impl.hpp"
#include "kernels/quantization/canonical_correlation.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline::sensitivity {
namespace {

constexpr std::size_t feature_batch = 32, relevance_batch = 8;
constexpr std::size_t samples_a_component = 8;

std::set<NodeId> operators_of(const SensitivityJob& job) {
  std::set<NodeId> nodes;
  for (const FormatCase& one : job.cases) nodes.insert(one.node);
  return nodes;
}

std::size_t extent(const Shape& shape, std::size_t axis) { return static_cast<std::size_t>(shape[axis]); }

// [images, channels]: the mean over positions.
void add_means(const Activation& activation, const Shape& shape, std::span<float> features) {
  const bool image = shape.size() == 4;
  const std::size_t images = extent(shape, 0), channels = image ? extent(shape, 1) : extent(shape, shape.size() - 1);
  const std::size_t positions = activation.values.size() / (images * channels);
  const bool planes = image && !activation.channels_last;
  for (std::size_t n = 0; n < images; ++n) {
    const float* values = activation.values.data() + n * channels * positions;
    for (std::size_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::size_t p = 0; p < positions; ++p) {
        sum += static_cast<double>(planes ? values[c * positions + p] : values[p * channels + c]);
      }
      features[n * channels + c] = static_cast<float>(sum / static_cast<double>(positions));
    }
  }
}

// [N, C, H, W] of an image that may be [N, H, W, C].
std::vector<float> plain(const Activation& activation, const Shape& shape) {
  std::vector<float> values(activation.values.begin(), activation.values.end());
  if (shape.size() != 4 || !activation.channels_last) return values;
  const std::size_t channels = extent(shape, 1), area = extent(shape, 2) * extent(shape, 3);
  for (std::size_t n = 0; n < extent(shape, 0); ++n) {
    const std::size_t first = n * channels * area;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t p = 0; p < area; ++p) {
        values[first + c * area + p] = activation.values[first + p * channels + c];
      }
    }
  }
  return values;
}

}  // namespace

std::map<NodeId, double> correlation_scores(const SensitivityJob& job) {
  const std::set<NodeId> nodes = operators_of(job);
  const Network& network = job.network.network;
  const std::size_t images = job.images.size();
  if (images < 2 * samples_a_component) {
    throw ConfigError({"--images", "", "at least " + std::to_string(2 * samples_a_component) + " for cca",
                       std::to_string(images), "correlations of few samples are chance"});
  }
  const auto channels_of = [&](NodeId node) {
    const Shape& shape = network.shape(node);
    return shape.size() == 4 ? extent(shape, 1) : extent(shape, shape.size() - 1);
  };
  std::map<NodeId, std::vector<float>> features;
  for (const NodeId node : nodes) features[node].resize(images * channels_of(node));
  visit_batches(
      network, job.images, job.normalisation, feature_batch, job.options.threads, [&](const ImageBatchView& batch) {
        const Network wide = with_batch(network, static_cast<std::int64_t>(batch.count));
        visit_activations({wide, {}, job.network.weights}, batch.values, 1, [&](const Activation& made) {
          if (!nodes.contains(made.node)) return;
          const std::size_t channels = channels_of(made.node);
          add_means(made, wide.shape(made.node),
                    std::span(features.at(made.node)).subspan(batch.first * channels, batch.count * channels));
        });
      });
  std::map<NodeId, CanonicalBasis> bases;
  const CanonicalOptions kept{0.99, images / samples_a_component};
  for (const NodeId node : nodes) bases[node] = canonical_basis(features.at(node), channels_of(node), kept);
  std::map<NodeId, double> scores;
  for (const NodeId node : nodes) {
    double sum = 0;
    for (const NodeId other : nodes) {
      if (other != node) sum += explained_share(bases.at(node), bases.at(other));
    }
    scores[node] = nodes.size() == 1 ? 1.0 : 1.0 - sum / static_cast<double>(nodes.size() - 1);
  }
  return scores;
}

std::map<NodeId, double> relevance_scores(const SensitivityJob& job) {
  const std::set<NodeId> nodes = operators_of(job);
  const Network& network = job.network.network;
  const std::size_t batches = (job.images.size() + relevance_batch - 1) / relevance_batch;
  std::vector<std::map<NodeId, double>> found(batches);
  visit_batches(network, job.images, job.normalisation, relevance_batch, job.options.threads,
                [&](const ImageBatchView& batch) {
                  const Network wide = with_batch(network, static_cast<std::int64_t>(batch.count));
                  const Design design{wide, {}, job.network.weights};
                  std::vector<Tensor> activations(wide.size());
                  for (NodeId node = 0; node < wide.size(); ++node) {
                    activations[node].shape = wide.shape(node);
                    if (wide.op(node).kind != OpKind::input) continue;
                    activations[node].values.assign(batch.values.begin(), batch.values.end());
                  }
                  visit_activations(design, batch.values, 1, [&](const Activation& made) {
                    activations[made.node].values = plain(made, wide.shape(made.node));
                  });
                  const std::vector<float>& answers = activations[wide.outputs().front()].values;
                  const std::size_t classes = answers.size() / batch.count;
                  std::vector<float> given(answers.size(), 0.0F);
                  for (std::size_t i = 0; i < batch.count; ++i) {
                    const auto row = answers.begin() + static_cast<std::ptrdiff_t>(i * classes);
                    const auto best = std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row;
                    given[i * classes + static_cast<std::size_t>(best)] = 1.0F;
                  }
                  const Relevance relevance = propagate_relevance(design, activations, given, job.options.relevance);
                  for (const NodeId node : nodes) found[batch.first / relevance_batch][node] = relevance.total(node);
                });
  std::map<NodeId, double> scores;
  for (const NodeId node : nodes) {
    double sum = 0;
    for (const auto& batch : found) sum += batch.at(node);
    scores[node] = std::abs(sum) / static_cast<double>(job.images.size());
  }
  return scores;
}

}  // namespace ridgeline::sensitivity
