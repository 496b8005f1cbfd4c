#include "predictors/graph/network_graph.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "spaces/counts.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

// One column each, in this order.
constexpr std::array kept_kinds{OpKind::input,    OpKind::conv2d, OpKind::linear,         OpKind::matmul,
                                OpKind::add,      OpKind::mul,    OpKind::concat,         OpKind::max_pool,
                                OpKind::avg_pool, OpKind::zero,   OpKind::global_avg_pool};
constexpr std::array carried_kinds{OpKind::batch_norm, OpKind::layer_norm,   OpKind::relu,    OpKind::relu6,
                                   OpKind::hard_swish, OpKind::hard_sigmoid, OpKind::sigmoid, OpKind::swish,
                                   OpKind::gelu,       OpKind::softmax,      OpKind::reshape, OpKind::transpose,
                                   OpKind::flatten};
constexpr std::array numbers{"is output",          "is depthwise",     "log2 channels",    "log2 positions",
                             "log2 channels read", "log2 kernel area", "log2 stride",      "log2 dilation",
                             "log2 groups",        "log2 macs",        "log2 weights",     "log2 elements",
                             "log2 inputs",        "log2 readers",     "log2 weight bits", "log2 activation bits"};
constexpr std::size_t carried_begin = kept_kinds.size() + numbers.size();

using Carried = std::array<double, carried_kinds.size()>;

double log2_of(std::int64_t count) { return std::log2(1.0 + static_cast<double>(count)); }

// Tokens [N, T, C] have their channels last, all else has them after the batch.
std::int64_t channels_of(const Shape& shape) {
  if (shape.size() < 2) return 1;
  return shape.size() == 3 ? shape[2] : shape[1];
}

bool keeps_zeros(OpKind kind) {
  switch (kind) {
    case OpKind::zero:
    case OpKind::identity:
    case OpKind::reshape:
    case OpKind::transpose:
    case OpKind::flatten:
    case OpKind::relu:
    case OpKind::relu6:
    case OpKind::swish:
    case OpKind::hard_swish:
    case OpKind::gelu:
    case OpKind::max_pool:
    case OpKind::avg_pool:
    case OpKind::global_avg_pool:
      return true;
    default:
      return false;
  }
}

// What stands for a tensor: the node that computes it, and what was done to it since.
struct Standing {
  NodeId source = 0;
  Carried carried{};
  bool zero = false;
};

class Encoder {
 public:
  Encoder(const Network& network, const PrecisionPlan& plan)
      : network_(network), plan_(plan), standing_(network.size()), terms_(network.size()), readers_(network.size(), 0) {
    for (const NodeId node : network.live_nodes()) {
      for (const NodeId input : network.inputs(node)) ++readers_[input];
    }
    for (const NodeId node : network.outputs()) ++readers_[node];
    for (const NodeId node : network.live_nodes()) place(node);
  }

  NetworkGraph graph() {
    number_what_is_read();
    const std::size_t outputs = network_.outputs().size();
    NetworkGraph graph;
    graph.features = RowMatrix::Zero(static_cast<Eigen::Index>(order_.size() + outputs),
                                     static_cast<Eigen::Index>(graph_feature_names().size()));
    std::vector<std::int64_t> read(order_.size() + outputs, 0);
    for (std::size_t i = 0; i < order_.size() + outputs; ++i) {
      const bool is_output = i >= order_.size();
      const std::vector<NodeId> terms =
          is_output ? std::vector<NodeId>{network_.outputs()[i - order_.size()]} : terms_[order_[i]];
      auto row = graph.features.row(static_cast<Eigen::Index>(i));
      for (const NodeId term : terms) {
        const Standing& standing = standing_[term];
        const std::uint32_t input = number_[standing.source];
        graph.inputs.push_back(input);
        ++read[input];
        for (std::size_t k = 0; k < carried_kinds.size(); ++k) {
          row[static_cast<Eigen::Index>(carried_begin + k)] += standing.carried[k] / static_cast<double>(terms.size());
        }
      }
      graph.first_input.push_back(static_cast<std::uint32_t>(graph.inputs.size()));
      describe(is_output ? terms.front() : order_[i], is_output, terms, row);
    }
    for (std::size_t i = 0; i < read.size(); ++i) {
      graph.features(static_cast<Eigen::Index>(i), column("log2 readers")) = log2_of(read[i]);
    }
    return graph;
  }

 private:
  static Eigen::Index column(std::string_view name) {
    const auto found = std::ranges::find(numbers, name);
    return static_cast<Eigen::Index>(kept_kinds.size()) + (found - numbers.begin());
  }

  void place(NodeId node) {
    const OpKind kind = network_.op(node).kind;
    const std::span<const NodeId> inputs = network_.inputs(node);
    Standing& standing = standing_[node];
    const bool zero = kind == OpKind::zero || (keeps_zeros(kind) && !inputs.empty() && standing_[inputs[0]].zero);
    if (kind == OpKind::add) {
      place_sum(node);
      return;
    }
    const bool kept = std::ranges::find(kept_kinds, kind) != kept_kinds.end();
    if (kept) {
      standing = {node, {}, zero};
      terms_[node].assign(inputs.begin(), inputs.end());
      return;
    }
    standing = standing_[inputs[0]];
    standing.zero = zero;
    const auto carried = std::ranges::find(carried_kinds, kind);
    if (carried != carried_kinds.end()) ++standing.carried[static_cast<std::size_t>(carried - carried_kinds.begin())];
  }

  void place_sum(NodeId node) {
    std::vector<NodeId> terms;
    for (const NodeId input : network_.inputs(node)) {
      const bool nested = network_.op(input).kind == OpKind::add && readers_[input] == 1 &&
                          standing_[input].source == input && network_.shape(input) == network_.shape(node);
      if (nested) {
        terms.insert(terms.end(), terms_[input].begin(), terms_[input].end());
      } else if (!standing_[input].zero) {
        terms.push_back(input);
      }
    }
    if (terms.empty()) {
      standing_[node] = standing_[network_.inputs(node)[0]];
    } else if (terms.size() == 1) {
      standing_[node] = standing_[terms[0]];
    } else {
      standing_[node] = {node, {}, false};
      terms_[node] = std::move(terms);
    }
  }

  // Ids ascend along edges, so one pass from the outputs backwards finds what is read.
  void number_what_is_read() {
    std::vector<bool> read(network_.size(), false);
    for (const NodeId node : network_.outputs()) read[standing_[node].source] = true;
    for (std::size_t node = network_.size(); node-- > 0;) {
      if (!read[node]) continue;
      for (const NodeId term : terms_[node]) read[standing_[term].source] = true;
    }
    number_.assign(network_.size(), 0);
    for (NodeId node = 0; node < network_.size(); ++node) {
      if (!read[node]) continue;
      number_[node] = static_cast<std::uint32_t>(order_.size());
      order_.push_back(node);
    }
  }

  void describe(NodeId node, bool is_output, std::span<const NodeId> terms, Eigen::Ref<Eigen::RowVectorXd> row) const {
    const Op& op = network_.op(node);
    const Shape& shape = network_.shape(node);
    const std::int64_t channels = channels_of(shape);
    const auto set = [&](std::string_view name, double value) { row[column(name)] = value; };
    set("log2 channels", log2_of(channels));
    set("log2 positions", log2_of(elements(shape) / channels));
    set("log2 elements", log2_of(elements(shape)));
    set("log2 inputs", log2_of(static_cast<std::int64_t>(terms.size())));
    if (is_output) {
      set("is output", 1.0);
      return;
    }
    row[std::ranges::find(kept_kinds, op.kind) - kept_kinds.begin()] = 1.0;
    const std::int64_t in_channels = terms.empty() ? 0 : channels_of(network_.shape(terms[0]));
    set("log2 channels read", log2_of(in_channels));
    set("is depthwise", op.kind == OpKind::conv2d && op.groups > 1 && op.groups == in_channels ? 1.0 : 0.0);
    set("log2 kernel area", std::log2(static_cast<double>(op.kernel[0]) * op.kernel[1]));
    set("log2 stride", std::log2(static_cast<double>(op.stride[0]) * op.stride[1]));
    set("log2 dilation", std::log2(static_cast<double>(op.dilation[0]) * op.dilation[1]));
    set("log2 groups", std::log2(static_cast<double>(op.groups)));
    set("log2 macs", log2_of(macs(network_, node)));
    set("log2 weights", log2_of(parameters(network_, node)));
    if (op.kind == OpKind::conv2d || op.kind == OpKind::linear || op.kind == OpKind::matmul) {
      const OperatorFormats formats = plan_.at(node);
      set("log2 weight bits", std::log2(static_cast<double>(formats.weights.width_bits)));
      set("log2 activation bits", std::log2(static_cast<double>(formats.activations.width_bits)));
    }
  }

  const Network& network_;
  const PrecisionPlan& plan_;
  std::vector<Standing> standing_;          // one a node
  std::vector<std::vector<NodeId>> terms_;  // of kept nodes: the tensors they read
  std::vector<int> readers_;
  std::vector<std::uint32_t> number_;  // of a node that is kept
  std::vector<NodeId> order_;
};

void set_looks(NetworkGraph& graph) {
  graph.looks.clear();
  for (Eigen::Index i = 0; i < graph.features.rows(); ++i) {
    Hasher hasher;
    for (Eigen::Index j = 0; j < graph.features.cols(); ++j) hasher.add(graph.features(i, j));
    graph.looks.push_back(hasher.value());
  }
}

}  // namespace

std::span<const std::string> graph_feature_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const OpKind kind : kept_kinds) all.push_back("is " + std::string(name_of(kind)));
    all.insert(all.end(), numbers.begin(), numbers.end());
    for (const OpKind kind : carried_kinds) all.push_back("carried " + std::string(name_of(kind)));
    return all;
  }();
  return names;
}

NetworkGraph network_graph(const Network& network, const PrecisionPlan& plan) {
  NetworkGraph graph = Encoder(network, plan).graph();
  set_looks(graph);
  return graph;
}

NetworkGraph reordered(const NetworkGraph& graph, std::span<const std::size_t> order) {
  constexpr auto none = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> place(graph.size(), none);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] < place.size()) place[order[i]] = static_cast<std::uint32_t>(i);
  }
  if (order.size() != graph.size() || std::ranges::find(place, none) != place.end()) {
    throw std::invalid_argument("an order of the nodes names each once");
  }
  NetworkGraph other;
  other.features.resize(graph.features.rows(), graph.features.cols());
  for (std::size_t i = 0; i < order.size(); ++i) {
    other.features.row(static_cast<Eigen::Index>(i)) = graph.features.row(static_cast<Eigen::Index>(order[i]));
    for (const std::uint32_t input : graph.inputs_of(order[i])) other.inputs.push_back(place[input]);
    other.first_input.push_back(static_cast<std::uint32_t>(other.inputs.size()));
  }
  set_looks(other);
  return other;
}

void check_graph(const NetworkGraph& graph) {
  const std::size_t nodes = graph.size();
  const bool fits = nodes > 0 && graph.features.rows() == static_cast<Eigen::Index>(nodes) &&
                    graph.features.cols() == static_cast<Eigen::Index>(graph_feature_names().size()) &&
                    graph.first_input.size() == nodes + 1 && graph.first_input.front() == 0 &&
                    graph.first_input.back() == graph.inputs.size() && std::ranges::is_sorted(graph.first_input) &&
                    std::ranges::all_of(graph.inputs, [&](std::uint32_t input) { return input < nodes; });
  if (!fits) throw std::invalid_argument("a graph has nodes, a row of features each, and inputs that are nodes of it");
  if (!graph.features.allFinite()) throw std::invalid_argument("features of a graph must be finite");
}

}  // namespace ridgeline
