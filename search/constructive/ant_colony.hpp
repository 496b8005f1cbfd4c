// Ant colony optimisation: Stutzle and Hoos, "MAX-MIN ant system", Future Generation Computer Systems 16, 2000. Each
// ant builds a candidate choice by choice, a choice as likely as the pheromone on it; after every "ants" candidates
// pheromone evaporates and the best lay some, within bounds.
//
// Pheromone stands on the choices of each dimension, in a table a colony. Several objectives: a colony for each of up
// to "colonies" directions (Lopez-Ibanez and Stutzle, 2012, "multiple colonies"), which take turns; every candidate is
// shown to all of them, and the one that lays pheromone is the best in the colony's direction among the members of an
// archive of all that is not dominated, by costs scaled by what was seen (seen_values.hpp); in every second round it is
// the best of the round instead. Constraints: the archive is of constraint domination, so that infeasible candidates
// lay only while none is feasible, the one of the least violation.
//
// One update of a colony, with the evaporation rho and the choices of what lays: tau <- (1 - rho) tau + [laid] rho,
// kept within [tau_min, 1]. tau_min = (1 - p) / ((n - 1) p) with p = "sure"^(1/dimensions) and n choices on average: a
// colony that has converged builds its best candidate again with chance "sure" (equation 11 of the paper; there tau_max
// is 1 / (rho f), here the scale of pheromone is free, and so 1). It begins at 1. Where "patience" rounds change
// nothing in the archive, all pheromone is 1 again.
//
// Options: "ants" (5), "evaporation" (0.4), "sure" (0.5), "colonies" (5), "archive" (100), "patience" (20). They suit
// hundreds of evaluations; the paper's (evaporation 0.02, sure 0.05) suit many thousands. A warm start is asked for
// first; what it turns out to be lays like all others. ask(n) ends with the round. State: the tables, the archive, the
// candidates of the round; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

// tau_min for tau_max = 1; from 0 to 1. `choices`: the average number of choices, of the dimensions that have more than
// one, of which there are `dimensions`.
double least_pheromone(double sure, double dimensions, double choices);

std::unique_ptr<Searcher> make_ant_colony(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
