#include "experiments/quantization/quantize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/onnx/check.hpp"
#include "spaces/onnx/export.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

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
  explicit Files(const fs::path& folder)
      : model(folder / "model.onnx"),
        space(folder / "plans.json"),
        quantized(folder / "quantized.onnx"),
        plan(folder / "quantized_plan.json") {}
  fs::path model, space, quantized, plan;
};

OnnxOptions options_of(const TrainedModel& model, const std::string& version) {
  OnnxOptions options;
  options.graph_name = model.name;
  options.producer_version = version;
  options.class_names = model.class_names;
  options.mean = model.normalisation.mean;
  options.stddev = model.normalisation.stddev;
  return options;
}

// Before anything is written: formats that can be read, and a folder that holds nothing of somebody else's.
void check(const QuantizeConfig& config, const Files& files) {
  for (const std::string& word : config.formats) {
    try {
      PrecisionPlan::uniform(Network(), word);
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      throw ConfigError(Problem{"--formats", "", problem.expected, problem.found, problem.remedy});
    }
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

// The network that is searched: of one sample, in f32, batch norms in the weights.
void write_space(const QuantizeConfig& config, const Files& files, const Resources& resources,
                 const std::string& version) {
  TrainedModel model = load_trained_model(config.model, resources);
  adapt(model, load_dataset(config.data));
  std::error_code error;
  fs::create_directories(config.folder, error);
  const Design folded = with_folded_norms(model.design);
  write(files.model, onnx_model(folded, options_of(model, version)));
  const Json space{{"ridgeline_space", 1},
                   {"name", model.name + "_plans"},
                   {"model", files.model.filename().string()},
                   {"formats", config.formats}};
  write(files.space, space.dump(2) + "\n");
}

StudyConfig study_of(const QuantizeConfig& config, const Files& files) {
  const SearchSpace space = SearchSpace::load(files.space.string());
  Json uniform = Json::array();
  for (std::size_t i = 0; i < config.formats.size(); ++i) uniform.push_back(Json::array());
  for (std::size_t i = 0; i < uniform.size(); ++i) {
    for (std::size_t k = 0; k < space.dims().size(); ++k) uniform[i].push_back(i);
  }
  const std::size_t population = std::max<std::size_t>(24, config.formats.size());
  Json study{{"ridgeline_study", 1},
             {"name", config.name},
             {"space", files.space.string()},
             {"seed", config.seed},
             {"searcher", {{"name", "nsga2"}, {"population", population}, {"begin_with", uniform}}},
             {"verify_front", false},
             {"stop", {{"trials", config.trials}}}};
  if (config.wall_s) study["stop"]["wall_s"] = *config.wall_s;
  study["objectives"] =
      Json::array({{{"name", "accuracy"},
                    {"unit", "%"},
                    {"direction", "maximise"},
                    {"from", {{"evaluator", "quantized"}, {"model", files.model.string()}, {"data", config.data}}}},
                   {{"name", "latency_s"},
                    {"unit", "s"},
                    {"direction", "minimise"},
                    {"from", {{"evaluator", "measured"}, {"threads", config.threads}, {"target_s", 0.05}}}}});
  return parse_study(JsonDocument::from_value(std::move(study), "ridgeline quantize"));
}

bool keeps(const PlanResult& plan, const QuantizeResult& result, const QuantizeGoal& goal) {
  const std::optional<PlanResult>& baseline = result.uniform.front();
  if (goal.max_weight_bytes && plan.weight_bytes > *goal.max_weight_bytes) return false;
  if (!baseline) return false;  // nothing to compare with
  if (plan.accuracy < baseline->accuracy - goal.max_drop - 1e-9) return false;
  return !goal.min_speedup || plan.latency_s * *goal.min_speedup <= baseline->latency_s;
}

void choose(QuantizeResult& result, const QuantizeGoal& goal) {
  if (result.front.empty()) return;
  for (std::size_t i = 0; i < result.front.size() && !result.goal_met; ++i) {
    if (!keeps(result.front[i], result, goal)) continue;
    result.chosen = i;
    result.goal_met = true;
  }
  if (result.goal_met) return;
  const auto best = std::ranges::max_element(result.front, {}, &PlanResult::accuracy);
  result.chosen = static_cast<std::size_t>(best - result.front.begin());
}

// Front and uniform plans, timed again beside each other.
void collect(QuantizeResult& result, const QuantizeConfig& config, Study& study, const Store& store, StudyId id) {
  const std::vector<Trial> all = store.load(id);
  std::vector<Trial> wanted = store.front(id, Fidelity::measured);
  const std::size_t on_front = wanted.size();
  std::vector<std::optional<std::size_t>> uniform(config.formats.size());  // in `wanted`
  for (const Trial& trial : all) {
    const auto [least, most] = std::ranges::minmax(trial.genome.genes);
    if (least != most || trial.status != Status::ok) continue;
    const auto there = std::ranges::find(wanted, trial.id, &Trial::id);
    uniform[least] = static_cast<std::size_t>(there - wanted.begin());
    if (there == wanted.end()) wanted.push_back(trial);
  }
  const std::vector<Verified> verified = study.verify_front(wanted);
  std::vector<PlanResult> plans;
  for (const Trial& trial : wanted) {
    PlanResult plan{trial.id, trial.genome, -trial.values[0], trial.values[1]};
    for (const Verified& one : verified) {
      if (one.trial != trial.id || one.again.outcome != Measurement::Outcome::ok) continue;
      plan.latency_s = one.again.median_s;
      plan.ci_low_s = one.again.ci_low_s;
      plan.ci_high_s = one.again.ci_high_s;
      plan.timed_again = true;
    }
    const Design design = study.space().decode(trial.genome);
    plan.weight_bytes = weight_bytes(design.network, design.precision);
    plans.push_back(std::move(plan));
  }
  for (std::size_t i = 0; i < uniform.size(); ++i) {
    result.uniform.push_back(uniform[i] ? std::optional(plans[*uniform[i]]) : std::nullopt);
  }
  result.front.assign(plans.begin(), plans.begin() + static_cast<std::ptrdiff_t>(on_front));
  std::ranges::sort(result.front, {}, &PlanResult::latency_s);
}

void write_chosen(QuantizeResult& result, const QuantizeConfig& config, const Files& files, const SearchSpace& space,
                  const Resources& resources, const std::string& version) {
  const PlanResult& chosen = result.front[*result.chosen];
  const Json plan{{"model", files.model.filename().string()},
                  {"accuracy", chosen.accuracy},
                  {"latency_s", chosen.latency_s},
                  {"weight_bytes", chosen.weight_bytes},
                  {"formats", space.describe(chosen.genome)}};
  write(files.plan, plan.dump(2) + "\n");
  result.plan = files.plan.string();
  TrainedModel model = load_trained_model(files.model.string(), resources);
  const Dataset data = load_dataset(config.data);
  adapt(model, data);
  model.design.precision = space.decode(chosen.genome).precision;
  calibrate(model.design, data.train, model.normalisation, config.threads);
  std::string bytes;
  try {
    bytes = onnx_model(model.design, options_of(model, version));
  } catch (const ConfigError&) {  // a format that no ONNX file holds; the plan says which
    return;
  }
  check_onnx_model(bytes, onnx_tensors(model.design.network));
  write(files.quantized, bytes);
  result.onnx = files.quantized.string();
}

}  // namespace

QuantizeResult quantize(const QuantizeConfig& config, const QuantizeGoal& goal, const Resources& resources,
                        Store& store, const std::string& command, const StudyHooks& hooks) {
  const Files files{fs::path(config.folder)};
  check(config, files);
  write_space(config, files, resources, hooks.program_version);
  Study study(study_of(config, files), resources, store, command, hooks);
  const StudyResult searched = study.run();
  QuantizeResult result;
  result.end = searched.end;
  for (const Dimension& dimension : study.space().dims()) result.operators.push_back(dimension.name);
  if (searched.end == StudyResult::End::interrupted) return result;
  collect(result, config, study, store, searched.study);
  choose(result, goal);
  if (result.chosen) write_chosen(result, config, files, study.space(), resources, hooks.program_version);
  return result;
}

}  // namespace ridgeline
