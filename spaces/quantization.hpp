// The ranges that the numbers of a network are quantized over, and the 8-bit integers that this machine executes and
// ONNX files hold: symmetric, real = scale * stored, zero point 0.
//
// Activations have one scale a tensor; tensors that cannot be negative whatever the input (behind relu, sigmoid ...)
// are stored as u8 with 255 steps, others as s8 with 127. Weights are s8 with one scale an output channel, or one in
// all. Tensors that are copied without arithmetic (concatenation, pooling, reshape) share one scale.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/network.hpp"

namespace ridgeline {

// Values beyond it saturate. Symmetric formats use the larger magnitude of the two.
struct Range {
  float low = 0, high = 0;

  float magnitude() const { return std::max(-low, high); }
  // The smallest range that holds both.
  Range with(const Range& other) const { return {std::min(low, other.low), std::max(high, other.high)}; }
  friend bool operator==(const Range&, const Range&) = default;
};
Range range_of(std::span<const float> values);  // with 0; NaN is passed over

// Entries in the order of node ids.
struct Quantization {
  std::vector<Range> tensors;  // of each node's output
  // Of each node's kernel, a batch norm behind it folded in, as many as its format has scales: one, one an output
  // channel, or one a group of inputs of each output channel. Empty: those of the numbers themselves.
  std::vector<std::vector<Range>> weights{};
};

struct TensorScale {
  float scale = 1.0F;
  bool is_unsigned = false;
};

// The range of every tensor of a design that has no weights: its numbers mean nothing, and equal scales let equal
// layers of different designs share their primitives.
inline constexpr float untrained_range = 4.0F;

// One entry a node; `ranges` of each node's output. `stands_for`: the tensor that holds each node's value, where some
// are another node's; empty: each its own. The second operand of a matmul is signed, as oneDNN multiplies by s8 only.
std::vector<TensorScale> tensor_scales(const Network& network, std::span<const Range> ranges,
                                       std::span<const NodeId> stands_for = {});

// Which tensors have one scale: for each node the one that stands for all that share its scale, itself where there are
// no others. `stands_for` as tensor_scales() has it.
std::vector<NodeId> shared_scales(const Network& network, std::span<const NodeId> stands_for = {});

// Are all numbers of the operator's output numbers of its inputs? Mean pooling makes new ones, of the same range.
bool moves_values(OpKind kind);

// Is the node's output non-negative for every input? `known` of the nodes before it.
bool is_never_negative(const Network& network, NodeId node, const std::vector<bool>& known);
std::vector<bool> never_negative(const Network& network);  // one entry a node

struct QuantizedKernel {
  std::vector<std::int8_t> values;
  std::vector<float> scales;  // one an output channel (all equal for Granularity::tensor)
};
// `kernel` is [channels, taps]; `ranges` as Quantization::weights has them. Rounds to nearest, ties to even, and
// saturates at +-steps. Fewer than 127 steps keep pairs of products with u8 activations within 16 bits (63) on a CPU
// that sums them there.
QuantizedKernel quantize_kernel(std::span<const float> kernel, std::size_t channels, Format::Granularity granularity,
                                std::span<const Range> ranges = {}, int steps = 127);

}  // namespace ridgeline
