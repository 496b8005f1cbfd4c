// Quantize and dequantize: arrays of f32 to the values that a number format can hold, as f32.
//
// out = scale * round(in / scale) by the element's codec (codec.hpp) and the scales of scales.hpp; the quotient is one
// f32 division, where a finite number that overflows counts as the largest finite one. Infinity stays infinity where
// the element has one. f16 and bf16 round alone; f32 copies. Ternary compares with its threshold, whatever the
// rounding. Vector instructions where the CPU has them; every path gives the same bits. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/quantization/codec.hpp"
#include "kernels/quantization/scales.hpp"
#include "spaces/format.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

struct Quantizer {
  Format format = {};
  // One a scale, in the order of scale_count(); or those of the first rows, which then repeat: a batch of images
  // [batch * channels, pixels] takes one a channel. Empty: the scales follow from the numbers, as those of @mxN
  // always do.
  std::vector<Range> ranges = {};
  Rounding rounding = Rounding::nearest_even;
  std::uint64_t seed = 0;  // of Rounding::stochastic: a number's random one depends on it and on the number's index
};

// `in` and `out` are [rows, row_length]: a kernel has a row an output channel, and groups run along rows. They may be
// the same array, but not overlap otherwise. Throws std::invalid_argument where they differ in size, are no whole rows,
// or the ranges do not fit the scales.
void fake_quantize(std::span<const float> in, std::span<float> out, std::size_t row_length, const Quantizer& quantizer);

// The same by the codec, one number at a time: what fake_quantize must equal.
void fake_quantize_by_codec(std::span<const float> in, std::span<float> out, std::size_t row_length,
                            const Quantizer& quantizer);

// Activations [outer, length, inner], channels or groups of the format along `length`: [N, C, H, W] has its channels at
// {N, C, H * W}, [N, T, C] at {N * T, C, 1}. `@channel` takes one scale a position of the axis, groups one for each
// group of each outer and inner position; ranges of groups may be those of one position, which then repeat.
struct QuantizedAxis {
  std::size_t outer = 1, length = 1, inner = 1;
};
void fake_quantize_along(std::span<const float> in, std::span<float> out, const QuantizedAxis& axis,
                         const Quantizer& quantizer);

}  // namespace ridgeline
