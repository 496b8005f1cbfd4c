#include "kernels/training/executed_formats.hpp"

#include <cmath>
#include <map>
#include <stdexcept>

#include "kernels/lower.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "kernels/training/rounding_sites.hpp"

namespace ridgeline {
namespace {

using Kind = ParameterBlock::Kind;

// What folding multiplies each channel of the kernel in front of a norm by.
std::map<NodeId, std::vector<float>> folded_gains(const Network& network, const Weights& weights) {
  std::map<NodeId, std::vector<float>> gains;
  for (const Group& group : lower(network, {}).groups) {
    if (!group.norm) continue;
    const NodeWeights& norm = weights[*group.norm];
    std::vector<float>& own = gains[group.anchor];
    for (std::size_t c = 0; c < norm.scale.size(); ++c) {
      const double spread = std::sqrt(static_cast<double>(norm.variance[c]) + network.op(*group.norm).epsilon);
      own.push_back(static_cast<float>(static_cast<double>(norm.scale[c]) / spread));
    }
  }
  return gains;
}

}  // namespace

Design executed_in_formats(const Network& network, const PrecisionPlan& plan, const Weights& weights,
                           std::span<const float> ranges) {
  const RoundingSites sites = rounding_sites(network, plan);
  const std::size_t first = parameter_count(parameter_blocks(network));
  if (ranges.size() != (sites.ranges.empty() ? 0 : parameter_count(sites.ranges) - first)) {
    throw std::invalid_argument("ranges are those of another network or other formats");
  }
  const Design plain{network, {}, std::make_shared<const Weights>(weights)};
  if (sites.none()) return {network, plan, plain.weights};
  const FoldedNorms folded = fold_norms(plain);
  const std::map<NodeId, std::vector<float>> gains = folded_gains(network, weights);
  Design made{folded.design.network, folded_plan(folded, plan), folded.design.weights};
  Quantization quantization{std::vector<Range>(made.network.size()),
                            std::vector<std::vector<Range>>(made.network.size())};
  for (const ParameterBlock& block : sites.ranges) {
    const std::span<const float> values = ranges.subspan(block.offset - first, block.size);
    if (block.kind == Kind::tensor_range) continue;
    const NodeId node = folded.node_of[block.node];
    const auto gain = gains.find(block.node);
    const std::size_t count = gain == gains.end() ? values.size() : gain->second.size();
    for (std::size_t c = 0; c < count; ++c) {
      const float range = std::abs(values[values.size() > 1 ? c : 0] * (gain == gains.end() ? 1.0F : gain->second[c]));
      quantization.weights[node].push_back({-range, range});
    }
    if (count > 1) made.precision.operators[node].weights.granularity = Format::Granularity::channel;
  }
  for (const NodeId node : network.live_nodes()) {
    const ParameterBlock* block = sites.range(sites.range_of[node], Kind::tensor_range);
    if (block == nullptr) continue;
    const float range = std::abs(ranges[block->offset - first]);
    quantization.tensors[folded.node_of[node]] = {sites.is_unsigned[node] ? 0.0F : -range, range};
  }
  made.quantization = std::make_shared<const Quantization>(std::move(quantization));
  return made;
}

}  // namespace ridgeline
