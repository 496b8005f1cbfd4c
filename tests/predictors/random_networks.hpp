// Small convolutional networks for tests of graph predictors: a stem, some blocks with or without a residual, a head.
#pragma once

#include <vector>

#include "predictors/graph/network_graph.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

inline Op convolution(std::int64_t channels, int kernel) {
  Op op;
  op.kind = OpKind::conv2d;
  op.channels = channels;
  op.kernel = {kernel, kernel};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  return op;
}

inline Op plain(OpKind kind) {
  Op op;
  op.kind = kind;
  return op;
}

inline Network random_network(Rng& rng) {
  Network network;
  const auto channels = static_cast<std::int64_t>(4 + 4 * rng.below(3));
  NodeId node = network.add(convolution(channels, 3), {network.add_input({1, 3, 8, 8})});
  const std::uint64_t blocks = 1 + rng.below(5);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    const NodeId before = node;
    node = network.add(plain(OpKind::relu), {node});
    node = network.add(convolution(channels, rng.chance(0.5) ? 3 : 1), {node});
    node = network.add(plain(OpKind::batch_norm), {node});
    if (rng.chance(0.5)) node = network.add(plain(OpKind::add), {before, node});
  }
  node = network.add(plain(OpKind::global_avg_pool), {node});
  node = network.add(plain(OpKind::flatten), {node});
  Op linear = plain(OpKind::linear);
  linear.channels = 10;
  network.mark_output(network.add(linear, {node}));
  return network;
}

inline std::vector<const NetworkGraph*> pointers(const std::vector<NetworkGraph>& graphs) {
  std::vector<const NetworkGraph*> result;
  for (const NetworkGraph& graph : graphs) result.push_back(&graph);
  return result;
}

}  // namespace ridgeline
