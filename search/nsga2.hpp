// NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
// A population of `population` members; each generation breeds `offspring` children from parents won by binary
// tournaments on (front, crowding), and keeps the best of both by front and crowding. Constraints by constraint
// domination: violation takes the place of the front for members that break a limit.
//
// Options: "population", "offspring" (children a generation; fewer make the search greedier), "crossover" (chance that
// a child has two parents, uniform crossover, default 0.9), "mutation" (expected number of mutated genes, default 1).
// Departures from the paper: children that equal a member, or a child of the same generation, are bred again a few
// times; of members with equal values only the youngest competes (search/ranking.hpp); trials without values (failed,
// unsupported ...) do not enter the population. Any number of objectives; one objective makes it an elitist genetic
// algorithm. ask(n) ends at the end of a generation; what is searched does not depend on n.
// State: the population, the children told so far, the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_nsga2(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
