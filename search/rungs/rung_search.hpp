// Searchers that ask on rungs (Trial::rung): many candidates are evaluated cheaply, and the better ones ever less so.
//
// `successive-halving`: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
// optimization", 2016. A bracket begins with "candidates" on the cheapest rung (default: as many as leave one for the
// whole evaluation, or four where there are several objectives); of each rung the best go on to the next dearer one.
// After the whole evaluations it begins again, with other candidates.
//
// `hyperband`: Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: a novel bandit-based approach to
// hyperparameter optimization", 2018. Brackets of about equal cost from every rung in turn, the cheapest first: many
// candidates where cheap values can be trusted, whole evaluations from the start where they cannot; then again.
//
// Option of both: "eta", the number of candidates on a rung over that on the next (2 or more; default: by as much as
// the cost rises, so that each rung of a bracket costs the same, which is the papers' where costs rise by eta).
//
// Candidates are compared by constraint domination and fronts, in a front the loneliest first. Unlike a population's,
// equal values of different candidates share a front: on a cheap rung they are common and say nothing. What failed
// does not go on; where nothing is left, the next bracket begins. New candidates are random ones, after a warm start.
// Batches: any; nothing depends on them. State: where in the brackets it is, the candidates of the rung, what was told
// of them; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_successive_halving(const SearchSpace& space, const SearcherSetup& setup);
std::unique_ptr<Searcher> make_hyperband(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
