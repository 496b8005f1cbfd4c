// Where a network that is trained through number formats rounds, and which ranges it learns.
//
// Tensors are rounded where the executor rounds them: where they are made, to the format that they are stored in
// (lower.hpp has what is fused and never stored), and where an operator reads them in another one. Kernels are rounded
// unfolded. A batch norm that is folded later multiplies a channel's kernel, and its range with it, by the same factor,
// so symmetric formats with a range an output channel round the folded kernel to the same codes.
//
// A learned range is a magnitude r: the format's largest value stands for r, its step is r / largest. It does not
// belong to a format, so several formats of one tensor share it within a network. Learned are
//   tensors   one for all tensors that have one scale (shared_scales, spaces/quantization.hpp), where some format of
//             theirs has a scale a tensor
//   kernels   one, or one an output channel, as the format says
// Networks that share their parameters share the ranges of one place and format (shared_parameters.hpp), so that few
// codes and many each find their own.
// Other granularities take their scales from the numbers, as the executor does, and learn none. f16 and bf16 are not
// rounded to here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/training/parameters.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct RoundingSites {
  std::vector<std::optional<Format>> made;     // one a node: what its output is rounded to where it is made
  std::vector<std::optional<Format>> held;     // one a node: what every number of its output is rounded to
  std::vector<std::optional<Format>> read;     // one a node: what it reads its input tensors in
  std::vector<std::optional<Format>> kernels;  // one a node
  std::vector<NodeId> range_of;                // one a node: whose tensor_range is its tensor's
  std::vector<bool> is_unsigned;               // one a node: integers of its tensor have no sign
  std::vector<ParameterBlock> ranges;          // behind parameter_blocks(network)
  std::vector<Format> range_formats;           // one a block of `ranges`: the narrowest that is rounded over it

  bool none() const;
  const ParameterBlock* range(NodeId node, ParameterBlock::Kind kind) const;  // null: not learned
};

// The plan that a design is trained through: none for "", its own for `by_genes`, else these formats for every operator
// as PrecisionPlan::uniform reads them.
inline constexpr const char* by_genes = "genes";
PrecisionPlan trained_plan(const Design& design, const std::string& formats);

// Throws Unsupported (kernels/executable.hpp) for elements other than intN and eXmY, f32, f16 and bf16.
RoundingSites rounding_sites(const Network& network, const PrecisionPlan& plan);

// The network's own parameters and the ranges of `plan` behind them.
std::vector<ParameterBlock> parameter_blocks(const Network& network, const PrecisionPlan& plan);

}  // namespace ridgeline
