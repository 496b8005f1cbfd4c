// Where training begins: He-normal kernels (He et al., 2015, arXiv:1502.01852), 1 / fan-in for linear layers, norms the
// identity, but the last norm of a residual branch scaled to 0 so that every block starts as the identity (Goyal
// et al., 2017, arXiv:1706.02677, section 5.1). The same seed gives the same numbers.
#pragma once

#include <cstdint>
#include <span>

#include "spaces/rng.hpp"
#include "spaces/weights.hpp"

namespace ridgeline {

Weights initial_weights(const Network& network, std::uint64_t seed);

// A batch norm that ends a branch: only an addition reads it, whose other term is what the branch began with.
bool closes_residual(const Network& network, NodeId node);
void fill_kernel(std::span<float> kernel, double fan_in, bool convolution, Rng& rng);

}  // namespace ridgeline
