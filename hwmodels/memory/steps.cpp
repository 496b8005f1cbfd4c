#include "hwmodels/memory/steps.hpp"

#include <algorithm>

namespace ridgeline {
namespace {

MemoryStep step_of(const Network& network, NodeId anchor, NodeId node, std::span<const NodeId> tensors) {
  MemoryStep step{anchor, node, {}, 0, {}};
  for (const NodeId input : network.inputs(anchor)) {
    if (std::ranges::find(step.reads, tensors[input]) == step.reads.end()) step.reads.push_back(tensors[input]);
  }
  step.anchor_reads = step.reads.size();
  return step;
}

// The other operand of the addition on the way from a layer's result back to its anchor.
std::optional<NodeId> added_operand(const Network& network, const ExecutedLayer& layer,
                                    std::span<const NodeId> tensors) {
  for (NodeId node = layer.node; node != layer.anchor;) {
    const auto inputs = network.inputs(node);
    const NodeId first = tensors[inputs[0]];
    if (network.op(node).kind == OpKind::add) return std::min(first, tensors[inputs[1]]);
    node = first;
  }
  return std::nullopt;
}

}  // namespace

std::vector<MemoryStep> fused_steps(const Network& network, std::span<const ExecutedLayer> layers,
                                    std::span<const NodeId> tensors) {
  std::vector<MemoryStep> steps;
  steps.reserve(layers.size());
  for (const ExecutedLayer& layer : layers) {
    steps.push_back(step_of(network, layer.anchor, layer.node, tensors));
    if (!layer.key.add) continue;
    MemoryStep& step = steps.back();
    step.added = added_operand(network, layer, tensors);
    if (std::ranges::find(step.reads, *step.added) == step.reads.end()) step.reads.push_back(*step.added);
  }
  return steps;
}

std::vector<MemoryStep> single_steps(const Network& network, std::span<const NodeId> live,
                                     std::span<const NodeId> tensors) {
  std::vector<MemoryStep> steps;
  for (const NodeId node : live) {
    const OpKind kind = network.op(node).kind;
    if (tensors[node] != node || kind == OpKind::input || kind == OpKind::zero) continue;
    steps.push_back(step_of(network, node, node, tensors));
  }
  return steps;
}

std::vector<ExecutedLayer> layers_in_order(const Network& network, const PrecisionPlan& plan,
                                           std::span<const Format> stored, std::span<const NodeId> live) {
  std::vector<ExecutedLayer> layers = executed_layers(network, plan, stored, live);
  std::ranges::sort(layers, {}, &ExecutedLayer::node);
  return layers;
}

}  // namespace ridgeline
