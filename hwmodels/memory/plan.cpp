#include "hwmodels/memory/plan.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace ridgeline {
namespace {

using Order = std::vector<std::size_t>;

std::int64_t steps_of(const BufferLife& buffer) {
  return static_cast<std::int64_t>(buffer.last_step - buffer.first_step + 1);
}

// One order placed buffer by buffer. `tightest`: into the smallest gap that holds it, not the lowest one.
class GreedyPlacement {
 public:
  GreedyPlacement(std::span<const BufferLife> buffers, bool tightest) : buffers_(buffers), tightest_(tightest) {}

  std::int64_t place(const Order& order, std::vector<std::int64_t>& offsets) {
    placed_.clear();
    offsets.assign(buffers_.size(), 0);
    std::int64_t arena = 0;
    for (const std::size_t one : order) {
      offsets[one] = offset_of(one, offsets);
      arena = std::max(arena, offsets[one] + buffers_[one].bytes);
      const auto above = [&](std::size_t other) { return offsets[other] > offsets[one]; };
      placed_.insert(std::ranges::find_if(placed_, above), one);
    }
    return arena;
  }

 private:
  std::int64_t offset_of(std::size_t one, const std::vector<std::int64_t>& offsets) const {
    std::int64_t ground = 0, best = -1, best_gap = std::numeric_limits<std::int64_t>::max();
    for (const std::size_t other : placed_) {
      if (!buffers_[one].overlaps(buffers_[other])) continue;
      const std::int64_t gap = offsets[other] - ground;
      if (gap >= buffers_[one].bytes && gap < best_gap) {
        best = ground;
        best_gap = gap;
        if (!tightest_) return best;
      }
      ground = std::max(ground, offsets[other] + buffers_[other].bytes);
    }
    return best >= 0 ? best : ground;
  }

  std::span<const BufferLife> buffers_;
  bool tightest_;
  Order placed_;  // by rising offset
};

class BranchAndBound {
 public:
  BranchAndBound(std::span<const BufferLife> buffers, MemoryPlan& plan, std::int64_t most_branches)
      : buffers_(buffers), plan_(plan), left_(most_branches), waiting_(alive_bytes(buffers)) {
    ground_.assign(waiting_.size(), 0);
    offsets_.assign(buffers.size(), 0);
    placed_.assign(buffers.size(), false);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      if (buffers[i].bytes > 0) ++unplaced_;
    }
  }

  // True: the plan is proved.
  bool run() {
    branch(0, 0);
    return left_ > 0 || plan_.arena_bytes == plan_.lower_bound_bytes;
  }

 private:
  struct Next {
    std::int64_t offset;
    std::size_t buffer;
  };

  std::int64_t ground_under(const BufferLife& buffer) const {
    std::int64_t most = 0;
    for (std::size_t step = buffer.first_step; step <= buffer.last_step; ++step) most = std::max(most, ground_[step]);
    return most;
  }

  // What every plan below this branch needs at least is not below the best one. `floor`: no later buffer lies lower.
  bool hopeless(std::int64_t floor) const {
    for (std::size_t step = 0; step < waiting_.size(); ++step) {
      if (waiting_[step] > 0 && std::max(ground_[step], floor) + waiting_[step] >= plan_.arena_bytes) return true;
    }
    return false;
  }

  // Buffers come by rising offset, those of one offset by rising number.
  void branch(std::int64_t floor, std::size_t last) {
    if (plan_.arena_bytes == plan_.lower_bound_bytes || --left_ <= 0) return;
    if (unplaced_ == 0) {
      plan_.offsets_bytes = offsets_;
      plan_.arena_bytes = *std::ranges::max_element(ground_);
      return;
    }
    if (hopeless(floor)) return;
    std::vector<Next> choices;
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      if (placed_[i] || buffers_[i].bytes == 0) continue;
      const std::int64_t offset = ground_under(buffers_[i]);
      if (std::max(offset, floor) + buffers_[i].bytes >= plan_.arena_bytes) return;  // it fits nowhere any more
      if (offset > floor || (offset == floor && i >= last)) choices.push_back({offset, i});
    }
    std::ranges::stable_sort(choices, [&](const Next& a, const Next& b) {
      return a.offset != b.offset ? a.offset < b.offset : buffers_[a.buffer].bytes > buffers_[b.buffer].bytes;
    });
    for (const Next& one : choices) descend(one);
  }

  void descend(const Next& one) {
    const BufferLife& buffer = buffers_[one.buffer];
    const auto first = static_cast<std::ptrdiff_t>(buffer.first_step);
    const auto end = static_cast<std::ptrdiff_t>(buffer.last_step) + 1;
    const std::vector<std::int64_t> before(ground_.begin() + first, ground_.begin() + end);
    std::fill(ground_.begin() + first, ground_.begin() + end, one.offset + buffer.bytes);
    for (std::size_t step = buffer.first_step; step <= buffer.last_step; ++step) waiting_[step] -= buffer.bytes;
    offsets_[one.buffer] = one.offset;
    placed_[one.buffer] = true;
    --unplaced_;
    branch(one.offset, one.buffer);
    ++unplaced_;
    placed_[one.buffer] = false;
    for (std::size_t step = buffer.first_step; step <= buffer.last_step; ++step) waiting_[step] += buffer.bytes;
    std::ranges::copy(before, ground_.begin() + first);
  }

  std::span<const BufferLife> buffers_;
  MemoryPlan& plan_;  // the best so far
  std::int64_t left_;
  std::vector<std::int64_t> waiting_;  // bytes alive at each step that are not placed
  std::vector<std::int64_t> ground_;   // what is placed reaches so high, at each step
  std::vector<std::int64_t> offsets_;
  std::vector<bool> placed_;
  std::size_t unplaced_ = 0;
};

// The plan by the best of several orders.
void plan_greedily(std::span<const BufferLife> buffers, MemoryPlan& plan) {
  using Key = std::function<std::int64_t(const BufferLife&)>;  // the largest first
  static const std::array<Key, 5> keys{
      [](const BufferLife& one) { return one.bytes; },
      [](const BufferLife& one) { return one.bytes * steps_of(one); },
      [](const BufferLife& one) { return steps_of(one); },
      [](const BufferLife& one) { return -static_cast<std::int64_t>(one.first_step); },
      [](const BufferLife& one) { return static_cast<std::int64_t>(one.last_step); },
  };
  plan.arena_bytes = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> offsets;
  for (const Key& key : keys) {
    Order order(buffers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      const std::int64_t first = key(buffers[a]), second = key(buffers[b]);
      return first != second ? first > second : buffers[a].bytes > buffers[b].bytes;
    });
    for (const bool tightest : {false, true}) {
      const std::int64_t arena = GreedyPlacement(buffers, tightest).place(order, offsets);
      if (arena >= plan.arena_bytes) continue;
      plan.arena_bytes = arena;
      plan.offsets_bytes = offsets;
      if (arena == plan.lower_bound_bytes) return;
    }
  }
}

}  // namespace

std::vector<std::int64_t> alive_bytes(std::span<const BufferLife> buffers) {
  std::size_t steps = 0;
  for (const BufferLife& one : buffers) steps = std::max(steps, one.last_step + 1);
  std::vector<std::int64_t> change(steps + 1);
  for (const BufferLife& one : buffers) {
    change[one.first_step] += one.bytes;
    change[one.last_step + 1] -= one.bytes;
  }
  std::partial_sum(change.begin(), change.end(), change.begin());
  change.pop_back();
  return change;
}

MemoryPlan plan_memory(std::span<const BufferLife> buffers, std::int64_t most_branches) {
  for (const BufferLife& one : buffers) {
    if (one.bytes < 0 || one.last_step < one.first_step) {
      throw std::invalid_argument("a buffer of negative size, or one that ends before it begins");
    }
  }
  MemoryPlan plan;
  if (buffers.empty()) return plan;
  plan.lower_bound_bytes = std::ranges::max(alive_bytes(buffers));
  plan_greedily(buffers, plan);
  if (plan.arena_bytes == plan.lower_bound_bytes) return plan;
  const bool few = buffers.size() <= always_exact;
  plan.optimal = BranchAndBound(buffers, plan, few ? std::numeric_limits<std::int64_t>::max() : most_branches).run();
  return plan;
}

}  // namespace ridgeline
