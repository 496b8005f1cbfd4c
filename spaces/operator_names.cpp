#include "spaces/operator_names.hpp"

#include <fmt/format.h>

#include <set>

namespace ridgeline {

std::map<NodeId, std::string> operator_names(const Network& network) {
  std::map<NodeId, std::string> names;
  std::set<std::string> taken;
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    if (kind != OpKind::conv2d && kind != OpKind::linear && kind != OpKind::matmul) continue;
    std::string name = network.name(node);
    if (name.empty() || !taken.insert(name).second) {
      name = fmt::format("{}_{}", name_of(kind), node);
      taken.insert(name);
    }
    names[node] = name;
  }
  return names;
}

}  // namespace ridgeline
