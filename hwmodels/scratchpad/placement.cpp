#include "hwmodels/scratchpad/placement.hpp"

#include <algorithm>
#include <numeric>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

struct Place {
  static constexpr std::size_t weights = std::numeric_limits<std::size_t>::max();
  std::size_t tensor = weights;
  std::size_t first = 0, last = 0;  // steps, inclusive
  std::int64_t bytes = 0;
  std::int64_t offset = -1;  // not placed
};

// The places that moves need, in the order in which they begin.
std::vector<Place> places_of(const ResidencyRules& rules, const std::vector<ResidencyMove>& moves) {
  const ScratchpadProblem& problem = rules.problem();
  constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  std::vector<Place> places;
  std::vector<std::size_t> open(problem.tensors.size(), none);
  const auto begin = [&](std::size_t t, std::size_t step) {
    open[t] = places.size();
    places.push_back({t, step, step, problem.tensors[t].bytes});
  };
  for (std::size_t k = 0; k < moves.size(); ++k) {
    const ScratchOp& op = problem.ops[moves[k].op];
    for (const std::size_t t : moves[k].evicted) open[t] = none;
    for (const std::size_t t : op.reads) {
      if (!op.streams_read(t) && open[t] == none) begin(t, k);
    }
    if (!op.streams_output) begin(op.writes, k);
    for (const std::size_t place : open) {
      if (place != none) places[place].last = k;
    }
    if (op.resident_weights() > 0) places.push_back({Place::weights, k, k, op.resident_weights()});
    for (std::size_t t = 0; t < open.size(); ++t) {
      if (open[t] != none && stay_of(moves[k].after, t) == Stay::dead) open[t] = none;
    }
  }
  return places;
}

class Packing {
 public:
  Packing(std::vector<Place>& places, std::int64_t capacity) : places_(places), capacity_(capacity) {
    conflicts_.resize(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      for (std::size_t j = 0; j < places.size(); ++j) {
        if (i != j && places[i].first <= places[j].last && places[j].first <= places[i].last)
          conflicts_[i].push_back(j);
      }
    }
  }

  // One pass in this order; which place fits nowhere, or places_.size().
  std::size_t run(const std::vector<std::size_t>& order, const std::vector<bool>& high) {
    for (Place& place : places_) place.offset = -1;
    for (const std::size_t i : order) {
      if (!settle(i, high[i])) return i;
    }
    return places_.size();
  }

 private:
  bool settle(std::size_t i, bool high) {
    std::vector<std::pair<std::int64_t, std::int64_t>> taken;
    for (const std::size_t j : conflicts_[i]) {
      if (places_[j].offset >= 0) taken.emplace_back(places_[j].offset, places_[j].offset + places_[j].bytes);
    }
    std::ranges::sort(taken);
    taken.emplace_back(capacity_, capacity_);
    std::int64_t free_from = 0;
    for (const auto& [begin, end] : taken) {
      if (begin - free_from >= places_[i].bytes) {
        places_[i].offset = high ? begin - places_[i].bytes : free_from;
        if (!high) return true;  // the lowest; else the last one found is the highest
      }
      free_from = std::max(free_from, end);
    }
    return places_[i].offset >= 0;
  }

  std::vector<Place>& places_;
  std::int64_t capacity_;
  std::vector<std::vector<std::size_t>> conflicts_;
};

bool pack(std::vector<Place>& places, std::int64_t capacity, std::size_t most_attempts) {
  Packing packing(places, capacity);
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return places[a].bytes > places[b].bytes; });
  std::vector<bool> high(places.size(), false);
  Rng rng(1, "scratchpad placement");
  for (std::size_t attempt = 0; attempt < most_attempts; ++attempt) {
    const std::size_t failed = packing.run(order, high);
    if (failed == places.size()) return true;
    const auto at = std::ranges::find(order, failed);
    const auto position = static_cast<std::uint64_t>(at - order.begin());
    if (position == 0) return false;  // larger than everything there is
    // In front of all, or of some: both keep the search from going round in circles.
    const auto target = static_cast<std::ptrdiff_t>(rng.chance(0.5) ? 0 : rng.below(position));
    std::rotate(order.begin() + target, at, at + 1);
    if (rng.chance(0.3)) high[failed] = !high[failed];
  }
  return false;
}

ScratchpadPlan plan_of(const ResidencyRules& rules, const std::vector<ResidencyMove>& moves,
                       const std::vector<Place>& places) {
  const ScratchpadProblem& problem = rules.problem();
  ScratchpadPlan plan;
  Residency before = rules.start();
  for (const ResidencyMove& move : moves) {
    ScratchStep step;
    step.op = move.op;
    for (const std::size_t t : move.evicted) step.evictions.push_back({t, stay_of(before, t) == Stay::dirty});
    plan.steps.push_back(std::move(step));
    before = move.after;
  }
  for (const Place& place : places) {
    ScratchStep& step = plan.steps[place.first];
    if (place.tensor == Place::weights) {
      step.weights_offset = place.offset;
    } else if (problem.ops[step.op].writes == place.tensor) {
      step.output_offset = place.offset;
    } else {
      step.loads.push_back({place.tensor, place.offset});
    }
  }
  return plan;
}

}  // namespace

std::optional<ScratchpadPlan> place(const ResidencyRules& rules, const std::vector<ResidencyMove>& moves,
                                    std::size_t most_attempts) {
  std::vector<Place> places = places_of(rules, moves);
  if (!pack(places, rules.problem().capacity_bytes, most_attempts)) return std::nullopt;
  return plan_of(rules, moves, places);
}

}  // namespace ridgeline
