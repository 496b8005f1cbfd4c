#include "hwmodels/scratchpad/residency.hpp"

#include <algorithm>
#include <numeric>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Kind = ScratchTensor::Kind;

void set(Residency& residency, std::size_t tensor, Stay stay) { residency[tensor] = static_cast<char>(stay); }

// All sets of `candidates` (largest first) whose bytes reach `excess` and of which no part does: as the last one taken
// is the smallest, a set is minimal when it did not reach before.
class MinimalSets {
 public:
  MinimalSets(const ScratchpadProblem& problem, std::vector<std::size_t> candidates, std::int64_t excess)
      : problem_(problem), candidates_(std::move(candidates)), excess_(excess) {
    std::ranges::stable_sort(candidates_, [&](std::size_t a, std::size_t b) { return bytes(a) > bytes(b); });
    std::int64_t after = 0;
    rest_.assign(candidates_.size() + 1, 0);
    for (std::size_t i = candidates_.size(); i-- > 0;) rest_[i] = after += bytes(candidates_[i]);
    extend(0, 0);
  }
  std::vector<std::vector<std::size_t>> found;
  bool complete = true;

 private:
  std::int64_t bytes(std::size_t tensor) const { return problem_.tensors[tensor].bytes; }
  void extend(std::size_t from, std::int64_t sum) {
    if (sum >= excess_) {
      if (found.size() < ResidencyRules::most_evictions) found.push_back(chosen_);
      complete = complete && found.size() < ResidencyRules::most_evictions;
      return;
    }
    for (std::size_t i = from; i < candidates_.size() && complete && sum + rest_[i] >= excess_; ++i) {
      chosen_.push_back(candidates_[i]);
      extend(i + 1, sum + bytes(candidates_[i]));
      chosen_.pop_back();
    }
  }

  const ScratchpadProblem& problem_;
  std::vector<std::size_t> candidates_, chosen_;
  std::vector<std::int64_t> rest_;
  std::int64_t excess_;
};

}  // namespace

Residency ResidencyRules::start() const {
  Residency residency(problem_.tensors.size(), static_cast<char>(Stay::unborn));
  for (std::size_t t = 0; t < residency.size(); ++t) {
    if (problem_.tensors[t].kind == Kind::input) set(residency, t, Stay::unread);
  }
  return residency;
}

bool ResidencyRules::finished(const Residency& residency) const {
  return residency.find(static_cast<char>(Stay::unborn)) == Residency::npos;
}

std::vector<std::size_t> ResidencyRules::ready(const Residency& residency) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < problem_.ops.size(); ++i) {
    const ScratchOp& op = problem_.ops[i];
    if (stay_of(residency, op.writes) != Stay::unborn) continue;
    if (std::ranges::none_of(op.reads, [&](std::size_t t) { return stay_of(residency, t) == Stay::unborn; })) {
      found.push_back(i);
    }
  }
  return found;
}

std::size_t ResidencyRules::readers_left(const Residency& residency, std::size_t tensor) const {
  return static_cast<std::size_t>(std::ranges::count_if(problem_.tensors[tensor].readers, [&](std::size_t reader) {
    return stay_of(residency, problem_.ops[reader].writes) == Stay::unborn;
  }));
}

std::vector<std::size_t> ResidencyRules::streamed_on_chip(const Residency& residency, std::size_t op) const {
  std::vector<std::size_t> found;
  for (const std::size_t t : problem_.ops[op].streams) {
    if (is_on_chip(stay_of(residency, t))) found.push_back(t);
  }
  return found;
}

std::int64_t ResidencyRules::bytes_with(const Residency& residency, std::size_t index) const {
  const ScratchOp& op = problem_.ops[index];
  std::int64_t bytes = problem_.resident_bytes(op);
  for (std::size_t t = 0; t < residency.size(); ++t) {
    if (is_on_chip(stay_of(residency, t)) && !std::ranges::binary_search(op.reads, t))
      bytes += problem_.tensors[t].bytes;
  }
  return bytes;
}

ResidencyMove ResidencyRules::move(const Residency& before, std::size_t index, std::vector<std::size_t> evicted) const {
  const ScratchOp& op = problem_.ops[index];
  ResidencyMove made{index, std::move(evicted), 0, before};
  for (const std::size_t t : made.evicted) {
    if (stay_of(before, t) == Stay::dirty) made.beyond_bytes += problem_.tensors[t].bytes;
    set(made.after, t, Stay::away);
  }
  for (const std::size_t t : op.reads) {
    const Stay stay = stay_of(made.after, t);
    if (stay == Stay::away) made.beyond_bytes += problem_.tensors[t].bytes;
    if (stay == Stay::away || stay == Stay::unread) {
      set(made.after, t, op.streams_read(t) ? Stay::away : Stay::clean);
    }
  }
  const ScratchTensor& output = problem_.tensors[op.writes];
  const bool written = output.kind == Kind::output;
  if (op.streams_output && !written) made.beyond_bytes += output.bytes;
  set(made.after, op.writes, op.streams_output ? Stay::away : written ? Stay::clean : Stay::dirty);
  if (output.readers.empty()) set(made.after, op.writes, Stay::dead);
  for (const std::size_t t : op.reads) {
    if (readers_left(made.after, t) == 0) set(made.after, t, Stay::dead);
  }
  return made;
}

bool ResidencyRules::moves(const Residency& from, std::vector<ResidencyMove>& found) const {
  bool complete = true;
  for (const std::size_t index : ready(from)) {
    const ScratchOp& op = problem_.ops[index];
    const std::vector<std::size_t> streamed = streamed_on_chip(from, index);
    const std::int64_t excess = bytes_with(from, index) - problem_.capacity_bytes;
    if (excess <= 0) {
      found.push_back(move(from, index, streamed));
      continue;
    }
    std::vector<std::size_t> others;
    for (std::size_t t = 0; t < from.size(); ++t) {
      if (is_on_chip(stay_of(from, t)) && !std::ranges::binary_search(op.reads, t)) others.push_back(t);
    }
    MinimalSets sets(problem_, std::move(others), excess);
    complete = complete && sets.complete;
    for (std::vector<std::size_t>& evicted : sets.found) {
      evicted.insert(evicted.end(), streamed.begin(), streamed.end());
      std::ranges::sort(evicted);
      found.push_back(move(from, index, std::move(evicted)));
    }
  }
  return complete;
}

std::int64_t ResidencyRules::pending_bytes(const Residency& residency) const {
  std::int64_t bytes = 0;
  for (std::size_t t = 0; t < residency.size(); ++t) {
    const ScratchTensor& tensor = problem_.tensors[t];
    const Stay stay = stay_of(residency, t);
    if (stay == Stay::dead || tensor.readers.empty()) {
      if (stay == Stay::unborn && problem_.ops[tensor.producer].streams_output && tensor.kind == Kind::intermediate) {
        bytes += tensor.bytes;
      }
      continue;
    }
    std::int64_t passes = 0;  // streamed reads to come
    for (const std::size_t reader : tensor.readers) {
      const bool to_come = stay_of(residency, problem_.ops[reader].writes) == Stay::unborn;
      passes += to_come && problem_.ops[reader].streams_read(t) ? 1 : 0;
    }
    const bool streamed_out = stay == Stay::unborn && problem_.ops[tensor.producer].streams_output;
    if (stay == Stay::away || streamed_out) passes = std::max<std::int64_t>(passes, 1);
    if (stay == Stay::unread && passes > 0) --passes;
    const bool to_write = stay == Stay::dirty || (stay == Stay::unborn && tensor.kind == Kind::intermediate);
    if (to_write && (passes > 0 || streamed_out)) ++passes;
    bytes += passes * tensor.bytes;
  }
  return bytes;
}

std::vector<ResidencyMove> ResidencyBound::sorted_moves(const Residency& from) {
  std::vector<ResidencyMove> moves;
  if (!rules_.moves(from, moves)) overflow_ = true;
  looked_at_ += moves.size();
  if (looked_at_ > moves_a_state * most_states_) overflow_ = true;
  std::vector<std::int64_t> least;
  for (const ResidencyMove& move : moves) least.push_back(move.beyond_bytes + rules_.pending_bytes(move.after));
  std::vector<std::size_t> order(moves.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return least[a] < least[b]; });
  std::vector<ResidencyMove> sorted;
  for (const std::size_t i : order) sorted.push_back(std::move(moves[i]));
  return sorted;
}

std::optional<std::int64_t> ResidencyBound::to_go(const Residency& from) {
  if (overflow_) return std::nullopt;
  if (rules_.finished(from)) return 0;
  if (const auto known = known_.find(from); known != known_.end()) return known->second;
  std::int64_t best = std::numeric_limits<std::int64_t>::max();
  const std::vector<ResidencyMove> moves = sorted_moves(from);
  if (overflow_) return std::nullopt;
  for (const ResidencyMove& move : moves) {
    if (move.beyond_bytes + rules_.pending_bytes(move.after) >= best) break;
    const std::optional<std::int64_t> rest = to_go(move.after);
    if (!rest) return std::nullopt;
    best = std::min(best, move.beyond_bytes + *rest);
  }
  known_.emplace(from, best);
  if (known_.size() > most_states_) overflow_ = true;
  if (overflow_) return std::nullopt;
  return best;
}

std::vector<ResidencyMove> ResidencyBound::best_moves(std::uint64_t variant) {
  Rng rng(variant, "scratchpad moves");
  std::vector<ResidencyMove> path;
  Residency at = rules_.start();
  while (!rules_.finished(at)) {
    const std::int64_t best = known_.at(at);
    std::vector<ResidencyMove> good;
    for (ResidencyMove& move : sorted_moves(at)) {
      const auto known = known_.find(move.after);
      const bool done = rules_.finished(move.after);
      if (!done && known == known_.end()) continue;
      if (move.beyond_bytes + (done ? 0 : known->second) == best) good.push_back(std::move(move));
    }
    path.push_back(std::move(good[variant == 0 ? 0 : rng.below(good.size())]));
    at = path.back().after;
  }
  return path;
}

namespace {

// Pairs of operators of which the second needs the first.
std::vector<std::vector<bool>> descendants(const ScratchpadProblem& problem) {
  const std::size_t count = problem.ops.size();
  std::vector<std::vector<bool>> after(count, std::vector<bool>(count, false));
  for (std::size_t i = count; i-- > 0;) {
    for (const std::size_t reader : problem.tensors[problem.ops[i].writes].readers) {
      after[i][reader] = true;
      for (std::size_t j = 0; j < count; ++j) {
        if (after[reader][j]) after[i][j] = true;
      }
    }
  }
  return after;
}

struct Crossing {
  std::int64_t bytes = 0;
  std::vector<std::size_t> tensors;
};

// What must have been spilled or kept while the operator runs.
Crossing crossing(const ScratchpadProblem& problem, const std::vector<std::vector<bool>>& after, std::size_t op) {
  Crossing found;
  std::int64_t excess = problem.resident_bytes(problem.ops[op]) - problem.capacity_bytes;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    const ScratchTensor& tensor = problem.tensors[t];
    if (std::ranges::binary_search(problem.ops[op].reads, t) || problem.ops[op].writes == t) continue;
    const auto before_op = [&](std::size_t other) { return after[other][op]; };
    const auto after_op = [&](std::size_t other) { return after[op][other]; };
    const bool begun =
        tensor.kind == Kind::input ? std::ranges::any_of(tensor.readers, before_op) : before_op(tensor.producer);
    if (!begun || std::ranges::none_of(tensor.readers, after_op)) continue;
    found.tensors.push_back(t);
    excess += tensor.bytes;
  }
  if (excess <= 0) return found;
  const auto cost = [&](std::size_t t) {  // what is no intermediate has a copy off-chip: no write
    return (problem.tensors[t].kind == Kind::intermediate ? 2 : 1) * problem.tensors[t].bytes;
  };
  const MinimalSets sets(problem, found.tensors, excess);
  found.bytes = sets.complete ? std::numeric_limits<std::int64_t>::max() : excess;
  for (const std::vector<std::size_t>& spilled : sets.complete ? sets.found : decltype(sets.found){}) {
    std::int64_t sum = 0;
    for (const std::size_t t : spilled) sum += cost(t);
    found.bytes = std::min(found.bytes, sum);
  }
  return found;
}

}  // namespace

std::int64_t crossing_bound(const ScratchpadProblem& problem) {
  const std::vector<std::vector<bool>> after = descendants(problem);
  std::vector<Crossing> found;
  for (std::size_t i = 0; i < problem.ops.size(); ++i) found.push_back(crossing(problem, after, i));
  std::ranges::stable_sort(found, [](const Crossing& a, const Crossing& b) { return a.bytes > b.bytes; });
  std::vector<bool> used(problem.tensors.size(), false);
  std::int64_t sum = 0;
  for (const Crossing& one : found) {
    if (one.bytes == 0 || std::ranges::any_of(one.tensors, [&](std::size_t t) { return used[t]; })) continue;
    for (const std::size_t t : one.tensors) used[t] = true;
    sum += one.bytes;
  }
  const ResidencyRules rules(problem);
  return std::max(sum, rules.pending_bytes(rules.start()));
}

}  // namespace ridgeline
