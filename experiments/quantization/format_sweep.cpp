#include "experiments/quantization/format_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/quantization/plan_folder.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "hwmodels/hardware_model.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_choices = 65535;  // of a dimension

bool is_integer(const Format& format) {
  return format.kind == Format::Kind::integer || format.kind == Format::Kind::unsigned_integer;
}

FormatFamily family_of(const std::string& weights, const std::string& activations) {
  const bool left = is_integer(Format::parse(weights)), right = is_integer(Format::parse(activations));
  if (left != right) return FormatFamily::mixed;
  return left ? FormatFamily::integer : FormatFamily::minifloat;
}

// "int4" and "e4m3" to "int4@channel/e4m3": a format that names no granularity has the usual one.
std::string plan_word(const std::string& weights, const std::string& activations) {
  const bool bare =
      weights.find('@') == std::string::npos && Format::parse(weights).granularity == Format::Granularity::tensor;
  return fmt::format("{}{}/{}", weights, bare ? "@channel" : "", activations);
}

std::vector<SweepPair> pairs_of(const FormatSweepConfig& config) {
  std::vector<SweepPair> pairs;
  for (const std::string& weights : config.weights) {
    for (const std::string& activations : config.activations) {
      SweepPair pair;
      pair.weights = weights;
      pair.activations = activations;
      pair.family = family_of(weights, activations);
      pairs.push_back(std::move(pair));
    }
  }
  std::ranges::stable_sort(pairs, {}, &SweepPair::family);
  return pairs;
}

// Before anything is read or written: what can be refused.
void check(const FormatSweepConfig& config, const Resources& resources) {
  if (config.weights.empty() || config.activations.empty() ||
      config.weights.size() * config.activations.size() > most_choices) {
    throw ConfigError(Problem{"--weights", "", fmt::format("1 to {} pairs of formats", most_choices),
                              std::to_string(config.weights.size() * config.activations.size()), ""});
  }
  if (!config.edges.empty()) {
    try {
      PrecisionPlan::uniform(Network(), config.edges);
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      throw ConfigError(Problem{"--edges", "", problem.expected, problem.found, problem.remedy});
    }
  }
  const std::unique_ptr<HardwareModel> device = load_device(resources.device(config.device));
  const auto known = device->resources();
  if (std::ranges::find(known, "luts") == known.end()) {
    throw ConfigError(Problem{"--device", "", "a device that is laid out in LUTs (model \"fpga\")",
                              "'" + config.device + "'", "alveo_u250 and zcu104 are"});
  }
}

// All operators tied to one dimension of pairs; with `edges` the first and the last keep that format.
void tie(Json& space, std::vector<std::string> operators, const std::string& edges) {
  if (!edges.empty()) {
    if (operators.size() < 3) {
      throw ConfigError(Problem{"--edges", "", "a network with operators between the first and the last",
                                std::to_string(operators.size()) + " in all", "leave it out"});
    }
    space["fixed"] = {{operators.front(), edges}, {operators.back(), edges}};
    operators.pop_back();
    operators.erase(operators.begin());
  }
  space["ties"] = Json::array({operators});
}

StudyConfig study_of(const FormatSweepConfig& config, const PlanFolder& folder, const PostTrainingOptions& of_pairs,
                     const FormatSweepResult& result) {
  const auto all = static_cast<std::int64_t>(result.pairs.size());
  const std::int64_t trials = std::min(all, config.trials.value_or(all));
  Json study{{"ridgeline_study", 1},
             {"name", config.name},
             {"space", folder.space.string()},
             {"seed", config.seed},
             {"searcher", {{"name", trials < all ? "nsga2" : "exhaustive"}}},
             {"batch", 8},  // what an interruption loses at most
             {"verify_front", false},
             {"stop", {{"trials", trials}}}};
  if (config.wall_s) study["stop"]["wall_s"] = *config.wall_s;
  Json accuracy{
      {"evaluator", "quantized"}, {"model", folder.model.string()}, {"data", config.data}, {"images", result.images}};
  accuracy.update(of_pairs.json());
  study["objectives"] =
      Json::array({{{"name", "accuracy"}, {"unit", "%"}, {"direction", "maximise"}, {"from", std::move(accuracy)}},
                   {{"name", "luts"},
                    {"direction", "minimise"},
                    {"from", {{"evaluator", "cost"}, {"device", config.device}, {"quantity", "luts"}}}}});
  return parse_study(JsonDocument::from_value(std::move(study), "ridgeline sweep"));
}

// What is left to 100 %, without the noise of the last digits: no error is 0, not -1e-13.
double error_of(double accuracy_percent) { return std::round((100.0 - accuracy_percent) * 1e9) / 1e9 + 0.0; }

void collect(FormatSweepResult& result, const FormatSweepConfig& config, const Resources& resources,
             const SearchSpace& space, const Store& store, StudyId id) {
  const std::unique_ptr<HardwareModel> device = load_device(resources.device(config.device));
  for (std::size_t i = 0; i < result.pairs.size(); ++i) {
    const Cost cost = device->estimate(space.decode({{static_cast<std::uint16_t>(i)}}));
    SweepPair& pair = result.pairs[i];
    pair.reason = cost.problem();
    for (const auto& [name, value] : {std::pair{"luts", &pair.luts}, {"dsps", &pair.dsps}, {"brams", &pair.brams}}) {
      if (const ResourceUse* use = cost.resource(name)) *value = use->used;
    }
  }
  for (const Trial& trial : store.load(id)) {
    SweepPair& pair = result.pairs[trial.genome.genes.front()];
    pair.trial = trial.id;
    if (trial.status == Status::ok) {
      pair.error = error_of(-trial.values[0]);
    } else if (pair.reason.empty()) {
      pair.reason = trial.reason;
    }
  }
  for (const Trial& trial : store.front(id, Fidelity::measured)) {
    result.pairs[trial.genome.genes.front()].on_front = true;
    result.front.push_back(trial.genome.genes.front());
  }
  std::ranges::sort(result.front, {}, [&](std::size_t i) { return result.pairs[i].luts; });
}

}  // namespace

std::string_view name_of(FormatFamily family) {
  switch (family) {
    case FormatFamily::integer:
      return "integer";
    case FormatFamily::mixed:
      return "mixed";
    default:
      return "minifloat";
  }
}

std::vector<std::string> sweep_integers() {
  std::vector<std::string> formats;
  for (int bits = 3; bits <= 8; ++bits) formats.push_back(fmt::format("int{}", bits));
  return formats;
}

std::vector<std::string> sweep_minifloats() {
  std::vector<std::string> formats;
  for (int bits = 3; bits <= 8; ++bits) {
    for (int exponent = 1; exponent < bits; ++exponent) {
      formats.push_back(fmt::format("e{}m{}", exponent, bits - 1 - exponent));
    }
  }
  return formats;
}

std::vector<std::string> sweep_formats(const std::string& list, const std::string& flag) {
  std::vector<std::string> formats;
  const auto add = [&](const std::string& word) {
    if (std::ranges::find(formats, word) == formats.end()) formats.push_back(word);
  };
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    const std::string word = list.substr(from, comma - from);
    from = comma + 1;
    if (word.empty()) {
      throw ConfigError(Problem{flag, "", "number formats, with commas", "'" + list + "'",
                                "integers, minifloats, all, or names such as int4,e2m1"});
    }
    if (word == "integers" || word == "all") std::ranges::for_each(sweep_integers(), add);
    if (word == "minifloats" || word == "all") std::ranges::for_each(sweep_minifloats(), add);
    if (word == "integers" || word == "minifloats" || word == "all") continue;
    try {
      const Format format = Format::parse(word);
      if (!is_integer(format) && format.kind != Format::Kind::minifloat) {
        throw ConfigError(Problem{flag, "", "integers and minifloats", "'" + word + "'",
                                  "the words integers, minifloats and all stand for those of 3 to 8 bits"});
      }
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      throw ConfigError(Problem{flag, "", problem.expected, problem.found, problem.remedy});
    }
    add(word);
  }
  return formats;
}

std::vector<FamilyStretch> stretches(const FormatSweepResult& result) {
  std::vector<FamilyStretch> found;
  for (const std::size_t i : result.front) {
    const SweepPair& pair = result.pairs[i];
    if (found.empty() || found.back().family != pair.family) {
      found.push_back({pair.family, 0, pair.luts, pair.luts, *pair.error, *pair.error});
    }
    ++found.back().pairs;
    found.back().most_luts = pair.luts;
    found.back().least_error = *pair.error;
  }
  return found;
}

std::string sweep_csv(const FormatSweepResult& result) {
  std::string text =
      "weights,activations,family,passes,calibration,error_percent,luts,dsps,brams,front,trial,reason\r\n";
  const std::string passes = result.post_training.text();
  const std::string& calibration =
      calibration_method_names()[static_cast<std::size_t>(result.post_training.calibration)];
  for (const SweepPair& pair : result.pairs) {
    std::string reason = pair.reason;
    for (std::size_t at = 0; (at = reason.find('"', at)) != std::string::npos; at += 2) reason.insert(at, 1, '"');
    text += fmt::format("{},{},{},{},{},{},{:.1f},{:.0f},{:.0f},{},{},{}\r\n", pair.weights, pair.activations,
                        name_of(pair.family), passes, calibration, pair.error ? fmt::format("{:.6g}", *pair.error) : "",
                        pair.luts, pair.dsps, pair.brams, pair.on_front ? 1 : 0,
                        pair.trial ? std::to_string(*pair.trial) : "", reason.empty() ? "" : '"' + reason + '"');
  }
  return text;
}

FormatSweepResult sweep_pairs(const FormatSweepConfig& config, const Resources& resources, Store& store,
                              const std::string& command, const StudyHooks& hooks) {
  check(config, resources);
  const PlanFolder folder(config.folder, "formats.json");
  TrainedModel model = load_trained_model(config.model, resources);
  const Dataset data = load_dataset(config.data);
  adapt(model, data);
  FormatSweepResult result;
  result.pairs = pairs_of(config);
  result.images = std::min(config.images, data.validation.size());
  result.post_training = config.post_training;
  PlanSpaceRequest request{.store = store,
                           .study = config.name,
                           .name = model.name + "_formats",
                           .formats = {},
                           .post_training = config.post_training,
                           .version = hooks.program_version,
                           .rules = [&](Json& space, std::vector<std::string> operators) {
                             tie(space, std::move(operators), config.edges);
                           }};
  for (const SweepPair& pair : result.pairs) request.formats.push_back(plan_word(pair.weights, pair.activations));
  const FolderLock lock(folder.folder);
  write_plan_space(folder, model, data, request);
  Study study(study_of(config, folder, passes_of_plans(config.post_training), result), resources, store, command,
              hooks);
  const StudyResult searched = study.run();
  result.end = searched.end;
  if (searched.end == StudyResult::End::interrupted) return result;
  collect(result, config, resources, study.space(), store, searched.study);
  const LabelledImages images = calibration_images(data.validation, result.images);
  result.baseline_error = error_of(
      100.0 *
      evaluate_classifier(model.design, images, model.normalisation, {.threads = allowed_processors()}).accuracy);
  return result;
}

}  // namespace ridgeline
