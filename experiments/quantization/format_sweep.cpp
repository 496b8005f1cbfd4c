#include "experiments/quantization/format_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "hwmodels/hardware_model.hpp"
#include "kernels/pinning.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/config_error.hpp"
#include "spaces/onnx/export.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_choices = 65535;  // of a dimension

void write(const fs::path& path, const std::string& text) {
  const fs::path fresh = path.string() + ".new";
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  std::error_code error;
  if (file) fs::rename(fresh, path, error);
  if (!file || error) {
    throw ConfigError(Problem{path.string(), "", "a file that can be written", error ? error.message() : "it cannot",
                              "choose another folder"});
  }
}

struct Files {
  explicit Files(const fs::path& folder) : model(folder / "model.onnx"), space(folder / "formats.json") {}
  fs::path model, space;
};

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

// Before anything is written: what can be refused, and a folder that holds nothing of somebody else's.
void check(const FormatSweepConfig& config, const Files& files, const Resources& resources) {
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
  std::error_code error;
  const fs::path folder(config.folder);
  if (!fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error))) return;
  std::ifstream space(files.space, std::ios::binary);
  const Json made = Json::parse(space, nullptr, false);
  if (made.is_object() && made.contains("ridgeline_space") && made.value("model", "") == files.model.filename()) return;
  throw ConfigError(Problem{"--out", "", "a new folder, an empty one, or one that this command made",
                            "'" + config.folder + "'", "choose another name"});
}

void write_model(const TrainedModel& model, const Files& files, const std::string& version) {
  OnnxOptions options;
  options.graph_name = model.name;
  options.producer_version = version;
  options.class_names = model.class_names;
  options.mean = model.normalisation.mean;
  options.stddev = model.normalisation.stddev;
  write(files.model, onnx_model(with_folded_norms(model.design), options));
}

// All operators tied to one dimension of pairs; with `edges` the first and the last keep that format.
void write_space(const FormatSweepConfig& config, const std::string& name, std::span<const SweepPair> pairs,
                 const Files& files) {
  Json space{{"ridgeline_space", 1},
             {"name", name + "_formats"},
             {"model", files.model.filename().string()},
             {"formats", Json::array({"f32"})}};
  std::vector<std::string> operators;
  const SearchSpace every = SearchSpace::parse(JsonDocument::from_value(space, files.space.string()));
  for (const Dimension& dimension : every.dims()) operators.push_back(dimension.name);
  if (!config.edges.empty()) {
    if (operators.size() < 3) {
      throw ConfigError(Problem{"--edges", "", "a network with operators between the first and the last",
                                std::to_string(operators.size()) + " in all", "leave it out"});
    }
    space["fixed"] = {{operators.front(), config.edges}, {operators.back(), config.edges}};
    operators.pop_back();
    operators.erase(operators.begin());
  }
  space["ties"] = Json::array({operators});
  space["formats"] = Json::array();
  for (const SweepPair& pair : pairs) space["formats"].push_back(plan_word(pair.weights, pair.activations));
  write(files.space, space.dump(2) + "\n");
}

StudyConfig study_of(const FormatSweepConfig& config, const Files& files, std::size_t pairs, std::size_t images) {
  const auto all = static_cast<std::int64_t>(pairs);
  const std::int64_t trials = std::min(all, config.trials.value_or(all));
  Json study{{"ridgeline_study", 1},
             {"name", config.name},
             {"space", files.space.string()},
             {"seed", config.seed},
             {"searcher", {{"name", trials < all ? "nsga2" : "exhaustive"}}},
             {"batch", 8},  // what an interruption loses at most
             {"verify_front", false},
             {"stop", {{"trials", trials}}}};
  if (config.wall_s) study["stop"]["wall_s"] = *config.wall_s;
  study["objectives"] = Json::array(
      {{{"name", "accuracy"},
        {"unit", "%"},
        {"direction", "maximise"},
        {"from",
         {{"evaluator", "quantized"}, {"model", files.model.string()}, {"data", config.data}, {"images", images}}}},
       {{"name", "luts"},
        {"direction", "minimise"},
        {"from", {{"evaluator", "cost"}, {"device", config.device}, {"quantity", "luts"}}}}});
  return parse_study(JsonDocument::from_value(std::move(study), "ridgeline sweep"));
}

void collect(FormatSweepResult& result, const FormatSweepConfig& config, const Resources& resources,
             const SearchSpace& space, const Store& store, StudyId id) {
  const std::unique_ptr<HardwareModel> device = load_device(resources.device(config.device));
  for (std::size_t i = 0; i < result.pairs.size(); ++i) {
    const Cost cost = device->estimate(space.decode({{static_cast<std::uint16_t>(i)}}));
    SweepPair& pair = result.pairs[i];
    pair.reason = cost.unsupported;
    for (const auto& [name, value] : {std::pair{"luts", &pair.luts}, {"dsps", &pair.dsps}, {"brams", &pair.brams}}) {
      if (const ResourceUse* use = cost.resource(name)) *value = use->used;
    }
  }
  for (const Trial& trial : store.load(id)) {
    SweepPair& pair = result.pairs[trial.genome.genes.front()];
    pair.trial = trial.id;
    if (trial.status == Status::ok) {
      pair.error = 100.0 + trial.values[0];  // minus the accuracy
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
  std::string text = "weights,activations,family,error_percent,luts,dsps,brams,front,trial,reason\r\n";
  for (const SweepPair& pair : result.pairs) {
    std::string reason = pair.reason;
    for (std::size_t at = 0; (at = reason.find('"', at)) != std::string::npos; at += 2) reason.insert(at, 1, '"');
    text += fmt::format("{},{},{},{},{:.1f},{:.0f},{:.0f},{},{},{}\r\n", pair.weights, pair.activations,
                        name_of(pair.family), pair.error ? fmt::format("{:.6g}", *pair.error) : "", pair.luts,
                        pair.dsps, pair.brams, pair.on_front ? 1 : 0, pair.trial ? std::to_string(*pair.trial) : "",
                        reason.empty() ? "" : '"' + reason + '"');
  }
  return text;
}

FormatSweepResult sweep_pairs(const FormatSweepConfig& config, const Resources& resources, Store& store,
                              const std::string& command, const StudyHooks& hooks) {
  const Files files{fs::path(config.folder)};
  check(config, files, resources);
  TrainedModel model = load_trained_model(config.model, resources);
  const Dataset data = load_dataset(config.data);
  adapt(model, data);
  FormatSweepResult result;
  result.pairs = pairs_of(config);
  result.images = std::min(config.images, data.validation.size());
  std::error_code error;
  fs::create_directories(config.folder, error);
  write_model(model, files, hooks.program_version);
  write_space(config, model.name, result.pairs, files);
  Study study(study_of(config, files, result.pairs.size(), result.images), resources, store, command, hooks);
  const StudyResult searched = study.run();
  result.end = searched.end;
  if (searched.end == StudyResult::End::interrupted) return result;
  collect(result, config, resources, study.space(), store, searched.study);
  const LabelledImages images = calibration_images(data.validation, result.images);
  result.baseline_error =
      100.0 -
      100.0 *
          evaluate_classifier(model.design, images, model.normalisation, {.threads = allowed_processors()}).accuracy;
  return result;
}

}  // namespace ridgeline
