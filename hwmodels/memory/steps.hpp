// What an inference holds in memory, step by step, before anything has an address. Internal to hwmodels/.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "hwmodels/layers.hpp"

namespace ridgeline {

// One executed layer, or one operator where nothing is fused: what it reads, and the one tensor it makes.
struct MemoryStep {
  NodeId anchor = 0;             // the operator that gives it its kind
  NodeId node = 0;               // the operator whose result it makes
  std::vector<NodeId> reads;     // tensors (stored_tensors), each once, the anchor's first
  std::size_t anchor_reads = 0;  // how many of them the anchor reads
  std::optional<NodeId> added;   // of `reads`: the operand of a fused addition
};

// In the order they run: by `node`, so that every step comes after those it reads. `layers` must be in that order too.
std::vector<MemoryStep> fused_steps(const Network& network, std::span<const ExecutedLayer> layers,
                                    std::span<const NodeId> tensors);
// Every operator that makes a tensor of its own is a step.
std::vector<MemoryStep> single_steps(const Network& network, std::span<const NodeId> live,
                                     std::span<const NodeId> tensors);
// Executed layers in the order of their results.
std::vector<ExecutedLayer> layers_in_order(const Network& network, const PrecisionPlan& plan,
                                           std::span<const Format> stored, std::span<const NodeId> live);

}  // namespace ridgeline
