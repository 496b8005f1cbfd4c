#include "kernels/training/rounding_sites.hpp"

#include <algorithm>
#include <map>

#include "kernels/executable.hpp"
#include "kernels/lower.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {
namespace {

using Kind = ParameterBlock::Kind;

bool reads_by_plan(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul; }

// A format that numbers are rounded to; nothing for those that keep full precision.
std::optional<Format> rounded_format(const Format& format) {
  if (!format.is_quantized()) return std::nullopt;
  if (format.kind != Format::Kind::integer && format.kind != Format::Kind::minifloat) {
    throw Unsupported("training through " + format.text() + ": intN and eXmY are trained through");
  }
  return format;
}

class SiteFinder {
 public:
  SiteFinder(const Network& network, const PrecisionPlan& plan)
      : network_(network), plan_(plan), lowered_(lower(network, plan)) {
    const std::size_t nodes = network.size();
    sites_.made.resize(nodes);
    sites_.held.resize(nodes);
    sites_.read.resize(nodes);
    sites_.kernels.resize(nodes);
    const std::vector<NodeId> shared = shared_scales(network, lowered_.stands_for);
    const std::vector<TensorScale> scales = tensor_scales(network, {}, lowered_.stands_for);
    sites_.range_of.resize(nodes);
    sites_.is_unsigned.resize(nodes);
    for (NodeId node = 0; node < nodes; ++node) {
      sites_.range_of[node] = shared[lowered_.stands_for[node]];
      sites_.is_unsigned[node] = scales[lowered_.stands_for[node]].is_unsigned;
    }
  }

  RoundingSites run() {
    find_readers();
    find_stored();
    lay_out();
    return std::move(sites_);
  }

 private:
  void find_readers() {
    for (const NodeId node : network_.live_nodes()) {
      const OpKind kind = network_.op(node).kind;
      if (!reads_by_plan(kind)) continue;
      sites_.read[node] = rounded_format(plan_.at(node).activations);
      if (has_weights(kind)) sites_.kernels[node] = rounded_format(plan_.at(node).weights);
    }
  }

  void find_stored() {
    std::vector<bool> completed(network_.size(), false);
    for (const Group& group : lowered_.groups) completed[group.result] = true;
    std::vector<std::optional<Format>>& held = sites_.held;
    for (const NodeId node : network_.live_nodes()) {
      const OpKind kind = network_.op(node).kind;
      const NodeId tensor = lowered_.stands_for[node];
      if (tensor != node && (kind == OpKind::identity || kind == OpKind::add)) {  // another tensor passes through
        held[node] = held[tensor];
        continue;
      }
      const std::optional<Format> stored = rounded_format(lowered_.stored[tensor]);
      if (!stored || !completed[tensor]) continue;
      const auto has_it = [&](NodeId input) { return held[input] == stored; };
      const std::span<const NodeId> inputs = network_.inputs(node);
      const bool by_tensor = stored->granularity == Format::Granularity::tensor;
      const bool there = by_tensor && moves_values(kind) && std::all_of(inputs.begin(), inputs.end(), has_it);
      held[node] = stored;
      if (there) continue;
      sites_.made[node] = stored;
    }
    for (const NodeId node : network_.live_nodes()) {
      for (const NodeId input : network_.inputs(node)) note_learned(input, sites_.read[node]);
      note_learned(node, sites_.made[node]);
    }
  }

  void note_learned(NodeId tensor, const std::optional<Format>& format) {
    if (!format || format->granularity != Format::Granularity::tensor) return;
    const auto [found, fresh] = learned_.try_emplace(sites_.range_of[tensor], *format);
    if (!fresh && format->width_bits < found->second.width_bits) found->second = *format;
  }

  void lay_out() {
    std::size_t offset = parameter_count(parameter_blocks(network_));
    const auto add = [&](NodeId node, Kind kind, std::int64_t size, const Format& format) {
      sites_.ranges.push_back({node, kind, offset, static_cast<std::size_t>(size)});
      sites_.range_formats.push_back(format);
      offset += static_cast<std::size_t>(size);
    };
    for (NodeId node = 0; node < network_.size(); ++node) {
      const std::optional<Format>& kernel = sites_.kernels[node];
      if (kernel && kernel->granularity == Format::Granularity::tensor) add(node, Kind::kernel_range, 1, *kernel);
      if (kernel && kernel->granularity == Format::Granularity::channel) {
        add(node, Kind::kernel_range, network_.op(node).channels, *kernel);
      }
      if (const auto tensor = learned_.find(node); tensor != learned_.end()) {
        add(node, Kind::tensor_range, 1, tensor->second);
      }
    }
  }

  const Network& network_;
  const PrecisionPlan& plan_;
  Lowered lowered_;
  RoundingSites sites_;
  std::map<NodeId, Format> learned_;  // whose tensor ranges are, and the narrowest format of each
};

}  // namespace

bool RoundingSites::none() const {
  const auto empty = [](const std::vector<std::optional<Format>>& formats) {
    return std::none_of(formats.begin(), formats.end(), [](const auto& format) { return format.has_value(); });
  };
  return empty(made) && empty(read) && empty(kernels);
}

const ParameterBlock* RoundingSites::range(NodeId node, Kind kind) const {
  const auto found = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const ParameterBlock& one) { return one.node == node && one.kind == kind; });
  return found == ranges.end() ? nullptr : &*found;
}

PrecisionPlan trained_plan(const Design& design, const std::string& formats) {
  if (formats.empty()) return {};
  return formats == by_genes ? design.precision : PrecisionPlan::uniform(design.network, formats);
}

RoundingSites rounding_sites(const Network& network, const PrecisionPlan& plan) {
  return SiteFinder(network, plan).run();
}

std::vector<ParameterBlock> parameter_blocks(const Network& network, const PrecisionPlan& plan) {
  std::vector<ParameterBlock> blocks = parameter_blocks(network);
  const std::vector<ParameterBlock> ranges = rounding_sites(network, plan).ranges;
  blocks.insert(blocks.end(), ranges.begin(), ranges.end());
  return blocks;
}

}  // namespace ridgeline
