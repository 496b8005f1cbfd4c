#include "experiments/bench/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "experiments/cost_features.hpp"
#include "experiments/evaluators/evaluator_function.hpp"
#include "experiments/study/study_impl.hpp"

namespace ridgeline {
namespace {

void refuse_what_is_not_repeatable(const StudyConfig& config, const StudyParts& parts, JsonDocument& document) {
  std::size_t constraints = 0;
  for (std::size_t i = 0; i < parts.from.size(); ++i) {
    const bool limited = config.objectives[i].objective.constraint_only;
    const std::string path = limited ? fmt::format("constraints[{}]", constraints++) : fmt::format("objectives[{}]", i);
    if (parts.from[i]->exclusive()) {
      document.note({document.origin(), path + ".from.evaluator", "values that are the same in every run", "'measured'",
                     "use \"cost\" with a calibrated device"});
    }
    if (parts.screen[i]) {
      document.note({document.origin(), path + ".screen", "no screen", "one",
                     fmt::format("--set {}.screen=null; every candidate is then given to \"from\"", path)});
    }
  }
}

// Where the objectives are all of one test function's, its own answer, in the order of the study; and where the limits
// are its constraints and nothing else.
ExactAnswer closed_form(const StudyParts& parts, std::span<const Objective> objectives,
                        std::span<const std::size_t> counted) {
  ExactAnswer answer;
  const TestFunction* function = nullptr;
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const auto* const one = dynamic_cast<const FunctionEvaluator*>(parts.from[i].get());
    if (one == nullptr || (function != nullptr && one->function().name() != function->name())) return answer;
    function = &one->function();
    const bool optimised = !objectives[i].constraint_only;
    if (optimised && (objectives[i].limit || one->output() >= function->shape().objectives)) return answer;
    if (!optimised && (one->output() < function->shape().objectives || objectives[i].limit != 0.0)) return answer;
    if (objectives[i].direction != Direction::minimise) return answer;
    outputs.push_back(one->output());
  }
  std::vector<std::size_t> all = outputs;
  std::ranges::sort(all);
  const std::size_t wanted = function->shape().objectives + function->constraints();
  if (all.size() != wanted || all.back() + 1 != wanted || std::ranges::adjacent_find(all) != all.end()) return answer;
  answer.source = ExactAnswer::Source::closed_form;
  answer.hypervolume = function->hypervolume();
  const Point reference = function->reference();
  for (const std::size_t i : counted) answer.reference.push_back(reference[outputs[i]]);
  for (const Point& point : function->front()) {
    answer.front.emplace_back();
    for (const std::size_t i : counted) answer.front.back().push_back(point[outputs[i]]);
  }
  return answer;
}

}  // namespace

BenchProblem::BenchProblem(StudyConfig config, const Resources& resources, std::optional<StudyCache> cache)
    : config_(std::move(config)),
      resources_(resources),
      objectives_(objectives_of(config_)),
      cache_(StudyCache::off),
      shelves_(std::make_unique<std::array<Shelf, 64>>()),
      evaluators_mutex_(std::make_unique<std::mutex>()) {
  if (cache) {
    config_.cache = *cache;
    config_.canonical.erase("cache");
    if (*cache != StudyCache::functional) config_.canonical["cache"] = cache_names()[static_cast<std::size_t>(*cache)];
  }
  JsonDocument document = JsonDocument::from_value(config_.canonical, config_.origin);
  parts_ = make_parts(config_, resources, document);
  document.raise();
  refuse_what_is_not_repeatable(config_, parts_, document);
  document.raise();
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    if (!objectives_[i].constraint_only) counted_.push_back(i);
    needs_design_ = needs_design_ || dynamic_cast<const GenomeEvaluator*>(parts_.from[i].get()) == nullptr;
  }
  cache_ = cache_of(config_, parts_);
}

Trial BenchProblem::computed(const Genome& genome, bool values_alone) const {
  if (!values_alone && cache_ != StudyCache::off) {
    if (const auto broken = space().violation(genome)) {
      throw std::logic_error("a searcher proposed an invalid candidate: " + *broken);
    }
  }
  Trial trial;
  trial.function_hash = hash_of(genome);
  std::optional<Design> design;  // costly to make even when empty
  if (needs_design_ || (cache_ == StudyCache::functional && !values_alone)) {
    try {
      design = decode_for(config_, space(), genome);
      if (cache_ == StudyCache::functional) trial.function_hash = function_hash(*design);
    } catch (const ConfigError& error) {
      trial.status = Status::failed;
      trial.reason = error.problems().front().text();
      trial.function_hash = mix64(trial.function_hash);
      return trial;
    }
  }
  std::unique_lock<std::mutex> lock;
  if (needs_design_) lock = std::unique_lock(*evaluators_mutex_);
  const Candidate candidate{0, &genome, design ? &*design : nullptr,
                            cache_ == StudyCache::functional ? trial.function_hash : 0};
  std::vector<std::optional<double>> values(objectives_.size());
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    Score score;
    parts_.from[i]->evaluate({&candidate, 1}, {&score, 1});
    if (score.status == Status::ok && !std::isfinite(score.value)) {
      score.status = Status::failed;
      score.reason = fmt::format("'{}' is not a finite number", objectives_[i].name);
    }
    if (score.status != Status::ok) {
      trial.status = score.status;
      trial.reason = score.reason;
      return trial;
    }
    values[i] = score.value;
    trial.fidelity = std::max(trial.fidelity, parts_.from[i]->fidelity());
  }
  conclude_values(objectives_, values, {}, trial);
  return trial;
}

std::shared_ptr<const FeatureSet> BenchProblem::costs_for(const Json& options, const std::string& origin) const {
  return searcher_costs(options, config_.precision, space(), resources_, origin);
}

Trial BenchProblem::evaluate(const Genome& genome) const {
  // A look-up or a formula is not worth keeping.
  if (!needs_design_ && cache_ != StudyCache::functional) return computed(genome, false);
  const std::uint64_t key = hash_of(genome);
  Shelf& shelf = (*shelves_)[mix64(key) % shelves_->size()];
  {
    const std::scoped_lock lock(shelf.mutex);
    if (const auto found = shelf.known.find(key); found != shelf.known.end()) return found->second;
  }
  Trial trial = computed(genome, false);  // by two threads at once, now and then: both come to the same
  const std::scoped_lock lock(shelf.mutex);
  return shelf.known.emplace(key, std::move(trial)).first->second;
}

ExactAnswer BenchProblem::exact(std::uint64_t most, WorkerPool& pool) const {
  const std::uint64_t size = space().enumeration_size();
  if (size == 0 || size > most) return closed_form(parts_, objectives_, counted_);
  ExactAnswer answer;
  answer.source = ExactAnswer::Source::enumeration;
  constexpr std::uint64_t chunk = 512;
  struct Part {
    std::uint64_t candidates = 0;
    std::vector<Point> points;  // not dominated within the chunk
  };
  std::vector<Part> parts((size + chunk - 1) / chunk);
  pool.for_each(parts.size(), [&](std::size_t k) {
    Part& part = parts[k];
    std::vector<Point> points;
    for (std::uint64_t i = k * chunk; i < std::min(size, (k + 1) * chunk); ++i) {
      const std::optional<Genome> genome = space().at(i);
      if (!genome) continue;
      ++part.candidates;
      const Trial trial = needs_design_ ? evaluate(*genome) : computed(*genome, true);
      if (trial.status != Status::ok) continue;
      Point point;
      for (const std::size_t objective : counted_) point.push_back(trial.values[objective]);
      points.push_back(std::move(point));
    }
    if (points.empty()) return;
    for (const std::size_t i : non_dominated(points)) part.points.push_back(std::move(points[i]));
  });
  std::vector<Point> all;
  for (Part& part : parts) {
    answer.candidates += part.candidates;
    std::ranges::move(part.points, std::back_inserter(all));
  }
  if (all.empty()) return answer;
  for (const std::size_t i : non_dominated(all)) answer.front.push_back(all[i]);
  if (counted_.size() == 1) answer.best = answer.front.front().front();
  return answer;
}

}  // namespace ridgeline
