// Networks of the same function whose layers are easier to quantize: channels scaled (and moved) where one layer makes
// them and scaled back where the next ones read them. All by weights; no operator changes.
//
// Both take networks whose batch norms are folded (folded_norms.hpp); the plan of the result is all f32.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

// Cross-layer equalization (Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019,
// equation 11): each channel between two layers is scaled so that both kernels have the same range for it, pair after
// pair until nothing changes much. Only where the channel's way from one layer to the next is conv2d or linear, then
// operators that commute with a positive scale (relu, pooling, flatten, identity), with no other reader.
Design with_equalized_layers(const Design& design);

// The range of each channel of a node's output over calibration images: [C] of [N, C, H, W], the last axis elsewhere.
using ChannelRanges = std::vector<std::vector<Range>>;  // one a node; empty where not known

struct SmoothingOptions {
  double migration = 0.5;  // alpha: 0 leaves the difficulty in the activations, 1 moves all of it into the weights
  bool shift = false;      // also move each channel's middle to 0 (MPTQ-ViT's SQ-b, Tai et al., 2024), where that is
                           // exact: readers without zero padding
};

// SmoothQuant's migration (Xiao et al., 2023, equation 4): channel j of what conv2d and linear layers read is divided
// by s_j = max|X_j|^alpha / max|W_j|^(1 - alpha), their kernels multiplied, and the scale taken into the operator that
// makes the channel: a conv2d, linear, layer_norm or batch_norm, through operators as above.
Design with_smoothed_activations(const Design& design, const ChannelRanges& ranges,
                                 const SmoothingOptions& options = {});

}  // namespace ridgeline
