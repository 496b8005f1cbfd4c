// Paths of operators through a network, from an input to an output: what features of candidates are made of.
#pragma once

#include <string>
#include <vector>

#include "spaces/network.hpp"

namespace ridgeline {

// What a node is on a path: "conv2d 3x3 depthwise /2", "linear x0.5" (channels out over in), "avg_pool 3x3"; "" for
// what does not compute: norms, activations, sums and changes of shape.
std::string path_label(const Network& network, NodeId node);

// The nodes that lie between an input and an output with nothing zero before them, ascending: those on some path.
std::vector<NodeId> nodes_on_paths(const Network& network);

}  // namespace ridgeline
