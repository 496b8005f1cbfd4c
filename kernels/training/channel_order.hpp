// The channels of a supernet in the order of their importance, so that a candidate with fewer keeps those that matter
// (Cai et al., Once-for-All, 2020, arXiv:1908.09791, section 3.3): a channel's importance is the sum of the absolute
// weights that read it.
//
// Channels that reach one another without being mixed (through norms, activations, depthwise convolutions, additions)
// are reordered together. Left alone: the network's inputs and outputs, channels that are reshaped, concatenated or
// multiplied as matrices, and what the space's survey shows at different widths at once.
#pragma once

#include <span>
#include <vector>

#include "kernels/training/shared_parameters.hpp"

namespace ridgeline {

// One entry a shared parameter: where the number comes from that belongs there. Every candidate that has all channels
// of the reordered tensors computes the same function afterwards.
std::vector<std::size_t> importance_order(const SearchSpace& space, const SharedParameters& layout,
                                          std::span<const float> shared);

void reorder(std::span<const std::size_t> order, std::vector<float>& values);

}  // namespace ridgeline
