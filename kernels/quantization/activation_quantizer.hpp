// How activations are rounded to a format: which scale, and along which axis. The same for emulation and for whoever
// asks what a format loses.
#pragma once

#include <optional>

#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/network.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

// `scale` as tensor_scales() has it, `range` of the tensor where one is known. Integers of one scale are as the
// executed ones: without a sign where nothing can be negative. Finer granularities take their scales from the numbers.
Quantizer activation_quantizer(const Format& format, const TensorScale& scale, const std::optional<Range>& range);

// Where the channels of a tensor lie; `channels_last`: of an image, [N, H, W, C] in memory.
QuantizedAxis channel_axis(const Shape& shape, bool channels_last);

}  // namespace ridgeline
