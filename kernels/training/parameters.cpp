#include "kernels/training/parameters.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ridgeline {

using Kind = ParameterBlock::Kind;

std::vector<ParameterBlock> parameter_blocks(const Network& network) {
  std::vector<ParameterBlock> blocks;
  std::size_t offset = 0;
  const auto add = [&](NodeId node, Kind kind, std::int64_t size) {
    blocks.push_back({node, kind, offset, static_cast<std::size_t>(size)});
    offset += static_cast<std::size_t>(size);
  };
  for (const NodeId node : network.live_nodes()) {
    const Op& op = network.op(node);
    if (!has_weights(op.kind)) continue;
    const Shape& read = network.shape(network.inputs(node)[0]);
    if (op.kind == OpKind::conv2d || op.kind == OpKind::linear) {
      const std::int64_t fan_in =
          op.kind == OpKind::conv2d ? read[1] / op.groups * op.kernel[0] * op.kernel[1] : read.back();
      add(node, Kind::kernel, op.channels * fan_in);
      if (op.bias) add(node, Kind::bias, op.channels);
      continue;
    }
    const std::int64_t width = op.kind == OpKind::batch_norm ? read[1] : read.back();
    add(node, Kind::scale, width);
    add(node, Kind::shift, width);
  }
  return blocks;
}

std::size_t parameter_count(std::span<const ParameterBlock> blocks) {
  return blocks.empty() ? 0 : blocks.back().offset + blocks.back().size;
}

const std::vector<float>& block_of(const NodeWeights& weights, Kind kind) {
  switch (kind) {
    case Kind::kernel:
      return weights.kernel;
    case Kind::bias:
      return weights.bias;
    case Kind::scale:
      return weights.scale;
    default:
      return weights.shift;
  }
}

std::vector<float>& block_of(NodeWeights& weights, Kind kind) {
  return const_cast<std::vector<float>&>(block_of(std::as_const(weights), kind));
}

std::vector<float> flatten(const Network& network, const Weights& weights) {
  const std::vector<ParameterBlock> blocks = parameter_blocks(network);
  std::vector<float> parameters(parameter_count(blocks));
  for (const ParameterBlock& block : blocks) {
    const std::vector<float>& values = block_of(weights.at(block.node), block.kind);
    if (values.size() != block.size) throw std::invalid_argument("weights are not those of the network");
    std::copy(values.begin(), values.end(), parameters.begin() + static_cast<std::ptrdiff_t>(block.offset));
  }
  return parameters;
}

void unflatten(const Network& network, std::span<const float> parameters, Weights& weights) {
  const std::vector<ParameterBlock> blocks = parameter_blocks(network);
  if (parameters.size() != parameter_count(blocks) || weights.size() != network.size()) {
    throw std::invalid_argument("parameters are not those of the network");
  }
  for (const ParameterBlock& block : blocks) {
    const std::span<const float> values = parameters.subspan(block.offset, block.size);
    block_of(weights[block.node], block.kind).assign(values.begin(), values.end());
  }
}

}  // namespace ridgeline
