#include "spaces/onnx/quantized_export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

bool is_plain(const Format& format) { return format == f32 || format == bf16; }

bool is_int8(const Format& format) {
  return format.kind == Format::Kind::integer && format.width_bits == 8 &&
         format.granularity != Format::Granularity::group;
}

void require_known(const Design& design, NodeId node) {
  const OperatorFormats formats = design.precision.at(node);
  const bool quantized = is_int8(formats.weights) && is_int8(formats.activations);
  if (quantized || (is_plain(formats.weights) && is_plain(formats.activations))) return;
  const Format& other = is_plain(formats.weights) || is_int8(formats.weights) ? formats.activations : formats.weights;
  throw ConfigError({"", fmt::format("{}_{}", name_of(design.network.op(node).kind), node),
                     "f32, bf16 or int8, for weights and activations alike", other.text(),
                     "an ONNX file holds no other format"});
}

// Runtimes fuse an activation into what it reads, with no rounding between.
bool is_inside_operator(const Network& network, NodeId node) {
  const std::vector<NodeId> readers = network.consumers(node);
  const auto outputs = network.outputs();
  if (readers.size() != 1 || std::find(outputs.begin(), outputs.end(), node) != outputs.end()) return false;
  return is_activation(network.op(readers[0]).kind) || network.op(readers[0]).kind == OpKind::batch_norm;
}

std::string add_scale(OnnxGraph& graph, const std::string& name, Shape shape, std::vector<float> scales) {
  graph.initializers.push_back({name, std::move(shape), std::move(scales)});
  return name;
}

std::string add_codes(OnnxGraph& graph, const std::string& name, Shape shape, std::vector<std::int64_t> codes,
                      OnnxInteger stored) {
  graph.initializers.push_back({name, std::move(shape), std::move(codes), stored});
  return name;
}

}  // namespace

OnnxQuantizers::OnnxQuantizers(const Design& design)
    : design_(design), weights_(design.network.size()), tensors_(design.network.size()) {
  const Network& network = design.network;
  bool any = false;
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    if (kind != OpKind::conv2d && kind != OpKind::linear && kind != OpKind::matmul) continue;
    require_known(design, node);
    const bool quantized = is_int8(design.precision.at(node).activations);
    any = any || quantized;
    weights_[node] = quantized && kind != OpKind::matmul;
  }
  if (!any) return;
  if (!design.quantization || design.quantization->tensors.size() != network.size()) {
    throw ConfigError({"", "activations", "ranges that were measured on data", "none", "calibrate the network first"});
  }
  scales_ = tensor_scales(network, design.quantization->tensors);
  const std::vector<Format> stored = stored_formats(network, design.precision);
  for (const NodeId node : network.live_nodes()) {
    tensors_[node] = is_int8(stored[node]) && !is_inside_operator(network, node);
  }
}

void OnnxQuantizers::add_weights(OnnxGraph& graph, OnnxCall& call, NodeId node, const NodeWeights& weights) const {
  const auto channels = static_cast<std::size_t>(call.op.channels);
  const std::vector<std::vector<Range>>& all = design_.quantization->weights;
  const std::span<const Range> ranges =
      node < all.size() ? std::span<const Range>(all[node]) : std::span<const Range>();
  const QuantizedKernel kernel =
      quantize_kernel(weights.kernel, channels, design_.precision.at(node).weights.granularity, ranges);
  const OnnxKernelLayout layout = onnx_kernel_layout(call.op, call.input_shapes[0]);
  std::vector<std::int64_t> codes(kernel.values.begin(), kernel.values.end());
  if (layout.transposed) {
    const std::size_t taps = codes.size() / channels;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t i = 0; i < taps; ++i) codes[i * channels + c] = kernel.values[c * taps + i];
    }
  }
  const Shape width{call.op.channels};
  const auto put = [&](const char* label, const std::string& stored, const std::vector<float>& scales,
                       OnnxInteger integer, std::int64_t axis) {
    const std::string base = fmt::format("{}.{}", call.name, label);
    OnnxNode node_made{"DequantizeLinear",
                       {stored, add_scale(graph, base + "/scale", width, scales),
                        add_codes(graph, base + "/zero", width, std::vector<std::int64_t>(channels), integer)},
                       base,
                       {{"axis", axis}}};
    graph.nodes.push_back(std::move(node_made));
    return base;
  };
  const std::string base = call.name + ".kernel/codes";
  call.parameters.kernel = put("kernel", add_codes(graph, base, layout.shape, std::move(codes), OnnxInteger::i8),
                               kernel.scales, OnnxInteger::i8, layout.transposed ? 1 : 0);
  if (!call.op.bias) return;
  const float input_scale = scales_[design_.network.inputs(node)[0]].scale;
  std::vector<float> units = kernel.scales;
  std::vector<std::int64_t> bias;
  for (std::size_t c = 0; c < channels; ++c) {
    units[c] *= input_scale;
    constexpr double most = 2147483647.0;
    const double code = std::nearbyint(static_cast<double>(weights.bias[c]) / static_cast<double>(units[c]));
    bias.push_back(static_cast<std::int64_t>(std::clamp(code, -most, most)));
  }
  call.parameters.bias =
      put("bias", add_codes(graph, call.name + ".bias/codes", width, std::move(bias), OnnxInteger::i32), units,
          OnnxInteger::i32, 0);
}

std::string OnnxQuantizers::add_tensor(OnnxGraph& graph, NodeId node, const std::string& tensor) const {
  if (!tensors_[node]) return tensor;
  const TensorScale& own = scales_[node];
  const std::string scale = add_scale(graph, tensor + "/scale", {}, {own.scale});
  const std::string zero =
      add_codes(graph, tensor + "/zero", {}, {0}, own.is_unsigned ? OnnxInteger::u8 : OnnxInteger::i8);
  graph.nodes.push_back({"QuantizeLinear", {tensor, scale, zero}, tensor + "/codes"});
  graph.nodes.push_back({"DequantizeLinear", {tensor + "/codes", scale, zero}, tensor + "/stored"});
  return tensor + "/stored";
}

}  // namespace ridgeline
