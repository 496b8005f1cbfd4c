// Places buffers with known live ranges into one block of memory.
//
// Greedy by size (Pisarchyk and Lee, 2020, arXiv:2001.03288): largest first, each at the lowest offset where it
// overlaps no placed buffer that lives at the same time. Not always optimal; never below the largest sum alive at one
// step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ridgeline {

struct ArenaRequest {
  std::size_t first_step, last_step;  // inclusive
  std::int64_t bytes;
};

struct ArenaPlan {
  std::vector<std::int64_t> offsets;  // one a request, multiples of `alignment`
  std::int64_t bytes = 0;             // of the whole block
};

ArenaPlan plan_arena(std::span<const ArenaRequest> requests, std::int64_t alignment = 64);

// The largest sum of bytes alive at one step: no plan can be smaller.
std::int64_t arena_lower_bound(std::span<const ArenaRequest> requests);

}  // namespace ridgeline
