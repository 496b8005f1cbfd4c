// Random search: every candidate is an independent draw of SearchSpace::sample. The baseline to beat, and by itself
// hard to beat in large spaces (Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012; Li and
// Talwalkar, "Random search and reproducibility for neural architecture search", 2019).
//
// Any number of objectives. No options. State: the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_random_search(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
