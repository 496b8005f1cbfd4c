#include "kernels/quantization/folded_norms.hpp"

#include <map>

#include "kernels/lower.hpp"

namespace ridgeline {

FoldedNorms fold_norms(const Design& design) {
  const Network& network = design.network;
  std::map<NodeId, Group> folded;      // by anchor
  std::map<NodeId, NodeId> anchor_of;  // by norm
  for (const Group& group : lower({network, {}, design.weights}).groups) {
    if (!group.norm) continue;
    folded.emplace(group.anchor, group);
    anchor_of.emplace(*group.norm, group.anchor);
  }
  Network made;
  Weights weights;
  std::vector<NodeId> renamed(network.size());
  for (const NodeId node : network.live_nodes()) {
    if (const auto norm = anchor_of.find(node); norm != anchor_of.end()) {
      renamed[node] = renamed[norm->second];
      continue;
    }
    std::vector<NodeId> inputs;
    for (const NodeId input : network.inputs(node)) inputs.push_back(renamed[input]);
    Op op = network.op(node);
    NodeWeights own = (*design.weights)[node];
    if (const auto group = folded.find(node); group != folded.end()) {
      FoldedWeights both = fold(network, group->second, own, (*design.weights)[*group->second.norm]);
      own.kernel = std::move(both.kernel);
      own.bias = std::move(both.bias);
      op.bias = true;
    }
    renamed[node] = made.add(op, inputs, network.name(node));
    weights.push_back(std::move(own));
  }
  for (const NodeId output : network.outputs()) made.mark_output(renamed[output]);
  return {{std::move(made), {}, std::make_shared<const Weights>(std::move(weights))}, std::move(renamed)};
}

PrecisionPlan folded_plan(const FoldedNorms& folded, const PrecisionPlan& plan) {
  PrecisionPlan made;
  if (plan.operators.empty()) return made;
  made.operators.resize(folded.design.network.size());
  for (NodeId node = 0; node < plan.operators.size(); ++node) {
    const OperatorFormats& formats = plan.operators[node];
    if (formats != OperatorFormats{}) made.operators[folded.node_of[node]] = formats;
  }
  return made;
}

}  // namespace ridgeline
