#include "spaces/counts.hpp"

#include <algorithm>
#include <limits>

namespace ridgeline {
namespace {

// Multiply-accumulates of one output element of conv2d, linear and matmul; 0 for the rest.
std::int64_t inner_length(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  switch (op.kind) {
    case OpKind::conv2d:
      return network.shape(network.inputs(node)[0])[1] / op.groups * op.kernel[0] * op.kernel[1];
    case OpKind::linear:
    case OpKind::matmul:
      return network.shape(network.inputs(node)[0]).back();
    default:
      return 0;
  }
}

std::int64_t normed_channels(const Network& network, NodeId node) {
  const Shape& shape = network.shape(node);
  return network.op(node).kind == OpKind::batch_norm ? shape[1] : shape.back();
}

std::int64_t whole_bytes(std::int64_t bits) { return (bits + 7) / 8; }

template <typename Count>
std::int64_t sum_over(const Network& network, bool live_only, Count count) {
  std::int64_t sum = 0;
  if (live_only) {
    for (const NodeId node : network.live_nodes()) sum += count(node);
  } else {
    for (NodeId node = 0; node < network.size(); ++node) sum += count(node);
  }
  return sum;
}

bool shares_memory(OpKind kind) {
  return kind == OpKind::identity || kind == OpKind::reshape || kind == OpKind::flatten;
}

}  // namespace

std::int64_t parameters(const Network& network, NodeId node, const CountRule& rule) {
  const Op& op = network.op(node);
  switch (op.kind) {
    case OpKind::conv2d:
    case OpKind::linear:
      return op.channels * inner_length(network, node) + (op.bias && rule.bias_parameters ? op.channels : 0);
    case OpKind::batch_norm:
    case OpKind::layer_norm:
      return rule.norm_parameters ? 2 * normed_channels(network, node) : 0;
    default:
      return 0;
  }
}

std::int64_t macs(const Network& network, NodeId node, const CountRule& rule) {
  const Op& op = network.op(node);
  const std::int64_t outputs = elements(network.shape(node));
  if (is_activation(op.kind)) return rule.activation_macs ? outputs : 0;
  switch (op.kind) {
    case OpKind::conv2d:
    case OpKind::linear:
      return outputs * (inner_length(network, node) + (op.bias && rule.bias_macs ? 1 : 0));
    case OpKind::matmul:
      return outputs * inner_length(network, node);
    case OpKind::batch_norm:
    case OpKind::layer_norm:
      return rule.norm_macs ? outputs : 0;
    case OpKind::add:
    case OpKind::mul:
      return rule.elementwise_macs ? outputs : 0;
    case OpKind::max_pool:
    case OpKind::avg_pool:
      return rule.pool_macs ? outputs * op.kernel[0] * op.kernel[1] : 0;
    case OpKind::global_avg_pool:
      return rule.pool_macs ? elements(network.shape(network.inputs(node)[0])) : 0;
    default:
      return 0;
  }
}

std::int64_t parameters(const Network& network, const CountRule& rule) {
  return sum_over(network, rule.live_only, [&](NodeId node) { return parameters(network, node, rule); });
}

std::int64_t macs(const Network& network, const CountRule& rule) {
  return sum_over(network, rule.live_only, [&](NodeId node) { return macs(network, node, rule); });
}

std::int64_t weight_bytes(const Network& network, NodeId node, const PrecisionPlan& plan) {
  const Op& op = network.op(node);
  if (op.kind != OpKind::conv2d && op.kind != OpKind::linear) return 4 * parameters(network, node);
  const std::int64_t kernel = stored_bits(plan.at(node).weights, op.channels, inner_length(network, node));
  return whole_bytes(kernel) + (op.bias ? 4 * op.channels : 0);
}

std::int64_t weight_bytes(const Network& network, const PrecisionPlan& plan) {
  return sum_over(network, true, [&](NodeId node) { return weight_bytes(network, node, plan); });
}

std::int64_t activation_bytes(const Network& network, NodeId node, const Format& stored) {
  return whole_bytes(elements(network.shape(node)) * stored.width_bits);
}

std::vector<LiveRange> live_ranges(const Network& network, const PrecisionPlan& plan) {
  constexpr auto none = std::numeric_limits<std::size_t>::max();
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, plan);
  std::vector<LiveRange> ranges;
  ranges.reserve(live.size());
  std::vector<std::size_t> range_of(network.size(), none);  // of the memory that holds a node's output
  for (std::size_t step = 0; step < live.size(); ++step) {
    const NodeId node = live[step];
    for (const NodeId input : network.inputs(node)) ranges[range_of[input]].last_step = step;
    if (shares_memory(network.op(node).kind)) {
      range_of[node] = range_of[network.inputs(node)[0]];
      continue;
    }
    range_of[node] = ranges.size();
    ranges.push_back({node, step, step, activation_bytes(network, node, stored[node])});
  }
  for (const NodeId output : network.outputs()) ranges[range_of[output]].last_step = live.size() - 1;
  return ranges;
}

std::int64_t peak_activation_bytes(const Network& network, const PrecisionPlan& plan) {
  const std::vector<LiveRange> ranges = live_ranges(network, plan);
  std::size_t steps = 0;
  for (const LiveRange& range : ranges) steps = std::max(steps, range.last_step + 1);
  std::vector<std::int64_t> change(steps + 1);
  for (const LiveRange& range : ranges) {
    change[range.first_step] += range.bytes;
    change[range.last_step + 1] -= range.bytes;
  }
  std::int64_t alive = 0;
  std::int64_t peak = 0;
  for (const std::int64_t bytes : change) peak = std::max(peak, alive += bytes);
  return peak;
}

}  // namespace ridgeline
