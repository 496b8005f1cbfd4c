// The operators of the space language and their attributes.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "spaces/template.hpp"

namespace ridgeline {
namespace {

constexpr double largest = 1 << 30;

// `value` or one element of it as an integer.
std::int64_t integer(const Value& value, double least, double most, const Expressions& pool, const Evaluation& state) {
  const bool fits = value.kind == Value::Kind::number && std::floor(value.number) == value.number &&
                    value.number >= least && value.number <= most;
  if (!fits) {
    throw ExpressionError(fmt::format("an integer from {} to {}", least, most), pool.describe(value, state),
                          value.kind == Value::Kind::number ? "use round, floor or round_to" : "");
  }
  return static_cast<std::int64_t>(value.number);
}

bool truth(const Value& value, const Expressions& pool, const Evaluation& state) {
  if (value.kind != Value::Kind::boolean) throw ExpressionError("true or false", pool.describe(value, state));
  return value.truth();
}

// A number for both axes, or [height, width].
std::array<int, 2> pair(const Value& value, const Expressions& pool, const Evaluation& state) {
  if (value.kind != Value::Kind::list) {
    const int both = static_cast<int>(integer(value, 1, 65536, pool, state));
    return {both, both};
  }
  if (value.size != 2) throw ExpressionError("a number or [height, width]", pool.describe(value, state));
  return {static_cast<int>(integer(pool.element(value, 0, state), 1, 65536, pool, state)),
          static_cast<int>(integer(pool.element(value, 1, state), 1, 65536, pool, state))};
}

// A number for all sides, [vertical, horizontal] or [top, left, bottom, right].
std::array<int, 4> sides(const Value& value, const Expressions& pool, const Evaluation& state) {
  if (value.kind != Value::Kind::list) {
    const int all = static_cast<int>(integer(value, 0, 65536, pool, state));
    return {all, all, all, all};
  }
  if (value.size != 2 && value.size != 4) {
    throw ExpressionError("'same', a number, [vertical, horizontal] or [top, left, bottom, right]",
                          pool.describe(value, state));
  }
  std::array<int, 4> padding{};
  for (std::uint32_t i = 0; i < 4; ++i) {
    padding[i] = static_cast<int>(integer(pool.element(value, i % value.size, state), 0, 65536, pool, state));
  }
  return padding;
}

Shape extents(const Value& value, double least, const Expressions& pool, const Evaluation& state) {
  if (value.kind != Value::Kind::list || value.size == 0 || value.size > 16) {
    throw ExpressionError("a list of 1 to 16 integers", pool.describe(value, state));
  }
  Shape shape;
  for (std::uint32_t i = 0; i < value.size; ++i) {
    shape.push_back(integer(pool.element(value, i, state), least, largest, pool, state));
  }
  return shape;
}

}  // namespace

std::span<const std::string> attribute_names() {
  static const std::vector<std::string> names = {"channels", "kernel",      "stride",           "dilation", "groups",
                                                 "padding",  "bias",        "epsilon",          "axis",     "shape",
                                                 "order",    "transpose_b", "count_include_pad"};
  return names;
}

const OperatorRow& operator_row(OpKind kind) {
  using enum Attribute;
  static const std::vector<OperatorRow> rows = {
      {OpKind::conv2d, {channels, kernel}, {stride, dilation, groups, padding, bias}},
      {OpKind::linear, {channels}, {bias}},
      {OpKind::matmul, {}, {transpose_b}},
      {OpKind::batch_norm, {}, {epsilon}},
      {OpKind::layer_norm, {}, {epsilon}},
      {OpKind::softmax, {}, {axis}},
      {OpKind::concat, {}, {axis}},
      {OpKind::max_pool, {kernel}, {stride, padding}},
      {OpKind::avg_pool, {kernel}, {stride, padding, count_include_pad}},
      {OpKind::reshape, {shape}, {}},
      {OpKind::transpose, {order}, {}},
      {OpKind::zero, {}, {stride}},
  };
  static const OperatorRow plain{OpKind::identity, {}, {}};
  for (const OperatorRow& row : rows) {
    if (row.kind == kind) return row;
  }
  return plain;
}

void set_attribute(Op& op, Attribute attribute, const Value& value, const Expressions& pool, const Evaluation& state,
                   bool& same) {
  switch (attribute) {
    case Attribute::channels:
      op.channels = integer(value, 1, largest, pool, state);
      return;
    case Attribute::kernel:
      op.kernel = pair(value, pool, state);
      return;
    case Attribute::stride:
      op.stride = pair(value, pool, state);
      return;
    case Attribute::dilation:
      op.dilation = pair(value, pool, state);
      return;
    case Attribute::groups:
      op.groups = static_cast<int>(integer(value, 1, largest, pool, state));
      return;
    case Attribute::padding:
      same = value.kind == Value::Kind::string && pool.text_of(value.first) == "same";
      if (!same) op.padding = sides(value, pool, state);
      return;
    case Attribute::bias:
      op.bias = truth(value, pool, state);
      return;
    case Attribute::epsilon:
      if (value.kind != Value::Kind::number) throw ExpressionError("a number", pool.describe(value, state));
      op.epsilon = value.number;
      return;
    case Attribute::axis:
      op.axis = static_cast<int>(integer(value, -16, 15, pool, state));
      return;
    case Attribute::shape:
      op.shape = extents(value, -1, pool, state);
      return;
    case Attribute::order:
      op.shape = extents(value, 0, pool, state);
      return;
    case Attribute::transpose_b:
      op.transpose_b = truth(value, pool, state);
      return;
    case Attribute::count_include_pad:
      op.count_include_pad = truth(value, pool, state);
      return;
  }
}

void set_same_padding(Op& op) {
  const int vertical = op.dilation[0] * (op.kernel[0] - 1) / 2;
  const int horizontal = op.dilation[1] * (op.kernel[1] - 1) / 2;
  op.padding = {vertical, horizontal, vertical, horizontal};
}

}  // namespace ridgeline
