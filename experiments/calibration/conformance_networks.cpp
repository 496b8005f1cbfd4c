#include "experiments/calibration/conformance_networks.hpp"

#include <array>

namespace ridgeline {
namespace {

Op op_of(OpKind kind) {
  Op op;
  op.kind = kind;
  return op;
}

Op convolution(std::int64_t channels, int kernel, int stride, std::int64_t groups) {
  Op op = op_of(OpKind::conv2d);
  op.channels = channels;
  op.kernel = {kernel, kernel};
  op.stride = {stride, stride};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  op.groups = static_cast<int>(groups);
  return op;
}

// With its batch norm, and a ReLU6 where it is wanted.
NodeId add_convolution(Network& network, NodeId from, const Op& op, bool activation) {
  const NodeId norm = network.add(op_of(OpKind::batch_norm), {network.add(op, {from})});
  return activation ? network.add(op_of(OpKind::relu6), {norm}) : norm;
}

NodeId add_inverted_residual(Network& network, NodeId from, std::int64_t out, int expansion, int stride) {
  const std::int64_t in = network.shape(from)[1], hidden = in * expansion;
  NodeId at = from;
  if (expansion != 1) at = add_convolution(network, at, convolution(hidden, 1, 1, 1), true);
  at = add_convolution(network, at, convolution(hidden, 3, stride, hidden), true);
  at = add_convolution(network, at, convolution(out, 1, 1, 1), false);
  return stride == 1 && in == out ? network.add(op_of(OpKind::add), {from, at}) : at;
}

void add_classifier(Network& network, NodeId from, std::int64_t classes) {
  const NodeId pool = network.add(op_of(OpKind::global_avg_pool), {from});
  Op linear = op_of(OpKind::linear);
  linear.channels = classes;
  linear.bias = true;
  network.mark_output(network.add(linear, {network.add(op_of(OpKind::flatten), {pool})}));
}

Network operator_network(OpKind kind) {
  const Shape image{1, 16, 8, 8}, tokens{1, 8, 16};
  Network network;
  Op op = op_of(kind);
  if (kind == OpKind::linear || kind == OpKind::layer_norm || kind == OpKind::softmax) {
    op.channels = 32;
    op.axis = -1;
    network.mark_output(network.add(op, {network.add_input(tokens)}));
    return network;
  }
  if (kind == OpKind::matmul) {
    op.transpose_b = true;
    const NodeId a = network.add_input(tokens, "a");
    network.mark_output(network.add(op, {a, network.add_input(tokens, "b")}));
    return network;
  }
  const NodeId input = network.add_input(image);
  if (kind == OpKind::add || kind == OpKind::mul || kind == OpKind::concat) {
    network.mark_output(network.add(op, {input, network.add_input(image, "second")}));
    return network;
  }
  if (kind == OpKind::conv2d) op = convolution(16, 3, 1, 1);
  if (kind == OpKind::max_pool || kind == OpKind::avg_pool) op.kernel = op.stride = {2, 2};
  if (kind == OpKind::reshape) op.shape = {16, 64};
  if (kind == OpKind::transpose) op.shape = {0, 2, 3, 1};
  NodeId made = network.add(op, {input});
  // Nothing computes a zero: it is what something else is added to.
  if (kind == OpKind::zero) made = network.add(op_of(OpKind::add), {input, made});
  network.mark_output(made);
  return network;
}

}  // namespace

Network probe_network(const ProbeShape& shape) {
  Network network;
  const NodeId input = network.add_input({shape.batch, 3, shape.resolution, shape.resolution});
  const NodeId stem = add_convolution(network, input, convolution(shape.channels, 3, 1, 1), true);
  add_classifier(network, add_inverted_residual(network, stem, shape.channels, 4, 1), 10);
  return network;
}

Network mobilenet_v2_network() {
  struct Stage {
    int expansion;
    std::int64_t channels;
    int blocks, stride;
  };
  static constexpr std::array<Stage, 7> stages{
      {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};
  Network network;
  NodeId at = add_convolution(network, network.add_input({1, 3, 224, 224}), convolution(32, 3, 2, 1), true);
  for (const Stage& stage : stages) {
    for (int block = 0; block < stage.blocks; ++block) {
      at = add_inverted_residual(network, at, stage.channels, stage.expansion, block == 0 ? stage.stride : 1);
    }
  }
  add_classifier(network, add_convolution(network, at, convolution(1280, 1, 1, 1), true), 1000);
  return network;
}

std::vector<OperatorNetwork> operator_networks() {
  std::vector<OperatorNetwork> networks;
  for (std::size_t kind = 0; kind < op_names().size(); ++kind) {
    const auto one = static_cast<OpKind>(kind);
    if (one != OpKind::input) networks.push_back({one, operator_network(one)});
  }
  return networks;
}

}  // namespace ridgeline
