// Bits of a kernel by what its inputs are worth: SliM-LLM (Huang et al., Salience-Driven Mixed-Precision Quantization
// for Large Language Models, 2024), for any conv2d or linear. The kernel is cut along its taps into blocks of all
// output channels (of all those of one group of a grouped convolution); a block has b - 1, b or b + 1 bits, and as many
// weights have one more as have one less, so that the mean is b. Inside a block the numbers of a channel share a scale,
// as those of @groupN do.
//
// Salience of a block: sum of G_jj d_ij^2, d the change of rounding to nearest with b bits and G the Gram matrix of
// what the layer reads. Blocks are sorted by it, and two pointers move inwards from both ends (the paper's algorithm
// 2): the k least salient get one bit less and the k most salient one more, with the k of least output error tr(D G
// D^T), where the paper has the divergence of the output. No k: all b.
//
// Deterministic and pure; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/quantization/rounded_kernel.hpp"

namespace ridgeline {

struct GroupBitsOptions {
  WeightRounding rounding = WeightRounding::nearest;  // of the kernel, once bits are found by rounding to nearest
  bool weighted_scales = false;  // ranges of least G_jj d^2 (the paper's salience-weighted calibration), not min-max
};

struct GroupBits {
  std::vector<std::uint8_t> bits;  // [groups, blocks], blocks = ceil(taps / N)
  std::vector<float> kernel;       // [channels, taps], each block's values those of its bits over `ranges`
  std::vector<Range> ranges;       // one a scale, channel by channel
  double mean_bits = 0;            // of a weight: b
  double stored_bits = 0;          // of a weight, scales (32 bits each), zero points and two bits a block for its width
                                   // among them
  double output_error = 0;         // mean squared change of an output number, as output_power() has it
  double uniform_error = 0;        // of rounding to nearest with b bits everywhere, over ranges of the same kind
};

// `kernel` is [channels, taps], a batch norm folded in; `format` is intB@groupN of 3 to 15 bits or uintB@groupN of 2 to
// 15. Where N does not divide the taps, the last blocks keep b bits. Throws std::invalid_argument on another format and
// where sizes do not fit.
GroupBits group_bits(std::span<const float> kernel, std::size_t channels, const Format& format,
                     const LayerMoments& moments, const GroupBitsOptions& options = {});

}  // namespace ridgeline
