#include "simulate.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ridgeline::testing {

namespace {

float round_to_bf16(float value) {  // nearest, ties to even
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffU + ((bits >> 16) & 1U)) & 0xffff0000U);
}

class Simulation {
 public:
  Simulation(const Design& design, const ExecutableOptions& options)
      : design_(design),
        network_(design.network),
        lowered_(lower(design, options.fuse)),
        scales_(tensor_scales(network_, design.quantization ? design.quantization->tensors : std::vector<Range>(),
                              lowered_.stands_for)),
        weights_(design.weights ? *design.weights : untrained_weights(network_, options.seed)),
        tensors_(network_.size()) {}

  std::vector<float> run(std::span<const float> input) {
    for (NodeId node = 0; node < network_.size(); ++node) {
      if (network_.op(node).kind == OpKind::input)
        tensors_[node] = {network_.shape(node), {input.begin(), input.end()}};
    }
    for (const Group& group : lowered_.groups) {
      Tensor result = anchor(group);
      for (const PostOperation& post : group.posts) apply(post, result);
      result.shape = network_.shape(group.result);
      tensors_[group.result] = rounded(result, lowered_.stored[group.result], group.result);
    }
    return tensors_[lowered_.stands_for[network_.outputs()[0]]].values;
  }

 private:
  Tensor rounded(Tensor tensor, const Format& format, NodeId node) const {
    for (float& value : tensor.values) value = round_to(format, scales_[node], value);
    return tensor;
  }

  Tensor anchor(const Group& group) const {
    const Op& op = network_.op(group.anchor);
    const bool planned = op.kind == OpKind::conv2d || op.kind == OpKind::linear || op.kind == OpKind::matmul;
    Format format = planned ? design_.precision.at(group.anchor).activations : lowered_.stored[group.result];
    const bool real = is_activation(op.kind) || op.kind == OpKind::softmax || op.kind == OpKind::batch_norm ||
                      op.kind == OpKind::layer_norm;
    const bool wide = std::any_of(group.inputs.begin(), group.inputs.end(),
                                  [&](NodeId input) { return !lowered_.stored[input].is_quantized(); });
    const bool as_it_is = !planned && wide && !moves_values(op.kind);
    if ((real || as_it_is) && format.is_quantized()) format = f32;
    std::vector<Tensor> read;
    for (const NodeId input : group.inputs) read.push_back(rounded(tensors_[input], format, input));
    std::vector<const Tensor*> inputs;
    inputs.reserve(read.size());
    for (const Tensor& tensor : read) inputs.push_back(&tensor);
    if (format.is_quantized() && (op.kind == OpKind::avg_pool || op.kind == OpKind::max_pool)) {
      return pooled_steps(op, read[0], scales_[group.result].scale);
    }
    NodeWeights weights = weights_[group.anchor];
    if (op.kind == OpKind::conv2d || op.kind == OpKind::linear) {
      const FoldedWeights folded = fold(network_, group, weights, group.norm ? weights_[*group.norm] : NodeWeights{});
      weights.kernel = rounded_kernel(folded.kernel, op.channels, design_.precision.at(group.anchor).weights);
      weights.bias = folded.bias;
    }
    return reference_op(op, inputs, weights);
  }

  // Means of few integers are often halfway between two: the rounding must see them exactly.
  static Tensor pooled_steps(const Op& op, Tensor x, float scale) {
    for (float& value : x.values) value = std::nearbyint(value / scale);
    const Tensor* input = &x;
    Tensor result = reference_op(op, std::span(&input, 1), {});
    for (float& value : result.values) value = std::nearbyint(value) * scale;
    return result;
  }

  static std::vector<float> rounded_kernel(std::vector<float> kernel, std::int64_t channels, const Format& format) {
    const std::size_t taps = kernel.size() / static_cast<std::size_t>(channels);
    float common = 0.0F;
    for (const float value : kernel) common = std::max(common, std::abs(value));
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
      float largest = 0.0F;
      for (std::size_t i = 0; i < taps; ++i) largest = std::max(largest, std::abs(kernel[c * taps + i]));
      if (format.granularity == Format::Granularity::tensor) largest = common;
      const TensorScale scale{largest / 127.0F, false};
      for (std::size_t i = 0; i < taps; ++i) kernel[c * taps + i] = round_to(format, scale, kernel[c * taps + i]);
    }
    return kernel;
  }

  void apply(const PostOperation& post, Tensor& result) const {
    for (std::size_t i = 0; i < result.values.size(); ++i) {
      float& value = result.values[i];
      if (post.kind == OpKind::add) {
        value += tensors_[post.operand].values[i];
      } else {
        value = static_cast<float>(reference_activation(post.kind, static_cast<double>(value)));
      }
    }
  }

  const Design& design_;
  const Network& network_;
  Lowered lowered_;
  std::vector<TensorScale> scales_;
  Weights weights_;
  std::vector<Tensor> tensors_;
};

}  // namespace

float round_to(const Format& format, const TensorScale& scale, float value) {
  if (format == f32) return value;
  if (format == bf16) return round_to_bf16(value);
  const float least = scale.is_unsigned ? 0.0F : -128.0F, most = scale.is_unsigned ? 255.0F : 127.0F;
  return scale.scale * std::clamp(std::nearbyint(value / scale.scale), least, most);
}

std::vector<float> simulate(const Design& design, std::span<const float> input, const ExecutableOptions& options) {
  return Simulation(design, options).run(input);
}

}  // namespace ridgeline::testing
