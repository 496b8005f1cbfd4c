// A network as an inference library executes it: each convolution, linear layer or product together with what is fused
// into it (batch norms folded into weights; one activation and one residual addition as post-operations), everything
// else on its own, and identity, reshape and flatten for nothing.
//
// A LayerKey is everything visible in the graph that decides how long one executed layer takes. Equal keys are the same
// work on the same sizes. Keys have a readable text form, which is what device files hold.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/network.hpp"

namespace ridgeline {

struct LayerKey {
  OpKind kind = OpKind::identity;
  OpKind activation = OpKind::identity;  // fused after it; identity = none
  bool add = false;                      // a second tensor is added to the result before the activation
  bool entry = false;                    // reads an input of the network
  bool exit = false;                     // makes an output of the network
  // Images: channels, height, width. Linear: features, rows, 1. Matmul: inner length, rows, 1. Batch apart.
  std::int64_t batch = 1;
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1};
  std::array<int, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::int64_t groups = 1;
  Format weights = f32, activations = f32;   // as the operator reads them
  Format stored_in = f32, stored_out = f32;  // as its first input and its output lie in memory

  bool depthwise() const { return kind == OpKind::conv2d && groups > 1 && groups == in[0]; }
  // "conv2d relu6 +add n1 32x112x112 -> 32x56x56 k3x3 s2x2 d1x1 g32 int8*int8 int8->int8"; parse(text()) == *this.
  std::string text() const;
  static LayerKey parse(std::string_view text);  // throws ConfigError
  std::uint64_t hash() const;
  friend bool operator==(const LayerKey&, const LayerKey&) = default;
};

struct ExecutedLayer {
  LayerKey key;
  NodeId anchor = 0;  // the operator that gives it its kind
  NodeId node = 0;    // the operator whose result it makes
  std::int64_t macs = 0;
  std::int64_t weight_bytes = 0;  // kernel, scales and bias
  std::int64_t input_bytes = 0;   // all activations read, as stored
  std::int64_t output_bytes = 0;
};

// The live operators of a network as executed layers, in the order they run. `stored` is stored_formats(network, plan).
std::vector<ExecutedLayer> executed_layers(const Network& network, const PrecisionPlan& plan,
                                           std::span<const Format> stored, std::span<const NodeId> live);

// The node whose memory holds each node's value, one entry a node: identities, reshapes, flattens and additions of zero
// make none of their own. Dead nodes stand for node 0.
std::vector<NodeId> stored_tensors(const Network& network, std::span<const NodeId> live);

// What an inference touches again and again: all weights and the largest layer's activations. How it compares with a
// cache decides where the weights come from.
double footprint_bytes(std::span<const ExecutedLayer> layers);

}  // namespace ridgeline
