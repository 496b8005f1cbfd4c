// NSGA-III: Deb and Jain, "An evolutionary many-objective optimization algorithm using reference-point-based
// nondominated sorting approach, part I", 2014; constraints as in part II (Jain and Deb). The loop and its options are
// those of search/evolution/genetic.hpp. Of the front that does not fit, those go on that are nearest to the reference
// directions which the fewest others are near to; parents are drawn at random (of equal rank).
//
// Option of its own: "divisions" of the reference directions (default: the most with no more directions than the
// population has members). Of more than 256 directions the nearest is found in a tree (search/fronts/point_tree.hpp).
// Departure from the paper: the ideal point and the axes' extreme points are those of the members, not of all that were
// ever told; the draws between equal directions are decided by the members' genes.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_nsga3(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
