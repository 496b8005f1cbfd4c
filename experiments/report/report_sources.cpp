// Where a report's parts come from: the store and the space.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "experiments/cost_features.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/study/study_config.hpp"
#include "experiments/study/study_parts.hpp"
#include "experiments/study/warm_start.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr int fidelity_count = 3;

struct Stored {
  std::optional<StudyConfig> config;
  std::unique_ptr<SearchSpace> space;  // null: `problem` says why
  std::string problem;
};

Stored stored_parts(const StudyRecord& record, const Resources& resources) {
  Stored stored;
  try {
    stored.config = parse_study(JsonDocument::parse(record.config, "stored configuration"));
    const StudyConfig& config = *stored.config;
    auto space = std::make_unique<SearchSpace>(resources.load_space(config.space, config.space_options));
    if (space->fingerprint() == record.space_fingerprint) {
      stored.space = std::move(space);
    } else {
      stored.problem = fmt::format("the space '{}' has changed since the search (fingerprint {} then, {} now)",
                                   config.space, hex64(record.space_fingerprint), hex64(space->fingerprint()));
    }
  } catch (const ConfigError& error) {
    stored.problem = fmt::format("the study's space cannot be read now: {}", error.what());
  }
  return stored;
}

// What the searcher of the last checkpoint knows of itself: it is made again and given its state.
Json notes_of(const Store& store, const StudyRecord& record, const Stored& stored, const Resources& resources) {
  const std::optional<Checkpoint> checkpoint = store.checkpoint(record.id);
  if (!checkpoint || !stored.space) return {};
  try {
    const StudyConfig& config = *stored.config;
    SearcherSetup setup{config.seed, record.objectives, config.searcher_options, "stored configuration"};
    if (setup.options.is_null()) setup.options = Json::object();
    setup.rung_costs = record.rung_costs;
    JsonDocument document = JsonDocument::from_value(config.canonical, setup.origin);
    setup.warm = warm_start_of(config, *stored.space, document);
    document.raise();
    setup.costs = searcher_costs(setup.options, config.precision, *stored.space, resources, setup.origin);
    const auto searcher = make_searcher(config.searcher, *stored.space, setup);
    searcher->load(checkpoint->state);
    return searcher->notes();
  } catch (const ConfigError&) {  // a searcher of another version: the report is of the trials
    return {};
  }
}

}  // namespace

StudyReport report_of(const Store& store, const std::string& study, const Resources& resources,
                      const ReportOptions& options) {
  ReportInput input;
  input.record = find_study(store, study);
  input.database = store.path();
  input.trials = store.load_every_rung(input.record.id);
  if (input.record.rung_costs.size() > 1) {
    const auto cheaper = [](const Trial& trial) { return trial.rung != 0; };
    input.spent = cost_through(input.trials, input.record.rung_costs);
    std::ranges::copy_if(input.trials, std::back_inserter(input.cheaper), cheaper);
    std::erase_if(input.trials, cheaper);
    input.rung_trials = store.trials_by_rung(input.record.id);
  }
  input.measurements = store.measurements(input.record.id);
  input.environment = store.environment_of(input.record.id);
  const Stored stored = stored_parts(input.record, resources);
  input.space = stored.space.get();
  input.space_problem = stored.problem;
  input.searcher_notes = notes_of(store, input.record, stored, resources);
  return make_report(std::move(input), options);
}

StudyReport front_of(const Store& store, const std::string& study, const Resources& resources,
                     std::optional<Fidelity> fidelity) {
  ReportInput input;
  input.record = find_study(store, study);
  input.database = store.path();
  for (int level = fidelity_count - 1; level >= 0 && input.trials.empty(); --level) {
    if (fidelity && static_cast<int>(*fidelity) != level) continue;
    input.trials = store.front(input.record.id, static_cast<Fidelity>(level));
  }
  input.rung_trials = store.trials_by_rung(input.record.id);
  std::sort(input.trials.begin(), input.trials.end(), [](const Trial& a, const Trial& b) { return a.id < b.id; });
  input.measurements = store.measurements(input.record.id);
  input.environment = store.environment_of(input.record.id);
  const Stored stored = stored_parts(input.record, resources);
  input.space = stored.space.get();
  input.space_problem = stored.problem;
  StudyReport report = make_report(std::move(input), {});
  if (fidelity && report.front.empty()) report.front_fidelity = *fidelity;
  return report;
}

std::string trials_csv_of(const Store& store, const StudyReport& report, const Resources& resources) {
  const Stored stored = stored_parts(report.record, resources);
  return trials_csv(report, store.load(report.record.id), stored.space.get());
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
