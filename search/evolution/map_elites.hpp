// MAP-Elites: Mouret and Clune, "Illuminating search spaces by mapping elites", 2015, arXiv:1504.04909. A grid over
// what candidates are like, its descriptors; in every cell the best candidate of that kind, by the first objective that
// is optimised; children are bred from cells drawn at random.
//
// Options: "descriptors", at most eight, each of
//   {"objective": NAME, "from": x, "to": y, "cells": n}   equal cells between x and y in the objective's unit, those
//                                                         beyond counted to the first and last
//   {"dimension": NAME}                                   a cell a choice
// (default: the first two dimensions with choices), "initial" (random candidates to begin with, default 24),
// "crossover" (0.5) and "mutation" (1: expected number of mutated genes). Constraints: a smaller violation is better.
// ask(n) makes n children of the same cells. notes(): {"cells": all, "filled": those with a candidate}. State: the best
// of each filled cell; how many are told; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_map_elites(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
