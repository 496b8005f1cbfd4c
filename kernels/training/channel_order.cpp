#include "kernels/training/channel_order.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace ridgeline {
namespace {

using Kind = ParameterBlock::Kind;

// Sets of channels that must keep one order: tensors, found by the place of the node that writes them.
class ChannelSets {
 public:
  std::size_t of(const std::string& place) {
    const auto [found, fresh] = by_place_.try_emplace(place, parent_.size());
    if (fresh) {
      parent_.push_back(found->second);
      fixed_.push_back(false);
    }
    return root(found->second);
  }
  std::size_t root(std::size_t set) const {
    while (parent_[set] != set) set = parent_[set];
    return set;
  }
  void join(std::size_t a, std::size_t b) {
    const std::size_t to = root(a), from = root(b);
    parent_[from] = to;
    fixed_[to] = fixed_[to] || fixed_[from];
  }
  void fix(std::size_t set) { fixed_[root(set)] = true; }
  bool fixed(std::size_t set) const { return fixed_[root(set)]; }
  std::size_t size() const { return parent_.size(); }

 private:
  std::map<std::string, std::size_t> by_place_;
  std::vector<std::size_t> parent_;
  std::vector<bool> fixed_;
};

// The channel sets along the first two axes of a shared block.
struct BlockAxes {
  std::optional<std::size_t> out, in;
};

// Follows the channels of one network through its operators.
class ChannelWalk {
 public:
  ChannelWalk(const Network& network, std::span<const std::string> places, ChannelSets& sets)
      : network_(network), places_(places), sets_(sets), axis_(network.size(), 0) {
    for (const NodeId node : network.live_nodes()) visit(node);
    for (const NodeId node : network.outputs()) sets_.fix(set(node));
  }

 private:
  std::size_t set(NodeId node) { return sets_.of(places_[node]); }
  std::size_t last(NodeId node) const { return network_.shape(node).size() - 1; }

  void join_input(NodeId node, NodeId input, std::size_t axis) {
    axis_[node] = axis;
    sets_.join(set(node), set(input));
  }
  void fix_all(NodeId node) {
    axis_[node] = 1;
    sets_.fix(set(node));
    for (const NodeId input : network_.inputs(node)) sets_.fix(set(input));
  }
  void need_axis(NodeId input, std::size_t axis) {
    if (axis_[input] != axis) sets_.fix(set(input));
  }

  void visit(NodeId node) {
    const Op& op = network_.op(node);
    if (op.kind == OpKind::input) return fix_all(node);
    const NodeId input = network_.inputs(node)[0];
    switch (op.kind) {
      case OpKind::conv2d:
        axis_[node] = 1;
        if (op.groups > 1) join_input(node, input, 1);  // depthwise
        return need_axis(input, 1);
      case OpKind::linear:
        axis_[node] = last(node);
        set(node);
        return need_axis(input, last(input));
      case OpKind::batch_norm:
        need_axis(input, 1);
        return join_input(node, input, axis_[input]);
      case OpKind::layer_norm:
        need_axis(input, last(input));
        return join_input(node, input, axis_[input]);
      case OpKind::add:
      case OpKind::mul:
        join_input(node, input, axis_[input]);
        for (const NodeId other : network_.inputs(node)) {
          need_axis(other, axis_[input]);
          join_input(node, other, axis_[input]);
        }
        return;
      case OpKind::transpose:
        return join_input(node, input, transposed(op, axis_[input]));
      case OpKind::flatten:
      case OpKind::reshape:
        return reshape(node, input);
      case OpKind::matmul:
      case OpKind::softmax:
      case OpKind::concat:
        return fix_all(node);
      default:
        return join_input(node, input, axis_[input]);
    }
  }

  static std::size_t transposed(const Op& op, std::size_t axis) {
    return static_cast<std::size_t>(std::ranges::find(op.shape, static_cast<std::int64_t>(axis)) - op.shape.begin());
  }

  void reshape(NodeId node, NodeId input) {
    const Shape &from = network_.shape(input), &to = network_.shape(node);
    if (axis_[input] == 1 && to.size() > 1 && from[1] == to[1]) return join_input(node, input, 1);
    fix_all(node);
  }

  const Network& network_;
  std::span<const std::string> places_;
  ChannelSets& sets_;
  std::vector<std::size_t> axis_;  // of each node's output: where its channels are
};

// Which set each axis of each shared block belongs to, over everything that the survey shows.
std::vector<BlockAxes> block_axes(const SearchSpace& space, const SharedParameters& layout, ChannelSets& sets) {
  std::vector<BlockAxes> axes(layout.blocks().size());
  for (const Genome& genome : survey(space)) {
    const Network network = space.decode(genome).network;
    const std::vector<std::string> places = space.places(genome);
    const ChannelWalk walk(network, places, sets);
    const std::vector<ParameterBlock> blocks = parameter_blocks(network);
    const std::vector<SharedParameters::Slice> slices = layout.slices(space, genome, network);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const NodeId node = blocks[i].node;
      BlockAxes& block = axes[slices[i].shared];
      block.out = sets.of(places[node]);
      const bool reads_channels = blocks[i].kind == Kind::kernel && network.op(node).groups == 1;
      if (reads_channels) {
        const std::size_t in = sets.of(places[network.inputs(node)[0]]);
        if (block.in) sets.join(*block.in, in);
        block.in = in;
      }
    }
  }
  // Ranges of a kernel's channels go with them.
  std::map<std::string, std::size_t> kernels;
  for (std::size_t b = 0; b < axes.size(); ++b) {
    const SharedBlock& block = layout.blocks()[b];
    if (block.kind == Kind::kernel) kernels[block.place] = b;
    if (block.kind == Kind::kernel_range && block.extents[0] > 1) axes[b].out = axes[kernels.at(block.place)].out;
  }
  return axes;
}

std::size_t at(const SharedBlock& block, std::size_t out, std::size_t in) {
  const auto window = static_cast<std::size_t>(block.extents[2] * block.extents[3]);
  return block.offset + (out * static_cast<std::size_t>(block.extents[1]) + in) * window;
}

// The order of one set's channels; empty where they are left alone.
class Importance {
 public:
  Importance(const SharedParameters& layout, std::span<const BlockAxes> axes, const ChannelSets& sets)
      : layout_(layout), axes_(axes), sets_(sets) {}

  std::vector<std::size_t> order(std::size_t set, std::span<const float> shared) const {
    if (sets_.fixed(set)) return {};
    std::optional<std::int64_t> width;
    std::vector<double> importance;
    for (std::size_t b = 0; b < axes_.size(); ++b) {
      const SharedBlock& block = layout_.blocks()[b];
      for (const bool reads : {false, true}) {
        const std::optional<std::size_t>& axis = reads ? axes_[b].in : axes_[b].out;
        if (!axis || sets_.root(*axis) != set) continue;
        const std::int64_t extent = block.extents[reads ? 1 : 0];
        if (width && *width != extent) return {};
        width = extent;
        if (reads) add(block, shared, importance);
      }
    }
    if (importance.empty()) return {};
    std::vector<std::size_t> order(importance.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t channel) { return importance[channel]; });
    return order;
  }

 private:
  static void add(const SharedBlock& block, std::span<const float> shared, std::vector<double>& importance) {
    const auto channels = static_cast<std::size_t>(block.extents[1]);
    const auto window = static_cast<std::size_t>(block.extents[2] * block.extents[3]);
    importance.resize(channels, 0.0);
    for (std::size_t out = 0; out < static_cast<std::size_t>(block.extents[0]); ++out) {
      for (std::size_t in = 0; in < channels; ++in) {
        for (const float weight : shared.subspan(at(block, out, in), window)) importance[in] += std::abs(weight);
      }
    }
  }

  const SharedParameters& layout_;
  std::span<const BlockAxes> axes_;
  const ChannelSets& sets_;
};

}  // namespace

std::vector<std::size_t> importance_order(const SearchSpace& space, const SharedParameters& layout,
                                          std::span<const float> shared) {
  ChannelSets sets;
  const std::vector<BlockAxes> axes = block_axes(space, layout, sets);
  const Importance importance(layout, axes, sets);
  std::vector<std::vector<std::size_t>> orders(sets.size());
  for (std::size_t set = 0; set < sets.size(); ++set) {
    if (sets.root(set) == set) orders[set] = importance.order(set, shared);
  }
  std::vector<std::size_t> from(layout.size());
  std::iota(from.begin(), from.end(), 0);
  const auto channel = [&](const std::optional<std::size_t>& axis, std::size_t i) {
    if (!axis) return i;
    const std::vector<std::size_t>& order = orders[sets.root(*axis)];
    return order.empty() ? i : order[i];
  };
  for (std::size_t b = 0; b < axes.size(); ++b) {
    const SharedBlock& block = layout.blocks()[b];
    const auto window = static_cast<std::size_t>(block.extents[2] * block.extents[3]);
    for (std::size_t out = 0; out < static_cast<std::size_t>(block.extents[0]); ++out) {
      for (std::size_t in = 0; in < static_cast<std::size_t>(block.extents[1]); ++in) {
        const std::size_t source = at(block, channel(axes[b].out, out), channel(axes[b].in, in));
        for (std::size_t k = 0; k < window; ++k) from[at(block, out, in) + k] = source + k;
      }
    }
  }
  return from;
}

void reorder(std::span<const std::size_t> order, std::vector<float>& values) {
  if (values.empty()) return;
  std::vector<float> ordered(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) ordered[i] = values.at(order[i]);
  values = std::move(ordered);
}

}  // namespace ridgeline
