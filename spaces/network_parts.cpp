#include "spaces/network_parts.hpp"

#include <algorithm>
#include <numeric>

namespace ridgeline {
namespace {

// The least node of each node's part.
std::vector<NodeId> least_of_part(const Network& network) {
  std::vector<NodeId> least(network.size());
  std::iota(least.begin(), least.end(), NodeId{0});
  const auto root = [&](NodeId node) {
    while (least[node] != node) node = least[node] = least[least[node]];
    return node;
  };
  for (NodeId node = 0; node < network.size(); ++node) {
    for (const NodeId input : network.inputs(node)) {
      const NodeId a = root(node), b = root(input);
      least[std::max(a, b)] = std::min(a, b);
    }
  }
  for (NodeId node = 0; node < network.size(); ++node) least[node] = root(node);
  return least;
}

// Appends the nodes of one network to another; the ids that they get, by their own.
std::vector<NodeId> append(Network& to, const Network& from, std::span<const NodeId> nodes, const std::string& name) {
  std::vector<NodeId> ids(from.size(), 0);
  bool named = false;
  for (const NodeId node : nodes) {
    std::vector<NodeId> inputs;
    for (const NodeId input : from.inputs(node)) inputs.push_back(ids[input]);
    const bool first = !named && from.op(node).kind == OpKind::input;
    named = named || first;
    Op op = from.op(node);
    if (op.kind == OpKind::input) op.shape = from.shape(node);
    ids[node] = to.add(op, inputs, first && !name.empty() ? name : from.name(node));
  }
  for (const NodeId output : from.outputs()) {
    if (std::ranges::find(nodes, output) != nodes.end()) to.mark_output(ids[output]);
  }
  return ids;
}

}  // namespace

std::vector<NetworkPart> network_parts(const Network& network) {
  const std::vector<NodeId> least = least_of_part(network);
  std::vector<NetworkPart> parts;
  std::vector<std::size_t> part_of(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    if (least[node] == node) {
      part_of[node] = parts.size();
      parts.emplace_back();
    }
    NetworkPart& part = parts[part_of[least[node]]];
    if (part.name.empty() && network.op(node).kind == OpKind::input) part.name = network.name(node);
    part.nodes.push_back(node);
  }
  return parts;
}

Network part_network(const Network& network, const NetworkPart& part) {
  Network made;
  append(made, network, part.nodes, "");
  return made;
}

Design side_by_side(std::span<const NamedDesign> designs) {
  Design all;
  for (const NamedDesign& one : designs) {
    const Network& network = one.design.network;
    std::vector<NodeId> nodes(network.size());
    std::iota(nodes.begin(), nodes.end(), NodeId{0});
    const std::vector<NodeId> ids = append(all.network, network, nodes, one.name);
    const std::vector<OperatorFormats>& formats = one.design.precision.operators;
    all.precision.operators.resize(all.network.size());
    for (NodeId node = 0; node < formats.size(); ++node) all.precision.operators[ids[node]] = formats[node];
  }
  if (designs.empty()) return all;
  all.hardware = designs.front().design.hardware;
  all.schedule = designs.front().design.schedule;
  return all;
}

}  // namespace ridgeline
