// NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
// The loop and its options are those of search/evolution/genetic.hpp: tournaments on (front, crowding), and the best of
// parents and children by front and crowding go on. Constraints by constraint domination: violation takes the place of
// the front for members that break a limit. Departure from the paper: of members with equal values only the youngest
// competes (search/fronts/ranking.hpp).
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_nsga2(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
