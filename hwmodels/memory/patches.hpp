// Patch-based inference: the first layers of a network run once for every patch of a grid, so that between them only
// one patch's activations are in memory (Lin et al., "MCUNetV2", NeurIPS 2021; fused layers: Alwani et al., MICRO
// 2016).
//
// The stage is the first N executed layers. Its result is cut into n x n patches, part i of H rows being [floor(i H /
// n), floor((i + 1) H / n)). What a patch needs of every tensor before it is a rectangle, followed back through each
// reader: row a of a window of k rows, dilation d, stride s and p rows of padding above reads rows a s - p + d t for t
// = 0 ... k - 1, those outside the image being padding and not computed; the rectangle holds all that all readers need.
// Neighbouring patches overlap, and every patch computes its rectangles whole: the sum over patches is the exact number
// of multiply-accumulates, padding counted as in spaces/counts.hpp.
//
// Legal N: all that the layers do is local (convolution, pooling, norms over channels, activations, additions and
// products of equal shapes, concatenation of channels), nothing but the N-th result is read afterwards, and that is an
// image of at least n x n.
//
// Activations within the stage may have formats of their own, of all patches, one a patch, or one a patch and feature
// map (Tao et al., "QuantMCU", DATE 2024): they hold for what the stage's layers make and read, but for the stage's
// input and its result. Feature maps are the results of all its layers but the last, in their order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/memory/steps.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct PatchSchedule {
  std::size_t layers = 0;         // executed layers that run patch by patch; 0: none
  std::int64_t grid = 1;          // n: n x n patches
  std::vector<Format> formats{};  // empty: as the plan says; one; one a patch, row by row; or of each patch one a map

  bool any() const { return layers > 0 && grid > 1; }
  std::size_t patches() const { return static_cast<std::size_t>(grid * grid); }
  std::size_t maps() const { return layers - 1; }
  const Format& format(std::size_t patch, std::size_t map) const {
    if (formats.size() == 1) return formats.front();
    return formats.size() == patches() ? formats[patch] : formats[patch * maps() + map];
  }
};
inline constexpr std::int64_t most_patch_grid = 64;

// "patch_layers", "patch_grid" and "patch_format" of Design::schedule ("int8", or formats with commas between them, one
// a patch or one a patch and map); no patches where there are none. nullopt: `why` says what is wrong with them.
std::optional<PatchSchedule> patch_schedule(const Design& design, std::string& why);

// Rows or columns [first, end); empty where first >= end.
struct PatchSpan {
  std::int64_t first = 0, end = 0;
  std::int64_t length() const { return end > first ? end - first : 0; }
};

// What the patches need of one tensor: rows by the patch's row of the grid, columns by its column.
struct PatchTensor {
  NodeId tensor = 0;
  std::vector<PatchSpan> rows, columns;
  std::int64_t positions(std::size_t patch) const;  // rows times columns
  std::int64_t most_positions() const;              // of any patch
};

struct PatchStage {
  PatchSchedule schedule;
  NodeId output = 0;
  std::vector<PatchTensor> tensors;  // inputs of the network that it reads, then what its layers make, in their order

  std::size_t patches() const { return schedule.patches(); }
  // Of a tensor that one of the stage's layers makes, where the schedule has formats.
  const Format& format(std::size_t patch, NodeId tensor) const;
  const PatchTensor* find(NodeId tensor) const;  // nullptr: not of this stage
  // Does a layer of the stage read activations in the schedule's format, and does it make them in it?
  bool reads_own_format(const Network& network, const MemoryStep& step) const;
  bool makes_own_format(const MemoryStep& step) const { return !schedule.formats.empty() && step.node != output; }
};

// nullopt: `why` says why the first layers cannot run so. `steps` are fused ones; schedule.any().
std::optional<PatchStage> patch_stage(const Network& network, std::span<const MemoryStep> steps,
                                      const PatchSchedule& schedule, std::string& why);

// Multiply-accumulates of one layer of the stage for one patch.
std::int64_t patch_macs(const Network& network, const PatchStage& stage, const MemoryStep& step, std::size_t patch);

}  // namespace ridgeline
