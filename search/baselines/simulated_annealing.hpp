// Simulated annealing: Kirkpatrick, Gelatt and Vecchi, 1983. A candidate walks: one mutation at a time, which is taken
// where it is better and, with the chance exp(-loss / temperature), where it is worse; the temperature falls with every
// trial, and rises again to begin anew.
//
// Options: "start" and "end" temperature, in standard deviations of the values told so far (default 0.3 and 0.01),
// "steps" from one to the other (default 200), "walkers" (candidates that walk beside each other, default 1 for one
// objective and 8 for several). With several objectives each walker goes by its own weighted Tchebycheff distance from
// the best values (weights spread evenly), as in Czyzzak and Jaszkiewicz, "Pareto simulated annealing", 1998, without
// changing them. Constraints: a smaller violation is better, and no worse one is taken. After "steps" the walkers begin
// again from where they are, at the first temperature.
// ask(n) proposes for the next n walkers, each at most once; what is searched depends on n through this alone.
// State: the walkers, the count of trials, the mean and spread of the values; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_simulated_annealing(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
