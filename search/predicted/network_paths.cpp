#include "search/predicted/network_paths.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ridgeline {
namespace {

std::int64_t channels_of(const Shape& shape) { return shape.size() == 3 ? shape[2] : shape.size() > 1 ? shape[1] : 1; }

std::string ratio_text(const Network& network, NodeId node) {
  const auto in = static_cast<double>(channels_of(network.shape(network.inputs(node)[0])));
  const auto out = static_cast<double>(channels_of(network.shape(node)));
  return in == out ? "" : fmt::format(" x{:.3g}", out / in);
}

}  // namespace

std::string path_label(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  const std::string stride = op.stride == std::array<int, 2>{1, 1} ? "" : fmt::format(" /{}", op.stride[0]);
  switch (op.kind) {
    case OpKind::conv2d: {
      const std::string groups = op.groups == 1 ? "" : op.groups == op.channels ? " depthwise" : " grouped";
      return fmt::format("conv2d {}x{}{}{}{}", op.kernel[0], op.kernel[1], groups, stride, ratio_text(network, node));
    }
    case OpKind::linear:
      return "linear" + ratio_text(network, node);
    case OpKind::max_pool:
    case OpKind::avg_pool:
      return fmt::format("{} {}x{}{}", name_of(op.kind), op.kernel[0], op.kernel[1], stride);
    case OpKind::matmul:
    case OpKind::mul:
    case OpKind::concat:
    case OpKind::global_avg_pool:
      return std::string(name_of(op.kind));
    default:
      return "";
  }
}

std::vector<NodeId> nodes_on_paths(const Network& network) {
  const std::vector<NodeId> live = network.live_nodes();
  std::vector<bool> reached(network.size(), false), leads(network.size(), false);
  for (const NodeId node : live) {
    const auto inputs = network.inputs(node);
    const OpKind kind = network.op(node).kind;
    const auto any = std::ranges::any_of(inputs, [&](NodeId input) { return reached[input]; });
    reached[node] = kind == OpKind::input || (kind != OpKind::zero && any);
  }
  for (const NodeId output : network.outputs()) leads[output] = reached[output];
  for (auto node = live.rbegin(); node != live.rend(); ++node) {
    if (!leads[*node]) continue;
    for (const NodeId input : network.inputs(*node)) leads[input] = leads[input] || reached[input];
  }
  std::vector<NodeId> nodes;
  for (const NodeId node : live) {
    if (leads[node]) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace ridgeline
