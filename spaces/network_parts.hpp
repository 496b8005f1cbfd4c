// Networks side by side in one graph: the parts that no tensor connects, each called as its first input is. The
// "networks" of a space file decode to such a graph, and devices schedule all of its operators together. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

struct NetworkPart {
  std::string name;           // of its input; empty: it has none
  std::vector<NodeId> nodes;  // ascending, dead ones too
};

// By their first nodes; an ordinary network is one.
std::vector<NetworkPart> network_parts(const Network& network);
// A part as a network of its own.
Network part_network(const Network& network, const NetworkPart& part);

struct NamedDesign {
  std::string name;
  Design design;
};
// All networks in one graph, each one's first input called by its name. Formats are kept; weights are not. The hardware
// and the schedule are the first design's.
Design side_by_side(std::span<const NamedDesign> designs);

}  // namespace ridgeline
