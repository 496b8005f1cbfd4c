// Operators without weights of their own, and the table of all.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spaces/onnx/importer.hpp"

namespace ridgeline {
namespace {

using Integers = std::vector<std::int64_t>;

template <OpKind kind>
void import_plain(OnnxImporter& at) {
  at.define(at.add({.kind = kind}, {at.tensor(0)}));
}

// The value itself, constant or quantized or whatever.
void import_copy(OnnxImporter& at) { at.define(OnnxTensor(at.input(0))); }

// Between real types, which are all f32 here.
void import_cast(OnnxImporter& at) {
  constexpr std::int64_t real_types[] = {1, 10, 11, 16};  // TensorProto's FLOAT, FLOAT16, DOUBLE, BFLOAT16
  const std::int64_t to = at.integer("to", 1);
  if (std::ranges::find(real_types, to) == std::end(real_types)) {
    at.refuse("a cast to float, float16, double or bfloat16", fmt::format("type {}", to));
  }
  import_copy(at);
}

// ---- activations

bool is_close(float found, float expected) { return std::abs(found - expected) <= 1e-4F; }

void import_clip(OnnxImporter& at) {
  float least = -INFINITY, most = INFINITY;
  if (at.opset() < 11) {
    least = at.number("min", least);
    most = at.number("max", most);
  } else {
    const auto bound = [&](std::size_t index, float fallback) {
      return at.has_input(index) && !at.numbers(index).empty() ? at.numbers(index)[0] : fallback;
    };
    least = bound(1, least);
    most = bound(2, most);
  }
  if (least != 0.0F || (most != 6.0F && std::isfinite(most) && most < 1e30F)) {
    at.refuse("bounds of 0 and 6, or of 0 alone", fmt::format("{} and {}", least, most),
              "export the model with relu or relu6");
  }
  at.define(at.add({.kind = most == 6.0F ? OpKind::relu6 : OpKind::relu}, {at.tensor(0)}));
}

void import_hard_sigmoid(OnnxImporter& at) {
  const float alpha = at.number("alpha", 0.2F), beta = at.number("beta", 0.5F);
  if (!is_close(alpha, 1.0F / 6.0F) || !is_close(beta, 0.5F)) {
    at.refuse("alpha 1/6 and beta 0.5", fmt::format("{} and {}", alpha, beta));
  }
  at.define(at.add({.kind = OpKind::hard_sigmoid}, {at.tensor(0)}));
}

void import_gelu(OnnxImporter& at) {
  if (const std::string kind = at.text("approximate", "none"); kind != "none") at.refuse("the exact GELU", kind);
  at.define(at.add({.kind = OpKind::gelu}, {at.tensor(0)}));
}

void import_softmax(OnnxImporter& at) {
  const Shape& shape = at.shape(0);
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::int64_t axis = at.integer("axis", at.opset() < 13 ? 1 : -1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) at.refuse(fmt::format("an axis below {}", rank), std::to_string(axis));
  const auto behind = std::accumulate(shape.begin() + axis + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
  if (at.opset() < 13 && behind != 1) {  // one distribution over all axes from there
    at.refuse("a softmax over the last axis", fmt::format("one over axes {} to {}", axis, rank - 1),
              "export the model in opset 13 or later");
  }
  at.define(at.add({.kind = OpKind::softmax, .axis = static_cast<int>(axis)}, {at.tensor(0)}));
}

// ---- arithmetic

// Is `gate` the sigmoid (or hard sigmoid) of `x`? Then the product is one operator.
std::optional<OpKind> gated_by(const Network& network, NodeId x, NodeId gate) {
  const OpKind kind = network.op(gate).kind;
  if (kind != OpKind::sigmoid && kind != OpKind::hard_sigmoid) return std::nullopt;
  if (network.inputs(gate)[0] != x) return std::nullopt;
  return kind == OpKind::sigmoid ? OpKind::swish : OpKind::hard_swish;
}

void combine(OnnxImporter& at, OpKind kind) {
  NodeId first = at.tensor(0), second = at.tensor(1);
  const Network& network = at.network();
  if (kind == OpKind::mul) {
    for (const auto& [x, gate] : {std::pair(first, second), std::pair(second, first)}) {
      if (const auto fused = gated_by(network, x, gate)) return at.define(at.add({.kind = *fused}, {x}));
    }
  }
  if (elements(network.shape(first)) < elements(network.shape(second))) std::swap(first, second);
  at.define(at.add({.kind = kind}, {first, second}));
}

// The constant's extents with as many axes as the tensor has.
Shape aligned_extents(const OnnxImporter& at, std::size_t index, const Shape& shape) {
  Shape extents = at.constant(index).shape;
  if (extents.size() > shape.size()) at.refuse("constants of at most the tensor's rank", shape_text(extents));
  extents.insert(extents.begin(), shape.size() - extents.size(), 1);
  return extents;
}

// One number, or one a channel, as one a channel; nothing where the constant differs along other axes.
std::optional<std::vector<float>> by_channel(const OnnxImporter& at, std::size_t index, const Shape& shape) {
  const Shape extents = aligned_extents(at, index, shape);
  std::vector<float> values = at.numbers(index);
  if (shape.size() < 2 || values.empty() || std::ssize(values) != extents[1]) return std::nullopt;
  if (extents[1] == 1) values.assign(static_cast<std::size_t>(shape[1]), values[0]);
  return std::ssize(values) == shape[1] ? std::optional(std::move(values)) : std::nullopt;
}

// A constant as numbers for every element of one sample, by ONNX's rules of broadcasting; `shape` is the tensor's.
std::vector<float> spread(OnnxImporter& at, std::size_t index, const Shape& shape) {
  const OnnxConstant& constant = at.constant(index);
  const std::vector<float>& values = at.numbers(index);
  const Shape extents = aligned_extents(at, index, shape);
  std::vector<std::size_t> steps(shape.size());  // through the constant, along each axis
  std::size_t step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (extents[axis] != 1 && extents[axis] != shape[axis]) {
      at.refuse(fmt::format("constants that spread over {}", shape_text(shape)), shape_text(constant.shape));
    }
    steps[axis] = extents[axis] == 1 ? 0 : step;
    step *= static_cast<std::size_t>(extents[axis]);
  }
  const auto count = static_cast<std::size_t>(elements(shape));
  at.spend(count);
  std::vector<float> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t rest = i, from = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += rest % static_cast<std::size_t>(shape[axis]) * steps[axis];
      rest /= static_cast<std::size_t>(shape[axis]);
    }
    result[i] = values[from];
  }
  return result;
}

// x * scale + shift, as a batch norm with fixed statistics: of channels, or of every element by itself.
void affine(OnnxImporter& at, NodeId x, std::vector<float> scale, std::vector<float> shift) {
  const Shape shape = at.network().shape(x);
  const std::size_t width = scale.size();
  const bool channels = shape.size() >= 2 && static_cast<std::int64_t>(width) == shape[1];
  const NodeId input = channels ? x : at.add({.kind = OpKind::flatten}, {x});
  constexpr double epsilon = 1e-12;  // is lost in 1 + epsilon
  const NodeId scaled = at.add({.kind = OpKind::batch_norm, .epsilon = epsilon}, {input},
                               {.scale = std::move(scale),
                                .shift = std::move(shift),
                                .mean = std::vector<float>(width),
                                .variance = std::vector<float>(width, 1.0F)});
  const Shape target(shape.begin() + 1, shape.end());
  at.define(channels ? scaled : at.add({.kind = OpKind::reshape, .shape = target}, {scaled}));
}

enum class Arithmetic : std::uint8_t { add, subtract, multiply, divide };

void with_constant(OnnxImporter& at, Arithmetic what, std::size_t constant) {
  const NodeId x = at.tensor(1 - constant);
  const Shape shape = at.network().shape(x);
  auto channels = by_channel(at, constant, shape);
  std::vector<float> values = channels ? std::move(*channels) : spread(at, constant, shape);
  std::vector<float> other(values.size(), what == Arithmetic::add || what == Arithmetic::subtract ? 1.0F : 0.0F);
  switch (what) {
    case Arithmetic::add:
      return affine(at, x, std::move(other), std::move(values));
    case Arithmetic::subtract:
      if (constant == 0) {  // c - x
        std::fill(other.begin(), other.end(), -1.0F);
      } else {
        for (float& value : values) value = -value;
      }
      return affine(at, x, std::move(other), std::move(values));
    case Arithmetic::multiply:
      return affine(at, x, std::move(values), std::move(other));
    case Arithmetic::divide:
      if (constant == 0) at.refuse("a tensor divided by constants", "constants divided by a tensor");
      for (float& value : values) value = 1.0F / value;
      return affine(at, x, std::move(values), std::move(other));
  }
}

template <Arithmetic what>
void import_arithmetic(OnnxImporter& at) {
  for (const std::size_t constant : {std::size_t{1}, std::size_t{0}}) {
    if (at.input(constant).constant) return with_constant(at, what, constant);
  }
  if (what == Arithmetic::add) return combine(at, OpKind::add);
  if (what == Arithmetic::multiply) return combine(at, OpKind::mul);
  at.refuse("one constant operand", "two computed tensors");
}

// ---- shapes

void import_concat(OnnxImporter& at) {
  const auto axis = static_cast<int>(at.integer("axis", 1));
  NodeId joined = at.tensor(0);
  for (std::size_t i = 1; i < at.inputs(); ++i) {
    joined = at.add({.kind = OpKind::concat, .axis = axis}, {joined, at.tensor(i)});
  }
  at.define(joined);
}

// Quantization passes through what only moves numbers.
void define_moved(OnnxImporter& at, NodeId node) {
  OnnxTensor moved{.node = node};
  if (at.input(0).quantizer && at.input(0).quantizer->scales.size() == 1) moved.quantizer = at.input(0).quantizer;
  at.define(std::move(moved));
}

void reshape_to(OnnxImporter& at, Shape target) {
  const NodeId x = at.tensor(0);
  const Shape& from = at.network().shape(x);
  if (target.empty() || from.empty()) at.refuse("a shape with the batch first", "a scalar");
  for (std::size_t axis = 0; axis < target.size(); ++axis) {
    if (target[axis] == 0 && axis < from.size()) target[axis] = from[axis];
  }
  if (target[0] != 1 && target[0] != -1) {
    at.refuse("a target that leaves the batch alone", fmt::format("{}", target));
  }
  const bool open_batch = target[0] == -1;
  target.erase(target.begin());
  if (open_batch && elements(target) != elements(from)) {  // of one sample
    at.refuse("a target that leaves the batch alone", fmt::format("{} behind it", target));
  }
  if (target.empty()) target = {1};
  define_moved(at, at.add({.kind = OpKind::reshape, .shape = std::move(target)}, {x}));
}

void import_reshape(OnnxImporter& at) {
  if (at.integer("allowzero", 0) != 0) at.refuse("allowzero 0", "1");
  reshape_to(at, at.integers(1));
}

void import_flatten(OnnxImporter& at) {
  const Shape& shape = at.shape(0);
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::int64_t axis = at.integer("axis", 1);
  if (axis < 0) axis += rank;
  if (axis != 1) at.refuse("axis 1", std::to_string(axis));
  define_moved(at, at.add({.kind = OpKind::flatten}, {at.tensor(0)}));
}

Integers axes_of(OnnxImporter& at, std::size_t rank) {
  Integers axes;
  if (at.opset() < 13) {
    axes = at.list("axes").value_or(Integers{});
  } else if (at.has_input(1)) {
    axes = at.integers(1);
  }
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) {
      at.refuse(fmt::format("axes below {}", rank), std::to_string(axis));
    }
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

void import_squeeze(OnnxImporter& at) {
  const Shape& shape = at.shape(0);
  Integers axes = axes_of(at, shape.size());
  Shape target;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(axis));
    const bool dropped = axes.empty() ? axis > 0 && shape[axis] == 1 : named;
    if (dropped && (axis == 0 || shape[axis] != 1)) {
      at.refuse("axes of extent 1 behind the batch", fmt::format("axis {} of {}", axis, shape_text(shape)));
    }
    if (!dropped) target.push_back(shape[axis]);
  }
  reshape_to(at, std::move(target));
}

void import_unsqueeze(OnnxImporter& at) {
  const Shape& shape = at.shape(0);
  const std::size_t named = at.opset() < 13 ? at.list("axes").value_or(Integers{}).size() : at.integers(1).size();
  const Integers axes = axes_of(at, shape.size() + named);
  Shape target = shape;
  for (const std::int64_t axis : axes) {
    if (axis == 0) at.refuse("axes behind the batch", "0");
    if (axis > static_cast<std::int64_t>(target.size())) at.refuse("axes that are there", std::to_string(axis));
    target.insert(target.begin() + axis, 1);
  }
  reshape_to(at, std::move(target));
}

void import_transpose(OnnxImporter& at) {
  const auto rank = static_cast<std::int64_t>(at.shape(0).size());
  Integers order(static_cast<std::size_t>(rank));
  std::iota(order.rbegin(), order.rend(), 0);
  order = at.list("perm").value_or(order);
  define_moved(at, at.add({.kind = OpKind::transpose, .shape = std::move(order)}, {at.tensor(0)}));
}

// The mean over height and width, or over the tokens of [N, T, C].
void import_reduce_mean(OnnxImporter& at) {
  const NodeId x = at.tensor(0);
  const Shape shape = at.network().shape(x);
  Integers axes = at.list("axes").value_or(Integers{});
  for (std::int64_t& axis : axes) axis += axis < 0 ? static_cast<std::int64_t>(shape.size()) : 0;
  std::sort(axes.begin(), axes.end());
  const bool keep = at.integer("keepdims", 1) != 0;
  if (shape.size() == 4 && axes == Integers{2, 3}) {
    const NodeId mean = at.add({.kind = OpKind::global_avg_pool}, {x});
    return at.define(keep ? mean : at.add({.kind = OpKind::flatten}, {mean}));
  }
  if (shape.size() == 3 && axes == Integers{1}) {
    const NodeId turned = at.add({.kind = OpKind::transpose, .shape = {0, 2, 1}}, {x});
    const NodeId image = at.add({.kind = OpKind::reshape, .shape = {shape[2], shape[1], 1}}, {turned});
    const NodeId mean = at.add({.kind = OpKind::global_avg_pool}, {image});
    const Shape target = keep ? Shape{1, shape[2]} : Shape{shape[2]};
    return at.define(at.add({.kind = OpKind::reshape, .shape = target}, {mean}));
  }
  at.refuse("a mean over height and width, or over tokens", fmt::format("axes {} of {}", axes, shape_text(shape)));
}

// Every so many rows and columns of an image: a pool over single pixels.
void import_slice(OnnxImporter& at) {
  const NodeId x = at.tensor(0);
  if (at.network().shape(x).size() != 4 || at.inputs() != 5 || at.opset() < 10) {
    at.refuse("a slice in steps over height and width", shape_text(at.network().shape(x)));
  }
  const Integers &starts = at.integers(1), &ends = at.integers(2), &axes = at.integers(3), &steps = at.integers(4);
  Op op{.kind = OpKind::max_pool};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t side = axes[i] - 2;
    const bool fits = i < starts.size() && i < ends.size() && i < steps.size() && (side == 0 || side == 1) &&
                      starts[i] == 0 && ends[i] >= at.network().shape(x)[static_cast<std::size_t>(axes[i])] &&
                      steps[i] >= 1 && steps[i] <= 1 << 14;
    if (!fits) at.refuse("a slice in steps over all of height and width", fmt::format("axis {}", axes[i]));
    op.stride[static_cast<std::size_t>(side)] = static_cast<int>(steps[i]);
  }
  at.define(at.add(op, {x}));
}

// Understood where fold_constants computes them.
void import_shape_arithmetic(OnnxImporter& at) {
  at.refuse("constants, or shapes of tensors", "a computed tensor", "export the model for a fixed image size");
}

}  // namespace

const std::map<std::string, OnnxImportFunction>& onnx_import_functions() {
  static const std::map<std::string, OnnxImportFunction> functions{
      {"Add", import_arithmetic<Arithmetic::add>},
      {"AveragePool", import_average_pool},
      {"BatchNormalization", import_batch_norm},
      {"Cast", import_cast},
      {"Clip", import_clip},
      {"Concat", import_concat},
      {"Conv", import_convolution},
      {"DequantizeLinear", import_dequantize},
      {"Div", import_arithmetic<Arithmetic::divide>},
      {"Dropout", import_copy},
      {"Flatten", import_flatten},
      {"Gather", import_shape_arithmetic},
      {"Gelu", import_gelu},
      {"Gemm", import_gemm},
      {"GlobalAveragePool", import_plain<OpKind::global_avg_pool>},
      {"HardSigmoid", import_hard_sigmoid},
      {"HardSwish", import_plain<OpKind::hard_swish>},
      {"Identity", import_copy},
      {"LayerNormalization", import_layer_norm},
      {"MatMul", import_matmul},
      {"MaxPool", import_max_pool},
      {"Mul", import_arithmetic<Arithmetic::multiply>},
      {"Pad", import_pad},
      {"QuantizeLinear", import_quantize},
      {"ReduceMean", import_reduce_mean},
      {"Relu", import_plain<OpKind::relu>},
      {"Reshape", import_reshape},
      {"Shape", import_shape_arithmetic},
      {"Sigmoid", import_plain<OpKind::sigmoid>},
      {"Slice", import_slice},
      {"Softmax", import_softmax},
      {"Squeeze", import_squeeze},
      {"Sub", import_arithmetic<Arithmetic::subtract>},
      {"Transpose", import_transpose},
      {"Unsqueeze", import_unsqueeze},
  };
  return functions;
}

std::vector<std::string> onnx_operator_names() {
  std::vector<std::string> names;
  for (const auto& [name, function] : onnx_import_functions()) names.push_back(name);
  return names;
}

}  // namespace ridgeline
