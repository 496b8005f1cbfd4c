#include "experiments/bench/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "experiments/study/warm_start.hpp"
#include "kernels/environment.hpp"

namespace ridgeline {
namespace {

// The runs of a benchmark in a database. One thread at a time.
class StoredRuns {
 public:
  StoredRuns(const BenchProblem& problem, const BenchBudget& budget, Store& store, const BenchHooks& hooks)
      : problem_(problem), budget_(budget), store_(store), hooks_(hooks), environment_(this_environment()) {}

  // What the run is to begin with: read or retrieved once, before any run is. Its own words where it is a warm start.
  std::string begin(const BenchSetting& setting, std::uint64_t seed) {
    if (setting.warm_from.empty()) return "";
    StudyConfig config = plain_config(setting, seed);
    const auto retrieved = by_seed_.find(seed);
    if (retrieved != by_seed_.end() && !store_.find(config.name)) {
      config = with_warm_start(std::move(config), retrieved->second);
    } else {
      const bool stored = store_.find(config.name).has_value();
      config = with_warm_start(std::move(config), store_, problem_.resources());
      if (!stored) by_seed_[seed] = *config.warm;
    }
    std::string words = begun_with(config);
    begun_.insert_or_assign(config.name, std::move(config));
    return words;
  }

  // The setting as this run has it.
  BenchSetting begun(const BenchSetting& setting, std::uint64_t seed) const {
    BenchSetting own = setting;
    if (setting.warm_from.empty()) return own;
    JsonDocument document = JsonDocument::from_value(Json::object(), problem_.config().origin);
    own.warm = warm_start_of(config_of(setting, seed), problem_.space(), document);
    document.raise();
    return own;
  }

  std::optional<BenchRun> find(const BenchSetting& setting, std::uint64_t seed) {
    const std::optional<StudyRecord> stored = store_.find(name_of(setting, seed));
    if (!stored) return std::nullopt;
    const StudyRecord wanted = record_of(setting, seed);
    if (stored->config_hash != wanted.config_hash || stored->space_fingerprint != wanted.space_fingerprint) {
      throw StoreError(
          fmt::format("{}: study '{}' was run on another problem, or with other options; give the study another name "
                      "(--set name=...) or take another database",
                      store_.path(), wanted.name));
    }
    const Json config = Json::parse(stored->config, nullptr, false);
    const bool ended = stored->state == "done" && config.is_object() &&
                       config.value("/stop/trials"_json_pointer, std::int64_t{0}) >= budget_.evaluations;
    if (stored->trials < budget_.evaluations && !ended) return std::nullopt;
    const std::vector<Trial> trials = store_.load(stored->id);
    return run_of_trials(problem_, trials, budget_.evaluations);
  }

  void keep(const BenchSetting& setting, std::uint64_t seed, const BenchTrajectory& trajectory) {
    const StudyRecord wanted = record_of(setting, seed);
    store_.atomically([&] { write(wanted, trajectory); });
  }

 private:
  void write(const StudyRecord& wanted, const BenchTrajectory& trajectory) {
    const StudyRecord record = store_.open_study(wanted);
    const auto known = static_cast<std::size_t>(record.trials);
    const std::vector<Trial> there = store_.load(record.id);
    for (std::size_t i = 0; i < std::min(known, trajectory.trials.size()); ++i) {
      if (there[i].genome == trajectory.trials[i].genome) continue;
      throw StoreError(
          fmt::format("{}: study '{}' does not go on as it was begun (trial {} is another candidate); it "
                      "was written by another version of the program",
                      store_.path(), record.name, i));
    }
    if (known < trajectory.trials.size()) {
      store_.append(record.id, std::span(trajectory.trials).subspan(known), {}, trajectory.checkpoint);
    }
    store_.set_state(record.id, "done");
    store_.close_study(record.id);
  }

  std::string name_of(const BenchSetting& setting, std::uint64_t seed) const {
    return fmt::format("{}/bench/{}/{}", problem_.config().name, setting.label, seed);
  }

  StudyConfig plain_config(const BenchSetting& setting, std::uint64_t seed) const {
    Json document = problem_.config().canonical;
    for (const char* other : {"compare", "before", "after", "batch", "warm_start"}) document.erase(other);
    document["name"] = name_of(setting, seed);
    document["seed"] = seed;
    document["searcher"] = setting.options;
    document["searcher"]["name"] = setting.searcher;
    document["stop"] = {{"trials", budget_.evaluations}};
    document["verify_front"] = false;
    if (!setting.warm_from.empty()) document["warm_start"] = {{"from", setting.warm_from}};
    return parse_study(JsonDocument::from_value(document, problem_.config().origin));
  }

  StudyConfig config_of(const BenchSetting& setting, std::uint64_t seed) const {
    return setting.warm_from.empty() ? plain_config(setting, seed) : begun_.at(name_of(setting, seed));
  }

  StudyRecord record_of(const BenchSetting& setting, std::uint64_t seed) const {
    const StudyConfig config = config_of(setting, seed);
    StudyRecord record;
    record.name = config.name;
    record.space_name = config.space;
    record.config_hash = problem_.identity(config);
    record.space_fingerprint = problem_.space().fingerprint();
    record.seed = seed;
    record.config = config.canonical.dump();
    record.command = hooks_.command;
    record.program_version = hooks_.program_version;
    record.objectives.assign(problem_.objectives().begin(), problem_.objectives().end());
    record.environment = environment_;
    return record;
  }

  const BenchProblem& problem_;
  const BenchBudget budget_;
  Store& store_;
  const BenchHooks& hooks_;
  Environment environment_;
  std::map<std::uint64_t, WarmStartConfig> by_seed_;
  std::map<std::string, StudyConfig> begun_;  // by name, those with a warm start
};

// Settings x seeds on threads. Seeds go outermost, so that an interruption leaves every setting with the same seeds.
class Runner {
 public:
  Runner(const BenchProblem& problem, std::span<const BenchSetting> settings, const BenchOptions& options, Store* store,
         const BenchHooks& hooks)
      : problem_(problem), settings_(settings), options_(options), hooks_(hooks) {
    if (store != nullptr) stored_.emplace(problem, options.budget, *store, hooks);
  }

  void run(WorkerPool& pool, BenchResult& result) {
    const std::size_t total = settings_.size() * options_.seeds;
    std::vector<std::optional<BenchRun>> runs(total);
    begin(result);
    show("runs", 0, total);
    pool.for_each(total, [&](std::size_t k) {
      if (stopped()) return;
      const std::size_t setting = k % settings_.size(), seed = k / settings_.size();
      runs[setting * options_.seeds + seed] = one(setting, options_.first_seed + seed);
      const std::scoped_lock lock(mutex_);
      show("runs", ++done_, total);
    });
    gather(runs, result);
  }

 private:
  void begin(BenchResult& result) {
    for (const BenchSetting& setting : settings_) {
      for (std::size_t seed = 0; stored_ && seed < options_.seeds; ++seed) {
        const std::string words = stored_->begin(setting, options_.first_seed + seed);
        if (result.begun.empty()) result.begun = words;
      }
    }
  }

  bool stopped() const { return hooks_.stop != nullptr && hooks_.stop->load(); }
  void show(const char* phase, std::size_t done, std::size_t total) const {
    if (hooks_.progress) hooks_.progress(phase, done, total);
  }

  BenchRun one(std::size_t setting, std::uint64_t seed) {
    BenchRun run;
    if (!stored_) {
      run = run_searcher(problem_, settings_[setting], seed, options_.budget);
    } else {
      std::optional<BenchRun> found;
      {
        const std::scoped_lock lock(store_mutex_);
        found = stored_->find(settings_[setting], seed);
      }
      if (found) {
        run = std::move(*found);
      } else {
        BenchTrajectory trajectory;
        run = run_searcher(problem_, stored_->begun(settings_[setting], seed), seed, options_.budget, &trajectory);
        const std::scoped_lock lock(store_mutex_);
        stored_->keep(settings_[setting], seed, trajectory);
      }
    }
    run.setting = setting;
    run.seed = seed;
    return run;
  }

  void gather(std::vector<std::optional<BenchRun>>& runs, BenchResult& result) const {
    std::vector<std::size_t> seeds;
    for (std::size_t seed = 0; seed < options_.seeds; ++seed) {
      bool all = true;
      for (std::size_t s = 0; s < settings_.size(); ++s) all = all && runs[s * options_.seeds + seed].has_value();
      if (all) seeds.push_back(seed);
    }
    result.seeds = seeds.size();
    result.interrupted = seeds.size() < options_.seeds;
    for (std::size_t s = 0; s < settings_.size(); ++s) {
      for (const std::size_t seed : seeds) {
        result.runs.push_back(std::move(*runs[s * options_.seeds + seed]));
        result.stored += result.runs.back().stored ? 1 : 0;
      }
    }
  }

  const BenchProblem& problem_;
  std::span<const BenchSetting> settings_;
  const BenchOptions& options_;
  const BenchHooks& hooks_;
  std::optional<StoredRuns> stored_;
  std::mutex mutex_, store_mutex_;
  std::size_t done_ = 0;
};

}  // namespace

BenchResult run_bench(const BenchProblem& problem, std::span<const BenchSetting> settings, const BenchOptions& options,
                      Store* store, const BenchHooks& hooks) {
  if (store != nullptr && problem.cache() == StudyCache::off) {
    throw ConfigError({"--db", "", "a cache", "--cache off",
                       "runs of as many evaluations as asks are not kept; ridgeline search --cache off keeps one"});
  }
  const bool warm = std::ranges::any_of(settings, [](const BenchSetting& one) { return !one.warm_from.empty(); });
  if (warm && store == nullptr) {
    throw ConfigError({"--warm-start", "", "a database that has these studies", "none", "name it: --db FILE"});
  }
  const auto begin = std::chrono::steady_clock::now();
  WorkerPool pool(options.threads);
  BenchResult result;
  result.threads = pool.threads();
  if (hooks.progress) hooks.progress("exact answer", 0, 1);
  result.exact = problem.exact(options.most_enumerated, pool);
  Runner(problem, settings, options, store, hooks).run(pool, result);
  result.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace ridgeline
