// Bayesian optimisation: predictors with uncertainty of every objective, fitted on what was told, and the candidate
// that improves most on it in expectation. One objective: expected improvement (Jones, Schonlau and Welch, "Efficient
// global optimization", 1998); several: expected hypervolume improvement (Emmerich, Deutz and Klinkenberg, 2011;
// Daulton, Balandat and Bakshy, 2020), or ParEGO (Knowles, 2006). Limits: times the probability that all are kept
// (Schonlau, Welch and Jones, 1998), alone until something keeps them.
//
// Options:
// - "predictor" ("gp", or "auto", "ridge", "xgboost", "mlp"), "features" ("genes+profile", which building networks
//   makes slower than "pairs", or "auto", "genes", "architecture", "costs" ...), "device" and "shaped" (true), as in
//   search/predicted/linas.hpp;
// - "acquisition" ("improvement", or "parego", or "thompson": each candidate is worth values that are drawn for it
//   alone from what is predicted, independent Thompson sampling; several objectives by weights that are drawn for each
//   proposal);
// - "noisy" (false): the front is that of the predicted means of what was told, not of the values told (the plug-in of
//   Vazquez, Villemonteix, Sidorkiewicz and Walter, 2008);
// - "initial" (8): random candidates before the first fit; "pool" (300): candidates that are looked at, twice:
//   children of the best told and random ones, then children of the best of these; "samples" (64) of the improvement
//   with three objectives and more; "memory" (500): told trials that are kept.
// Objectives are scaled by the range told; the reference point lies a tenth of it beyond the front. ask(n) proposes n
// candidates by one fit; each is taken to have its predicted values when the next is chosen (Ginsbourger, Le Riche and
// Carraro, "Kriging is well-suited to parallelize optimization", 2010).
// State: the remembered trials; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_bayesian(const SearchSpace& space, const SearcherSetup& setup);

// BANANAS (White, Neiswanger and Savani, AAAI 2021): the same searcher with other defaults, an ensemble of networks
// ("predictor": "mlp") on paths of operators ("features": "paths", genes where all networks are alike), independent
// Thompson sampling ("acquisition": "thompson") and 10 "initial" candidates. Departures from the paper: the ensemble's
// members are stopped by rows that they leave out, the pool has random candidates beside children of the best, and its
// best have children that are looked at too.
std::unique_ptr<Searcher> make_bananas(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
