// Offsets for moves whose room was only counted: which piece of the scratchpad each stay of a tensor takes. A stay is
// the steps from a load (or from being made) to an eviction or to the last reader; stays that share a step must not
// overlap. This is dynamic storage allocation with a given height, NP-complete (Garey and Johnson, 1979, SR2). Stays
// are placed one after the other at the lowest free offset, largest first; one that fits nowhere goes to the front and
// everything is placed again (repair by priorities, as in TelaMalloc: Maas et al., ASPLOS 2022).
//
// Sound and not complete: offsets that are found are right; nothing found says nothing. Deterministic.
#pragma once

#include <optional>
#include <vector>

#include "hwmodels/scratchpad/plan.hpp"
#include "hwmodels/scratchpad/residency.hpp"

namespace ridgeline {

std::optional<ScratchpadPlan> place(const ResidencyRules& rules, const std::vector<ResidencyMove>& moves,
                                    std::size_t most_attempts);

}  // namespace ridgeline
