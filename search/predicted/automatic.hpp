// The searcher that needs no choice. One objective: `bayesian` (search/predicted/bayesian.hpp); several: `linas`
// (search/predicted/linas.hpp) that predicts logarithmically where that explains more, with 12 candidates to begin
// with, 8 a round, of them a quarter children of the best. Chosen by NAS-Bench-Macro and NAS-Bench-201 at 50 to 300
// evaluations (see the README's figures).
//
// No options of its own: name one of the two to set something. notes(): those of the searcher that it is, and
// "searcher": its name.
// State: that searcher's.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_automatic(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
