// Two searchers that keep the members which hold the most hypervolume. The loop and its options are those of
// search/evolution/genetic.hpp; both look at the front that does not fit, scaled to its own range.
//
// sms-emoa: Beume, Naujoks and Emmerich, "SMS-EMOA: multiobjective selection based on dominated hypervolume", 2007. The
// member that holds the least by itself goes, one after the other, exactly; the reference point lies a range beyond
// the front, so that its ends stay. As there, "offspring" is 1 by default, and parents of equal rank are drawn at
// random. With two objectives all that must go take O(n log n) together; with three and a front of more than 200 the
// contributions of all are found at once in O(n log n) (search/fronts/contributions.hpp), and where many must go they
// go in 32 rounds. Exact contributions of more objectives take long in fronts of thousands.
//
// hype: Bader and Zitzler, "HypE: an algorithm for fast hypervolume-based many-objective optimization", 2011. A
// member's worth is the hypervolume that is lost on average when it and others are dropped at random, as "samples"
// points (default 4,000) tell: in tournaments when all may be dropped, at selection when as many as must go. The
// reference point lies a tenth of the range beyond the front. Departures: sampled for any number of objectives, always
// at the same places of the box; worths are found anew after every sixteenth of those to be dropped.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_sms_emoa(const SearchSpace& space, const SearcherSetup& setup);
std::unique_ptr<Searcher> make_hype(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
