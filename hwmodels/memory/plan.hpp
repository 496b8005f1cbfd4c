// Places buffers with known lives into one block of memory, so that buffers alive at the same time do not overlap.
//
// Dynamic storage allocation, which is NP-hard. First a heuristic: buffers one after the other in several orders (by
// bytes, by bytes times steps, by steps, by first and by last step), each at the lowest gap that holds it and at the
// tightest one, the best plan kept (greedy by size: Pisarchyk and Lee, 2020, arXiv:2001.03288). Where it is above the
// lower bound, the largest sum of bytes alive at one step, branch and bound goes on: some best plan has every buffer on
// the ground or on a buffer that lives at the same time, so placing buffers by rising offset, each on the highest one
// below it, reaches it (the canonical form of Moffitt, "MiniMalloc", ASPLOS 2023). A branch is cut where a buffer, or
// what has yet to be stacked at some step, no longer fits below the best plan.
//
// Pure. Throws std::invalid_argument for a negative size or a buffer that ends before it begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ridgeline {

struct BufferLife {
  std::size_t first_step = 0, last_step = 0;  // inclusive
  std::int64_t bytes = 0;
  bool overlaps(const BufferLife& other) const {
    return first_step <= other.last_step && other.first_step <= last_step;
  }
};

struct MemoryPlan {
  std::vector<std::int64_t> offsets_bytes;  // one a buffer
  std::int64_t arena_bytes = 0;             // of the whole block
  std::int64_t lower_bound_bytes = 0;       // no plan can be smaller
  bool optimal = true;                      // proved: no plan is smaller
};

// Branches tried before the best plan so far is returned as it is, of more than `always_exact` buffers.
inline constexpr std::size_t always_exact = 10;
inline constexpr std::int64_t branches_of_a_search = 2'000;
inline constexpr std::int64_t branches_of_a_command = 20'000'000;

MemoryPlan plan_memory(std::span<const BufferLife> buffers, std::int64_t most_branches = branches_of_a_search);

// Bytes alive at each step, from 0 to the last one.
std::vector<std::int64_t> alive_bytes(std::span<const BufferLife> buffers);

}  // namespace ridgeline
