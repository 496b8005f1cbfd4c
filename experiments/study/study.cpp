#include "experiments/study/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "experiments/study/early_exit.hpp"
#include "experiments/study/study_impl.hpp"
#include "experiments/study/warm_start.hpp"

namespace ridgeline {

bool tied(const Measurement& a, const Measurement& b) { return a.ci_low_s <= b.ci_high_s && b.ci_low_s <= a.ci_high_s; }

Study::Impl::Impl(StudyConfig study, const Resources& resources, Store& database, std::string typed, StudyHooks given)
    : config(with_warm_start(std::move(study), database, resources)),
      store(database),
      command(std::move(typed)),
      hooks(std::move(given)),
      pool(config.threads),
      objectives(objectives_of(config)) {
  JsonDocument document = JsonDocument::from_value(config.canonical, config.origin);
  parts = make_parts(config, resources, document, {&pool, hooks.measure});
  document.raise();
  cache = cache_of(config, parts);
  batch_size = config.batch > 0 ? static_cast<std::size_t>(config.batch) : find_searcher(config.searcher).batch;
}

void Study::Impl::open() {
  StudyRecord wanted;
  wanted.name = config.name;
  wanted.space_name = config.space;
  const bool timed =
      std::ranges::any_of(parts.from, [](const std::unique_ptr<Evaluator>& from) { return from->exclusive(); });
  wanted.config_hash = study_identity(config, parts);
  wanted.space_fingerprint = parts.space->fingerprint();
  wanted.seed = config.seed;
  wanted.config = config.canonical.dump();
  wanted.command = command;
  wanted.program_version = hooks.program_version;
  wanted.objectives = objectives;
  wanted.rung_costs = parts.rung_costs;
  wanted.environment = this_environment();
  const StudyRecord record = store.open_study(wanted);
  id = record.id;
  opened = true;
  if (timed && record.trials > 0 && record.environment.fingerprint() != wanted.environment.fingerprint()) {
    throw StoreError(
        fmt::format("{}: study '{}' was timed on another machine or library ({}, {}) and its timings do not "
                    "hold here ({}, {}); resume it there, or give this one another name",
                    store.path(), config.name, record.environment.cpu_model, record.environment.isa,
                    wanted.environment.cpu_model, wanted.environment.isa));
  }
}

void Study::Impl::restore() {
  const std::optional<Checkpoint> checkpoint = store.checkpoint(id);
  std::vector<Trial> all = store.load_every_rung(id);
  stored = resumed = static_cast<std::int64_t>(all.size());
  by_genome = FlatMap(all.size());
  by_function = FlatMap(all.size());
  archives.clear();
  for (std::size_t f = 0; f < best.size(); ++f) archives.emplace_back(objectives, static_cast<Fidelity>(f));
  in_order = archives;
  best = {};
  told_cost = improved = stored_cost = 0;
  told = checkpoint ? static_cast<std::size_t>(checkpoint->first_trial) : 0;
  batch_number = checkpoint ? checkpoint->batch : 0;
  checkpointed.reset();
  if (checkpoint) {
    checkpointed = told;
    try {
      parts.searcher->load(checkpoint->state);
    } catch (const std::exception& error) {
      throw StoreError(
          fmt::format("{}: the searcher's state of study '{}' cannot be read ({}); the database is damaged "
                      "or was written by another version, restore it from a copy",
                      store.path(), config.name, error.what()));
    }
  }
  Trial missing;
  missing.id = -1;
  trials.clear();
  trials.reserve(all.size());
  for (Trial& trial : all) {
    const auto place = static_cast<std::size_t>(trial.id);
    if (trials.size() < place) trials.resize(place, missing);
    trials.push_back(std::move(trial));
    stored_cost += cost_of(trials.back());
    remember(trials.back());
  }
  const std::size_t there = std::min(told, trials.size());
  saved = checkpoint && checkpoint->saved ? *checkpoint->saved : SavedEvaluations();
  saved_whole = all.empty() || (checkpoint && checkpoint->saved);
  for (std::size_t i = 0; i < told; ++i) {
    if (i >= there || trials[i].id < 0) {
      throw StoreError(fmt::format("{}: trial {} of study '{}' is missing; the database was changed by another program",
                                   store.path(), i, config.name));
    }
    by_genome.insert(at_rung(hash_of(trials[i].genome), trials[i].rung), i);
    by_function.insert(at_rung(trials[i].function_hash, trials[i].rung), i);
    told_cost += cost_of(trials[i]);
    follow(trials[i]);
  }
}

double Study::Impl::cost_of(const Trial& trial) const {
  const auto rung = static_cast<std::size_t>(trial.rung);
  if (rung < parts.rung_costs.size()) return parts.rung_costs[rung];
  throw StoreError(
      fmt::format("{}: trial {} of study '{}' is on a rung that the study has not; the database was "
                  "changed by another program",
                  store.path(), trial.id, config.name));
}

double Study::Impl::slack() const {
  return std::min(0.5 * parts.rung_costs.back(), 1e-9 * (1.0 + static_cast<double>(config.stop.trials)));
}

void Study::Impl::remember(const Trial& trial) {
  const auto fidelity = static_cast<std::size_t>(trial.fidelity);
  archives[fidelity].add(trial);
  if (trial.status != Status::ok || trial.rung != 0) return;
  std::optional<std::size_t>& first = best[fidelity];
  if (!first || trial.values[0] < trials[*first].values[0]) first = static_cast<std::size_t>(trial.id);
}

void Study::Impl::follow(const Trial& trial) {
  if (!config.stop.stagnation) return;
  if (in_order[static_cast<std::size_t>(trial.fidelity)].add(trial)) improved = told_cost;
}

bool Study::Impl::must_pause() {
  if (hooks.stop != nullptr && hooks.stop->load()) return true;
  return config.stop.wall_s && std::chrono::duration<double>(Clock::now() - begin).count() >= *config.stop.wall_s;
}

std::optional<StudyResult::End> Study::Impl::stopped() {
  if (hooks.stop != nullptr && hooks.stop->load()) return End::interrupted;
  if (must_pause()) return End::wall_clock;
  if (told_cost + slack() >= static_cast<double>(config.stop.trials)) return End::budget;
  const auto patience = static_cast<double>(config.stop.stagnation.value_or(0));
  if (config.stop.stagnation && told_cost - improved + slack() >= patience) return End::stagnation;
  if (parts.searcher->exhausted() || idle >= most_idle) return End::exhausted;
  return std::nullopt;
}

void Study::Impl::progress() {
  if (!hooks.progress) return;
  StudyProgress now;
  now.trials = stored;
  now.evaluations = stored_cost;
  now.budget = config.stop.trials;
  now.duplicates = saved.total();
  now.elapsed_s = std::chrono::duration<double>(Clock::now() - begin).count();
  for (std::size_t f = best.size(); f-- > 0 && now.best == nullptr;) {
    if (!best[f]) continue;
    now.best = &trials[*best[f]];
    now.front_size = archives[f].front().size();
  }
  hooks.progress(now);
}

StudyResult Study::Impl::run() {
  begin = Clock::now();
  phases.clear();
  if (!opened) {
    Timer timer(*this, "store");
    open();
    restore();
  }
  idle = 0;
  progress();
  std::optional<End> end = stopped();
  while (!end) {
    const bool complete = run_batch();
    end = stopped();
    if (!complete && !end) end = End::budget;  // the batch reaches beyond it
  }
  return finish(*end);
}

std::string Study::Impl::infeasibility(std::span<const Trial* const> all) const {
  struct Reach {
    std::int64_t met = 0;
    std::optional<double> excess;
    const Trial* trial = nullptr;
  };
  std::vector<Reach> reaches(objectives.size());
  for (const Trial* trial : all) {
    for (std::size_t i = 0; i < trial->values.size(); ++i) {
      if (!objectives[i].limit) continue;
      const double excess = violation(i, natural(trial->values[i], objectives[i].direction));
      if (excess == 0.0) ++reaches[i].met;
      if (!reaches[i].excess || excess < *reaches[i].excess) {
        reaches[i].excess = excess;
        reaches[i].trial = trial;
      }
    }
  }
  std::optional<std::size_t> tightest;
  for (std::size_t i = 0; i < reaches.size(); ++i) {
    if (!reaches[i].excess) continue;
    const bool tighter = !tightest || reaches[i].met < reaches[*tightest].met ||
                         (reaches[i].met == reaches[*tightest].met && *reaches[i].excess > *reaches[*tightest].excess);
    if (tighter) tightest = i;
  }
  if (all.empty()) return "no candidate was evaluated whole: the budget ended on cheaper rungs; raise \"stop.trials\"";
  if (!tightest) return "no candidate could be evaluated";
  const Objective& objective = objectives[*tightest];
  const Reach& reach = reaches[*tightest];
  const bool upper = objective.direction == Direction::minimise;
  const std::string unit = objective.unit.empty() ? "" : " " + objective.unit;
  const std::string limit =
      fmt::format("'{}' {} {:.6g}{}", objective.name, upper ? "<=" : ">=", *objective.limit, unit);
  const double nearest = natural(reach.trial->values[*tightest], objective.direction);
  if (reach.met > 0) {
    return fmt::format("no candidate meets all limits at once; the tightest, {}, is met by {} of {} trials", limit,
                       reach.met, all.size());
  }
  return fmt::format("no candidate meets {}; the nearest reached {:.6g}{} (trial {})", limit, nearest, unit,
                     reach.trial->id);
}

StudyResult Study::Impl::finish(End end) {
  StudyResult result;
  result.study = id;
  result.end = end;
  std::vector<const Trial*> all;
  std::map<std::string, std::int64_t> reasons;
  for (const Trial& trial : trials) {
    if (trial.id < 0) continue;
    if (trial.rung == 0) all.push_back(&trial);
    if (trial.status != Status::ok) ++reasons[trial.reason];
  }
  result.reasons.assign(reasons.begin(), reasons.end());
  std::ranges::stable_sort(result.reasons, [](const auto& a, const auto& b) { return a.second > b.second; });
  result.trials = stored;
  result.resumed = resumed;
  result.cache = cache;
  result.saved = saved;
  result.cache_check = cache_check;
  result.reused = reused;
  result.searcher_notes = parts.searcher->notes();
  result.begun_with = begun_with(config);
  if (parts.early_exit) result.rejected = parts.early_exit->rejected();
  for (std::size_t f = 0; f < archives.size(); ++f) {
    std::vector<Trial> front = store.front(id, static_cast<Fidelity>(f));
    if (front.empty()) continue;
    result.front = std::move(front);
    result.fidelity = static_cast<Fidelity>(f);
  }
  const bool feasible = !result.front.empty();
  if (!feasible && stored > 0 && end != End::interrupted) {
    result.end = End::infeasible;
    result.infeasibility = infeasibility(all);
    if (!result.reasons.empty())
      result.infeasibility += fmt::format("; most died of: {}", result.reasons.front().first);
  }
  if (config.verify_front && result.end != End::interrupted) result.verified = verify(result.front);
  const bool interrupted = result.end == End::interrupted;
  if (saved_whole) store.set_saved(id, saved);
  store.set_state(id, interrupted ? "interrupted" : result.end == End::infeasible ? "infeasible" : "done");
  for (const char* phase : {"ask", "decode", "cost", "measure", "store", "tell", "verify"}) {
    result.phases.push_back({phase, phases[phase]});
  }
  opened = false;  // a second run() reads the store again
  return result;
}

Study::Study(StudyConfig config, const Resources& resources, Store& store, std::string command, StudyHooks hooks)
    : impl_(std::make_unique<Impl>(std::move(config), resources, store, std::move(command), std::move(hooks))) {}

Study::~Study() = default;

StudyResult Study::run() {
  try {
    return impl_->run();
  } catch (...) {
    if (impl_->opened) {
      impl_->opened = false;
      try {
        impl_->store.set_state(impl_->id, "interrupted");
      } catch (const StoreError&) {  // the first error is the one to report
      }
    }
    throw;
  }
}

std::vector<Verified> Study::verify_front(std::span<const Trial> front) { return impl_->verify(front); }
const SearchSpace& Study::space() const { return *impl_->parts.space; }
const StudyConfig& Study::config() const { return impl_->config; }

}  // namespace ridgeline
