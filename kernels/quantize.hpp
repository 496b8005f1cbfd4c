// Symmetric 8-bit quantization: real = scale * stored, zero point 0.
//
// Activations have one scale a tensor; tensors that cannot be negative whatever the input (behind relu, sigmoid ...)
// are stored as u8 with 255 steps, others as s8 with 127. Weights are s8 with one scale an output channel, or one in
// all. Tensors that are copied without arithmetic (concatenation, pooling, reshape) share one scale.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/lower.hpp"

namespace ridgeline {

struct TensorScale {
  float scale = 1.0F;
  bool is_unsigned = false;
};

// The range of every tensor of a design that has no weights: its numbers mean nothing, and equal scales let equal
// layers of different designs share their primitives.
inline constexpr float untrained_range = 4.0F;

// One entry a node; `ranges` is the largest absolute value of each node's output
// (ExecutableOptions::activation_ranges).
std::vector<TensorScale> plan_scales(const Network& network, const Lowered& lowered, std::span<const float> ranges);

// Is the node's output non-negative for every input? One entry a node.
std::vector<bool> never_negative(const Network& network);

float largest_magnitude(std::span<const float> values);  // 0 for none; NaN is passed over

struct QuantizedKernel {
  std::vector<std::int8_t> values;
  std::vector<float> scales;  // one an output channel (all equal for Granularity::tensor)
};
// `kernel` is [channels, taps]. Rounds to nearest, ties to even, and saturates at +-steps. Fewer than 127 steps keep
// pairs of products with u8 activations within 16 bits (63) on a CPU that sums them there.
QuantizedKernel quantize_kernel(std::span<const float> kernel, std::size_t channels, Format::Granularity granularity,
                                int steps = 127);

}  // namespace ridgeline
