// What every operator means: plain f32 loops, one an operator, written to be read. Nothing here knows oneDNN, fusion or
// layouts; the executor is tested against it, and a measurement may check itself against it before it times anything.
//
// Sums are accumulated in double, so the reference's own rounding is far below any tolerance a test uses.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

// A dense row-major tensor.
struct Tensor {
  Shape shape;
  std::vector<float> values;  // elements(shape)
};

// The numbers given to a design that has none, chosen to be cheap: kernels repeat one pool of normal numbers scaled by
// sqrt(2 / fan-in), norms are the identity, biases small. They depend on the seed and on shapes only, so packed weights
// can be shared by every network that has a layer of the same shape.
Weights untrained_weights(const Network& network, std::uint64_t seed);
NodeWeights untrained_weights(const Network& network, NodeId node, std::uint64_t seed);

// Uniform numbers in [-1, 1), the input on which ranges are found and tests run.
std::vector<float> seeded_input(const Shape& shape, std::uint64_t seed);

// One operator on its inputs. `weights` may be empty for operators that have none.
Tensor reference_op(const Op& op, std::span<const Tensor* const> inputs, const NodeWeights& weights);

// A value of an activation (relu ... gelu).
double reference_activation(OpKind kind, double x);

// The outputs of every node, in the order of ids, in f32 whatever the design's formats. `input` fills the network's
// first input; a design without weights runs on untrained_weights(network, seed).
std::vector<Tensor> run_reference(const Design& design, std::span<const float> input, std::uint64_t seed = 1);

}  // namespace ridgeline
