// Operators with weights or windows.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "spaces/onnx/importer.hpp"

namespace ridgeline {
namespace {

using Integers = std::vector<std::int64_t>;

int narrow(const OnnxImporter& at, std::int64_t value, const char* what) {
  constexpr std::int64_t most = 1 << 20;
  if (value < 0 || value > most) at.refuse(fmt::format("{} from 0 to {}", what, most), std::to_string(value));
  return static_cast<int>(value);
}

std::array<int, 2> pair_of(const OnnxImporter& at, const char* name, std::array<int, 2> fallback) {
  const std::optional<Integers> values = at.list(name);
  if (!values) return fallback;
  if (values->size() != 2) at.refuse(fmt::format("two {}: images only", name), fmt::format("{}", values->size()));
  return {narrow(at, (*values)[0], name), narrow(at, (*values)[1], name)};
}

void require_image(OnnxImporter& at) {
  if (at.shape(0).size() != 4) at.refuse("an image [N, C, H, W]", shape_text(at.shape(0)));
}

// Padding that auto_pad asks for along one axis: output = ceil(input / stride).
void same_padding(Op& op, const Shape& input, bool upper) {
  for (std::size_t side = 0; side < 2; ++side) {
    const std::int64_t extent = input[2 + side], stride = op.stride[side];
    const std::int64_t reach = std::int64_t{op.dilation[side]} * (op.kernel[side] - 1) + 1;
    const std::int64_t positions = (extent + stride - 1) / stride;
    const auto total = static_cast<int>(std::max<std::int64_t>(0, (positions - 1) * stride + reach - extent));
    op.padding[side] = upper ? total / 2 : total - total / 2;
    op.padding[side + 2] = total - op.padding[side];
  }
}

void read_window(OnnxImporter& at, Op& op) {
  op.stride = pair_of(at, "strides", {1, 1});
  op.dilation = pair_of(at, "dilations", {1, 1});
  if (op.stride[0] < 1 || op.stride[1] < 1) at.refuse("positive strides", "0");
  const std::string automatic = at.text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    same_padding(op, at.shape(0), automatic == "SAME_UPPER");
  } else if (automatic == "NOTSET" || automatic.empty()) {
    const Integers pads = at.list("pads").value_or(Integers{0, 0, 0, 0});
    if (pads.size() != 4) at.refuse("four pads", std::to_string(pads.size()));
    for (std::size_t i = 0; i < 4; ++i) op.padding[i] = narrow(at, pads[i], "pads");
  } else if (automatic != "VALID") {
    at.refuse("auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER", automatic);
  }
}

// The tensor in front of a window operator, whose padding it takes over.
NodeId padded_input(OnnxImporter& at, Op& op) {
  const OnnxTensor& value = at.input(0);
  if (value.padding == std::array<int, 4>{}) return at.tensor(0);
  for (std::size_t i = 0; i < 4; ++i) op.padding[i] += value.padding[i];
  return *value.node;
}

// 1e-5 for the float nearest to it: files hold floats, and those who wrote them meant the number.
double as_written(float value) { return std::stod(fmt::format("{}", value)); }

// A bias of one number a channel, in whatever shape it comes.
std::vector<float> bias_of(const OnnxImporter& at, std::size_t index, std::int64_t channels) {
  std::vector<float> bias = at.numbers(index);
  if (bias.size() == 1) bias.assign(static_cast<std::size_t>(channels), bias[0]);
  if (static_cast<std::int64_t>(bias.size()) != channels) {
    at.refuse(fmt::format("a bias of {} numbers", channels), std::to_string(bias.size()));
  }
  return bias;
}

// [rows, columns] to [columns, rows].
std::vector<float> transposed(const std::vector<float>& matrix, std::size_t rows) {
  const std::size_t columns = rows == 0 ? 0 : matrix.size() / rows;
  std::vector<float> result(matrix.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column)
      result[column * rows + row] = matrix[row * columns + column];
  }
  return result;
}

bool swaps_last_axes(const Op& op) {
  if (op.kind != OpKind::transpose || op.shape.size() < 2) return false;
  Shape order(op.shape.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::swap(order.end()[-1], order.end()[-2]);
  return op.shape == order;
}

// ceil_mode adds windows that begin inside the padded input and reach beyond it: as padding at the end.
void round_up(OnnxImporter& at, Op& op) {
  if (at.integer("ceil_mode", 0) == 0) return;
  for (std::size_t side = 0; side < 2; ++side) {
    const std::int64_t padded = at.shape(0)[2 + side] + op.padding[side] + op.padding[side + 2];
    const std::int64_t rest = (padded - op.kernel[side]) % op.stride[side];
    if (padded < op.kernel[side] || rest == 0) continue;
    if (op.count_include_pad) at.refuse("ceil_mode without count_include_pad", "both");
    const std::int64_t last = (padded - op.kernel[side]) / op.stride[side] * op.stride[side] + op.stride[side];
    if (last >= at.shape(0)[2 + side] + op.padding[side]) {  // runtimes differ on whether there is one
      at.refuse("windows that begin inside the image", "one that begins in the padding behind it");
    }
    op.padding[side + 2] += static_cast<int>(op.stride[side] - rest);
  }
}

void import_pool(OnnxImporter& at, OpKind kind) {
  require_image(at);
  Op op{.kind = kind};
  op.kernel = pair_of(at, "kernel_shape", {0, 0});
  read_window(at, op);
  if (op.dilation != std::array<int, 2>{1, 1}) at.refuse("dilations of 1", fmt::format("{}", op.dilation));
  op.count_include_pad = kind == OpKind::avg_pool && at.integer("count_include_pad", 0) != 0;
  if (kind == OpKind::avg_pool && at.input(0).padding != std::array<int, 4>{}) {
    const bool own = op.padding != std::array<int, 4>{};
    if (own && !op.count_include_pad) at.refuse("padding by Pad or by the pool", "both");
    op.count_include_pad = true;  // a Pad's zeros are part of the image
  }
  round_up(at, op);
  const NodeId input = kind == OpKind::avg_pool ? padded_input(at, op) : at.tensor(0);
  at.define(at.add(op, {input}));
}

}  // namespace

void import_convolution(OnnxImporter& at) {
  require_image(at);
  const Shape& kernel = at.constant(1).shape;
  if (kernel.size() != 4) at.refuse("a kernel [channels, in, height, width]", shape_text(kernel));
  Op op{.kind = OpKind::conv2d, .channels = kernel[0]};
  op.kernel = {narrow(at, kernel[2], "kernel"), narrow(at, kernel[3], "kernel")};
  if (const auto stated = at.list("kernel_shape"); stated && *stated != Integers{kernel[2], kernel[3]}) {
    at.refuse(fmt::format("kernel_shape {}x{}", kernel[2], kernel[3]), fmt::format("{}", *stated));
  }
  op.groups = narrow(at, at.integer("group", 1), "group");
  read_window(at, op);
  const std::int64_t channels = at.shape(0)[1];
  if (op.groups < 1 || kernel[1] * op.groups != channels) {
    at.refuse(fmt::format("a kernel of {} input channels in {} groups", channels, op.groups), shape_text(kernel));
  }
  const NodeId input = padded_input(at, op);
  NodeWeights weights{.kernel = at.numbers(1)};
  op.bias = at.has_input(2);
  if (op.bias) weights.bias = bias_of(at, 2, op.channels);
  const NodeId node = at.add(op, {input}, std::move(weights));
  at.note_formats(node, {0}, OnnxImporter::WeightInput{1, 0});
  at.define(node);
}

void import_gemm(OnnxImporter& at) {
  const Shape& kernel = at.constant(1).shape;
  if (at.shape(0).size() != 2 || at.integer("transA", 0) != 0) {
    at.refuse("a matrix [N, C], not transposed, times constants", shape_text(at.shape(0)));
  }
  if (kernel.size() != 2) at.refuse("a matrix of constants", shape_text(kernel));
  const bool rows_are_outputs = at.integer("transB", 0) != 0;
  NodeWeights weights{.kernel = rows_are_outputs ? at.numbers(1)
                                                 : transposed(at.numbers(1), static_cast<std::size_t>(kernel[0]))};
  Op op{.kind = OpKind::linear, .channels = kernel[rows_are_outputs ? 0 : 1], .bias = at.has_input(2)};
  if (kernel[rows_are_outputs ? 1 : 0] != at.shape(0)[1]) {
    at.refuse(fmt::format("constants for {} inputs", at.shape(0)[1]), shape_text(kernel));
  }
  if (op.bias) weights.bias = bias_of(at, 2, op.channels);
  const float alpha = at.number("alpha", 1.0F);
  if (alpha != 1.0F && at.input(1).quantizer) at.refuse("alpha 1 for quantized weights", fmt::format("{}", alpha));
  for (float& value : weights.kernel) value *= alpha;
  for (float& value : weights.bias) value *= at.number("beta", 1.0F);
  const NodeId node = at.add(op, {at.tensor(0)}, std::move(weights));
  at.note_formats(node, {0}, OnnxImporter::WeightInput{1, rows_are_outputs ? 0 : 1});
  at.define(node);
}

void import_matmul(OnnxImporter& at) {
  if (!at.input(1).constant) {
    NodeId right = at.tensor(1);
    const bool flipped = swaps_last_axes(at.network().op(right));
    if (flipped) right = at.network().inputs(right)[0];
    const NodeId node = at.add({.kind = OpKind::matmul, .transpose_b = flipped}, {at.tensor(0), right});
    at.note_formats(node, {0, 1}, std::nullopt);
    return at.define(node);
  }
  const Shape& kernel = at.constant(1).shape;
  if (kernel.size() != 2 || kernel[0] != at.shape(0).back()) {
    at.refuse(fmt::format("a matrix of constants for {} inputs", at.shape(0).back()), shape_text(kernel));
  }
  NodeWeights weights{.kernel = transposed(at.numbers(1), static_cast<std::size_t>(kernel[0]))};
  const bool bias = at.has_input(2);
  if (bias) weights.bias = bias_of(at, 2, kernel[1]);
  const NodeId node =
      at.add({.kind = OpKind::linear, .channels = kernel[1], .bias = bias}, {at.tensor(0)}, std::move(weights));
  at.note_formats(node, {0}, OnnxImporter::WeightInput{1, 1});
  at.define(node);
}

void import_batch_norm(OnnxImporter& at) {
  if (at.shape(0).size() < 2) at.refuse("channels [N, C, ...]", shape_text(at.shape(0)));
  if (at.integer("spatial", 1) == 0 || at.integer("training_mode", 0) != 0) {
    at.refuse("spatial statistics, for inference", "spatial = 0 or training_mode = 1");
  }
  const std::int64_t channels = at.shape(0)[1];
  NodeWeights weights{.scale = bias_of(at, 1, channels),
                      .shift = bias_of(at, 2, channels),
                      .mean = bias_of(at, 3, channels),
                      .variance = bias_of(at, 4, channels)};
  const double epsilon = as_written(at.number("epsilon", 1e-5F));
  at.define(at.add({.kind = OpKind::batch_norm, .epsilon = epsilon}, {at.tensor(0)}, std::move(weights)));
}

void import_layer_norm(OnnxImporter& at) {
  const auto rank = static_cast<std::int64_t>(at.shape(0).size());
  const std::int64_t axis = at.integer("axis", -1);
  if (axis != -1 && axis != rank - 1) at.refuse("a norm over the last axis", fmt::format("axis {}", axis));
  const std::int64_t width = at.shape(0).back();
  NodeWeights weights{.scale = bias_of(at, 1, width)};
  weights.shift = at.has_input(2) ? bias_of(at, 2, width) : std::vector<float>(static_cast<std::size_t>(width));
  const double epsilon = as_written(at.number("epsilon", 1e-5F));
  at.define(at.add({.kind = OpKind::layer_norm, .epsilon = epsilon}, {at.tensor(0)}, std::move(weights)));
}

void import_max_pool(OnnxImporter& at) { import_pool(at, OpKind::max_pool); }
void import_average_pool(OnnxImporter& at) { import_pool(at, OpKind::avg_pool); }

void import_pad(OnnxImporter& at) {
  require_image(at);
  if (const std::string mode = at.text("mode", "constant"); mode != "constant") at.refuse("mode constant", mode);
  const Integers pads = at.opset() < 11 ? at.list("pads").value_or(Integers{}) : at.integers(1);
  float value = at.number("value", 0.0F);
  if (at.opset() >= 11 && at.has_input(2)) value = at.numbers(2).empty() ? 1.0F : at.numbers(2)[0];
  if (value != 0.0F) at.refuse("zeros", fmt::format("{}", value));
  if (pads.size() != 8 || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0) {
    at.refuse("padding of height and width alone", fmt::format("{}", pads));
  }
  OnnxTensor padded = at.input(0);
  padded.node = at.tensor(0);
  padded.padding = {narrow(at, pads[2], "pads"), narrow(at, pads[3], "pads"), narrow(at, pads[6], "pads"),
                    narrow(at, pads[7], "pads")};
  at.define(std::move(padded));
}

}  // namespace ridgeline
