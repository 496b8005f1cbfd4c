#include "experiments/report/stored_study.hpp"

#include <fmt/format.h>

#include "experiments/report/comparison.hpp"
#include "experiments/report/report_text.hpp"

namespace ridgeline {

SearchSpace stored_space(const StudyRecord& record, const StudyConfig& config, const Resources& resources) {
  SearchSpace space = resources.load_space(config.space, config.space_options);
  if (space.fingerprint() == record.space_fingerprint) return space;
  throw ConfigError({config.space, "", fmt::format("the space that '{}' searched", record.name),
                     fmt::format("one that has changed since (fingerprint {} then, {} now)",
                                 hex64_text(record.space_fingerprint), hex64_text(space.fingerprint())),
                     "take back the change or search again"});
}

std::pair<std::size_t, std::size_t> quality_and_cost_of(const Store& store, const StudyRecord& record) {
  std::vector<Objective> optimised;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < record.objectives.size(); ++i) {
    if (record.objectives[i].constraint_only) continue;
    optimised.push_back(record.objectives[i]);
    places.push_back(i);
  }
  if (quality_and_cost(optimised)) return {places[0], places[1]};
  std::string found;
  for (const Objective& one : optimised) {
    found += fmt::format("{}{} {}", found.empty() ? "" : ", ", one.name,
                         one.direction == Direction::maximise ? "maximised" : "minimised");
  }
  throw ConfigError({store.path(), record.name, "two objectives, the first maximised and the second minimised", found,
                     "search with a quality and a cost"});
}

}  // namespace ridgeline
