// NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
// A population; each generation breeds children from parents won by binary tournaments on (front, crowding), and keeps
// the best of both by front and crowding. Constraints by constraint domination: violation takes the place of the front
// for members that break a limit.
//
// Options: "population" (default 20), "offspring" (children a generation, default 10), "crossover" (chance that a child
// has two parents, each gene from either, default 0.5), "mutation" (expected number of mutated genes, default 0.5: a
// child that mutation leaves equal to a member is bred again, so every child differs in one gene at least),
// "begin_with" (genomes to begin with, as arrays of gene indices or {"dimension": choice}; the rest of the first
// generation is random).
// The paper's 100 members and 100 children suit tens of thousands of evaluations; the defaults
// are for hundreds to thousands, and the front a study reports is that of all its trials, not of the population.
// Departures from the paper: children that equal a member, or a child of the same generation, are bred again a few
// times; of members with equal values only the youngest competes (search/ranking.hpp); trials without anything to
// compare (failed, unsupported ...) do not enter the population. Any number of objectives; with one it is an elitist
// genetic algorithm. ask(n) ends at the end of a generation; what is searched does not depend on n.
// State: the population and the children told so far, those that failed included; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_nsga2(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
