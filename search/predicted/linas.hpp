// LINAS, lightweight iterative NAS: Sarah, Cummings, Sridhar, Sundaresan, Szankin, Webb and Munoz, "A Hardware-Aware
// System for Accelerating Deep Neural Network Optimization", 2022, arXiv:2202.12954. Predictor-assisted evolution:
// random candidates first; then, round after round, a predictor of each objective is fitted on what was told, NSGA-II
// (search/evolution/nsga2.hpp) runs on predicted values alone, and the best candidates it met that were never asked are
// proposed.
//
// Options, with their defaults:
// - "initial" (24): candidates before the first fit. Of them "corners" (0.25) is the largest share, 0 to 1, that has
//   every ordered dimension outside precision at its last or at its first choice, and "uniform" (0.5) the share of the
//   others that has one number format throughout, in spaces with precision dimensions;
// - "round" (12): candidates a round. "near" (0.5) is the share of them, 0 to 1, that the predictors choose among
//   children of the best told, not among all that the inner evolution met;
// - "population" and "generations" (60 and 40) of the inner evolution;
// - "predictor" ("auto", or a name of predictors/) and "features" ("auto", or "genes", "architecture", "pairs" or
//   "network"): what an objective is predicted by and from, see search/predicted/predicted_evolution.hpp; "costs",
//   "genes+costs" and "pairs+costs" with "device" (none), a name or a list: what these devices and counts say, of the
//   searcher of a study; "shaped" (false): logarithmically where that explains more
//   (search/predicted/value_shape.hpp);
// - "memory" (2000): how many told trials the fits and the state keep, the latest and the front.
// Departures from the paper, whose are 0: "corners", as a predictor errs most beyond what it has seen, where fronts
// end; "uniform", as formats drawn a layer each make networks that are slower than in any one format, and say little of
// those that are wanted; "near", as evolution on predictions goes where a wrong predictor errs most, again each round,
// and children of what was measured bound that.
//
// Limited objectives are predicted too, and constraint domination holds with the predicted values. Of the predicted
// front the loneliest are proposed, then the next fronts, then random candidates. Trials without values are not asked
// again while they are remembered; where nothing new is found, a candidate that is known is proposed again. ask(n) ends
// at the end of a round; what is searched does not depend on n.
// notes(): {"predictors": [{"objective": NAME, "predicted_by": in the latest round, "ridge on pairs", and what
// OutOfSampleErrors::summary() has}]}, one for each predicted objective: predictions made before their round was told,
// against the values told. In minimised form they have the same errors.
// State: the remembered trials, the rest of the round with its predictions, the errors so far; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_linas(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
