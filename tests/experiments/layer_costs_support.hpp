// Small networks with their plans, and a timer that is a function of what the steps run.
#pragma once

#include <string>
#include <vector>

#include "experiments/quantization/layer_costs.hpp"
#include "kernels/reference.hpp"
#include "spaces/hash.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {

inline NodeId add_conv(Network& network, NodeId from, int channels, int stride = 1) {
  Op op;
  op.kind = OpKind::conv2d;
  op.channels = channels;
  op.kernel = {3, 3};
  op.stride = {stride, stride};
  op.padding = {1, 1, 1, 1};
  op.bias = true;
  return network.add(op, {from});
}

inline NodeId add_simple(Network& network, OpKind kind, std::initializer_list<NodeId> from) {
  Op op;
  op.kind = kind;
  return network.add(op, from);
}

inline NodeId add_head(Network& network, NodeId from) {
  const NodeId pooled = add_simple(network, OpKind::global_avg_pool, {from});
  Op op;
  op.kind = OpKind::linear;
  op.channels = 6;
  op.bias = true;
  const NodeId scores = network.add(op, {add_simple(network, OpKind::flatten, {pooled})});
  return add_simple(network, OpKind::softmax, {scores});
}

// Three convolutions, a pooling between two of them, and a linear layer.
inline Network chain_network() {
  Network network;
  NodeId node = add_simple(network, OpKind::relu, {add_conv(network, network.add_input({1, 3, 12, 12}), 8)});
  Op pool;
  pool.kind = OpKind::max_pool;
  pool.kernel = pool.stride = {2, 2};
  node = network.add(pool, {node});
  node = add_simple(network, OpKind::relu, {add_conv(network, node, 16)});
  node = add_simple(network, OpKind::relu, {add_conv(network, node, 24, 2)});
  network.mark_output(add_head(network, node));
  return network;
}

// A block with a shortcut: the sum is read by the head, the shortcut by a convolution too.
inline Network residual_network() {
  Network network;
  const NodeId stem = add_simple(network, OpKind::relu, {add_conv(network, network.add_input({1, 3, 12, 12}), 16)});
  const NodeId inner = add_simple(network, OpKind::relu, {add_conv(network, stem, 16)});
  const NodeId sum = add_simple(network, OpKind::add, {add_conv(network, inner, 16), stem});
  network.mark_output(add_head(network, add_simple(network, OpKind::relu, {sum})));
  return network;
}

// Every operator of the network is a dimension of its own.
inline PlanSpace plans_of(const Network& network, const std::vector<std::string>& words) {
  PlanSpace space;
  space.design = Design{network, {}, std::make_shared<const Weights>(untrained_weights(network, 3))};
  const std::vector<Range> ranges(network.size(), {-untrained_range, untrained_range});
  space.design.quantization = std::make_shared<const Quantization>(Quantization{ranges});
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    if (kind != OpKind::conv2d && kind != OpKind::linear && kind != OpKind::matmul) continue;
    space.names.push_back("operator" + std::to_string(node));
    space.members.push_back({node});
  }
  space.words = words;
  for (const std::string& word : words) {
    space.formats.push_back(PrecisionPlan::uniform(network, word).operators[space.members[0][0]]);
  }
  return space;
}

// A time for everything that a step's code depends on.
inline double seconds_of(const StepInfo& step) {
  return 1e-6 * (1.0 + static_cast<double>(Hasher().add(std::string_view(step.signature)).value() % 1000) / 250.0);
}

inline PlanTiming timing_by_signature(const Design& design) {
  const Executable executable(design);
  PlanTiming timing;
  for (const StepInfo& step : executable.steps()) {
    timing.steps.push_back(step);
    timing.step_s.push_back(seconds_of(step));
    timing.whole_s += timing.step_s.back();
  }
  return timing;
}

inline LayerCosts faked_costs(const PlanSpace& space) {
  LayerCostOptions options;
  options.timer = timing_by_signature;
  return measure_layer_costs(space, options);
}

// Every plan of choices that the machine has.
inline std::vector<std::vector<std::uint16_t>> all_plans(const PlanLatency& latency) {
  std::vector<std::vector<std::uint16_t>> plans{{}};
  for (std::size_t d = 0; d < latency.space().names.size(); ++d) {
    std::vector<std::vector<std::uint16_t>> longer;
    for (const auto& plan : plans) {
      for (const std::uint16_t choice : latency.choices(d)) {
        longer.push_back(plan);
        longer.back().push_back(choice);
      }
    }
    plans = std::move(longer);
  }
  return plans;
}

inline std::vector<std::vector<double>> random_penalties(const PlanSpace& space, std::uint64_t seed) {
  Rng rng(seed, "penalties");
  std::vector<std::vector<double>> penalties;
  for (std::size_t d = 0; d < space.names.size(); ++d) {
    penalties.emplace_back();
    for (std::size_t c = 0; c < space.words.size(); ++c) {
      penalties.back().push_back(static_cast<double>(c) * (0.2 + rng.uniform()));
    }
  }
  return penalties;
}

}  // namespace ridgeline::testing
