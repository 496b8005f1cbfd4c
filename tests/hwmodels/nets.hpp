// Small networks the device model tests share.
#pragma once

#include "spaces/design.hpp"

namespace ridgeline::test {

inline Op conv(std::int64_t channels, int kernel, int stride = 1, int groups = 1) {
  Op op;
  op.kind = OpKind::conv2d;
  op.channels = channels;
  op.kernel = {kernel, kernel};
  op.stride = {stride, stride};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  op.groups = groups;
  return op;
}

inline Op simple(OpKind kind) {
  Op op;
  op.kind = kind;
  return op;
}

// conv 3x3 (norm, relu6) -> inverted residual with expansion 6 -> pool -> flatten -> linear.
inline Design mobile_block(const Format& format) {
  Design design;
  Network& n = design.network;
  NodeId x = n.add_input({1, 3, 32, 32});
  x = n.add(conv(16, 3, 2), {x}, "stem");
  x = n.add(simple(OpKind::batch_norm), {x});
  x = n.add(simple(OpKind::relu6), {x});
  const NodeId start = x;
  x = n.add(conv(96, 1), {x}, "expand");
  x = n.add(simple(OpKind::batch_norm), {x});
  x = n.add(simple(OpKind::relu6), {x});
  x = n.add(conv(96, 3, 1, 96), {x}, "depthwise");
  x = n.add(simple(OpKind::batch_norm), {x});
  x = n.add(simple(OpKind::relu6), {x});
  x = n.add(conv(16, 1), {x}, "project");
  x = n.add(simple(OpKind::batch_norm), {x});
  x = n.add(simple(OpKind::add), {start, x});
  x = n.add(simple(OpKind::global_avg_pool), {x});
  x = n.add(simple(OpKind::flatten), {x});
  Op linear = simple(OpKind::linear);
  linear.channels = 10;
  linear.bias = true;
  x = n.add(linear, {x}, "classifier");
  n.mark_output(x);
  design.precision = PrecisionPlan::uniform(n, format, format);
  return design;
}

// One convolution: 64 channels in and out, 16x16, kernel 3: 64 * 64 * 9 * 256 multiply-accumulates.
inline Design one_conv(const Format& format) {
  Design design;
  Network& n = design.network;
  n.mark_output(n.add(conv(64, 3), {n.add_input({1, 64, 16, 16})}, "only"));
  design.precision = PrecisionPlan::uniform(n, format, format);
  return design;
}

}  // namespace ridgeline::test
