// The space of a stored study, made again from its configuration.
#pragma once

#include "experiments/resources.hpp"
#include "experiments/store.hpp"
#include "experiments/study_config.hpp"

namespace ridgeline {

// Throws ConfigError: a space file that is gone, or has changed since the search.
SearchSpace stored_space(const StudyRecord& record, const StudyConfig& config, const Resources& resources);

}  // namespace ridgeline
