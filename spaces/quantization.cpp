#include "spaces/quantization.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace ridgeline {
namespace {

std::size_t root_of(std::vector<std::size_t>& parent, std::size_t node) {
  while (parent[node] != node) node = parent[node] = parent[parent[node]];
  return node;
}

}  // namespace

bool moves_values(OpKind kind) {
  switch (kind) {
    case OpKind::concat:
    case OpKind::max_pool:
    case OpKind::reshape:
    case OpKind::flatten:
    case OpKind::transpose:
    case OpKind::identity:
      return true;
    default:
      return false;
  }
}

bool is_never_negative(const Network& network, NodeId node, const std::vector<bool>& known) {
  const std::span<const NodeId> inputs = network.inputs(node);
  switch (network.op(node).kind) {
    case OpKind::relu:
    case OpKind::relu6:
    case OpKind::hard_sigmoid:
    case OpKind::sigmoid:
    case OpKind::softmax:
    case OpKind::zero:
      return true;
    case OpKind::add:
    case OpKind::mul:
    case OpKind::concat:
    case OpKind::max_pool:
    case OpKind::avg_pool:
    case OpKind::global_avg_pool:
    case OpKind::reshape:
    case OpKind::flatten:
    case OpKind::transpose:
    case OpKind::identity:
      return std::all_of(inputs.begin(), inputs.end(), [&](NodeId input) { return known[input]; });
    default:
      return false;
  }
}

std::vector<bool> never_negative(const Network& network) {
  std::vector<bool> result(network.size(), false);
  for (NodeId node = 0; node < network.size(); ++node) result[node] = is_never_negative(network, node, result);
  return result;
}

std::vector<NodeId> shared_scales(const Network& network, std::span<const NodeId> stands_for) {
  std::vector<std::size_t> parent(network.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto tensor = [&](NodeId node) { return stands_for.empty() ? node : stands_for[node]; };
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    if (!moves_values(kind) && kind != OpKind::avg_pool) continue;
    for (const NodeId input : network.inputs(node)) {
      parent[root_of(parent, tensor(input))] = root_of(parent, tensor(node));
    }
  }
  std::vector<NodeId> roots(network.size());
  for (NodeId node = 0; node < network.size(); ++node) roots[node] = static_cast<NodeId>(root_of(parent, node));
  return roots;
}

std::vector<TensorScale> tensor_scales(const Network& network, std::span<const Range> ranges,
                                       std::span<const NodeId> stands_for) {
  const std::vector<bool> positive = never_negative(network);
  const std::vector<NodeId> roots = shared_scales(network, stands_for);
  std::vector<bool> must_be_signed(network.size(), false);
  for (const NodeId node : network.live_nodes()) {
    if (network.op(node).kind != OpKind::matmul) continue;
    const NodeId right = network.inputs(node)[1];
    must_be_signed[stands_for.empty() ? right : stands_for[right]] = true;
  }
  std::vector<float> range(network.size(), 0.0F);
  std::vector<bool> is_signed(network.size(), false);
  for (NodeId node = 0; node < network.size(); ++node) {
    const NodeId root = roots[node];
    range[root] = std::max(range[root], node < ranges.size() ? ranges[node].magnitude() : untrained_range);
    if (!positive[node] || must_be_signed[node]) is_signed[root] = true;
  }
  std::vector<TensorScale> scales(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    const NodeId root = roots[node];
    const float steps = is_signed[root] ? 127.0F : 255.0F;
    const float largest = std::isfinite(range[root]) && range[root] > 0.0F ? range[root] : 1.0F;
    scales[node] = {largest / steps, !is_signed[root]};
  }
  return scales;
}

Range range_of(std::span<const float> values) {
  constexpr std::size_t lanes = 16;  // independent bounds, so that the loop becomes vector instructions
  std::array<float, lanes> low{}, high{};
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const float value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < values.size(); ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

QuantizedKernel quantize_kernel(std::span<const float> kernel, std::size_t channels, Format::Granularity granularity,
                                std::span<const Range> ranges, int steps) {
  const std::size_t taps = kernel.size() / channels;
  const bool each = granularity == Format::Granularity::channel;
  const auto largest = [&](std::span<const float> values, std::size_t index) {
    const float magnitude = (index < ranges.size() ? ranges[index] : range_of(values)).magnitude();
    return magnitude > 0.0F ? magnitude : 1.0F;
  };
  QuantizedKernel quantized{std::vector<std::int8_t>(kernel.size()), std::vector<float>(channels)};
  const float common = each ? 1.0F : largest(kernel, 0);
  const auto most = static_cast<float>(steps);
  constexpr float to_nearest = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, ties to even
  for (std::size_t c = 0; c < channels; ++c) {
    const std::span<const float> row = kernel.subspan(c * taps, taps);
    const float scale = (each ? largest(row, c) : common) / most;
    quantized.scales[c] = scale;
    std::int8_t* const to = quantized.values.data() + c * taps;
    for (std::size_t i = 0; i < taps; ++i) {
      const float value = std::min(std::max(row[i] / scale, -most), most);
      to[i] = static_cast<std::int8_t>((value + to_nearest) - to_nearest);
    }
  }
  return quantized;
}

}  // namespace ridgeline
