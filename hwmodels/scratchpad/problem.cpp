#include "hwmodels/scratchpad/problem.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/layers.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

std::string node_name(const Network& network, NodeId node) {
  const std::string& name = network.name(node);
  return fmt::format("{} {}", node, name.empty() ? std::string(name_of(network.op(node).kind)) : name);
}

// The tensors a layer reads: the inputs of its anchor, and what additions fused behind it take.
std::vector<NodeId> tensors_read(const Network& network, const std::vector<NodeId>& same, const ExecutedLayer& layer) {
  std::vector<NodeId> read;
  for (NodeId at = layer.node; at != layer.anchor;) {
    const auto inputs = network.inputs(at);
    NodeId before = same[inputs[0]];
    if (network.op(at).kind == OpKind::add) {  // fused into the operand computed last
      read.push_back(std::min(before, same[inputs[1]]));
      before = std::max(before, same[inputs[1]]);
    }
    at = before;
  }
  for (const NodeId input : network.inputs(layer.anchor)) read.push_back(same[input]);
  std::ranges::sort(read);
  read.erase(std::unique(read.begin(), read.end()), read.end());
  return read;
}

class Builder {
 public:
  explicit Builder(const Design& design)
      : network_(design.network),
        live_(network_.live_nodes()),
        stored_(stored_formats(network_, design.precision)),
        same_(stored_tensors(network_, live_)),
        tensor_of_(network_.size(), none) {
    for (const ExecutedLayer& layer : executed_layers(network_, design.precision, stored_, live_)) add(layer);
    for (const NodeId output : network_.outputs()) {
      const std::size_t tensor = tensor_of_[same_[output]];
      if (tensor == none || problem_.tensors[tensor].kind == ScratchTensor::Kind::input) continue;
      problem_.tensors[tensor].kind = ScratchTensor::Kind::output;
    }
  }
  ScratchpadProblem take() { return std::move(problem_); }

 private:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  std::size_t tensor(NodeId node) {
    if (tensor_of_[node] != none) return tensor_of_[node];
    tensor_of_[node] = problem_.tensors.size();
    ScratchTensor made;
    made.name = node_name(network_, node);
    made.node = node;
    made.bytes = activation_bytes(network_, node, stored_[node]);
    if (network_.op(node).kind == OpKind::input) made.kind = ScratchTensor::Kind::input;
    problem_.tensors.push_back(std::move(made));
    return tensor_of_[node];
  }

  void add(const ExecutedLayer& layer) {
    const std::size_t index = problem_.ops.size();
    ScratchOp op;
    op.name = node_name(network_, layer.anchor);
    op.node = layer.node;
    op.weight_bytes = layer.weight_bytes;
    for (const NodeId node : tensors_read(network_, same_, layer)) {
      if (network_.op(node).kind == OpKind::zero) continue;  // known without looking
      op.reads.push_back(tensor(node));
      problem_.tensors[op.reads.back()].readers.push_back(index);
    }
    std::ranges::sort(op.reads);
    op.writes = tensor(layer.node);
    problem_.tensors[op.writes].producer = index;
    problem_.ops.push_back(std::move(op));
  }

  const Network& network_;
  std::vector<NodeId> live_;
  std::vector<Format> stored_;
  std::vector<NodeId> same_;
  std::vector<std::size_t> tensor_of_;  // by the node whose memory it is
  ScratchpadProblem problem_;
};

// Weights first, then the largest activations, until the rest fits.
void choose_streams(const ScratchpadProblem& problem, ScratchOp& op, bool stream_weights) {
  op.streams_weights = stream_weights;
  op.streams_output = false;
  op.streams.clear();
  std::int64_t rest = problem.resident_bytes(op);
  if (rest > problem.capacity_bytes && !op.streams_weights) {
    op.streams_weights = true;
    rest -= op.weight_bytes;
  }
  std::vector<std::size_t> activations = op.reads;
  activations.push_back(op.writes);
  std::ranges::stable_sort(
      activations, [&](std::size_t a, std::size_t b) { return problem.tensors[a].bytes > problem.tensors[b].bytes; });
  for (const std::size_t tensor : activations) {
    if (rest <= problem.capacity_bytes) break;
    rest -= problem.tensors[tensor].bytes;
    if (tensor == op.writes) {
      op.streams_output = true;
    } else {
      op.streams.push_back(tensor);
    }
  }
  std::ranges::sort(op.streams);
}

}  // namespace

bool ScratchOp::streams_read(std::size_t tensor) const { return std::ranges::binary_search(streams, tensor); }

std::int64_t ScratchpadProblem::compulsory_bytes() const {
  std::int64_t bytes = 0;
  for (const ScratchOp& op : ops) bytes += op.weight_bytes;
  for (const ScratchTensor& tensor : tensors)
    bytes += tensor.kind == ScratchTensor::Kind::intermediate ? 0 : tensor.bytes;
  return bytes;
}

std::int64_t ScratchpadProblem::working_set_bytes(const ScratchOp& op) const {
  std::int64_t bytes = op.weight_bytes + tensors[op.writes].bytes;
  for (const std::size_t tensor : op.reads) bytes += tensors[tensor].bytes;
  return bytes;
}

std::int64_t ScratchpadProblem::largest_working_set_bytes() const {
  std::int64_t most = 0;
  for (const ScratchOp& op : ops) most = std::max(most, working_set_bytes(op));
  return most;
}

std::int64_t ScratchpadProblem::resident_bytes(const ScratchOp& op) const {
  std::int64_t bytes = op.resident_weights() + (op.streams_output ? 0 : tensors[op.writes].bytes);
  for (const std::size_t tensor : op.reads) bytes += op.streams_read(tensor) ? 0 : tensors[tensor].bytes;
  return bytes;
}

void set_capacity(ScratchpadProblem& problem, const ScratchpadOptions& options) {
  if (options.capacity_bytes <= 0) {
    throw ConfigError({"", "scratchpad", "bytes above 0", std::to_string(options.capacity_bytes), ""});
  }
  problem.capacity_bytes = options.capacity_bytes;
  for (ScratchOp& op : problem.ops) choose_streams(problem, op, options.stream_weights);
}

ScratchpadProblem scratchpad_problem(const Design& design, const ScratchpadOptions& options) {
  ScratchpadProblem problem = Builder(design).take();
  if (problem.ops.empty()) {
    throw ConfigError({"", "network", "at least one operator that computes something", "none",
                       "a scratchpad is planned for operators"});
  }
  set_capacity(problem, options);
  return problem;
}

std::int64_t order_peak_bytes(const ScratchpadProblem& problem, const std::vector<std::size_t>& order) {
  std::vector<std::size_t> left(problem.tensors.size());
  for (std::size_t t = 0; t < left.size(); ++t) left[t] = problem.tensors[t].readers.size();
  std::vector<bool> alive(problem.tensors.size(), false);
  std::int64_t bytes = 0, peak = 0;
  for (const std::size_t index : order) {
    const ScratchOp& op = problem.ops[index];
    for (const std::size_t t : op.reads) {
      if (!alive[t]) bytes += problem.tensors[t].bytes;  // an input, loaded here
      alive[t] = true;
    }
    bytes += problem.tensors[op.writes].bytes;
    alive[op.writes] = true;
    peak = std::max(peak, bytes + op.resident_weights());
    for (const std::size_t t : op.reads) {
      if (--left[t] == 0) bytes -= problem.tensors[t].bytes;
    }
    if (left[op.writes] == 0) bytes -= problem.tensors[op.writes].bytes;
  }
  return peak;
}

}  // namespace ridgeline
