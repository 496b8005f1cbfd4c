#include "kernels/arena.hpp"

#include <gtest/gtest.h>

#include <array>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

void expect_disjoint(std::span<const ArenaRequest> requests, const ArenaPlan& plan) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_GE(plan.offsets[i], 0);
    EXPECT_LE(plan.offsets[i] + requests[i].bytes, plan.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      const bool together =
          requests[i].first_step <= requests[j].last_step && requests[j].first_step <= requests[i].last_step;
      const bool overlap = plan.offsets[i] < plan.offsets[j] + requests[j].bytes &&
                           plan.offsets[j] < plan.offsets[i] + requests[i].bytes;
      EXPECT_FALSE(together && overlap) << i << " and " << j;
    }
  }
}

TEST(Arena, ReusesMemoryOfWhatIsNoLongerAlive) {
  const std::array<ArenaRequest, 3> chain{{{0, 1, 100}, {1, 2, 100}, {2, 3, 100}}};
  const ArenaPlan plan = plan_arena(chain, 4);
  expect_disjoint(chain, plan);
  EXPECT_EQ(plan.bytes, 200);
  EXPECT_EQ(arena_lower_bound(chain), 200);
}

TEST(Arena, FitsSmallBuffersIntoGaps) {
  // The large two never meet, the small one meets both.
  const std::array<ArenaRequest, 3> requests{{{0, 1, 64}, {2, 3, 64}, {1, 2, 16}}};
  const ArenaPlan plan = plan_arena(requests, 16);
  expect_disjoint(requests, plan);
  EXPECT_EQ(plan.bytes, 80);
}

TEST(Arena, AlignsEveryOffset) {
  const std::array<ArenaRequest, 3> requests{{{0, 5, 3}, {0, 5, 5}, {0, 5, 70}}};
  const ArenaPlan plan = plan_arena(requests, 64);
  expect_disjoint(requests, plan);
  for (const std::int64_t offset : plan.offsets) EXPECT_EQ(offset % 64, 0);
}

TEST(Arena, IsEmptyForNothing) {
  EXPECT_EQ(plan_arena({}).bytes, 0);
  EXPECT_EQ(arena_lower_bound({}), 0);
}

TEST(Arena, RandomRequestsNeverOverlapAndStayNearTheBound) {
  double worst = 0.0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed, "arena");
    std::vector<ArenaRequest> requests;
    for (std::size_t i = 0; i < 1 + rng.below(40); ++i) {
      const std::size_t first = rng.below(30);
      requests.push_back({first, first + rng.below(6), 1 + static_cast<std::int64_t>(rng.below(100000))});
    }
    const ArenaPlan plan = plan_arena(requests, 1);
    expect_disjoint(requests, plan);
    EXPECT_GE(plan.bytes, arena_lower_bound(requests));
    worst = std::max(worst, static_cast<double>(plan.bytes) / static_cast<double>(arena_lower_bound(requests)));
  }
  EXPECT_LT(worst, 1.5);
}

}  // namespace
}  // namespace ridgeline
