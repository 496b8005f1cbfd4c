// MOEA/D: Zhang and Li, "MOEA/D: A multiobjective evolutionary algorithm based on decomposition", 2007, with the
// bounded replacement of Li and Zhang, "Multiobjective optimization problems with complicated Pareto sets, MOEA/D and
// NSGA-II", 2009. One subproblem for each reference direction (search/fronts/reference_directions.hpp): the weighted
// Tchebycheff distance from the best value of each objective. A subproblem's child has parents of its neighbours, and
// takes the places of a few of them where it is better there.
//
// Options: "population" (subproblems at most, default 20), "neighbours" (of a subproblem, itself among them, default
// 6), "near" (chance that parents and replaced ones are neighbours and not any, default 0.9), "replace" (members a
// child may replace, default 2), "crossover" (default 0.5) and "mutation" (default 0.5) as in
// search/evolution/genetic.hpp. With a population of more than 1,000 the children of a batch are bred on several
// threads, each with random numbers of its own. Departures: objectives are scaled by their range among the members;
// constraints by constraint domination inside a subproblem; a child that equals a member is bred again a few times.
// ask(n) makes n children of the same members, so small batches follow the papers most closely. State: the member of
// each subproblem, or those of the first generation told so far; the next subproblem; the generator. Version 1 with a
// population of up to 1,000, version 2 with more.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_moead(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
