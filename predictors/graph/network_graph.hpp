// A network as a graph for learning: a node an operator that computes, its attributes as numbers, and who reads whom.
//
// What is no node of its own:
//  * batch and layer norms, activations, softmax and changes of shape are counted on the way to the operator that reads
//    them ("carried"), and identities are left out;
//  * additions that only one addition reads are one sum with several inputs;
//  * zeros are left out of sums, and a sum of one tensor is that tensor; what then leads to no output is left out too.
// So operators are the same in every space, and a network of NAS-Bench-201 has 20 to 150 nodes in place of 500. Every
// output has a node of its own at the end.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/network.hpp"

namespace ridgeline {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct NetworkGraph {
  RowMatrix features;  // nodes x graph_feature_names(), row = node
  // The nodes that node i reads: inputs[first_input[i]] up to inputs[first_input[i + 1]], smaller or larger than i.
  std::vector<std::uint32_t> first_input{0}, inputs{};
  std::vector<std::uint64_t> looks{};  // one a node, equal for equal rows of features

  std::size_t size() const { return looks.size(); }
  std::span<const std::uint32_t> inputs_of(std::size_t node) const {
    return std::span(inputs).subspan(first_input[node], first_input[node + 1] - first_input[node]);
  }
};

// The meaning of a column: "is conv2d" (0 or 1), "log2 macs" (of 1 + the number), "carried relu" (a mean over inputs).
std::span<const std::string> graph_feature_names();

NetworkGraph network_graph(const Network& network, const PrecisionPlan& plan = {});

// The graph with its nodes in another order: node i of the result is node order[i] of `graph`. Throws
// std::invalid_argument when `order` is no permutation.
NetworkGraph reordered(const NetworkGraph& graph, std::span<const std::size_t> order);

// Throws std::invalid_argument: no nodes, another number of features, numbers that are not finite, inputs that are not
// there.
void check_graph(const NetworkGraph& graph);

}  // namespace ridgeline
