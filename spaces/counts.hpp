// Sizes of a network: multiply-accumulates, parameters, bytes, and the memory its activations need.
//
// One multiply-accumulate (MAC) is one multiplication and one addition. Published tables differ in what they count
// beside the convolutions and linear layers; a CountRule states which.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/network.hpp"

namespace ridgeline {

struct CountRule {
  bool bias_parameters = true;    // conv2d and linear biases
  bool norm_parameters = true;    // batch_norm and layer_norm: 2 a channel
  bool bias_macs = false;         // one MAC an output element with a bias
  bool norm_macs = false;         // one MAC an element
  bool activation_macs = false;   // one MAC an element of relu ... gelu
  bool pool_macs = false;         // one MAC an element of every window (elements read twice count twice)
  bool elementwise_macs = false;  // one MAC an element of add and mul
  bool live_only = true;          // skip nodes from which no output is reachable
};

std::int64_t parameters(const Network& network, NodeId node, const CountRule& rule = {});
std::int64_t macs(const Network& network, NodeId node, const CountRule& rule = {});
std::int64_t parameters(const Network& network, const CountRule& rule = {});
std::int64_t macs(const Network& network, const CountRule& rule = {});

// Bytes of the weights under a plan: kernels with their scales and zero points (stored_bits of [channels, the rest],
// rounded up to whole bytes); biases and norms are f32. A norm counts its scale and shift: a batch norm's running mean
// and variance fold into them.
std::int64_t weight_bytes(const Network& network, NodeId node, const PrecisionPlan& plan);
std::int64_t weight_bytes(const Network& network, const PrecisionPlan& plan);
// Bytes of one node's output as stored under a plan (bits rounded up to whole bytes).
std::int64_t activation_bytes(const Network& network, NodeId node, const Format& stored);

// A tensor is alive from the step that makes it to the last step that reads it, in the order of ids (steps count live
// nodes only). identity, reshape and flatten share their input's memory.
struct LiveRange {
  NodeId tensor;
  std::size_t first_step, last_step;  // inclusive
  std::int64_t bytes;
};
std::vector<LiveRange> live_ranges(const Network& network, const PrecisionPlan& plan);
// The largest sum of bytes alive at one step: a lower bound for any arena, reached by a perfect placement.
std::int64_t peak_activation_bytes(const Network& network, const PrecisionPlan& plan);

}  // namespace ridgeline
