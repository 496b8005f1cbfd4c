// The kernel of one layer on the grid of a number format: where the range ends, and which way each weight is rounded.
//
//   nearest   each to the nearest value of the format
//   learned   up or down, whichever together change the layer's output least: AdaRound (Nagel et al., Up or Down?
//             Adaptive Rounding for Post-Training Quantization, 2020, equations 22 to 25) on the layer's moments
//   gptq      one input after the other, the error of each taken over by those that come later: GPTQ (Frantar et al.,
//             2023, algorithm 1), damped by 1 % of the mean diagonal
//
// Scales are fixed beforehand. No channel's mean squared output error is above that of rounding to nearest.
// Deterministic and pure; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/quantization/layer_moments.hpp"
#include "spaces/format.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

enum class WeightRounding : std::uint8_t { nearest, learned, gptq };

struct RoundingOptions {
  WeightRounding rounding = WeightRounding::nearest;
  bool clip = false;  // ranges of least squared error of the weights instead of their whole range
};

struct RoundedKernel {
  std::vector<float> kernel;  // [channels, taps], values that the format holds over `ranges`
  std::vector<Range> ranges;  // as Quantization::weights has them; empty where scales follow from the numbers
};

// The ranges of least squared error of the numbers themselves, one a scale, as ranges_of() has them: the best of a
// hundred shares of the whole range. Each number's error counts times its `importance`, where there is one.
std::vector<Range> clipped_ranges(std::span<const float> kernel, std::size_t row_length, const Format& format,
                                  std::span<const float> importance = {});

// `kernel` is [channels, taps], a batch norm folded in. Rounding by nearest needs no moments. Formats without scales
// (f32, bf16, f16) are rounded to nearest. Throws std::invalid_argument where sizes do not fit or a weight is not
// finite.
RoundedKernel round_kernel(std::span<const float> kernel, std::size_t channels, const Format& format,
                           const LayerMoments& moments, const RoundingOptions& options);

}  // namespace ridgeline
