// A network of the same function whose activations are easier to quantize: channels scaled, and moved, where an
// operator makes them, and scaled and moved back where the next layers read them. All by weights.
#pragma once

#include <vector>

#include "kernels/executable.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// The range of each channel of a node's output over calibration images: [C] of [N, C, H, W], the last axis elsewhere.
// It need not hold 0.
using ChannelRanges = std::vector<std::vector<Range>>;  // one a node; empty where not known

// Widens the ranges of a node by what it made of some images. Throws std::invalid_argument where it is not finite or no
// whole images.
void widen(ChannelRanges& ranges, const Network& network, const Activation& made);

struct SmoothingOptions {
  double migration = 0.5;  // alpha: 0 leaves the difficulty in the activations, 1 moves all of it into the weights
  bool shift = false;      // also move each channel's middle to 0 (MPTQ-ViT's SQ-b, Tai et al., 2024), where that is
                           // exact: no relu and no zero padding between the operator that makes it and its readers
};

// SmoothQuant's migration (Xiao et al., 2023, equation 4): channel j of what conv2d and linear layers read is divided
// by s_j = max|X_j|^alpha / max|W_j|^(1 - alpha), their kernels multiplied, and the scale taken into the operator that
// makes the channel: a conv2d, linear, layer_norm or batch_norm, through operators that commute with a positive scale
// (relu, pooling, flatten, identity), where nothing but conv2d and linear layers reads it in the end. max|W_j| is over
// all of them. Channels that are always 0, in the activations or in the kernels, are not scaled.
//
// `design` has weights, its batch norms folded where they can be (folded_norms.hpp). Node ids and shapes of the result
// are the same; a shift gives a bias to layers that have none. Its plan is all f32, and nothing is calibrated. Throws
// std::invalid_argument without weights, on a migration outside [0, 1], and on ranges of other nodes or channels.
Design with_smoothed_activations(const Design& design, const ChannelRanges& ranges,
                                 const SmoothingOptions& options = {});

}  // namespace ridgeline
