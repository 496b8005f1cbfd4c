// A network of the same function whose kernels are easier to quantize: channels scaled where one layer makes them and
// scaled back where the next one reads them. All by weights; no operator changes.
#pragma once

#include "spaces/design.hpp"

namespace ridgeline {

// Cross-layer equalization (Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019,
// equation 11): each channel between two layers is scaled so that both kernels have the same range for it, sqrt(r1 r2),
// pair after pair until nothing changes much; with a depthwise convolution between two others, all three ranges become
// equal. Only where the channel's way from one layer to the next is conv2d or linear, then operators that commute with
// a positive scale (relu, pooling, flatten, identity), with no other reader. Channels of which either kernel has
// nothing but 0 are left alone, and none is scaled by more than 64 in all: what a dead channel's bias would become is
// worse for activations than the range of its kernel is for weights.
//
// `design` has weights, its batch norms folded (folded_norms.hpp); node ids and shapes of the result are the same, its
// plan is all f32, and nothing is calibrated. Throws std::invalid_argument without weights.
Design with_equalized_layers(const Design& design);

}  // namespace ridgeline
