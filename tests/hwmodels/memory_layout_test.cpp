// Buffers of small networks by hand.
#include "hwmodels/memory/layout.hpp"

#include <gtest/gtest.h>

#include "spaces/counts.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

MemoryLayout laid_out(const Design& design, const MemoryOptions& options = {}) {
  std::string why;
  std::optional<MemoryLayout> layout = memory_layout(design, options, why);
  EXPECT_TRUE(layout) << why;
  return layout.value_or(MemoryLayout{});
}

// Without fusion and in-place writing, the buffers are those of spaces/counts.hpp, but that inputs are there from the
// start.
TEST(MemoryLayout, AgreesWithTheCountOfOneInputNetworks) {
  for (const Format& format : {int8, f32}) {
    const Design design = test::mobile_block(format);
    const MemoryLayout layout = laid_out(design, {.fusion = false, .in_place = false});
    EXPECT_EQ(layout.plan.lower_bound_bytes, peak_activation_bytes(design.network, design.precision));
  }
}

// 3x32x32 -> stem 16x16x16 (4,096 B) -> expand 96x16x16 (24,576) -> depthwise (24,576) -> project + add over the
// stem's.
TEST(MemoryLayout, AnInvertedResidualByHand) {
  const Design design = test::mobile_block(int8);
  const std::int64_t stem = 4096, wide = 24576;
  // The depthwise layer reads one wide tensor and makes another, and the stem's result waits for the addition.
  EXPECT_EQ(laid_out(design).plan.arena_bytes, stem + 2 * wide);
  EXPECT_EQ(laid_out(design, {.depthwise_in_place = true}).plan.arena_bytes, stem + wide + 256);  // one channel more
  // The projection's result has a buffer of its own when the addition may not write over the stem's.
  const MemoryLayout apart = laid_out(design, {.in_place = false, .depthwise_in_place = true});
  EXPECT_EQ(apart.plan.arena_bytes, 2 * stem + wide);
  EXPECT_TRUE(apart.plan.optimal);
}

TEST(MemoryLayout, TokensAreOverwritten) {
  Design design;
  Network& n = design.network;
  NodeId x = n.add_input({1, 10, 64});
  Op linear = test::simple(OpKind::linear);
  linear.channels = 64;
  for (int i = 0; i < 3; ++i) x = n.add(linear, {x});
  n.mark_output(x);
  design.precision = PrecisionPlan::uniform(n, f32, f32);
  EXPECT_EQ(laid_out(design).plan.arena_bytes, 2 * 2560);
  EXPECT_EQ(laid_out(design, {.tokens_in_place = true}).plan.arena_bytes, 2560 + 256);
}

}  // namespace
}  // namespace ridgeline
