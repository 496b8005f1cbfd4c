// Which tensors are where between two steps, and what an operator's turn makes of it, when room counts in bytes and not
// in offsets. That leaves gaps between tensors out of account, so that the fewest bytes here are a lower bound of what
// any plan moves, and the moves that reach it are a plan where offsets for them exist (placement.hpp).
//
// ResidencyBound is dynamic programming over sets of operators done (as in Serenity: Ahn et al., "Ordering Chaos",
// MLSys 2020), here with what is on the chip in the state: exact over all orders and all replacements. Evicting later
// is never worse, so that only sets of which no part would do are evicted. Where everything that follows depends on one
// tensor, few states are left: the whole falls into parts by itself.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "hwmodels/scratchpad/problem.hpp"

namespace ridgeline {

// Of one tensor. Network inputs are `unread` until they are first used, then as others.
enum class Stay : char { unborn, unread, dirty, clean, away, dead };
inline bool is_on_chip(Stay stay) { return stay == Stay::dirty || stay == Stay::clean; }  // clean: also off-chip

using Residency = std::string;  // one Stay a tensor, as a key of hash tables
inline Stay stay_of(const Residency& residency, std::size_t tensor) { return static_cast<Stay>(residency[tensor]); }

struct ResidencyMove {
  std::size_t op = 0;
  std::vector<std::size_t> evicted;  // before it, ascending; an operand among them is loaded again
  std::int64_t beyond_bytes = 0;
  Residency after;
};

class ResidencyRules {
 public:
  explicit ResidencyRules(const ScratchpadProblem& problem) : problem_(problem) {}

  const ScratchpadProblem& problem() const { return problem_; }
  Residency start() const;
  bool finished(const Residency& residency) const;
  std::vector<std::size_t> ready(const Residency& residency) const;  // operators that may run, ascending

  // Evicts, loads, runs and drops. `evicted` holds every streamed operand that is on the chip.
  ResidencyMove move(const Residency& before, std::size_t op, std::vector<std::size_t> evicted) const;
  std::vector<std::size_t> streamed_on_chip(const Residency& residency, std::size_t op) const;
  // Bytes on the chip while `op` runs, when nothing but streamed operands is evicted.
  std::int64_t bytes_with(const Residency& residency, std::size_t op) const;
  // Every move from here whose evictions are minimal; false: cut at `most_evictions` sets an operator.
  bool moves(const Residency& from, std::vector<ResidencyMove>& found) const;
  // A lower bound of what is still to be moved: what is away and still read, and what will be streamed.
  std::int64_t pending_bytes(const Residency& residency) const;

  static constexpr std::size_t most_evictions = 4096;

 private:
  std::size_t readers_left(const Residency& residency, std::size_t tensor) const;
  const ScratchpadProblem& problem_;
};

class ResidencyBound {
 public:
  ResidencyBound(const ResidencyRules& rules, std::size_t most_states) : rules_(rules), most_states_(most_states) {}

  // The fewest bytes beyond the compulsory from here to the end; nothing when it takes more states than allowed.
  std::optional<std::int64_t> to_go(const Residency& from);
  // Moves from the start that reach to_go(start()), which was found. `variant`: which of equally good ones.
  std::vector<ResidencyMove> best_moves(std::uint64_t variant);
  std::size_t states() const { return known_.size(); }

 private:
  std::vector<ResidencyMove> sorted_moves(const Residency& from);

  const ResidencyRules& rules_;
  static constexpr std::size_t moves_a_state = 10;  // looked at, for each state allowed
  std::size_t most_states_, looked_at_ = 0;
  bool overflow_ = false;
  std::unordered_map<Residency, std::int64_t> known_;
};

// A bound for networks of any size: while an operator runs, what its ancestors made and its descendants read lies on
// the chip or was spilled; sums over operators whose tensors are not the same.
std::int64_t crossing_bound(const ScratchpadProblem& problem);

}  // namespace ridgeline
