// The numbers of a trained (or randomly filled) network. All f32, row-major; empty vectors where an operator has none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "spaces/network.hpp"

namespace ridgeline {

struct NodeWeights {
  std::vector<float> kernel{};    // conv2d [channels, in/groups, kh, kw]; linear [channels, in]
  std::vector<float> bias{};      // [channels]
  std::vector<float> scale{};     // batch_norm [C], layer_norm [last axis]: gamma
  std::vector<float> shift{};     // beta
  std::vector<float> mean{};      // batch_norm running mean
  std::vector<float> variance{};  // batch_norm running variance, positive
};

using Weights = std::vector<NodeWeights>;  // one entry a node, in the order of ids

// He-normal kernels, and norms with scales near 1, so that activations neither vanish nor blow up: what a network is
// given when it is only timed. Kernels and norms in front of an addition are scaled by 1/4, as each residual block
// would otherwise double the variance. The same seed gives the same numbers.
Weights random_weights(const Network& network, std::uint64_t seed);

// Throws ConfigError of the file `origin`, naming the operator, where a number is not finite: a rectifier makes a zero
// of a NaN, so that nothing later would show it.
void check_finite(const Network& network, const Weights& weights, const std::string& origin);

}  // namespace ridgeline
