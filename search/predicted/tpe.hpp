// Tree-structured Parzen estimator: Bergstra, Bardenet, Bengio and Kegl, "Algorithms for hyper-parameter optimization",
// 2011; joint over dimensions as in Falkner, Klein and Hutter, "BOHB", 2018; with several objectives, Ozaki, Tanigaki,
// Watanabe and Onishi, "Multiobjective tree-structured Parzen estimator", 2020. The told candidates are split in the
// good ones and the others, each a mixture of kernels on its candidates, l and g. Candidates are drawn from l, and the
// one with the largest l / g is proposed.
//
// Options: "initial" (random candidates before, default 20), "good" (share that counts as good, at most 25 of them,
// default 0.1), "candidates" (drawn for each proposal, default 24), "spread" (genes in which a candidate is expected to
// differ from the one that its kernel stands on, default 1), "prior" (how many observations the uniform distribution
// counts for, default 1), "memory" (told candidates that are kept, default 1,000).
// Conditions: a dimension that is active in one of two candidates alone counts as a uniform draw. In ordered dimensions
// near choices are likelier than far ones. Constraints: candidates that break a limit come after all that keep them.
// Departures: with several objectives the good ones are the best by front and crowding (search/fronts/ranking.hpp), and
// all count the same; of the others the latest 400 are looked at; candidates that are known are not proposed again.
// ask(n) proposes n different candidates by the same mixtures. State: the remembered trials; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_tpe(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
