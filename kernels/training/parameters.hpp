// The trainable numbers of a network as one flat vector of f32, which optimizers and gradients share.
//
// Blocks come in the order of node ids, within a node kernel, bias, scale, shift; each is dense and row-major in the
// shape that spaces/weights.hpp states. Running statistics of batch norms are no parameters. Dead nodes have no block.
// Ranges that are learned when a network is trained through number formats come behind them all (rounding_sites.hpp).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "spaces/weights.hpp"

namespace ridgeline {

struct ParameterBlock {
  // map: of a supernet, shared_parameters.hpp; ranges: of a node's kernel, and of the tensor that it makes
  enum class Kind : std::uint8_t { kernel, bias, scale, shift, map, kernel_range, tensor_range };
  NodeId node = 0;
  Kind kind = Kind::kernel;
  std::size_t offset = 0, size = 0;  // in floats
};

std::vector<ParameterBlock> parameter_blocks(const Network& network);
std::size_t parameter_count(std::span<const ParameterBlock> blocks);

// The block's numbers within `weights` of its node.
std::vector<float>& block_of(NodeWeights& weights, ParameterBlock::Kind kind);
const std::vector<float>& block_of(const NodeWeights& weights, ParameterBlock::Kind kind);

// Throws std::invalid_argument when sizes differ from the network's.
std::vector<float> flatten(const Network& network, const Weights& weights);
// Writes the parameters into `weights`, one entry a node, and leaves running statistics as they are.
void unflatten(const Network& network, std::span<const float> parameters, Weights& weights);

}  // namespace ridgeline
