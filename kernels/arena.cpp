#include "kernels/arena.hpp"

#include <algorithm>
#include <numeric>

namespace ridgeline {

ArenaPlan plan_arena(std::span<const ArenaRequest> requests, std::int64_t alignment) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return requests[a].bytes > requests[b].bytes; });
  ArenaPlan plan;
  plan.offsets.resize(requests.size());
  std::vector<std::size_t> placed;  // by ascending offset
  for (const std::size_t i : order) {
    std::int64_t offset = 0;
    for (const std::size_t j : placed) {
      if (requests[j].last_step < requests[i].first_step || requests[i].last_step < requests[j].first_step) continue;
      if (plan.offsets[j] >= offset + requests[i].bytes) break;
      const std::int64_t end = plan.offsets[j] + requests[j].bytes;
      offset = std::max(offset, (end + alignment - 1) / alignment * alignment);
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + requests[i].bytes);
    const auto by_offset = [&](std::int64_t value, std::size_t j) { return value < plan.offsets[j]; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset, by_offset), i);
  }
  return plan;
}

std::int64_t arena_lower_bound(std::span<const ArenaRequest> requests) {
  std::int64_t most = 0;
  for (const ArenaRequest& at : requests) {  // the sum only grows at the first step of some request
    std::int64_t sum = 0;
    for (const ArenaRequest& other : requests) {
      if (other.first_step <= at.first_step && at.first_step <= other.last_step) sum += other.bytes;
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace ridgeline
