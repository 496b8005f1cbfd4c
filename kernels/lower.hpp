// Which operators run together: the fusion plan of a design. Pure and free of oneDNN.
//
// A group is one operator that computes (the anchor), the batch norm folded into its weights, and the activations and
// additions that follow it as post-operations. Identities, additions of zero and repeated operators without weights
// disappear: another tensor stands for them. Groups are in execution order: a group runs when its result's id comes, by
// which time everything it reads is there.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

// A post-operation: an activation, or the addition of another tensor into the result's own memory.
struct PostOperation {
  OpKind kind;
  NodeId node;     // the operator fused
  NodeId operand;  // add: the other tensor, which this group is the last to read; else `node`
};

struct Group {
  NodeId anchor;
  NodeId result;               // the tensor the group completes
  std::vector<NodeId> inputs;  // tensors the anchor reads, in order (what stands for them)
  std::optional<NodeId> norm;  // batch norm folded into the anchor's weights
  std::vector<PostOperation> posts;

  std::vector<NodeId> fused() const;  // norm and posts, ascending
  std::vector<NodeId> reads() const;  // inputs and operands of posts
};

struct Lowered {
  std::vector<Group> groups;
  std::vector<NodeId> stands_for;  // one a node: the tensor that holds its value (itself, or what an identity reads)
  std::vector<Format> stored;      // one a node, spaces/format.hpp
};

// `fuse` false: every operator is a group of its own (batch norms too); results are the same but for rounding.
Lowered lower(const Network& network, const PrecisionPlan& plan, bool fuse = true);
inline Lowered lower(const Design& design, bool fuse = true) { return lower(design.network, design.precision, fuse); }

// Does a group that follows formats (whose anchor is none of conv2d, linear and matmul) read a tensor that is stored
// wider than its own 8-bit result? It then computes in f32 and its result is rounded: what it reads may have no range
// of its own. Operators that only move numbers share their inputs' scale, and round as well before as after.
bool reads_wider(const Network& network, const Lowered& lowered, const Group& group);

// The group split in two: the first keeps `kept` post-operations, the second starts with the next one as its anchor.
std::pair<Group, Group> split(const Group& group, std::size_t kept);

// Kernel and bias of a conv2d or linear group with the batch norm folded in; the bias is empty only when there is
// neither a bias nor a norm.
struct FoldedWeights {
  std::vector<float> kernel, bias;
};
FoldedWeights fold(const Network& network, const Group& group, const NodeWeights& anchor, const NodeWeights& norm);

}  // namespace ridgeline
