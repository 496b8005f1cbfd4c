#include "hwmodels/scratchpad/baselines.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "hwmodels/scratchpad/residency.hpp"

namespace ridgeline {
namespace {

// What is in the scratchpad, ascending by offset.
struct Block {
  std::size_t tensor;
  std::int64_t offset, bytes;
};

// How long ago a tensor was used last, or how far away its next use behind this step is, none being farthest.
std::size_t steps_away(Replacement replacement, std::size_t step, std::size_t last_use,
                       const std::vector<std::size_t>& uses) {
  if (replacement == Replacement::lru) return step - last_use;
  const auto next = std::ranges::upper_bound(uses, step);
  return next == uses.end() ? std::numeric_limits<std::size_t>::max() : *next - step;
}

std::vector<std::vector<std::size_t>> uses_in(const ScratchpadProblem& problem, const std::vector<std::size_t>& order) {
  std::vector<std::vector<std::size_t>> uses(problem.tensors.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    for (const std::size_t t : problem.ops[order[k]].reads) uses[t].push_back(k);
  }
  return uses;
}

class Replay {
 public:
  Replay(const ScratchpadProblem& problem, const std::vector<std::size_t>& order, Replacement replacement)
      : problem_(problem),
        replacement_(replacement),
        uses_(uses_in(problem, order)),
        last_use_(problem.tensors.size()) {
    off_chip_.resize(problem.tensors.size());
    for (std::size_t t = 0; t < off_chip_.size(); ++t) {
      off_chip_[t] = problem.tensors[t].kind == ScratchTensor::Kind::input;
    }
    for (std::size_t k = 0; k < order.size(); ++k) run(k, order[k]);
  }
  ScratchpadPlan take() { return std::move(plan_); }

 private:
  struct Wanted {
    std::size_t tensor;
    std::int64_t bytes;
  };

  void run(std::size_t k, std::size_t index) {
    const ScratchOp& op = problem_.ops[index];
    step_ = {};
    step_.op = index;
    for (const std::size_t t : op.streams) {
      if (resident(t)) evict(t);
    }
    while (!place(op)) {
      std::optional<std::size_t> victim = choose_victim(op, k, false);
      if (!victim) victim = choose_victim(op, k, true);
      evict(victim.value());
    }
    for (const std::size_t t : op.reads) last_use_[t] = k;
    last_use_[op.writes] = k;
    off_chip_[op.writes] = op.streams_output || problem_.tensors[op.writes].kind == ScratchTensor::Kind::output;
    std::erase_if(blocks_,
                  [&](const Block& block) { return uses_[block.tensor].empty() || uses_[block.tensor].back() <= k; });
    plan_.steps.push_back(std::move(step_));
  }

  bool resident(std::size_t tensor) const {
    return std::ranges::any_of(blocks_, [&](const Block& block) { return block.tensor == tensor; });
  }

  void evict(std::size_t tensor) {
    step_.evictions.push_back({tensor, !off_chip_[tensor]});
    off_chip_[tensor] = true;
    std::erase_if(blocks_, [&](const Block& block) { return block.tensor == tensor; });
  }

  static std::optional<std::int64_t> first_fit(const std::vector<Block>& blocks, std::int64_t bytes,
                                               std::int64_t capacity) {
    std::int64_t free_from = 0;
    for (const Block& block : blocks) {
      if (block.offset - free_from >= bytes) return free_from;
      free_from = std::max(free_from, block.offset + block.bytes);
    }
    if (capacity - free_from >= bytes) return free_from;
    return std::nullopt;
  }

  std::optional<std::int64_t> add(std::vector<Block>& blocks, std::size_t tensor, std::int64_t bytes) const {
    const std::optional<std::int64_t> offset = first_fit(blocks, bytes, problem_.capacity_bytes);
    if (offset) {
      const auto after = std::ranges::find_if(blocks, [&](const Block& block) { return block.offset >= *offset; });
      blocks.insert(after, {tensor, *offset, bytes});
    }
    return offset;
  }

  // All that is missing, or nothing.
  bool place(const ScratchOp& op) {
    std::vector<Block> blocks = blocks_;
    std::vector<ScratchLoad> loads;
    for (const std::size_t t : op.reads) {
      if (op.streams_read(t) || resident(t)) continue;
      const std::optional<std::int64_t> offset = add(blocks, t, problem_.tensors[t].bytes);
      if (!offset) return false;
      loads.push_back({t, *offset});
    }
    std::optional<std::int64_t> output, weights;
    if (!op.streams_output && !(output = add(blocks, op.writes, problem_.tensors[op.writes].bytes))) return false;
    if (op.resident_weights() > 0) {
      weights = first_fit(blocks, op.resident_weights(), problem_.capacity_bytes);
      if (!weights) return false;
    }
    blocks_ = std::move(blocks);
    step_.loads = std::move(loads);
    step_.output_offset = output;
    step_.weights_offset = weights;
    return true;
  }

  // Of what the operator does not read, or of what it reads.
  std::optional<std::size_t> choose_victim(const ScratchOp& op, std::size_t k, bool operands) const {
    std::optional<std::size_t> chosen;
    std::size_t most = 0;
    for (const Block& block : blocks_) {
      const std::size_t t = block.tensor;
      if (std::ranges::binary_search(op.reads, t) != operands) continue;
      const std::size_t distance = steps_away(replacement_, k, last_use_[t], uses_[t]);
      if (chosen && distance <= most) continue;
      chosen = t;
      most = distance;
    }
    return chosen;
  }

  const ScratchpadProblem& problem_;
  Replacement replacement_;
  std::vector<Block> blocks_;
  std::vector<std::vector<std::size_t>> uses_;  // steps at which a tensor is read, ascending
  std::vector<std::size_t> last_use_;
  std::vector<bool> off_chip_;
  ScratchStep step_;
  ScratchpadPlan plan_;
};

// Runs operators by a preference among those that can run: the smallest key.
template <typename Key>
std::vector<std::size_t> ordered(const ScratchpadProblem& problem, Key key) {
  std::vector<std::size_t> missing, order, made_at(problem.tensors.size(), 0), since(problem.ops.size(), 0);
  std::vector<std::size_t> left;
  for (const ScratchTensor& tensor : problem.tensors) left.push_back(tensor.readers.size());
  for (const ScratchOp& op : problem.ops) {
    missing.push_back(static_cast<std::size_t>(std::ranges::count_if(
        op.reads, [&](std::size_t t) { return problem.tensors[t].producer != ScratchTensor::no_producer; })));
  }
  std::vector<bool> done(problem.ops.size(), false);
  while (order.size() < problem.ops.size()) {
    std::optional<std::size_t> best;
    std::int64_t least = 0;
    for (std::size_t i = 0; i < problem.ops.size(); ++i) {
      if (done[i] || missing[i] > 0) continue;
      const std::int64_t value = key(i, made_at, since, left);
      if (best && value >= least) continue;
      best = i;
      least = value;
    }
    const ScratchOp& op = problem.ops[*best];
    done[*best] = true;
    order.push_back(*best);
    made_at[op.writes] = order.size();
    for (const std::size_t t : op.reads) --left[t];
    for (const std::size_t reader : problem.tensors[op.writes].readers) {
      if (--missing[reader] == 0) since[reader] = order.size();
    }
  }
  return order;
}

using Counts = std::vector<std::size_t>;

}  // namespace

std::span<const std::string> operator_order_names() {
  static const std::array<std::string, 4> names{"network", "depth-first", "breadth-first", "least-memory"};
  return names;
}

std::vector<std::size_t> operator_order(const ScratchpadProblem& problem, OperatorOrder order) {
  switch (order) {
    case OperatorOrder::depth_first:
      return ordered(problem, [&](std::size_t i, const Counts& made_at, const Counts&, const Counts&) {
        std::size_t latest = 0;
        for (const std::size_t t : problem.ops[i].reads) latest = std::max(latest, made_at[t]);
        return -static_cast<std::int64_t>(latest);
      });
    case OperatorOrder::breadth_first:
      return ordered(problem, [&](std::size_t i, const Counts&, const Counts& since, const Counts&) {
        return static_cast<std::int64_t>(since[i]);
      });
    case OperatorOrder::least_memory:
      return ordered(problem, [&](std::size_t i, const Counts&, const Counts&, const Counts& left) {
        std::int64_t bytes = problem.tensors[problem.ops[i].writes].bytes;
        for (const std::size_t t : problem.ops[i].reads) bytes -= left[t] == 1 ? problem.tensors[t].bytes : 0;
        return bytes;
      });
    case OperatorOrder::network:
      break;
  }
  return ordered(
      problem, [](std::size_t i, const Counts&, const Counts&, const Counts&) { return static_cast<std::int64_t>(i); });
}

ScratchpadPlan replace_in_order(const ScratchpadProblem& problem, const std::vector<std::size_t>& order,
                                Replacement replacement) {
  return Replay(problem, order, replacement).take();
}

std::int64_t bytes_without_gaps(const ScratchpadProblem& problem, const std::vector<std::size_t>& order,
                                Replacement replacement) {
  const ResidencyRules rules(problem);
  const std::vector<std::vector<std::size_t>> uses = uses_in(problem, order);
  std::vector<std::size_t> last_use(problem.tensors.size(), 0);
  Residency at = rules.start();
  std::int64_t bytes = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const ScratchOp& op = problem.ops[order[k]];
    std::vector<std::size_t> evicted = rules.streamed_on_chip(at, order[k]), others;
    for (std::size_t t = 0; t < at.size(); ++t) {
      if (is_on_chip(stay_of(at, t)) && !std::ranges::binary_search(op.reads, t)) others.push_back(t);
    }
    std::ranges::stable_sort(others, std::ranges::greater{},
                             [&](std::size_t t) { return steps_away(replacement, k, last_use[t], uses[t]); });
    std::int64_t excess = rules.bytes_with(at, order[k]) - problem.capacity_bytes;
    for (auto victim = others.begin(); excess > 0; ++victim) {
      evicted.push_back(*victim);
      excess -= problem.tensors[*victim].bytes;
    }
    std::ranges::sort(evicted);
    ResidencyMove move = rules.move(at, order[k], std::move(evicted));
    bytes += move.beyond_bytes;
    at = std::move(move.after);
    for (const std::size_t t : op.reads) last_use[t] = k;
    last_use[op.writes] = k;
  }
  return bytes;
}

}  // namespace ridgeline
