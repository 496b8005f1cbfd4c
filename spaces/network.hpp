// A directed acyclic graph of operators with inferred tensor shapes: the one representation that spaces, importers,
// cost models, executors and predictors share.
//
// Node ids are 0, 1, 2 ... in the order of adding; a node's inputs must exist when it is added, so ids are a
// topological order and the graph cannot have a cycle. A node is its own output tensor. References and spans hold until
// the next add. Node ids that no add returned are undefined behaviour in const access. Copyable; const access is
// thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/operator.hpp"

namespace ridgeline {

using NodeId = std::uint32_t;

class Network {
 public:
  Network();
  Network(const Network&);
  Network(Network&&) noexcept;
  Network& operator=(const Network&);
  Network& operator=(Network&&) noexcept;
  ~Network();

  NodeId add_input(Shape shape, std::string name = "input");
  // Infers the shape. Throws ConfigError: unknown input, wrong number of inputs, shapes that do not fit.
  NodeId add(const Op& op, std::span<const NodeId> inputs, std::string name = {});
  NodeId add(const Op& op, std::initializer_list<NodeId> inputs, std::string name = {});
  // What the network computes; at least one. A node may be marked once.
  void mark_output(NodeId node);

  std::size_t size() const;
  const Op& op(NodeId node) const;
  const Shape& shape(NodeId node) const;
  const std::string& name(NodeId node) const;
  std::span<const NodeId> inputs(NodeId node) const;
  std::vector<NodeId> consumers(NodeId node) const;  // ascending; a reader of the same tensor twice appears twice
  std::span<const NodeId> outputs() const;

  // A topological order (ids ascending satisfy it too) and the nodes from which some output is reachable, ascending.
  std::vector<NodeId> topological_order() const;
  std::vector<NodeId> live_nodes() const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

// The same network, node for node, for `batch` samples at a time. Throws ConfigError where an operator does not allow
// it.
Network with_batch(const Network& network, std::int64_t batch);

// A hash of what the network computes, the same on every machine. Equal for networks that differ only by
//  * dead nodes, names, the order of adding (but inputs are told apart by their order among themselves),
//  * nodes that change nothing: identity, a second relu, a 1x1 pool, a reshape to the same shape ...,
//  * additions of a `zero`, products with one, and zeros through operators that certainly keep them,
//  * the order and nesting of sums and products.
// The order of concat and matmul inputs matters; weights are not looked at, but one convolution read twice is not two.
// `plan` folds in how each live conv2d, linear and matmul reads its operands; an empty plan is one of all f32.
struct PrecisionPlan;
std::uint64_t structural_hash(const Network& network);
std::uint64_t structural_hash(const Network& network, const PrecisionPlan& plan);

}  // namespace ridgeline
