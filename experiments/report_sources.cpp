// Where a report's parts come from: the store, the space, and the cheap evaluators asked again.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "experiments/evaluator.hpp"
#include "experiments/report.hpp"
#include "experiments/study_config.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

struct LoadedSpace {
  std::unique_ptr<SearchSpace> space;
  std::string problem;
};

LoadedSpace load_space(const StudyRecord& record, const StudyConfig& config, const Resources& resources) {
  try {
    auto space = std::make_unique<SearchSpace>(SearchSpace::load(resources.space(config.space), config.space_options));
    if (space->fingerprint() == record.space_fingerprint) return {std::move(space), ""};
    return {nullptr, fmt::format("the space '{}' has changed since the search (fingerprint {} then, {} now)",
                                 config.space, hex64(record.space_fingerprint), hex64(space->fingerprint()))};
  } catch (const ConfigError& error) {
    return {nullptr, fmt::format("the space '{}' cannot be read now: {}", config.space, error.what())};
  }
}

// The "screen" of every objective, asked again for the trials that were measured. Models are pure, so this is what the
// search saw; an evaluator that cannot be made any more (a device file that is gone) gives no estimates.
std::vector<ReportEstimate> estimates_of(const StudyRecord& record, const StudyConfig& config, const SearchSpace& space,
                                         const Resources& resources, std::span<const Trial> trials) {
  std::vector<ReportEstimate> estimates;
  for (std::size_t index = 0; index < config.objectives.size() && index < record.objectives.size(); ++index) {
    const ObjectiveConfig& objective = config.objectives[index];
    if (!objective.screen) continue;
    std::vector<Design> designs;
    std::vector<Candidate> candidates;
    for (const Trial& trial : trials) {
      if (trial.fidelity != Fidelity::measured || !trial.has_values()) continue;
      designs.push_back(decode_for(config, space, trial.genome));
      candidates.push_back({trial.id, &trial.genome, nullptr});
    }
    for (std::size_t i = 0; i < designs.size(); ++i) candidates[i].design = &designs[i];
    std::vector<Score> scores(candidates.size());
    try {
      JsonDocument document = JsonDocument::from_value(*objective.screen, "screen");
      const EvaluatorSetup setup{&space, &resources, objective.objective.name, record.seed};
      const std::unique_ptr<Evaluator> evaluator = make_evaluator(document.root(), setup);
      document.raise();
      evaluator->evaluate(candidates, scores);
    } catch (const ConfigError&) {
      continue;
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (scores[i].status != Status::ok) continue;
      estimates.push_back({index, candidates[i].trial_id, scores[i].value, source_text(*objective.screen)});
    }
  }
  return estimates;
}

}  // namespace

StudyReport report_of(const Store& store, const std::string& study, const Resources& resources,
                      const ReportOptions& options) {
  std::optional<StudyRecord> record = store.find(study);
  if (!record) {
    std::vector<std::string> known;
    for (const StudyRecord& one : store.studies()) known.push_back(one.name);
    throw ConfigError({store.path(), "", "the name of a stored study", fmt::format("'{}'", study),
                       known.empty() ? "the database holds no study yet" : known_words(study, known)});
  }
  ReportInput input;
  input.database = store.path();
  input.trials = store.load(record->id);
  input.measurements = store.measurements(record->id);
  input.environment = store.environment_of(record->id);
  LoadedSpace loaded;
  try {
    const StudyConfig config = parse_study(JsonDocument::parse(record->config, "stored configuration"));
    loaded = load_space(*record, config, resources);
    if (loaded.space) input.estimates = estimates_of(*record, config, *loaded.space, resources, input.trials);
  } catch (const ConfigError& error) {
    loaded.problem = fmt::format("the stored configuration cannot be read now: {}", error.what());
  }
  input.space = loaded.space.get();
  input.space_problem = loaded.problem;
  input.record = std::move(*record);
  return make_report(std::move(input), options);
}

std::string choice_text(const Json& choice) { return choice.is_string() ? choice.get<std::string>() : choice.dump(); }

std::vector<std::pair<std::string, std::string>> grouped_choices(const SearchSpace& space, const Genome& genome) {
  const std::vector<bool> active = space.active(genome);
  std::vector<std::pair<std::string, std::string>> grouped;
  std::map<std::string, std::pair<std::size_t, std::string>> position;  // declared name -> row, outer index of the last
  for (std::size_t i = 0; i < space.dims().size(); ++i) {
    const Dimension& dimension = space.dims()[i];
    if (!active[i]) continue;
    const std::size_t bracket = dimension.name.find('[');
    const std::string declared = dimension.name.substr(0, bracket);
    const std::size_t last = dimension.name.rfind('[');
    const std::string outer =
        bracket == std::string::npos || last == bracket ? "" : dimension.name.substr(bracket, last - bracket);
    const std::string choice = choice_text(dimension.choices[genome.genes[i]]);
    const auto it = position.find(declared);
    if (it == position.end()) {
      position[declared] = {grouped.size(), outer};
      grouped.emplace_back(declared, choice);
      continue;
    }
    grouped[it->second.first].second += (it->second.second == outer ? " " : " · ") + choice;
    it->second.second = outer;
  }
  return grouped;
}

Json objective_source(const Json& config, const std::string& objective, const std::string& key) {
  if (!config.is_object()) return nullptr;
  for (const char* list : {"objectives", "constraints"}) {
    const auto it = config.find(list);
    if (it == config.end() || !it->is_array()) continue;
    for (const Json& one : *it) {
      if (one.is_object() && one.value("name", Json()) == Json(objective) && one.contains(key)) return one.at(key);
    }
  }
  return nullptr;
}

std::string source_text(const Json& source) {
  if (!source.is_object() || !source.contains("evaluator")) return "unknown";
  const std::string evaluator = choice_text(source.at("evaluator"));
  std::string rest;
  for (const auto& [key, value] : source.items()) {
    if (key == "evaluator" || key == "keep") continue;
    rest += (rest.empty() ? "" : ", ") + key + " " + choice_text(value);
  }
  const std::string kind = evaluator == "measured" ? "measured here"
                           : evaluator == "cost"   ? "cost model"
                           : evaluator == "proxy"  ? "training-free proxy"
                                                   : evaluator;
  return rest.empty() ? kind : kind + " (" + rest + ")";
}

bool is_proxy(const Json& source) { return source.is_object() && source.value("evaluator", Json()) == Json("proxy"); }

}  // namespace ridgeline
