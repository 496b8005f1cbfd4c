// Search over orders, replacements and offsets at once: a state is what was run, where each tensor is, and at which
// offset. States with the same number of operators run are one level, extended together.
//
// Two uses of it. With a `limit` and no `width` it is a proof: all states are kept whose bytes so far and whose lower
// bound of what is to come stay within the limit, and when none reaches the end and nothing was cut, no plan is within
// it. With a `width` it is a beam search that keeps the most promising of each level. `parts` divides: the operators of
// a part run after those of the parts before, which keeps a level's states alike.
//
// Offsets tried are the two ends of every gap and, for a proof, every sum of sizes of tensors and weights within it:
// pushing a plan's pieces down until each lies on the ground or on another one changes nothing else, and then every
// offset is such a sum. Where there are more of these sums than `most_offsets`, nothing is proved.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "hwmodels/scratchpad/plan.hpp"
#include "hwmodels/scratchpad/residency.hpp"

namespace ridgeline {

struct LayoutOptions {
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();  // bytes beyond the compulsory
  std::size_t width = 0;                                          // states kept a level; 0: all
  std::size_t most_states = 50'000;                               // a level, before it is cut
  std::size_t most_offsets = 256;
  std::vector<std::size_t> parts{};  // of each operator, from 0; empty: all the same
  // A lower bound of the bytes from a state to the end; empty: ResidencyRules::pending_bytes.
  std::function<std::int64_t(const Residency&)> to_go{};
};

struct LayoutResult {
  std::optional<ScratchpadPlan> plan;
  bool complete = false;  // nothing was cut: without a plan, none is within the limit
  // The least bound of what the limit excluded; nothing where there was none.
  std::optional<std::int64_t> next_limit;
};

LayoutResult search_layouts(const ResidencyRules& rules, const LayoutOptions& options);

}  // namespace ridgeline
