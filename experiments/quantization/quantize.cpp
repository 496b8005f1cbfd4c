#include "experiments/quantization/quantize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

#include "experiments/quantization/kept_layers.hpp"
#include "experiments/quantization/plan_folder.hpp"
#include "experiments/quantization/quantize_layers.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/whole_file.hpp"
#include "hwmodels/hardware_model.hpp"
#include "kernels/pinning.hpp"
#include "spaces/counts.hpp"
#include "spaces/onnx/check.hpp"

namespace ridgeline {
namespace {

void check_formats(const QuantizeConfig& config) {
  for (const std::string& word : config.formats) {
    try {
      PrecisionPlan::uniform(Network(), word);
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      throw ConfigError(Problem{"--formats", "", problem.expected, problem.found, problem.remedy});
    }
    if (std::ranges::count(config.formats, word) > 1) {
      throw ConfigError(Problem{"--formats", "", "each format once", "'" + word + "' twice", ""});
    }
  }
}

void check_device(const QuantizeConfig& config, const Resources& resources) {
  if (config.device.empty()) return;
  std::string file;
  try {
    file = resources.device(config.device);
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    throw ConfigError(Problem{"--device", "", problem.expected, problem.found, problem.remedy});
  }
  load_device(file);
}

// Thrown through what measures layers when the user stops it; the search stops by itself.
struct Stopped {};

std::string whole_path(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  return error ? path.string() : whole.string();
}

// Where two studies differ that should be one: "objectives/0/from/data: \"a\" is now \"b\"".
std::string differences(const Json& stored, const Json& now) {
  std::string text;
  for (const Json& change : Json::diff(stored, now)) {
    const std::string path = change.at("path").get<std::string>();
    if (path.starts_with("/stop") || path.starts_with("/threads")) continue;
    const Json::json_pointer place(path);
    const auto shown = [&](const Json& study) { return study.contains(place) ? study.at(place).dump() : "nothing"; };
    text += fmt::format("{}{}: {} is now {}", text.empty() ? "" : ", ", path.substr(1), shown(stored), shown(now));
  }
  return text;
}

std::string metric_name(const QuantizeConfig& config) {
  return quality_metric_names()[static_cast<std::size_t>(config.metric)];
}

// One run, from the folder to the chosen plan.
class Run {
 public:
  Run(const QuantizeConfig& config, const QuantizeGoal& goal, const Resources& resources, Store& store,
      const std::string& command, const QuantizeHooks& hooks)
      : config_(config),
        goal_(goal),
        resources_(resources),
        store_(store),
        command_(command),
        hooks_(hooks),
        folder_(config.folder),
        of_plans_(passes_of_plans(config.post_training)) {
    phase_ = [this](const std::string& name, std::size_t done, std::size_t total) {
      if (hooks_.phase) hooks_.phase(name, done, total);
      stop_where_asked();
    };
  }

  QuantizeResult run();

 private:
  void search();
  void prepare();
  void write_space(const TrainedModel& original);
  void study_layers_first();
  void check_same_study() const;
  void stop_where_asked() const;
  Json objectives() const;
  Json searcher() const;
  StudyConfig study() const;
  StudyHooks study_hooks();
  void keep_best();
  std::vector<PlanResult> plans_of(const std::vector<Trial>& trials, const std::vector<Verified>& verified) const;
  std::vector<Trial> small_enough(StudyId id) const;
  std::vector<Trial> candidates(StudyId id) const;
  void find_baseline();
  std::vector<Verified> timed_again(Study& study, const std::vector<Trial>& wanted);
  void collect(Study& study, StudyId id);
  void find_kept();
  bool is_worse(double quality, double than) const;
  bool keeps_quality(double quality, double baseline) const;
  bool keeps(const PlanResult& plan) const;
  std::optional<std::size_t> best_of(const std::vector<PlanResult>& front, bool& goal_met) const;
  void write_plan(const PlanResult& plan) const;
  void write_onnx(const PlanResult& plan);

  const QuantizeConfig& config_;
  const QuantizeGoal& goal_;
  const Resources& resources_;
  Store& store_;
  const std::string& command_;
  const QuantizeHooks& hooks_;
  QuantizeFolder folder_;
  PostTrainingOptions of_plans_;  // the passes that a plan decides
  std::function<void(const std::string&, std::size_t, std::size_t)> phase_;
  std::optional<FolderLock> lock_;
  std::optional<StudyRecord> known_;  // the study as it was begun
  bool searched_ = false;
  QuantizeResult result_;
  TrainedModel model_;  // as in the folder, adapted to the data
  Dataset data_;
  std::optional<SearchSpace> space_;
  std::optional<PlanQuality> quality_;
  std::optional<PlanLatency> latency_;  // of the layers; nothing where a device prices plans
  std::optional<LayerStudy> layers_;
  std::optional<std::int64_t> written_;  // the trial whose plan is in the folder
  std::chrono::steady_clock::time_point looked_{};
};

void Run::stop_where_asked() const {
  if (hooks_.study.stop != nullptr && hooks_.study.stop->load()) throw Stopped();
}

void Run::prepare() {
  data_ = load_dataset(config_.data);
  TrainedModel original = load_trained_model(config_.model, resources_);
  adapt(original, data_);
  known_ = store_.find(config_.name);
  if (known_) check_same_study();
  lock_.emplace(folder_.folder);
  write_space(original);
  stop_where_asked();
  if (!config_.device.empty()) {
    result_.allocated = "a device prices plans, not layers";
  } else if (config_.formats.size() > 1) {
    study_layers_first();
  }
}

// A study of this name goes on only with what it was begun with: said before anything is measured or written.
void Run::check_same_study() const {
  const StudyConfig stored =
      parse_study(JsonDocument::parse(known_->config, "configuration stored in " + store_.path()));
  const StudyConfig now = study();
  if (stored.hash() == now.hash()) return;
  throw StoreError(
      fmt::format("{}: study '{}' was begun with another configuration ({}); give the new one another "
                  "--name, go back to the old one, or delete the study with 'ridgeline runs delete {}'",
                  store_.path(), config_.name, differences(stored.canonical, now.canonical), config_.name));
}

void Run::write_space(const TrainedModel& original) {
  const auto calibrating = [this](std::size_t done, std::size_t total) { phase_("calibration", done, total); };
  write_plan_space(folder_, original, data_,
                   {.store = store_,
                    .study = config_.name,
                    .name = original.name + "_plans",
                    .formats = config_.formats,
                    .post_training = config_.post_training,
                    .version = hooks_.study.program_version,
                    .progress = calibrating});
  space_.emplace(SearchSpace::load(folder_.space.string()));
  for (const Dimension& dimension : space_->dims()) result_.operators.push_back(dimension.name);
  model_ = load_trained_model(folder_.model.string(), resources_);
  adapt(model_, data_);
  const int threads = allowed_processors();
  quality_.emplace(PostTraining(model_, data_.train, of_plans_, threads, calibrating), data_.validation,
                   model_.normalisation, config_.metric, threads);
}

void Run::study_layers_first() {
  Design design = quality_->post_training().design();
  const std::span<const Range> ranges = quality_->post_training().ranges();
  design.quantization =
      std::make_shared<const Quantization>(Quantization{std::vector<Range>(ranges.begin(), ranges.end())});
  const PlanSpace plans = plan_space(*space_, design, config_.formats);
  try {
    LayerStudyOptions options;
    options.threads = config_.threads;
    options.progress = phase_;
    options.timer = hooks_.time_layers;
    options.labelled = config_.metric != QualityMetric::agreement && config_.metric != QualityMetric::divergence;
    layers_ = study_layers(folder_, *space_, plans, *quality_, model_.normalisation, options);
    latency_.emplace(plans, layers_->costs);
  } catch (const ConfigError& problem) {
    result_.allocated = problem.what();
  }
}

Json Run::objectives() const {
  Json quality{{"evaluator", "quantized"}, {"model", whole_path(folder_.model)}, {"data", whole_path(config_.data)}};
  if (config_.metric != QualityMetric::accuracy) quality["quantity"] = metric_name(config_);
  quality.update(of_plans_.json());
  Json latency{{"evaluator", "measured"}, {"threads", config_.threads}, {"target_s", 0.05}};
  if (!config_.device.empty()) latency = {{"evaluator", "cost"}, {"device", config_.device}};
  const bool more = direction_of(config_.metric) == Direction::maximise;
  return Json::array({{{"name", metric_name(config_)},
                       {"unit", unit_of(config_.metric)},
                       {"direction", more ? "maximise" : "minimise"},
                       {"from", std::move(quality)}},
                      {{"name", "latency_s"}, {"unit", "s"}, {"direction", "minimise"}, {"from", std::move(latency)}}});
}

// Of a study that is stored, the searcher as it was begun: the layers' costs may have been measured anew since.
Json Run::searcher() const {
  if (known_) {
    const Json stored = Json::parse(known_->config, nullptr, false);
    if (stored.is_object() && stored.contains("searcher")) return stored.at("searcher");
  }
  Json begin = Json::array();
  for (std::size_t i = 0; i < config_.formats.size(); ++i) {
    begin.push_back(Json(std::vector<std::size_t>(space_->dims().size(), i)));
  }
  if (layers_) {
    for (const Genome& genome : layers_->plans) {
      if (std::ranges::find(begin, Json(genome.genes)) == begin.end()) begin.push_back(genome.genes);
    }
  }
  const std::size_t population = std::max<std::size_t>(24, begin.size());
  return {{"name", "nsga2"}, {"population", population}, {"begin_with", std::move(begin)}};
}

StudyConfig Run::study() const {
  Json study{{"ridgeline_study", 1},
             {"name", config_.name},
             {"space", whole_path(folder_.space)},
             {"seed", config_.seed},
             {"searcher", searcher()},
             {"objectives", objectives()},
             {"verify_front", false},
             {"stop", {{"trials", config_.trials}}}};
  if (config_.wall_s) study["stop"]["wall_s"] = *config_.wall_s;
  return parse_study(JsonDocument::from_value(std::move(study), "ridgeline quantize"));
}

StudyHooks Run::study_hooks() {
  StudyHooks hooks = hooks_.study;
  hooks.progress = [this, shown = hooks_.study.progress](const StudyProgress& progress) {
    if (shown) shown(progress);
    if (searched_) return stop_where_asked();  // timing once more
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ < std::chrono::seconds(1)) return;
    looked_ = now;
    keep_best();
  };
  return hooks;
}

// The best plan so far is in the folder at all times.
void Run::keep_best() {
  const std::optional<StudyRecord> record = store_.find(config_.name);
  if (!record) return;
  if (const std::optional<Trial> first = store_.trial(record->id, 0); first && first->status == Status::ok) {
    result_.uniform = {plans_of({*first}, {}).front()};  // the first plan of all is the baseline
    result_.baseline_quality = result_.uniform.front()->quality;
  }
  std::vector<PlanResult> front = plans_of(store_.front(record->id, Fidelity::measured), {});
  std::ranges::sort(front, {}, &PlanResult::latency_s);
  bool goal_met = false;
  const std::optional<std::size_t> best = best_of(front, goal_met);
  if (!best || written_ == front[*best].trial) return;
  write_plan(front[*best]);
  written_ = front[*best].trial;
}

std::vector<PlanResult> Run::plans_of(const std::vector<Trial>& trials, const std::vector<Verified>& verified) const {
  std::vector<PlanResult> plans;
  const bool more = direction_of(config_.metric) == Direction::maximise;
  for (const Trial& trial : trials) {
    PlanResult plan{trial.id, trial.genome, more ? -trial.values[0] : trial.values[0], trial.values[1]};
    for (const Verified& one : verified) {
      if (one.trial != trial.id || one.again.outcome != Measurement::Outcome::ok) continue;
      plan.latency_s = one.again.median_s;
      plan.ci_low_s = one.again.ci_low_s;
      plan.ci_high_s = one.again.ci_high_s;
      plan.timed_again = true;
    }
    if (layers_) plan.sum_of_layers_s = layers_->sum_s(*latency_, trial.genome);
    const Design design = space_->decode(trial.genome);
    plan.weight_bytes = weight_bytes(design.network, design.precision);
    plans.push_back(std::move(plan));
  }
  return plans;
}

// The trials whose weights are within the goal; all of them where none is. They alone are looked at further: a plan on
// the front of all may be too large while one that it beats is not.
std::vector<Trial> Run::small_enough(StudyId id) const {
  std::vector<Trial> trials = store_.load(id);
  std::erase_if(trials, [](const Trial& trial) { return trial.status != Status::ok; });
  if (!goal_.max_weight_bytes) return trials;
  const auto fits = [&](const Trial& trial) {
    const Design design = space_->decode(trial.genome);
    return weight_bytes(design.network, design.precision) <= *goal_.max_weight_bytes;
  };
  std::vector<Trial> small;
  std::ranges::copy_if(trials, std::back_inserter(small), fits);
  return small.empty() ? trials : small;
}

// Trials that a second look may put on the front, which is timed: front and uniform plans, and those that a front
// member beats by less than timings differ from one minute to the next.
std::vector<Trial> Run::candidates(StudyId id) const {
  constexpr double margin = 1.05;
  constexpr std::size_t most_near = 24;
  std::vector<Trial> all = small_enough(id);
  std::ranges::stable_sort(all, {}, [](const Trial& trial) { return std::pair(trial.values[1], trial.values[0]); });
  std::vector<Trial> wanted, near;
  for (const Trial& trial : all) {  // fastest first: on the front is who is better than all before
    if (wanted.empty() || trial.values[0] < wanted.back().values[0]) wanted.push_back(trial);
  }
  const std::vector<Trial> front = wanted;
  for (Trial& trial : all) {
    if (!config_.device.empty() || std::ranges::find(front, trial.id, &Trial::id) != front.end()) continue;
    const bool beaten = std::ranges::any_of(front, [&](const Trial& other) {
      return other.values[0] <= trial.values[0] && other.values[1] * margin < trial.values[1];
    });
    if (!beaten) near.push_back(std::move(trial));
  }
  near.resize(std::min(near.size(), most_near));
  std::ranges::move(near, std::back_inserter(wanted));
  for (Trial& trial : store_.load(id)) {  // uniform plans are shown whatever their size
    const auto [least, most] = std::ranges::minmax(trial.genome.genes);
    if (trial.status != Status::ok || least != most) continue;
    if (std::ranges::find(wanted, trial.id, &Trial::id) == wanted.end()) wanted.push_back(std::move(trial));
  }
  return wanted;
}

// None where the user stops it.
std::vector<Verified> Run::timed_again(Study& study, const std::vector<Trial>& wanted) {
  if (!config_.device.empty() || result_.end == StudyResult::End::interrupted) return {};
  try {
    return study.verify_front(wanted);
  } catch (const Stopped&) {
    result_.end = StudyResult::End::interrupted;
    return {};
  }
}

// The plans that may be on the front, those that are timed here once more and beside each other; the front of what that
// gives.
void Run::collect(Study& study, StudyId id) {
  const std::vector<Trial> wanted = candidates(id);
  std::vector<PlanResult> plans = plans_of(wanted, timed_again(study, wanted));
  result_.uniform.assign(config_.formats.size(), std::nullopt);
  for (PlanResult& plan : plans) {
    plan.executed = config_.device.empty() || runs_here(space_->decode(plan.genome));
    const auto [least, most] = std::ranges::minmax(plan.genome.genes);
    if (least == most) result_.uniform[least] = plan;
  }
  find_baseline();
  const auto too_large = [&](const PlanResult& plan) { return plan.weight_bytes > goal_.max_weight_bytes; };
  if (goal_.max_weight_bytes && !std::ranges::all_of(plans, too_large)) std::erase_if(plans, too_large);
  std::ranges::stable_sort(plans, {}, &PlanResult::latency_s);
  for (PlanResult& plan : plans) {  // fastest first: on the front is who is better than all before
    const auto as_good = [&](const PlanResult& other) { return !is_worse(other.quality, plan.quality); };
    if (std::ranges::none_of(result_.front, as_good)) result_.front.push_back(std::move(plan));
  }
}

// Where the baseline has no latency, here or on the device, its quality is known all the same.
void Run::find_baseline() {
  if (result_.uniform.front()) {
    result_.baseline_quality = result_.uniform.front()->quality;
    return;
  }
  try {
    const Genome first{std::vector<std::uint16_t>(space_->dims().size(), 0)};
    result_.baseline_quality = quality_->of(space_->decode(first).precision);
  } catch (const Unsupported&) {  // nor emulated
  }
}

bool Run::is_worse(double quality, double than) const {
  return direction_of(config_.metric) == Direction::maximise ? quality < than : quality > than;
}

bool Run::keeps_quality(double quality, double baseline) const {
  const bool more = direction_of(config_.metric) == Direction::maximise;
  return (more ? baseline - quality : quality - baseline) <= goal_.max_drop + 1e-9;
}

bool Run::keeps(const PlanResult& plan) const {
  if (goal_.max_weight_bytes && plan.weight_bytes > *goal_.max_weight_bytes) return false;
  if (!result_.baseline_quality || !keeps_quality(plan.quality, *result_.baseline_quality)) return false;
  if (!goal_.min_speedup) return true;
  const bool timed = !result_.uniform.empty() && result_.uniform.front();
  return timed && plan.latency_s * *goal_.min_speedup <= result_.uniform.front()->latency_s;
}

// The fastest that keeps the goal, else the one of best quality; `front` has the fastest first.
std::optional<std::size_t> Run::best_of(const std::vector<PlanResult>& front, bool& goal_met) const {
  goal_met = false;
  if (front.empty()) return std::nullopt;
  for (std::size_t i = 0; i < front.size(); ++i) {
    if (!keeps(front[i])) continue;
    goal_met = true;
    return i;
  }
  const auto worse = [&](const PlanResult& a, const PlanResult& b) { return is_worse(a.quality, b.quality); };
  return static_cast<std::size_t>(std::ranges::max_element(front, worse) - front.begin());
}

void Run::write_plan(const PlanResult& plan) const {
  const Json json{{"model", folder_.model.filename().string()},
                  {metric_name(config_), plan.quality},
                  {"latency_s", plan.latency_s},
                  {"device", config_.device.empty() ? "this machine" : config_.device},
                  {"weight_bytes", plan.weight_bytes},
                  {"post_training", config_.post_training.json()},
                  {"formats", space_->describe(plan.genome)}};
  write_whole_file(folder_.plan.string(), json.dump(2) + "\n", "--out");
}

void Run::write_onnx(const PlanResult& plan) {
  const Design design = quality_->post_training().quantized(space_->decode(plan.genome).precision);
  std::string bytes;
  try {
    bytes = onnx_model(design, onnx_options_of(model_, hooks_.study.program_version));
  } catch (const ConfigError&) {  // a format that no ONNX file holds; the plan says which
    return;
  }
  check_onnx_model(bytes, onnx_tensors(design.network));
  write_whole_file(folder_.quantized.string(), bytes, "--out");
  result_.onnx = folder_.quantized.string();
}

void Run::find_kept() {
  const PlanResult& chosen = result_.front[*result_.chosen];
  KeptLayersTask task{*space_,        *quality_, config_.formats,      config_.threads,
                      chosen.quality, {},        hooks_.study.measure, phase_};
  if (!config_.device.empty()) task.device = resources_.device(config_.device);
  result_.kept = kept_layers(chosen.genome, task);
  for (KeptLayer& layer : result_.kept) {
    layer.breaks_goal =
        result_.baseline_quality && !keeps_quality(chosen.quality + layer.quality_change, *result_.baseline_quality);
  }
}

void Run::search() {
  prepare();
  Study study(this->study(), resources_, store_, command_, study_hooks());
  const StudyResult searched = study.run();
  result_.end = searched.end;
  searched_ = true;
  collect(study, searched.study);
  result_.chosen = best_of(result_.front, result_.goal_met);
  if (!result_.chosen) return;
  const PlanResult& chosen = result_.front[*result_.chosen];
  write_plan(chosen);
  result_.plan = folder_.plan.string();
  write_onnx(chosen);
  if (result_.end != StudyResult::End::interrupted && config_.formats.size() > 1) find_kept();
}

QuantizeResult Run::run() {
  try {
    search();
  } catch (const Stopped&) {
    result_.end = StudyResult::End::interrupted;
  }
  return std::move(result_);
}

}  // namespace

void check(const QuantizeConfig& config, const Resources& resources) {
  check_formats(config);
  check_device(config, resources);
  const QuantizeFolder folder(config.folder);
  load_trained_model(config.model, resources);
  read_description(config.data);
}

QuantizeResult quantize(const QuantizeConfig& config, const QuantizeGoal& goal, const Resources& resources,
                        Store& store, const std::string& command, const QuantizeHooks& hooks) {
  check(config, resources);
  return Run(config, goal, resources, store, command, hooks).run();
}

}  // namespace ridgeline
