// How far predictors of a study's objectives are from values they were not fitted on: k-fold cross-validation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "search/predicted/out_of_sample.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {

// Each of `rows` of `trials` (all with values, at least two) is predicted by a predictor fitted on the other folds; a
// fold is a round of OutOfSampleErrors. One entry for each of `modelled` (indices of setup.objectives), of minimised
// values. `folds`: at least 2; no more than there are rows are made. Decided by the arguments alone.
std::vector<OutOfSampleErrors> cross_validated(const SearchSpace& space, const SearcherSetup& setup,
                                               std::span<const std::size_t> modelled, const PredictionOptions& options,
                                               std::span<const Trial> trials, std::span<const std::size_t> rows,
                                               std::size_t folds);

}  // namespace ridgeline
