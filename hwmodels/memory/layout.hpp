// The activations of a design in memory: which buffers there are, from which step to which, and where they lie.
//
// Counted: the network's inputs, there from the first step on (before the step that reads them nobody else has their
// memory), its outputs, kept to the end, every tensor between in the bytes of its stored format, and workspaces. Not
// counted: weights, stacks, and what a kernel needs of its own (rows of im2col). A step is an executed layer
// (hwmodels/layers.hpp).
//
// With a patch schedule (hwmodels/memory/patches.hpp) one plan serves all patches: a tensor of the stage has the bytes
// that the patch with most rows and columns needs, the stage's result is there from the first step on, and its input
// stays until the last patch has been read, or, streamed, comes patch by patch from where it lies (a camera's or a
// compressed image, MCUNetV2 section 3.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/memory/patches.hpp"
#include "hwmodels/memory/plan.hpp"
#include "hwmodels/memory/steps.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// What is written over a larger tensor holds that one's memory; a step for which that costs more than it saves writes
// elsewhere.
struct MemoryOptions {
  bool fusion = true;  // norms, activations and residual additions make no tensor of their own; patches need it
  bool in_place =
      true;  // element-wise operators and fused additions write over an operand that nobody needs afterwards
  // A depthwise convolution writes over its input, channel by channel, through a workspace of one channel (Lin et al.,
  // "MCUNet", NeurIPS 2020).
  bool depthwise_in_place = false;
  // A linear layer or 1x1 convolution of stride 1 that makes tokens no wider than those it reads writes over its input
  // through a workspace of one token (Liang et al., "MCUFormer", NeurIPS 2023: token overwriting).
  bool tokens_in_place = false;
  bool stream_input = false;         // see above; without patches nothing is streamed
  std::int64_t alignment_bytes = 1;  // of every buffer, at least 1
};

struct MemoryBuffer {
  enum class Role : std::uint8_t { input, tensor, patch, output, workspace };
  Role role = Role::tensor;
  NodeId tensor = 0;              // that it holds first; of a workspace, what the step makes
  std::vector<NodeId> tensors{};  // that it holds one after the other, in place; of a workspace none
  BufferLife life;
};
std::span<const std::string> memory_role_names();

struct MemoryLayout {
  std::vector<MemoryStep> steps;
  std::vector<MemoryBuffer> buffers;  // in the order of their first steps
  MemoryPlan plan;                    // one offset a buffer
  std::optional<PatchStage> patches;
  std::int64_t macs = 0, extra_macs = 0;  // without patches, and what their overlap adds
};

// nullopt: `why` says why the schedule of the design cannot be followed. Batches are counted as they are.
std::optional<MemoryLayout> memory_layout(const Design& design, const MemoryOptions& options, std::string& why,
                                          std::int64_t most_branches = branches_of_a_search);

// Sum over convolutions, linear layers and products of MACs times the bits of both operands as they are read; layers in
// patches by their own MACs and formats.
std::int64_t bit_operations(const Design& design, const MemoryLayout& layout);

}  // namespace ridgeline
