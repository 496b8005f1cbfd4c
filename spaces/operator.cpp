#include "spaces/operator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

using Inputs = std::span<const Shape* const>;

std::string shapes_text(Inputs inputs) {
  std::string text;
  for (const Shape* shape : inputs) text += (text.empty() ? "" : " and ") + shape_text(*shape);
  return text.empty() ? "no input" : text;
}

[[noreturn]] void refuse(const Op& op, std::string expected, std::string found, std::string remedy = {}) {
  throw ConfigError({"", std::string(name_of(op.kind)), std::move(expected), std::move(found), std::move(remedy)});
}

void require_inputs(const Op& op, Inputs inputs) {
  std::size_t least = 1;
  std::size_t most = 1;
  if (op.kind == OpKind::input) least = most = 0;
  if (op.kind == OpKind::add || op.kind == OpKind::mul || op.kind == OpKind::matmul) least = most = 2;
  if (op.kind == OpKind::concat) most = static_cast<std::size_t>(-1);
  if (inputs.size() >= least && inputs.size() <= most) return;
  const std::string expected =
      least == most ? fmt::format("{} input{}", least, least == 1 ? "" : "s") : "at least 1 input";
  refuse(op, expected, fmt::format("{} ({})", inputs.size(), shapes_text(inputs)));
}

const Shape& require_image(const Op& op, const Shape& shape) {
  if (shape.size() != 4) refuse(op, "an image [N,C,H,W]", shape_text(shape), "put a reshape in front of it");
  return shape;
}

// Refuses tensors whose sizes would overflow; the product is checked step by step.
void require_size(const Op& op, const Shape& shape, const char* what) {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 1) refuse(op, fmt::format("positive extents of the {}", what), shape_text(shape));
    if (extent > tensor_elements_limit / product) {
      refuse(op, fmt::format("at most 2^40 elements in the {}", what), shape_text(shape));
    }
    product *= extent;
  }
}

void require_macs(const Op& op, const Shape& output, std::int64_t macs_an_element) {
  if (macs_an_element > operator_macs_limit / elements(output)) {
    refuse(op, "at most 2^48 multiply-accumulates",
           fmt::format("{} for each element of {}", macs_an_element, shape_text(output)));
  }
}

void require_window(const Op& op) {
  const auto positive = [](int value) { return value >= 1; };
  if (!std::all_of(op.kernel.begin(), op.kernel.end(), positive)) {
    refuse(op, "a positive kernel", fmt::format("{}x{}", op.kernel[0], op.kernel[1]));
  }
  if (!std::all_of(op.stride.begin(), op.stride.end(), positive)) {
    refuse(op, "a positive stride", fmt::format("{}x{}", op.stride[0], op.stride[1]));
  }
  if (!std::all_of(op.padding.begin(), op.padding.end(), [](int value) { return value >= 0; })) {
    refuse(op, "padding of 0 or more",
           fmt::format("{}, {}, {}, {}", op.padding[0], op.padding[1], op.padding[2], op.padding[3]));
  }
}

// Positions of a sliding window along axis 2 + `side`.
std::int64_t window_positions(const Op& op, const Shape& in, std::size_t side, int dilation) {
  const std::int64_t padded = in[2 + side] + op.padding[side] + op.padding[side + 2];
  const std::int64_t reach = std::int64_t{dilation} * (op.kernel[side] - 1) + 1;
  if (reach > padded) {
    refuse(op, fmt::format("a window of at most {} (the padded {})", padded, side == 0 ? "height" : "width"),
           fmt::format("{} on input {}", reach, shape_text(in)),
           "less stride before it, more padding or a smaller kernel");
  }
  return (padded - reach) / op.stride[side] + 1;
}

Shape infer_conv2d(const Op& op, const Shape& in) {
  require_image(op, in);
  require_window(op);
  if (op.channels < 1) refuse(op, "at least 1 output channel", std::to_string(op.channels));
  if (op.dilation[0] < 1 || op.dilation[1] < 1) {
    refuse(op, "a positive dilation", fmt::format("{}x{}", op.dilation[0], op.dilation[1]));
  }
  if (op.groups < 1 || in[1] % op.groups != 0 || op.channels % op.groups != 0) {
    refuse(op, fmt::format("groups that divide {} input and {} output channels", in[1], op.channels),
           fmt::format("{} groups on input {}", op.groups, shape_text(in)));
  }
  require_size(op, {op.channels, in[1] / op.groups, op.kernel[0], op.kernel[1]}, "kernel");
  Shape out{in[0], op.channels, window_positions(op, in, 0, op.dilation[0]),
            window_positions(op, in, 1, op.dilation[1])};
  require_size(op, out, "output");
  require_macs(op, out, in[1] / op.groups * op.kernel[0] * op.kernel[1]);
  return out;
}

Shape infer_pool(const Op& op, const Shape& in) {
  require_image(op, in);
  require_window(op);
  for (std::size_t side = 0; side < 4; ++side) {
    if (op.padding[side] >= op.kernel[side % 2]) {  // else a window could hold nothing but padding
      refuse(op, fmt::format("padding below the kernel's {}", op.kernel[side % 2]), std::to_string(op.padding[side]));
    }
  }
  Shape out{in[0], in[1], window_positions(op, in, 0, 1), window_positions(op, in, 1, 1)};
  require_size(op, out, "output");
  return out;
}

Shape infer_linear(const Op& op, const Shape& in) {
  if (in.size() < 2) refuse(op, "a batch and features [N,...,C]", shape_text(in));
  if (op.channels < 1) refuse(op, "at least 1 output feature", std::to_string(op.channels));
  require_size(op, {op.channels, in.back()}, "kernel");
  Shape out = in;
  out.back() = op.channels;
  require_size(op, out, "output");
  require_macs(op, out, in.back());
  return out;
}

Shape infer_matmul(const Op& op, const Shape& a, const Shape& b) {
  const Shape* const both[] = {&a, &b};
  const std::size_t rank = a.size();
  if (rank < 2 || b.size() != rank) refuse(op, "two tensors of equal rank, 2 or more", shapes_text(both));
  if (!std::equal(a.begin(), a.end() - 2, b.begin())) refuse(op, "equal leading axes", shapes_text(both));
  const std::int64_t inner = op.transpose_b ? b[rank - 1] : b[rank - 2];
  if (a[rank - 1] != inner) {
    refuse(
        op,
        op.transpose_b ? "equal last axes (transpose_b)" : "the first's last axis equal to the second's last but one",
        shapes_text(both));
  }
  Shape out = a;
  out[rank - 1] = op.transpose_b ? b[rank - 2] : b[rank - 1];
  require_size(op, out, "output");
  require_macs(op, out, inner);
  return out;
}

const Shape& infer_elementwise(const Op& op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const bool spread = a.size() == 4 && b.size() == 4 && a[0] == b[0] && a[1] == b[1] && b[2] == 1 && b[3] == 1;
  if (spread) return a;
  const Shape* const both[] = {&a, &b};
  refuse(op, "equal shapes, or the second [N,C,1,1] of the first", shapes_text(both));
}

std::size_t require_axis(const Op& op, const Shape& in) {
  const int rank = static_cast<int>(in.size());
  const int axis = op.axis < 0 ? op.axis + rank : op.axis;
  if (axis < 0 || axis >= rank) {
    refuse(op, fmt::format("an axis from {} to {}", -rank, rank - 1),
           fmt::format("{} on input {}", op.axis, shape_text(in)));
  }
  return static_cast<std::size_t>(axis);
}

Shape infer_concat(const Op& op, Inputs inputs) {
  Shape out = *inputs[0];
  const std::size_t axis = require_axis(op, out);
  for (const Shape* in : inputs.subspan(1)) {
    bool fits = in->size() == out.size();
    for (std::size_t i = 0; fits && i < out.size(); ++i) fits = i == axis || (*in)[i] == out[i];
    if (!fits) refuse(op, fmt::format("shapes equal but for axis {}", axis), shapes_text(inputs));
    out[axis] += (*in)[axis];
  }
  require_size(op, out, "output");
  return out;
}

Shape infer_reshape(const Op& op, const Shape& in) {
  Shape out{in[0]};
  out.insert(out.end(), op.shape.begin(), op.shape.end());
  std::int64_t* open = nullptr;
  std::int64_t known = 1;
  const std::int64_t each = elements(in) / in[0];  // elements of one item of the batch
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (out[i] == -1 && open == nullptr) {
      open = &out[i];
    } else if (out[i] < 1 || out[i] > each / known) {
      refuse(op, fmt::format("a target (without the batch) of {} elements with at most one -1", each),
             shape_text(op.shape));
    } else {
      known *= out[i];
    }
  }
  if (open != nullptr && each % known == 0) {
    *open = each / known;
    known = each;
  }
  if (known != each) {
    refuse(op, fmt::format("a target (without the batch) of {} elements", each),
           fmt::format("{} for input {}", shape_text(op.shape), shape_text(in)));
  }
  return out;
}

Shape infer_transpose(const Op& op, const Shape& in) {
  std::vector<bool> seen(in.size());
  bool fits = op.shape.size() == in.size();
  for (std::size_t i = 0; fits && i < in.size(); ++i) {
    fits = op.shape[i] >= 0 && op.shape[i] < static_cast<std::int64_t>(in.size());
    if (!fits) break;
    fits = !seen[static_cast<std::size_t>(op.shape[i])];
    seen[static_cast<std::size_t>(op.shape[i])] = true;
  }
  if (!fits) {
    refuse(op, fmt::format("a permutation of the {} axes", in.size()),
           fmt::format("{} on input {}", op.shape.empty() ? "none" : shape_text(op.shape), shape_text(in)));
  }
  Shape out(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[static_cast<std::size_t>(op.shape[i])];
  return out;
}

Shape infer_zero(const Op& op, const Shape& in) {
  if (op.stride == std::array<int, 2>{1, 1}) return in;
  require_image(op, in);
  require_window(op);
  return {in[0], in[1], (in[2] - 1) / op.stride[0] + 1, (in[3] - 1) / op.stride[1] + 1};
}

Shape infer_input(const Op& op) {
  if (op.shape.empty()) refuse(op, "a shape with the batch first", "none");
  require_size(op, op.shape, "input");
  return op.shape;
}

Shape infer_norm(const Op& op, const Shape& in) {
  if (in.size() < 2) refuse(op, "a batch and channels [N,C,...]", shape_text(in));
  if (!(op.epsilon > 0) || !std::isfinite(op.epsilon)) refuse(op, "a positive epsilon", fmt::format("{}", op.epsilon));
  return in;
}

}  // namespace

std::int64_t elements(const Shape& shape) {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

std::string shape_text(const Shape& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

std::span<const std::string> op_names() {
  static const std::vector<std::string> names = {"input",      "conv2d",    "linear",   "matmul",     "batch_norm",
                                                 "layer_norm", "relu",      "relu6",    "hard_swish", "hard_sigmoid",
                                                 "sigmoid",    "swish",     "gelu",     "softmax",    "add",
                                                 "mul",        "concat",    "max_pool", "avg_pool",   "global_avg_pool",
                                                 "reshape",    "transpose", "flatten",  "identity",   "zero"};
  return names;
}

std::string_view name_of(OpKind kind) { return op_names()[static_cast<std::size_t>(kind)]; }

bool is_activation(OpKind kind) { return kind >= OpKind::relu && kind <= OpKind::gelu; }

bool has_weights(OpKind kind) {
  return kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::batch_norm || kind == OpKind::layer_norm;
}

Shape infer_shape(const Op& op, std::span<const Shape* const> inputs) {
  require_inputs(op, inputs);
  switch (op.kind) {
    case OpKind::input:
      return infer_input(op);
    case OpKind::conv2d:
      return infer_conv2d(op, *inputs[0]);
    case OpKind::linear:
      return infer_linear(op, *inputs[0]);
    case OpKind::matmul:
      return infer_matmul(op, *inputs[0], *inputs[1]);
    case OpKind::batch_norm:
    case OpKind::layer_norm:
      return infer_norm(op, *inputs[0]);
    case OpKind::softmax:
      require_axis(op, *inputs[0]);
      return *inputs[0];
    case OpKind::add:
    case OpKind::mul:
      return infer_elementwise(op, *inputs[0], *inputs[1]);
    case OpKind::concat:
      return infer_concat(op, inputs);
    case OpKind::max_pool:
    case OpKind::avg_pool:
      return infer_pool(op, *inputs[0]);
    case OpKind::global_avg_pool: {
      const Shape& in = require_image(op, *inputs[0]);
      return {in[0], in[1], 1, 1};
    }
    case OpKind::reshape:
      return infer_reshape(op, *inputs[0]);
    case OpKind::transpose:
      return infer_transpose(op, *inputs[0]);
    case OpKind::flatten:
      return {(*inputs[0])[0], elements(*inputs[0]) / (*inputs[0])[0]};
    case OpKind::zero:
      return infer_zero(op, *inputs[0]);
    default:  // identity and the activations
      return *inputs[0];
  }
}

Shape infer_shape(const Op& op, std::span<const Shape> inputs) {
  std::vector<const Shape*> pointers;
  for (const Shape& shape : inputs) pointers.push_back(&shape);
  return infer_shape(op, std::span<const Shape* const>(pointers));
}

}  // namespace ridgeline
