// Memory plans against every placement there is.
#include "hwmodels/memory/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

void expect_no_overlap(const std::vector<BufferLife>& buffers, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets_bytes.size(), buffers.size());
  std::int64_t top = 0;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    ASSERT_GE(plan.offsets_bytes[i], 0);
    top = std::max(top, plan.offsets_bytes[i] + buffers[i].bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (!buffers[i].overlaps(buffers[j])) continue;
      const bool apart = plan.offsets_bytes[i] + buffers[i].bytes <= plan.offsets_bytes[j] ||
                         plan.offsets_bytes[j] + buffers[j].bytes <= plan.offsets_bytes[i];
      ASSERT_TRUE(apart) << i << " and " << j;
    }
  }
  EXPECT_EQ(top, plan.arena_bytes);
  EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes);
}

// Can buffers from `next` on be put at any byte of an arena of this size, one after the other?
bool fits(const std::vector<BufferLife>& buffers, std::vector<std::int64_t>& offsets, std::size_t next,
          std::int64_t arena) {
  if (next == buffers.size()) return true;
  for (std::int64_t at = 0; at + buffers[next].bytes <= arena; ++at) {
    bool free = true;
    for (std::size_t i = 0; i < next && free; ++i) {
      free = !buffers[i].overlaps(buffers[next]) || at + buffers[next].bytes <= offsets[i] ||
             offsets[i] + buffers[i].bytes <= at;
    }
    if (!free) continue;
    offsets[next] = at;
    if (fits(buffers, offsets, next + 1, arena)) return true;
  }
  return false;
}

std::int64_t smallest_arena(const std::vector<BufferLife>& buffers, std::int64_t from) {
  std::vector<std::int64_t> offsets(buffers.size());
  while (!fits(buffers, offsets, 0, from)) ++from;
  return from;
}

std::vector<BufferLife> random_buffers(Rng& rng, std::size_t count, std::size_t steps, std::uint64_t most) {
  std::vector<BufferLife> buffers;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t first = rng.below(steps);
    const std::size_t last = std::min(steps - 1, first + static_cast<std::size_t>(rng.below(4)));
    buffers.push_back({first, last, static_cast<std::int64_t>(rng.below(most)) + 1});
  }
  return buffers;
}

// As much alive at every step as at any other, as long as there are buffers left: plans without a gap, if there are
// any.
std::vector<BufferLife> full_buffers(Rng& rng, std::size_t most_buffers, std::size_t steps, std::int64_t alive) {
  std::vector<BufferLife> buffers;
  for (std::size_t step = 0; step < steps; ++step) {
    std::int64_t left = alive;
    for (const BufferLife& one : buffers) left -= one.last_step >= step ? one.bytes : 0;
    while (left > 0 && buffers.size() < most_buffers) {
      const auto bytes =
          1 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(std::min<std::int64_t>(left, 3))));
      buffers.push_back({step, std::min(steps - 1, step + static_cast<std::size_t>(rng.below(4))), bytes});
      left -= bytes;
    }
  }
  return buffers;
}

TEST(MemoryPlan, EqualsBruteForceOnUpToTenBuffers) {
  Rng rng(11, "plans");
  for (int round = 0; round < 3000; ++round) {
    const bool full = round % 3 > 0;
    const std::size_t steps = 3 + rng.below(5);
    const std::vector<BufferLife> buffers =
        full ? full_buffers(rng, 10, steps, 4 + round % 4) : random_buffers(rng, 1 + rng.below(10), steps, 4);
    const MemoryPlan plan = plan_memory(buffers);
    expect_no_overlap(buffers, plan);
    EXPECT_TRUE(plan.optimal);
    EXPECT_EQ(plan.arena_bytes, smallest_arena(buffers, plan.lower_bound_bytes));
  }
}

// The few of a million drawn instances whose best plan is above the sum alive at one step; and the same with a buffer
// more, or other sizes.
TEST(MemoryPlan, EqualsBruteForceWhereTheBoundIsNotReached) {
  const std::vector<std::vector<BufferLife>> hard{
      {{0, 3, 2}, {4, 5, 1}, {2, 5, 1}, {6, 6, 2}, {5, 6, 2}, {2, 4, 1}, {0, 1, 2}},
      {{0, 3, 4}, {4, 5, 2}, {2, 5, 1}, {6, 6, 4}, {5, 6, 3}, {2, 4, 2}, {0, 1, 3}},
      {{3, 5, 1}, {2, 5, 1}, {6, 6, 2}, {1, 3, 1}, {3, 4, 1}, {0, 2, 2}, {0, 0, 2}, {5, 6, 2}},
      {{2, 5, 1}, {3, 5, 1}, {5, 6, 3}, {2, 4, 1}, {0, 3, 3}, {4, 4, 1}, {1, 1, 3}, {6, 6, 3}, {4, 5, 1}},
      {{2, 2, 3}, {2, 3, 2}, {6, 6, 3}, {3, 4, 2}, {4, 5, 1}, {1, 1, 2}, {5, 6, 3}, {3, 5, 1}, {3, 5, 1}}};
  Rng rng(2, "around");
  int above_bound = 0;
  for (const std::vector<BufferLife>& instance : hard) {
    EXPECT_GT(plan_memory(instance).arena_bytes, plan_memory(instance).lower_bound_bytes);
    for (int round = 0; round < 200; ++round) {
      std::vector<BufferLife> buffers = instance;
      if (round % 2 == 1) buffers.push_back(random_buffers(rng, 1, 7, 2).front());
      if (round % 4 > 1) buffers[rng.below(buffers.size())].bytes += 1;
      const MemoryPlan plan = plan_memory(buffers);
      expect_no_overlap(buffers, plan);
      EXPECT_TRUE(plan.optimal);
      EXPECT_EQ(plan.arena_bytes, smallest_arena(buffers, plan.lower_bound_bytes));
      above_bound += plan.arena_bytes > plan.lower_bound_bytes ? 1 : 0;
    }
  }
  EXPECT_GT(above_bound, 250);
}

TEST(MemoryPlan, LargeOnesAreValidAndNearTheBound) {
  Rng rng(3, "large");
  for (int round = 0; round < 20; ++round) {
    const std::vector<BufferLife> buffers = random_buffers(rng, 120, 80, 1000);
    const MemoryPlan plan = plan_memory(buffers);
    expect_no_overlap(buffers, plan);
    EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.15 * static_cast<double>(plan.lower_bound_bytes));
  }
}

TEST(MemoryPlan, EdgesAndBadInput) {
  EXPECT_EQ(plan_memory({}).arena_bytes, 0);
  EXPECT_TRUE(plan_memory({}).optimal);
  const std::vector<BufferLife> nothing{{0, 3, 0}, {1, 2, 0}};
  EXPECT_EQ(plan_memory(nothing).arena_bytes, 0);
  const std::vector<BufferLife> backwards{{3, 1, 5}}, negative{{0, 1, -1}};
  EXPECT_THROW(plan_memory(backwards), std::invalid_argument);
  EXPECT_THROW(plan_memory(negative), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
