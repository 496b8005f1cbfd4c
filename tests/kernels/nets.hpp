// Networks built by hand for the tests of this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline::testing {

// Adds operators one after another; `last` is the tensor the next one reads.
class NetBuilder {
 public:
  explicit NetBuilder(Shape input) : last(network.add_input(std::move(input))) {}

  NodeId add(const Op& op, std::initializer_list<NodeId> inputs) { return last = network.add(op, inputs); }
  NodeId conv(std::int64_t channels, int kernel, int stride = 1, int groups = 1, bool bias = false);
  NodeId norm();
  NodeId apply(OpKind kind);  // an operator without attributes on `last`
  NodeId linear(std::int64_t channels);
  NodeId add_to(NodeId other) { return add(op_of(OpKind::add), {last, other}); }
  // x * hard_sigmoid(conv(relu(conv(mean(x))))).
  NodeId squeeze_excite(std::int64_t squeezed);
  Network finish() {
    network.mark_output(last);
    return std::move(network);
  }

  static Op op_of(OpKind kind) {
    Op op;
    op.kind = kind;
    return op;
  }

  Network network;
  NodeId last;
};

Network mobilenet_v2(std::int64_t resolution, std::int64_t classes, std::int64_t batch = 1, double width = 1.0);
Network mobilenet_v3_like(std::int64_t resolution, std::int64_t batch = 1);
Network resnet50_like(std::int64_t resolution, std::int64_t classes, std::int64_t batch = 1);
Network resnet18_like(std::int64_t resolution, std::int64_t classes, std::int64_t width);

// With random_weights(network, seed) and every conv2d, linear and matmul in `format`.
Design trained(Network network, const Format& format = f32, std::uint64_t seed = 1);
Design untrained(Network network, const Format& format = f32);
// Quantized over the ranges that this input has.
void calibrate(Design& design, std::span<const float> input);

}  // namespace ridgeline::testing
