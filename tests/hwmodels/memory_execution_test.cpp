// Layouts against an execution that tags every byte with whose value it holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "hwmodels/memory/layout.hpp"
#include "spaces/counts.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

MemoryLayout laid_out(const Design& design, const MemoryOptions& options = {}) {
  std::string why;
  std::optional<MemoryLayout> layout = memory_layout(design, options, why);
  EXPECT_TRUE(layout) << why;
  return layout.value_or(MemoryLayout{});
}

// Runs a layout on bytes that remember whose value they hold: every step must find what it reads.
void execute(const Design& design, const MemoryLayout& layout) {
  std::map<NodeId, std::size_t> buffer_of;
  for (std::size_t i = 0; i < layout.buffers.size(); ++i) {
    for (const NodeId tensor : layout.buffers[i].tensors) buffer_of[tensor] = i;
  }
  std::vector<std::int64_t> holds(static_cast<std::size_t>(layout.plan.arena_bytes), -1);
  const std::vector<Format> stored = stored_formats(design.network, design.precision);
  const auto range = [&](NodeId tensor) {
    const auto begin = static_cast<std::size_t>(layout.plan.offsets_bytes[buffer_of.at(tensor)]);
    return std::pair(begin, begin + static_cast<std::size_t>(activation_bytes(design.network, tensor, stored[tensor])));
  };
  const auto write = [&](NodeId tensor) {
    const auto [begin, end] = range(tensor);
    ASSERT_LE(end, holds.size());
    for (std::size_t at = begin; at < end; ++at) holds[at] = tensor;
  };
  const auto intact = [&](NodeId tensor) {
    const auto [begin, end] = range(tensor);
    return std::all_of(holds.begin() + static_cast<std::ptrdiff_t>(begin),
                       holds.begin() + static_cast<std::ptrdiff_t>(end),
                       [&](std::int64_t tag) { return tag == static_cast<std::int64_t>(tensor); });
  };
  const std::vector<NodeId> live = design.network.live_nodes();
  const std::vector<NodeId> tensors = stored_tensors(design.network, live);
  for (const NodeId node : live) {
    if (design.network.op(node).kind == OpKind::input) write(node);
  }
  std::vector<bool> zeros(design.network.size(), false);
  for (std::size_t s = 0; s < layout.steps.size(); ++s) {
    for (const NodeId read : layout.steps[s].reads) {
      if (design.network.op(read).kind == OpKind::zero && !zeros[read]) {
        write(read);
        zeros[read] = true;
      }
      ASSERT_TRUE(intact(read)) << "step " << s << " reads " << read;
    }
    for (std::size_t i = 0; i < layout.buffers.size(); ++i) {  // workspaces are written while the step runs
      const MemoryBuffer& one = layout.buffers[i];
      if (one.role != MemoryBuffer::Role::workspace || one.life.first_step != s) continue;
      std::fill_n(holds.begin() + layout.plan.offsets_bytes[i], one.life.bytes, -2);
    }
    for (const NodeId read : layout.steps[s].reads) ASSERT_TRUE(intact(read)) << "a workspace lies over an operand";
    write(layout.steps[s].node);
  }
  for (const NodeId output : design.network.outputs()) {
    EXPECT_TRUE(design.network.op(tensors[output]).kind == OpKind::zero || intact(tensors[output]));
  }
}

TEST(MemoryLayout, EveryStepFindsWhatItReads) {
  Rng rng(17, "layouts");
  for (int round = 0; round < 300; ++round) {
    Design design;
    design.network = test::random_blueprint(rng, 4 + rng.below(16)).build();
    design.precision = PrecisionPlan::uniform(design.network, round % 2 == 0 ? int8 : f32, round % 3 == 0 ? f32 : int8);
    for (const bool fusion : {false, true}) {
      std::int64_t apart = 0;
      for (const bool in_place : {false, true}) {
        const MemoryOptions options{.fusion = fusion,
                                    .in_place = in_place,
                                    .depthwise_in_place = in_place && round % 2 == 0,
                                    .tokens_in_place = in_place && round % 3 == 0,
                                    .stream_input = false,
                                    .alignment_bytes = round % 5 == 0 ? 16 : 1};
        const MemoryLayout layout = laid_out(design, options);
        execute(design, layout);
        if (in_place) {
          EXPECT_LE(layout.plan.lower_bound_bytes, apart);
        }
        apart = layout.plan.lower_bound_bytes;
      }
    }
  }
}

}  // namespace
}  // namespace ridgeline
