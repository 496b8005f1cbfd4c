// A network that was trained through number formats, as it is executed in them.
#pragma once

#include <span>

#include "spaces/design.hpp"

namespace ridgeline {

// `ranges` are those of rounding_sites(network, plan), one after the other. The design has its batch norms folded, as
// ONNX files and kernels in 8 bits want it; kernels keep the ranges they were trained over, times what folding
// multiplies them by. A kernel with one range in all that a norm is folded into gets one an output channel (@channel):
// folding stretches every channel differently. Without formats it is the network in f32 as it is. Throws
// std::invalid_argument where the ranges are of another network or plan.
Design executed_in_formats(const Network& network, const PrecisionPlan& plan, const Weights& weights,
                           std::span<const float> ranges);

}  // namespace ridgeline
