// Batch norms taken into the weights in front of them, where quantization wants to see one kernel.
#pragma once

#include "spaces/design.hpp"

namespace ridgeline {

// The network without the batch norms that follow a conv2d or linear alone, whose weights and bias have become theirs,
// and without dead nodes. The function is the same but for rounding. The plan is all f32 and nothing is calibrated.
// `design` has weights.
Design with_folded_norms(const Design& design);

}  // namespace ridgeline
