#include "experiments/stored_space.hpp"

#include <fmt/format.h>

#include "experiments/report_text.hpp"

namespace ridgeline {

SearchSpace stored_space(const StudyRecord& record, const StudyConfig& config, const Resources& resources) {
  SearchSpace space = resources.load_space(config.space, config.space_options);
  if (space.fingerprint() == record.space_fingerprint) return space;
  throw ConfigError({config.space, "", fmt::format("the space that '{}' searched", record.name),
                     fmt::format("one that has changed since (fingerprint {} then, {} now)",
                                 hex64_text(record.space_fingerprint), hex64_text(space.fingerprint())),
                     "take back the change or search again"});
}

}  // namespace ridgeline
