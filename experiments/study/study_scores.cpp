// From a batch of candidates to values: cheap evaluators, screens, limits, and what a trial concludes from them.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "experiments/study/study_impl.hpp"

namespace ridgeline {
namespace {

// Indices by constrained non-dominated rank: the feasible ones front by front, then the others by violation; equal ones
// in the order given.
std::vector<std::size_t> ranked(const std::vector<Point>& points, const std::vector<double>& violations) {
  std::vector<std::size_t> order;
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (violations[i] == 0.0) left.push_back(i);
  }
  while (!left.empty()) {
    std::vector<Point> some;
    for (const std::size_t i : left) some.push_back(points[i]);
    std::vector<bool> taken(left.size(), false);
    for (const std::size_t front : non_dominated(some)) {
      order.push_back(left[front]);
      taken[front] = true;
    }
    std::size_t kept = 0;
    for (std::size_t k = 0; k < left.size(); ++k) {
      if (!taken[k]) left[kept++] = left[k];
    }
    left.resize(kept);
  }
  const std::size_t feasible = order.size();
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (violations[i] > 0.0) order.push_back(i);
  }
  std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(feasible), order.end(),
                   [&](std::size_t a, std::size_t b) { return violations[a] < violations[b]; });
  return order;
}

}  // namespace

void conclude_values(std::span<const Objective> objectives, std::span<const std::optional<double>> values,
                     std::span<const std::optional<double>> estimates, Trial& trial) {
  trial.violation = 0.0;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (values[i]) trial.violation += limit_excess(objectives[i], *values[i]);
  }
  bool complete = true;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const Objective& objective = objectives[i];
    const std::optional<double> value = values[i] || estimates.empty() ? values[i] : estimates[i];
    if (!values[i] && trial.violation == 0.0) throw std::logic_error("a candidate without a value is concluded");
    if (value) trial.values.push_back(minimised(*value, objective.direction));
    complete = complete && value.has_value();
    if (!values[i] || limit_excess(objective, *values[i]) == 0.0) continue;
    trial.reason += fmt::format("{}'{}' {} its limit of {:.6g}{}{}", trial.reason.empty() ? "" : "; ", objective.name,
                                objective.direction == Direction::minimise ? "above" : "below", *objective.limit,
                                objective.unit.empty() ? "" : " ", objective.unit);
  }
  if (!complete) trial.values.clear();
  if (trial.violation > 0.0) trial.status = Status::infeasible;
}

double Study::Impl::violation(std::size_t objective, double value) const {
  return limit_excess(objectives[objective], value);
}

double Study::Impl::violation(const BatchEvaluation& evaluation, bool with_estimates) const {
  double sum = 0.0;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    std::optional<double> value = evaluation.values[i];
    if (!value && with_estimates) value = evaluation.estimates[i];
    if (value) sum += violation(i, *value);
  }
  return sum;
}

void Study::Impl::score(std::span<BatchEvaluation* const> some, std::size_t objective, bool by_screen) {
  Evaluator& evaluator = by_screen ? *parts.screen[objective] : *parts.from[objective];
  std::vector<BatchEvaluation*> alive;
  std::vector<Candidate> candidates;
  for (BatchEvaluation* one : some) {
    if (one->trial.status != Status::ok) continue;
    alive.push_back(one);
    const std::uint64_t function = cache == StudyCache::off ? 0 : one->trial.function_hash;
    candidates.push_back({one->trial.id, &one->trial.genome, &one->design, function, one->trial.rung});
  }
  std::vector<Score> scores(candidates.size());
  if (!candidates.empty()) evaluator.evaluate(candidates, scores);
  for (std::size_t i = 0; i < alive.size(); ++i) {
    BatchEvaluation& one = *alive[i];
    Score& scored = scores[i];
    if (scored.status == Status::ok && !std::isfinite(scored.value)) {
      scored.status = Status::failed;
      scored.reason = fmt::format("'{}' is not a finite number", objectives[objective].name);
      scored.measurement.reset();  // the store takes none
    }
    if (scored.measurement) {
      MeasurementRecord record;
      record.trial_id = one.trial.id;
      record.function_hash = one.trial.function_hash;
      record.protocol = evaluator.protocol(one.trial.rung);
      record.objective = objectives[objective].name;
      record.purpose = "search";
      record.predicted = one.estimates[objective];
      record.measurement = std::move(*scored.measurement);
      one.measurements.push_back(std::move(record));
    }
    if (scored.status != Status::ok) {
      one.trial.status = scored.status;
      one.trial.reason = scored.reason;
    } else {
      (by_screen ? one.estimates : one.values)[objective] = scored.value;
    }
  }
}

// The share of the batch that a screen lets pass is a share of all its new candidates, those behind the budget or
// stored already included: a batch cut short and asked for again must choose the same.
void Study::Impl::hold_back(Batch& batch) {
  std::vector<BatchEvaluation*> alive;
  std::vector<Point> points;
  std::vector<double> violations;
  for (BatchEvaluation& one : batch.fresh) {
    if (one.trial.status != Status::ok) continue;
    Point point;
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      const std::optional<double> value = one.values[i] ? one.values[i] : one.estimates[i];
      if (value && !objectives[i].constraint_only) point.push_back(minimised(*value, objectives[i].direction));
    }
    alive.push_back(&one);
    points.push_back(std::move(point));
    violations.push_back(violation(one, true));
  }
  const std::vector<std::size_t> order = ranked(points, violations);
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (!parts.screen[i]) continue;
    const double share = config.objectives[i].keep * static_cast<double>(alive.size());
    // Half an ulp of rounding must not let one more pass: 0.1 * 30 is a little above 3.
    const auto passes = static_cast<std::size_t>(std::ceil(share * (1.0 - 1e-12)));
    for (std::size_t rank = passes; rank < order.size(); ++rank) {
      BatchEvaluation& one = *alive[order[rank]];
      one.held_back[i] = true;
      one.values[i] = one.estimates[i];
    }
  }
}

void Study::Impl::score_cheap(Batch& batch) {
  const bool screened = std::ranges::any_of(parts.screen, [](const auto& screen) { return screen != nullptr; });
  std::vector<BatchEvaluation*> some;
  for (BatchEvaluation& one : batch.fresh) {
    if (one.wanted || screened) some.push_back(&one);
  }
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (parts.screen[i] || !parts.from[i]->exclusive()) score(some, i, parts.screen[i] != nullptr);
  }
  if (!screened) return;
  hold_back(batch);
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (!parts.screen[i] || parts.from[i]->exclusive()) continue;
    std::vector<BatchEvaluation*> passed;
    for (BatchEvaluation& one : batch.fresh) {
      if (one.wanted && !one.held_back[i]) passed.push_back(&one);
    }
    score(passed, i, false);
  }
}

bool Study::Impl::needs_timing(const BatchEvaluation& evaluation, std::size_t objective) const {
  return evaluation.wanted && evaluation.trial.status == Status::ok && parts.from[objective]->exclusive() &&
         !evaluation.values[objective] && violation(evaluation, false) == 0.0;
}

bool Study::Impl::needs_timing(const BatchEvaluation& evaluation) const {
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (needs_timing(evaluation, i)) return true;
  }
  return false;
}

// Sets status, values, violation, fidelity and reason from what the evaluators said.
void Study::Impl::conclude(BatchEvaluation& evaluation) const {
  Trial& trial = evaluation.trial;
  Fidelity dearest = Fidelity::analytic;
  std::optional<Fidelity> held;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const bool known = evaluation.values[i].has_value();
    if (evaluation.held_back[i]) {
      const Fidelity screen = parts.screen[i]->fidelity();
      held = held ? std::min(*held, screen) : screen;
    } else if (known) {
      dearest = std::max(dearest, parts.from[i]->fidelity());
    }
  }
  trial.fidelity = held.value_or(dearest);
  if (trial.status != Status::ok) return;
  conclude_values(objectives, evaluation.values, evaluation.estimates, trial);
}

}  // namespace ridgeline
