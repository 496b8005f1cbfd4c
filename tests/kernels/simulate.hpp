// What a design computes in its own formats, in plain loops: reads are rounded to the format they are read in, folded
// kernels to the format of the weights, results to the format they are stored in, everything between is exact. The
// fusion plan and the scales are taken from the library; what is done with them is written here again.
#pragma once

#include <span>
#include <vector>

#include "kernels/executable.hpp"
#include "kernels/lower.hpp"
#include "kernels/reference.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline::testing {

// The value nearest to `value` that the format can hold (f32, bf16, or an 8-bit integer of this scale).
float round_to(const Format& format, const TensorScale& scale, float value);

// The first output of the network.
std::vector<float> simulate(const Design& design, std::span<const float> input, const ExecutableOptions& options);

}  // namespace ridgeline::testing
