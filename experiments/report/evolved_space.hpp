// A search space evolved for a device, from the trials of a stored study (search/sub_spaces/space_evolution.hpp):
// predictors of the study's quality and cost are fitted on them, and the sub-space with the best predicted quality
// within several costs is written as a space file that narrows the study's (spaces/LANGUAGE.md).
#pragma once

#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "search/sub_spaces/space_evolution.hpp"

namespace ridgeline {

struct EvolvedSpaceOptions {
  std::string study;
  std::vector<KeptCount> kept;  // which dimensions, and how many choices of each
  SpaceEvolutionSetup search;   // `known` and `worst_quality` come from the study
  std::string predictor = "auto";
  std::string out;  // the file to be, from whose folder others are named
};

struct EvolvedSpace {
  std::string study;
  Objective quality, cost;
  std::size_t trials = 0;  // that the predictors were fitted on: those of the highest fidelity, with values
  Fidelity fidelity = Fidelity::analytic;
  Json quality_error, cost_error;  // OutOfSampleErrors::summary() of ten folds, minimised values
  SearchSpace start;               // the study's space
  SpaceEvolution evolution;
  Json file;  // of the best sub-space
};

// "block=1" as the flag --evolve has it. Throws ConfigError.
KeptCount read_kept_count(const std::string& text);

// Writes nothing. Throws ConfigError: no such study, one whose objectives are not a quality to be maximised and a cost
// to be minimised, fewer than 30 trials, a space that has changed, and what SubSpaces and evolve_space() throw.
EvolvedSpace evolve_study_space(const Store& store, const Resources& resources, const EvolvedSpaceOptions& options);

}  // namespace ridgeline
