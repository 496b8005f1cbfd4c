// Small random networks, kept as a list of nodes that a test can rewrite before it builds the Network.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "spaces/network.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::test {

struct Blueprint {
  struct Node {
    Op op;
    std::vector<NodeId> inputs;
    std::string name;
  };
  std::vector<Node> nodes;
  std::vector<NodeId> outputs;

  Network build() const {
    Network network;
    for (const Node& node : nodes) network.add(node.op, node.inputs, node.name);
    for (const NodeId output : outputs) network.mark_output(output);
    return network;
  }
};

inline Op make(OpKind kind) {
  Op op;
  op.kind = kind;
  return op;
}

inline Op conv(std::int64_t channels, int kernel, int stride = 1, int groups = 1, bool bias = false) {
  Op op = make(OpKind::conv2d);
  op.channels = channels;
  op.kernel = {kernel, kernel};
  op.stride = {stride, stride};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  op.groups = groups;
  op.bias = bias;
  return op;
}

inline Op linear(std::int64_t channels, bool bias = true) {
  Op op = make(OpKind::linear);
  op.channels = channels;
  op.bias = bias;
  return op;
}

inline Op pool(OpKind kind, int kernel, int stride, int padding = 0) {
  Op op = make(kind);
  op.kernel = {kernel, kernel};
  op.stride = {stride, stride};
  op.padding = {padding, padding, padding, padding};
  return op;
}

// The operators that a random network may add behind a 4-channel image of any size, keeping its shape.
inline std::vector<Op> shape_keeping_ops() {
  std::vector<Op> ops{conv(4, 1),
                      conv(4, 3),
                      conv(4, 3, 1, 4),
                      conv(4, 1, 1, 2, true),
                      pool(OpKind::max_pool, 3, 1, 1),
                      pool(OpKind::avg_pool, 3, 1, 1)};
  for (const OpKind kind :
       {OpKind::relu, OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid, OpKind::sigmoid, OpKind::swish,
        OpKind::gelu, OpKind::softmax, OpKind::batch_norm, OpKind::layer_norm, OpKind::identity, OpKind::zero}) {
    ops.push_back(make(kind));
  }
  return ops;
}

// Images [1,4,5,5] all the way, with sums, products, gates and two concatenated tensors squeezed back to four channels;
// `size` nodes or a few more, one or two outputs. Parts of it may be dead.
inline Blueprint random_blueprint(Rng& rng, std::size_t size) {
  static const std::vector<Op> ops = shape_keeping_ops();
  Blueprint blueprint;
  std::vector<NodeId> images;  // the nodes of the common shape
  const auto push = [&](const Op& op, std::vector<NodeId> inputs) {
    blueprint.nodes.push_back({op, std::move(inputs), ""});
    return static_cast<NodeId>(blueprint.nodes.size() - 1);
  };
  const auto image = [&] { return images[rng.below(images.size())]; };
  Op input = make(OpKind::input);
  input.shape = {1, 4, 5, 5};
  images.push_back(push(input, {}));
  if (rng.chance(0.3)) images.push_back(push(input, {}));
  while (blueprint.nodes.size() < size) {
    const std::uint64_t dice = rng.below(10);
    if (dice < 3) {
      images.push_back(push(make(OpKind::add), {image(), image()}));
    } else if (dice == 3) {
      images.push_back(push(make(OpKind::mul), {image(), image()}));
    } else if (dice == 4) {
      const NodeId gate = push(make(OpKind::global_avg_pool), {image()});
      images.push_back(push(make(rng.chance(0.8) ? OpKind::mul : OpKind::add), {image(), gate}));
    } else if (dice == 5) {
      const NodeId pair = push(make(OpKind::concat), {image(), image()});
      images.push_back(push(conv(4, 1), {pair}));
    } else {
      images.push_back(push(ops[rng.below(ops.size())], {image()}));
    }
  }
  blueprint.outputs = {images.back()};
  const NodeId other = image();
  if (rng.chance(0.2) && other != images.back()) blueprint.outputs.push_back(other);
  return blueprint;
}

}  // namespace ridgeline::test
