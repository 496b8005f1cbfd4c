#include "spaces/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>
#include <utility>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

// What a node reads: up to two inputs in place, so that almost no node allocates for them.
class InputList {
 public:
  explicit InputList(std::span<const NodeId> inputs) : size_(inputs.size()) {
    if (size_ > few_.size()) {
      many_.assign(inputs.begin(), inputs.end());
    } else {
      std::copy(inputs.begin(), inputs.end(), few_.begin());
    }
  }
  std::span<const NodeId> view() const { return {size_ > few_.size() ? many_.data() : few_.data(), size_}; }

 private:
  std::size_t size_;
  std::array<NodeId, 2> few_{};
  std::vector<NodeId> many_;
};

struct Node {
  Op op;
  Shape shape;
  std::string name;
  InputList inputs;
};

// One vertex a node with the same number, one edge from a tensor to each of its readers.
using Readers = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;

}  // namespace

struct Network::Graph {
  std::vector<Node> nodes;
  Readers readers;
  std::vector<NodeId> outputs;

  Graph() { nodes.reserve(64); }
  Graph(const Graph& other) : nodes(other.nodes), outputs(other.outputs) {
    for (std::size_t node = 0; node < nodes.size(); ++node) connect(static_cast<NodeId>(node));
  }
  Graph& operator=(const Graph&) = delete;

  void connect(NodeId node) {
    boost::add_vertex(readers);
    for (const NodeId input : nodes[node].inputs.view()) boost::add_edge(input, node, readers);
  }
};

Network::Network() : graph_(std::make_unique<Graph>()) {}
Network::Network(const Network& other) : graph_(std::make_unique<Graph>(*other.graph_)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(const Network& other) {
  if (this != &other) graph_ = std::make_unique<Graph>(*other.graph_);
  return *this;
}
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

NodeId Network::add_input(Shape shape, std::string name) {
  Op op;
  op.kind = OpKind::input;
  op.shape = std::move(shape);
  return add(op, std::span<const NodeId>{}, std::move(name));
}

NodeId Network::add(const Op& op, std::initializer_list<NodeId> inputs, std::string name) {
  return add(op, std::span<const NodeId>(inputs.begin(), inputs.size()), std::move(name));
}

NodeId Network::add(const Op& op, std::span<const NodeId> inputs, std::string name) {
  const NodeId id = static_cast<NodeId>(size());
  std::array<const Shape*, 2> few{};
  std::vector<const Shape*> many(inputs.size() > few.size() ? inputs.size() : 0);
  const std::span<const Shape*> shapes{many.empty() ? few.data() : many.data(), inputs.size()};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] >= id) {
      throw ConfigError({"", fmt::format("node {} ({})", id, name_of(op.kind)), "inputs that were added before it",
                         fmt::format("input {}", inputs[i]), ""});
    }
    shapes[i] = &graph_->nodes[inputs[i]].shape;
  }
  try {
    Node node{op, infer_shape(op, std::span<const Shape* const>(shapes)), std::move(name), InputList(inputs)};
    graph_->nodes.push_back(std::move(node));
  } catch (const ConfigError& error) {  // say which node it was
    Problem problem = error.problems().front();
    problem.path = fmt::format("node {} ({})", id, name.empty() ? problem.path : problem.path + " '" + name + "'");
    throw ConfigError(std::move(problem));
  }
  graph_->connect(id);
  return id;
}

void Network::mark_output(NodeId node) {
  const auto& outputs = graph_->outputs;
  if (node >= size()) {
    throw ConfigError({"", "outputs", fmt::format("a node below {}", size()), std::to_string(node), ""});
  }
  if (std::find(outputs.begin(), outputs.end(), node) != outputs.end()) {
    throw ConfigError({"", "outputs", "every node marked once", fmt::format("node {} twice", node), ""});
  }
  graph_->outputs.push_back(node);
}

std::size_t Network::size() const { return graph_->nodes.size(); }
const Op& Network::op(NodeId node) const { return graph_->nodes[node].op; }
const Shape& Network::shape(NodeId node) const { return graph_->nodes[node].shape; }
const std::string& Network::name(NodeId node) const { return graph_->nodes[node].name; }
std::span<const NodeId> Network::inputs(NodeId node) const { return graph_->nodes[node].inputs.view(); }
std::span<const NodeId> Network::outputs() const { return graph_->outputs; }

std::vector<NodeId> Network::consumers(NodeId node) const {
  std::vector<NodeId> readers;
  const auto [first, last] = boost::out_edges(node, graph_->readers);
  for (auto edge = first; edge != last; ++edge) {
    readers.push_back(static_cast<NodeId>(boost::target(*edge, graph_->readers)));
  }
  return readers;  // edges were added in ascending order of their targets
}

std::vector<NodeId> Network::topological_order() const {
  std::vector<NodeId> order;
  order.reserve(size());
  boost::topological_sort(graph_->readers, std::back_inserter(order));
  std::reverse(order.begin(), order.end());
  return order;
}

std::vector<NodeId> Network::live_nodes() const {
  std::vector<char> live(size());
  std::size_t count = 0;
  for (const NodeId output : graph_->outputs) live[output] = 1;
  for (std::size_t node = size(); node-- > 0;) {  // readers come after what they read
    if (live[node] == 0) continue;
    ++count;
    for (const NodeId input : graph_->nodes[node].inputs.view()) live[input] = 1;
  }
  std::vector<NodeId> nodes;
  nodes.reserve(count);
  for (std::size_t node = 0; node < live.size(); ++node) {
    if (live[node] != 0) nodes.push_back(static_cast<NodeId>(node));
  }
  return nodes;
}

Network with_batch(const Network& network, std::int64_t batch) {
  Network result;
  for (NodeId node = 0; node < network.size(); ++node) {
    if (network.op(node).kind != OpKind::input) {
      result.add(network.op(node), network.inputs(node), network.name(node));
      continue;
    }
    Shape shape = network.shape(node);
    shape.at(0) = batch;
    result.add_input(std::move(shape), network.name(node));
  }
  for (const NodeId node : network.outputs()) result.mark_output(node);
  return result;
}

}  // namespace ridgeline
