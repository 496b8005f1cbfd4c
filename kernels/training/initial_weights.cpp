#include "kernels/training/initial_weights.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/training/parameters.hpp"

namespace ridgeline {

namespace {

bool reaches(const Network& network, NodeId from, NodeId to) {
  std::vector<NodeId> left{to};
  std::vector<bool> seen(network.size(), false);
  while (!left.empty()) {
    const NodeId node = left.back();
    left.pop_back();
    if (node == from) return true;
    if (node < from || seen[node]) continue;  // ids are a topological order
    seen[node] = true;
    for (const NodeId input : network.inputs(node)) left.push_back(input);
  }
  return false;
}

}  // namespace

bool closes_residual(const Network& network, NodeId node) {
  if (network.op(node).kind != OpKind::batch_norm) return false;
  const std::vector<NodeId> readers = network.consumers(node);
  if (readers.size() != 1 || network.op(readers[0]).kind != OpKind::add) return false;
  const std::span<const NodeId> terms = network.inputs(readers[0]);
  const NodeId other = terms[0] == node ? terms[1] : terms[0];
  return other != node && reaches(network, other, node);
}

void fill_kernel(std::span<float> kernel, double fan_in, bool convolution, Rng& rng) {
  const double deviation = std::sqrt((convolution ? 2.0 : 1.0) / fan_in);
  for (float& value : kernel) value = static_cast<float>(deviation * rng.normal());
}

Weights initial_weights(const Network& network, std::uint64_t seed) {
  Weights weights(network.size());
  for (const ParameterBlock& block : parameter_blocks(network)) {
    const Op& op = network.op(block.node);
    std::vector<float>& values = block_of(weights[block.node], block.kind);
    values.assign(block.size, 0.0F);
    if (block.kind == ParameterBlock::Kind::scale && !closes_residual(network, block.node)) {
      std::fill(values.begin(), values.end(), 1.0F);
    }
    if (block.kind == ParameterBlock::Kind::kernel) {
      Rng rng(seed, "initial weights", block.node);
      fill_kernel(values, static_cast<double>(block.size) / static_cast<double>(op.channels), op.kind == OpKind::conv2d,
                  rng);
    }
    if (op.kind == OpKind::batch_norm) {
      weights[block.node].mean.assign(block.size, 0.0F);
      weights[block.node].variance.assign(block.size, 1.0F);
    }
  }
  return weights;
}

}  // namespace ridgeline
