#include "experiments/report/report_explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/device_costs.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/study/study_config.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

void add_device(std::vector<std::string>& devices, const Json& source) {
  if (!source.is_object() || !source.contains("device") || !source.at("device").is_string()) return;
  const auto name = source.at("device").get<std::string>();
  if (std::find(devices.begin(), devices.end(), name) == devices.end()) devices.push_back(name);
}

DeviceEstimate estimate_on(const std::string& device, const Design& design, const Resources& resources) {
  DeviceEstimate estimate{device, "", {}};
  try {
    estimate.cost = load_device_for(resources.device(device), design)->estimate(design);
    estimate.problem = estimate.cost.problem();
  } catch (const ConfigError& error) {
    estimate.problem = error.what();
  }
  return estimate;
}

// "--parameter classes=10 --batch 2 --format int8": what turns a genome into the study's design.
std::string design_flags(const StudyConfig& config) {
  std::string flags;
  for (const auto& [name, value] : config.space_options.parameters) {
    flags += " --parameter " + shell_quoted(name + "=" + choice_text(value));
  }
  if (config.space_options.batch != 1) flags += fmt::format(" --batch {}", config.space_options.batch);
  if (config.precision) flags += " --format " + shell_quoted(*config.precision);
  return flags;
}

void add_commands(TrialExplanation& explanation, const StudyConfig& config, const std::vector<std::string>& devices) {
  const std::string design = fmt::format("{} --genome {}{}", shell_quoted(config.space),
                                         shell_quoted(explanation.genome.dump()), design_flags(config));
  for (const ObjectiveConfig& objective : config.objectives) {
    if (!objective.from.is_object() || objective.from.value("evaluator", Json()) != Json("measured")) continue;
    const bool cold = objective.from.value("cache", Json("hot")) == Json("cold");
    explanation.commands.push_back(fmt::format("ridgeline measure {} --threads {}{}", design,
                                               objective.from.value("threads", Json(1)).dump(), cold ? " --cold" : ""));
  }
  for (const std::string& device : devices) {
    explanation.commands.push_back(fmt::format("ridgeline estimate {} --device {}", design, shell_quoted(device)));
  }
  if (explanation.commands.empty()) explanation.commands.push_back("ridgeline measure " + design);
}

void fill_design(TrialExplanation& explanation, const StudyConfig& config, const Resources& resources,
                 std::vector<std::string> devices) {
  const SearchSpace space = resources.load_space(config.space, config.space_options);
  if (space.fingerprint() != explanation.record.space_fingerprint) {
    explanation.space_problem = fmt::format("the space '{}' has changed since the search", config.space);
    return;
  }
  const Trial& trial = explanation.trial;
  explanation.genome = space.describe(trial.genome);
  explanation.choices = grouped_choices(space, trial.genome);
  explanation.design = decode_for(config, space, trial.genome);
  const Design& design = *explanation.design;
  explanation.macs = macs(design.network);
  explanation.parameters = parameters(design.network);
  explanation.weight_bytes = weight_bytes(design.network, design.precision);
  explanation.peak_activation_bytes = peak_activation_bytes(design.network, design.precision);
  for (std::size_t i = 0; i < config.objectives.size(); ++i) {
    add_device(devices, config.objectives[i].from);
    if (config.objectives[i].screen) add_device(devices, *config.objectives[i].screen);
  }
  for (const std::string& device : devices) explanation.estimates.push_back(estimate_on(device, design, resources));
  add_commands(explanation, config, devices);
}

}  // namespace

StudyRecord find_study(const Store& store, const std::string& name) {
  if (std::optional<StudyRecord> record = store.find(name)) return *record;
  std::vector<std::string> known;
  for (const StudyRecord& one : store.studies()) known.push_back(one.name);
  throw ConfigError({store.path(), "", "the name of a stored study", fmt::format("'{}'", name),
                     known.empty() ? "the database holds no study yet" : known_words(name, known)});
}

TrialExplanation explain_trial(const Store& store, const std::string& study, std::int64_t trial,
                               const Resources& resources, const std::vector<std::string>& devices) {
  TrialExplanation explanation;
  explanation.record = find_study(store, study);
  const std::optional<Trial> found = store.trial(explanation.record.id, trial);
  if (!found) {
    throw ConfigError({store.path(), study, fmt::format("a trial from 0 to {}", explanation.record.trials - 1),
                       std::to_string(trial), ""});
  }
  explanation.trial = *found;
  explanation.genome = Json(found->genome.genes);
  for (const ReportObjective& objective : described_objectives(explanation.record)) {
    explanation.objectives.push_back({objective, std::nullopt, std::nullopt, ""});
  }
  for (std::size_t i = 0; i < found->values.size() && i < explanation.objectives.size(); ++i) {
    explanation.objectives[i].value =
        natural(found->values[i], explanation.objectives[i].objective.objective.direction);
  }
  for (MeasurementRecord& one : store.measurements(explanation.record.id)) {
    if (one.trial_id != trial) continue;
    for (ExplainedObjective& objective : explanation.objectives) {
      if (!one.predicted || objective.objective.objective.name != one.objective) continue;
      objective.estimate = one.predicted;
      objective.estimate_by = source_text(
          objective_source(Json::parse(explanation.record.config, nullptr, false), one.objective, "screen"));
    }
    explanation.measurements.push_back(std::move(one));
  }
  try {
    const StudyConfig config = parse_study(JsonDocument::parse(explanation.record.config, "stored configuration"));
    fill_design(explanation, config, resources, devices);
  } catch (const ConfigError& error) {
    explanation.space_problem = error.what();
  }
  return explanation;
}

Json explanation_json(const TrialExplanation& explanation) {
  const Trial& trial = explanation.trial;
  Json json{{"study", explanation.record.name},
            {"trial", trial.id},
            {"status", status_names()[static_cast<std::size_t>(trial.status)]},
            {"fidelity", fidelity_names()[static_cast<std::size_t>(trial.fidelity)]},
            {"rung", trial.rung},
            {"reason", trial.reason},
            {"violation", trial.violation},
            {"function_hash", hex64(trial.function_hash)},
            {"genome", explanation.genome},
            {"genes", trial.genome.genes},
            {"commands", explanation.commands}};
  json["objectives"] = Json::array();
  for (const ExplainedObjective& one : explanation.objectives) {
    Json objective = objective_json(one.objective.objective);
    objective["proxy"] = one.objective.proxy;
    objective["value"] = one.value ? Json(*one.value) : Json();
    objective["estimate"] = one.estimate ? Json(*one.estimate) : Json();
    json["objectives"].push_back(std::move(objective));
  }
  if (explanation.design) {
    json["macs"] = explanation.macs;
    json["parameters"] = explanation.parameters;
    json["weight_bytes"] = explanation.weight_bytes;
    json["peak_activation_bytes"] = explanation.peak_activation_bytes;
  } else {
    json["space_problem"] = explanation.space_problem;
  }
  json["estimates"] = Json::object();
  for (const DeviceEstimate& one : explanation.estimates) {
    json["estimates"][one.device] =
        one.problem.empty() ? cost_json(one.cost, explanation.design->network) : Json{{"unsupported", one.problem}};
  }
  json["measurements"] = Json::array();
  for (const MeasurementRecord& one : explanation.measurements) {
    Json measurement = measurement_json(one.measurement);
    measurement["objective"] = one.objective;
    measurement["purpose"] = one.purpose;
    measurement["measured_utc"] = one.measured_utc;
    measurement["protocol"] = Json::parse(one.protocol, nullptr, false);
    json["measurements"].push_back(std::move(measurement));
  }
  return json;
}

std::int64_t chosen_trial(const Store& store, const std::string& study, std::optional<std::int64_t> trial) {
  if (trial) return *trial;
  const StudyRecord record = find_study(store, study);
  for (const Fidelity fidelity : {Fidelity::measured, Fidelity::predicted, Fidelity::analytic}) {
    const std::vector<Trial> front = store.front(record.id, fidelity);
    if (front.empty()) continue;
    return std::ranges::min(front, {}, [](const Trial& one) { return one.values.front(); }).id;
  }
  throw ConfigError({store.path(), study, "a study with a front", "none of its trials is feasible",
                     "name one with --trial, or search under other limits"});
}

}  // namespace ridgeline
