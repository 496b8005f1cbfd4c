// LINAS, lightweight iterative NAS: Sarah, Cummings, Sridhar, Sundaresan, Szankin, Webb and Munoz, "A Hardware-Aware
// System for Accelerating Deep Neural Network Optimization", 2022, arXiv:2202.12954. Predictor-assisted evolution:
// random candidates first; then, round after round, a predictor of each objective is fitted on what was told, NSGA-II
// (search/nsga2.hpp) runs on predicted values alone, and the best candidates it met that were never asked are proposed.
//
// Options: "initial" (random candidates before the first fit, default 24), "uniform" (share of these, 0 to 1, that have
// one number format throughout, in spaces with precision dimensions; default 0.5), "round" (candidates a round, default
// 12), "population" and "generations" of the inner evolution (60 and 40), "near" (share of a round, 0 to 1, chosen by
// the predictors among children of the best told instead, default 0.5), "predictor" (a name of predictors/, default
// "ridge"), "memory" (how many told trials the fits and the state keep, the latest and the front; default 2000).
// Departures from the paper: "uniform", as formats drawn a layer each make networks that are slower than in any one
// format, and tell little of the ones that are wanted; "near". Evolution on predictions goes where a wrong predictor
// errs most, again each round; children of what was measured bound that. 0 is the paper's. Limited objectives are
// predicted too, and constraint domination holds with the predicted values. Of the predicted front the loneliest are
// proposed, then the next fronts, then random candidates. Trials without values are not asked again while they are
// remembered; where nothing new is found, a candidate that is known is proposed again. ask(n) ends at the end of a
// round; what is searched does not depend on n. notes(): {"predictors": [{"objective": NAME, "features": "genes" or
// "network" in the latest round, and what OutOfSampleErrors::summary() has}]}, one for each predicted objective:
// predictions made before their round was told, against the values told. In minimised form they have the same errors.
// State: the remembered trials, the rest of the round with its predictions, the errors so far; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_linas(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
