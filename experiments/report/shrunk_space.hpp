// A search space shrunk by quality and diversity (search/sub_spaces/space_shrinking.hpp), from the trials of a stored
// study: predictors of its objectives are fitted on them, and what is left is written as a space file that narrows the
// study's (spaces/LANGUAGE.md).
#pragma once

#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "search/sub_spaces/space_shrinking.hpp"

namespace ridgeline {

struct ShrunkSpaceOptions {
  std::string study;
  SpaceShrinkingSetup shrinking;  // `objectives` and `known` come from the study
  std::string predictor = "auto";
  std::string out;  // the file to be, from whose folder others are named
};

struct ShrunkSpace {
  std::string study;
  std::vector<Objective> objectives;  // those that were predicted
  std::vector<Json> errors;           // of each, OutOfSampleErrors::summary() of ten folds, minimised values
  std::size_t trials = 0;             // that the predictors were fitted on
  Fidelity fidelity = Fidelity::analytic;
  SearchSpace start;  // the study's space
  SpaceShrinking shrinking;
  Json file;
};

// Writes nothing. Throws ConfigError: no such study, fewer than 30 trials, a space that has changed, and what
// shrink_space() throws.
ShrunkSpace shrink_study_space(const Store& store, const Resources& resources, const ShrunkSpaceOptions& options);

}  // namespace ridgeline
