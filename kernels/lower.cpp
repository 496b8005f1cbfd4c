#include "kernels/lower.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ridgeline {
namespace {

class Lowering {
 public:
  Lowering(const Network& network, const PrecisionPlan& plan, bool fuse)
      : network_(network), fuse_(fuse), group_of_(network_.size(), none) {
    lowered_.stored = stored_formats(network_, plan);
    lowered_.stands_for.resize(network_.size());
    readers_.resize(network_.size(), 0);
    leaves_.resize(network_.size(), 0);
    reads_first_.resize(network_.size());
  }

  Lowered run() {
    const std::vector<NodeId> nodes = network_.live_nodes();
    for (NodeId node = 0; node < network_.size(); ++node) lowered_.stands_for[node] = node;
    for (const NodeId node : nodes) {
      lowered_.stands_for[node] = tensor_of(node);
    }
    for (const NodeId node : nodes) {
      if (lowered_.stands_for[node] != node) continue;
      for (const NodeId input : network_.inputs(node)) ++readers_[lowered_.stands_for[input]];
    }
    for (const NodeId output : network_.outputs()) leaves_[lowered_.stands_for[output]] = 1;
    for (const NodeId node : nodes) {
      if (lowered_.stands_for[node] == node && network_.op(node).kind != OpKind::input) place(node);
    }
    collect();
    return std::move(lowered_);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  bool is_zero(NodeId tensor) const { return network_.op(tensor).kind == OpKind::zero; }

  // The tensor whose value equals the node's: through identities, additions of zero, and operators without weights that
  // were applied to the same tensors before (cells that start every edge with a relu of the same node).
  NodeId tensor_of(NodeId node) {
    const Op& op = network_.op(node);
    const std::span<const NodeId> inputs = network_.inputs(node);
    if (op.kind == OpKind::identity) return lowered_.stands_for[inputs[0]];
    if (op.kind == OpKind::add) {
      const NodeId a = lowered_.stands_for[inputs[0]], b = lowered_.stands_for[inputs[1]];
      if (is_zero(b)) return a;
      if (is_zero(a) && network_.shape(a) == network_.shape(b)) return b;
    }
    if (!fuse_ || inputs.empty() || has_weights(op.kind)) return node;
    std::vector<NodeId>& like = reads_first_[lowered_.stands_for[inputs[0]]];
    const auto same_tensor = [&](NodeId x, NodeId y) { return lowered_.stands_for[x] == lowered_.stands_for[y]; };
    for (const NodeId other : like) {
      if (network_.op(other) != op) continue;
      const std::span<const NodeId> others = network_.inputs(other);
      if (std::equal(inputs.begin(), inputs.end(), others.begin(), others.end(), same_tensor)) return other;
    }
    like.push_back(node);
    return node;
  }

  // Makes a group for the node, or puts it into the group that computes its input.
  void place(NodeId node) {
    if (fuse_ && (fold_norm(node) || fuse_activation(node) || fuse_addition(node))) return;
    Group group{node, node, {}, std::nullopt, {}};
    for (const NodeId input : network_.inputs(node)) group.inputs.push_back(lowered_.stands_for[input]);
    group_of_[node] = groups_.size();
    groups_.push_back(std::move(group));
  }

  // The group whose result is `tensor`, when the only reader of that tensor is the node being placed.
  Group* sole_producer(NodeId tensor) {
    if (readers_[tensor] != 1 || leaves_[tensor] != 0 || group_of_[tensor] == none) return nullptr;
    Group& group = groups_[group_of_[tensor]];
    return group.result == tensor ? &group : nullptr;
  }

  void extend(Group& group, NodeId node) {
    group_of_[node] = group_of_[group.result];
    group.result = node;
  }

  static bool computes_with_weights(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear; }

  bool fold_norm(NodeId node) {
    if (network_.op(node).kind != OpKind::batch_norm) return false;
    Group* group = sole_producer(lowered_.stands_for[network_.inputs(node)[0]]);
    if (group == nullptr || group->norm || !group->posts.empty()) return false;
    if (!computes_with_weights(network_.op(group->anchor).kind)) return false;
    // A linear's channels are its last axis, a batch norm's the second: the same only for [N, C].
    if (network_.op(group->anchor).kind == OpKind::linear && network_.shape(node).size() != 2) return false;
    group->norm = node;
    extend(*group, node);
    return true;
  }

  bool fuse_activation(NodeId node) {
    const OpKind kind = network_.op(node).kind;
    if (!is_activation(kind)) return false;
    Group* group = sole_producer(lowered_.stands_for[network_.inputs(node)[0]]);
    if (group == nullptr) return false;
    const OpKind anchor = network_.op(group->anchor).kind;
    const bool takes_any =
        computes_with_weights(anchor) || anchor == OpKind::matmul || anchor == OpKind::add || anchor == OpKind::mul;
    const bool takes_relu = anchor == OpKind::batch_norm && kind == OpKind::relu && group->posts.empty();
    if (!takes_any && !takes_relu) return false;
    group->posts.push_back({kind, node, node});
    extend(*group, node);
    return true;
  }

  // conv2d or linear + other tensor, into the memory of the other tensor, which nobody may need afterwards.
  bool fuse_addition(NodeId node) {
    if (network_.op(node).kind != OpKind::add) return false;
    const std::span<const NodeId> inputs = network_.inputs(node);
    if (network_.shape(inputs[0]) != network_.shape(inputs[1])) return false;
    const NodeId a = lowered_.stands_for[inputs[0]], b = lowered_.stands_for[inputs[1]];
    if (a == b) return false;
    // The later operand is the residual branch in every usual block: its group is still open.
    for (const auto& [branch, other] : {std::pair{std::max(a, b), std::min(a, b)}, {std::min(a, b), std::max(a, b)}}) {
      Group* group = sole_producer(branch);
      if (group == nullptr || !computes_with_weights(network_.op(group->anchor).kind)) continue;
      if (!group->posts.empty() || !may_be_overwritten(other, node)) continue;
      if (lowered_.stored[other] != lowered_.stored[node]) continue;
      group->posts.push_back({OpKind::add, node, other});
      extend(*group, node);
      return true;
    }
    return false;
  }

  bool may_be_overwritten(NodeId tensor, NodeId by) const {
    const OpKind kind = network_.op(tensor).kind;
    return kind != OpKind::input && !is_zero(tensor) && leaves_[tensor] == 0 && by > tensor;
  }

  // Execution order, and the additions that would overwrite a tensor somebody reads later taken out of their groups.
  void collect() {
    const auto by_result = [](const Group& a, const Group& b) { return a.result < b.result; };
    std::sort(groups_.begin(), groups_.end(), by_result);
    for (bool changed = true; changed;) {
      changed = false;
      std::vector<std::size_t> last_read(network_.size(), 0);
      for (std::size_t i = 0; i < groups_.size(); ++i) {
        for (const NodeId tensor : groups_[i].reads()) last_read[tensor] = i;
      }
      for (std::size_t i = 0; i < groups_.size() && !changed; ++i) {
        for (std::size_t p = 0; p < groups_[i].posts.size() && !changed; ++p) {
          const PostOperation& post = groups_[i].posts[p];
          const bool again = std::count(groups_[i].inputs.begin(), groups_[i].inputs.end(), post.operand) > 0;
          if (post.kind != OpKind::add || (last_read[post.operand] <= i && !again)) continue;
          auto [first, second] = split(groups_[i], p);
          groups_[i] = std::move(first);
          groups_.push_back(std::move(second));
          changed = true;
        }
      }
      if (changed) std::sort(groups_.begin(), groups_.end(), by_result);
    }
    lowered_.groups = std::move(groups_);
  }

  const Network& network_;
  bool fuse_;
  Lowered lowered_;
  std::vector<Group> groups_;
  std::vector<std::size_t> group_of_;
  std::vector<char> leaves_;
  std::vector<std::vector<NodeId>> reads_first_;  // one a tensor: operators without weights whose first input it is
  std::vector<int> readers_;
};

}  // namespace

std::vector<NodeId> Group::fused() const {
  std::vector<NodeId> nodes;
  if (norm) nodes.push_back(*norm);
  for (const PostOperation& post : posts) nodes.push_back(post.node);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<NodeId> Group::reads() const {
  std::vector<NodeId> tensors = inputs;
  for (const PostOperation& post : posts) {
    if (post.kind == OpKind::add) tensors.push_back(post.operand);
  }
  return tensors;
}

Lowered lower(const Network& network, const PrecisionPlan& plan, bool fuse) {
  return Lowering(network, plan, fuse).run();
}

bool reads_wider(const Network& network, const Lowered& lowered, const Group& group) {
  if (!lowered.stored[group.result].is_quantized() || moves_values(network.op(group.anchor).kind)) return false;
  return std::any_of(group.inputs.begin(), group.inputs.end(),
                     [&](NodeId input) { return !lowered.stored[input].is_quantized(); });
}

std::pair<Group, Group> split(const Group& group, std::size_t kept) {
  Group first = group;
  first.posts.resize(kept);
  first.result = kept > 0 ? group.posts[kept - 1].node : group.norm.value_or(group.anchor);
  const PostOperation& next = group.posts[kept];
  Group second{next.node, group.result, {first.result}, std::nullopt, {}};
  if (next.kind == OpKind::add) second.inputs.push_back(next.operand);
  second.posts.assign(group.posts.begin() + static_cast<std::ptrdiff_t>(kept) + 1, group.posts.end());
  return {std::move(first), std::move(second)};
}

FoldedWeights fold(const Network& network, const Group& group, const NodeWeights& anchor, const NodeWeights& norm) {
  FoldedWeights folded{anchor.kernel, anchor.bias};
  if (!group.norm) return folded;
  const auto channels = static_cast<std::size_t>(network.op(group.anchor).channels);
  const double epsilon = network.op(*group.norm).epsilon;
  const std::size_t taps = folded.kernel.size() / channels;
  folded.bias.resize(channels, 0.0F);
  for (std::size_t c = 0; c < channels; ++c) {
    const auto gain = static_cast<float>(static_cast<double>(norm.scale[c]) /
                                         std::sqrt(static_cast<double>(norm.variance[c]) + epsilon));
    for (std::size_t i = 0; i < taps; ++i) folded.kernel[c * taps + i] *= gain;
    folded.bias[c] = (folded.bias[c] - norm.mean[c]) * gain + norm.shift[c];
  }
  return folded;
}

}  // namespace ridgeline
