// Which operators of a network have number formats of their own, and what they are called.
#pragma once

#include <map>
#include <string>

#include "spaces/network.hpp"

namespace ridgeline {

// The live conv2d, linear and matmul operators, each with a name that no other one has: the network's, or "conv2d_3"
// where it has none or one that is taken.
std::map<NodeId, std::string> operator_names(const Network& network);

}  // namespace ridgeline
