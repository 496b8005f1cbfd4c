// What a stored study searched, made again from its configuration.
#pragma once

#include <cstddef>
#include <utility>

#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "experiments/study/study_config.hpp"

namespace ridgeline {

// Throws ConfigError: a space file that is gone, or has changed since the search.
SearchSpace stored_space(const StudyRecord& record, const StudyConfig& config, const Resources& resources);

// Which of record.objectives are the quality, maximised, and the cost, minimised. Throws ConfigError where these are
// not all that is optimised.
std::pair<std::size_t, std::size_t> quality_and_cost_of(const Store& store, const StudyRecord& record);

}  // namespace ridgeline
