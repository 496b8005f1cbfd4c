// Exhaustive search: every valid, normalised candidate once, in the order of SearchSpace::at. What it finds is exact,
// and the truth that the other searchers are measured against.
//
// Any number of objectives. No options. State: the next index. Throws ConfigError for a space of more than 2^40 raw
// combinations. A constraint that leaves few candidates makes a batch slow: combinations are looked at one by one.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_exhaustive_search(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
