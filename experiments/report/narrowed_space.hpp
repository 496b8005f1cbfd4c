// What the commands that narrow a space by a stored study's trials share: which trials their predictors are fitted on,
// and the space file that they write, which narrows the study's (spaces/LANGUAGE.md).
#pragma once

#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "experiments/study/study_config.hpp"
#include "search/sub_spaces/sub_spaces.hpp"

namespace ridgeline {

struct FittedRows {
  std::vector<std::size_t> rows;  // of the trials: with values, of the highest fidelity that an ok trial has
  Fidelity fidelity = Fidelity::analytic;
};

// Throws ConfigError where fewer than 30 ok trials are among them, with the command that searches on.
FittedRows fitted_rows(const Store& store, const StudyRecord& record, std::span<const Trial> trials);

// The file to be at `out`, from whose folder others are named. `how`: "evolved on the trials of study 'demo'".
Json narrowing_file(const StudyConfig& config, const SearchSpace& start, const KeptGenes& kept, const std::string& out,
                    const std::string& how, const Resources& resources);

// What `kept` leaves of `start`, beyond what `file` (the same space as its file has it) has: {"width": [16]}, by
// declared name where every element keeps the same, else by full names.
Json choices_left(const SearchSpace& file, const SearchSpace& start, const KeptGenes& kept);

}  // namespace ridgeline
