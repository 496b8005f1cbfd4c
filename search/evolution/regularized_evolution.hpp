// Regularized (aging) evolution: Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier architecture
// search", 2019. A queue of `population` members; each child is one mutation of the winner of a tournament; the child
// enters the queue and the oldest member leaves it, however good it is.
//
// Options: "population" (default 30) and "tournament" (members drawn a tournament, default 15). The paper's 100 and 25
// suit budgets of tens of thousands; these are greedier, for hundreds to thousands of evaluations.
// Departures from the paper: a child that is a member already is made again a few times (a second evaluation of the
// same candidate tells nothing); a trial without anything to compare (failed, unsupported ...) does not enter the
// queue. Constraints: the smaller violation wins a tournament. With several objectives each tournament is decided by a
// weighted sum of the values scaled to their range in the queue, with weights drawn afresh and uniformly (as Ishibuchi
// and Murata, "A multi-objective genetic local search algorithm", 1998): the queue spreads along the front's convex
// parts. Asking for n makes n children of the same queue, so small batches follow the paper most closely. State: the
// queue and the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_regularized_evolution(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
