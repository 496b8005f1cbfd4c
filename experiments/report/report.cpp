#include "experiments/report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "search/fronts/pareto.hpp"

namespace ridgeline {
namespace {

std::vector<double> natural_values(const Trial& trial, const std::vector<Objective>& objectives) {
  std::vector<double> values(trial.values.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = natural(trial.values[i], objectives[i].direction);
  return values;
}

bool feasible(const Trial& trial) { return trial.status == Status::ok && trial.has_values(); }

// The highest fidelity that any feasible trial has.
Fidelity best_fidelity(const std::vector<Trial>& trials) {
  Fidelity best = Fidelity::analytic;
  for (const Trial& trial : trials) {
    if (feasible(trial)) best = std::max(best, trial.fidelity);
  }
  return best;
}

Point optimised_values(const Trial& trial, const std::vector<std::size_t>& optimised) {
  Point point;
  for (const std::size_t i : optimised) point.push_back(trial.values[i]);
  return point;
}

struct Box {
  Point best, worst;
  double volume() const {
    double product = 1;
    for (std::size_t i = 0; i < best.size(); ++i) product *= worst[i] - best[i];
    return product;
  }
};

// Around every feasible trial of the front's fidelity, minimised.
Box box_of(const std::vector<Trial>& trials, Fidelity fidelity, const std::vector<std::size_t>& optimised) {
  Box box{Point(optimised.size(), std::numeric_limits<double>::infinity()),
          Point(optimised.size(), -std::numeric_limits<double>::infinity())};
  for (const Trial& trial : trials) {
    if (!feasible(trial) || trial.fidelity != fidelity) continue;
    for (std::size_t i = 0; i < optimised.size(); ++i) {
      box.best[i] = std::min(box.best[i], trial.values[optimised[i]]);
      box.worst[i] = std::max(box.worst[i], trial.values[optimised[i]]);
    }
  }
  return box;
}

void fill_front_and_history(StudyReport& report, const ReportInput& input, const ReportOptions& options,
                            std::vector<Trial>& front) {
  const std::vector<Trial>& trials = input.trials;
  const Box box = box_of(trials, report.front_fidelity, report.optimised);
  ParetoArchive archive(report.record.objectives, report.front_fidelity);
  const bool single = report.optimised.size() == 1;
  double raw = 0;
  const auto value_of = [&](std::span<const Trial> members) {
    if (single) {
      const std::size_t i = report.optimised.front();
      return natural(members.front().values[i], report.record.objectives[i].direction);
    }
    std::vector<Point> points;
    for (const Trial& member : members) points.push_back(optimised_values(member, report.optimised));
    raw = hypervolume(points, box.worst);
    const double volume = box.volume();
    return volume > 0 ? raw / volume : 0.0;
  };
  std::vector<HypervolumeStep> history = front_history(trials, archive, value_of, options.most_steps, input.spent);
  front.assign(archive.front().begin(), archive.front().end());
  if (front.empty() || report.optimised.empty()) return;
  report.hypervolume = std::move(history);
  report.final_hypervolume = raw;
  for (std::size_t i = 0; i < report.optimised.size(); ++i) {
    report.reference.push_back(natural(box.worst[i], report.record.objectives[report.optimised[i]].direction));
  }
}

// Per trial and objective: the interval of the latest timing, a verification before the search's own.
using IntervalMap = std::map<std::pair<std::int64_t, std::size_t>, Interval>;

std::optional<std::size_t> objective_index(const StudyRecord& record, const std::string& name) {
  for (std::size_t i = 0; i < record.objectives.size(); ++i) {
    if (record.objectives[i].name == name) return i;
  }
  return std::nullopt;
}

IntervalMap intervals_of(const StudyRecord& record, const std::vector<MeasurementRecord>& measurements) {
  IntervalMap intervals;
  for (const char* purpose : {"reuse", "search", "verify"}) {
    for (const MeasurementRecord& one : measurements) {
      const std::optional<std::size_t> objective = objective_index(record, one.objective);
      if (one.purpose != purpose || !objective || one.measurement.outcome != Measurement::Outcome::ok) continue;
      intervals[{one.trial_id, *objective}] = {one.measurement.ci_low_s, one.measurement.ci_high_s,
                                               one.measurement.median_s, one.purpose == "verify"};
    }
  }
  return intervals;
}

Json gene_indices(const Genome& genome) { return Json(genome.genes); }

std::vector<FrontMember> front_members(const ReportInput& input, const std::vector<Trial>& front) {
  const IntervalMap intervals = intervals_of(input.record, input.measurements);
  std::vector<FrontMember> members;
  for (const Trial& trial : front) {
    FrontMember member;
    member.trial = trial.id;
    member.function_hash = trial.function_hash;
    member.values = natural_values(trial, input.record.objectives);
    for (std::size_t i = 0; i < member.values.size(); ++i) {
      const auto it = intervals.find({trial.id, i});
      member.intervals.push_back(it == intervals.end() ? std::nullopt : std::optional(it->second));
    }
    member.tied.assign(member.values.size(), false);
    member.genome = input.space != nullptr ? input.space->describe(trial.genome) : gene_indices(trial.genome);
    if (input.space != nullptr) member.choices = grouped_choices(*input.space, trial.genome);
    members.push_back(std::move(member));
  }
  return members;
}

// Two members whose intervals overlap are a tie in that objective.
void mark_ties(std::vector<FrontMember>& front) {
  for (std::size_t a = 0; a < front.size(); ++a) {
    for (std::size_t b = a + 1; b < front.size(); ++b) {
      for (std::size_t i = 0; i < front[a].intervals.size(); ++i) {
        const auto &x = front[a].intervals[i], &y = front[b].intervals[i];
        if (!x || !y || x->low > y->high || y->low > x->high) continue;
        front[a].tied[i] = front[b].tied[i] = true;
      }
    }
  }
}

std::string genes_text(const SearchSpace* space, const Genome& genome) {
  const std::vector<bool> active = space != nullptr ? space->active(genome) : std::vector<bool>();
  std::string text;
  for (std::size_t i = 0; i < genome.genes.size(); ++i) {
    if (i > 0) text += '.';
    if (active.empty() || active[i]) text += std::to_string(genome.genes[i]);
  }
  return text;
}

std::vector<ReportPoint> thinned_points(const ReportInput& input, const std::set<std::int64_t>& front,
                                        const ReportOptions& options, std::int64_t& with_values) {
  with_values = std::count_if(input.trials.begin(), input.trials.end(), [](const Trial& t) { return t.has_values(); });
  const auto most = static_cast<std::int64_t>(options.most_points);
  std::vector<ReportPoint> points;
  std::int64_t seen = 0, taken = 0;
  for (const Trial& trial : input.trials) {
    if (!trial.has_values()) continue;
    const bool on_front = front.contains(trial.id);
    // Every trial, or an even share: the k-th is taken when the running share passes the next whole number.
    const bool due = with_values <= most || ++seen * most / with_values > taken;
    if (due && with_values > most) ++taken;
    if (!due && !on_front) continue;
    points.push_back({trial.id, trial.status, trial.fidelity, on_front, natural_values(trial, input.record.objectives),
                      genes_text(input.space, trial.genome)});
  }
  return points;
}

void describe_dimensions(StudyReport& report, const SearchSpace& space) {
  report.space_log10_size = space.log10_size();
  for (const Dimension& dimension : space.dims()) {
    report.dimension_names.push_back(dimension.name.substr(0, dimension.name.find('[')));
    std::vector<std::string> choices;
    for (const Json& choice : dimension.choices) choices.push_back(choice_text(choice));
    report.dimension_choices.push_back(std::move(choices));
  }
}

void fill_scales_and_limits(StudyReport& report, const std::vector<Trial>& trials) {
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    ReportObjective& one = report.objectives[i];
    std::vector<double> values;
    for (const FrontMember& member : report.front) values.push_back(member.values[i]);
    std::optional<double> nearest;
    for (const Trial& trial : trials) {
      if (!trial.has_values()) continue;
      if (report.front.empty()) values.push_back(natural(trial.values[i], one.objective.direction));
      if (!one.objective.limit) continue;
      const double limit = minimised(*one.objective.limit, one.objective.direction);
      one.broken += trial.values[i] > limit ? 1 : 0;
      nearest = nearest ? std::min(*nearest, trial.values[i]) : trial.values[i];
    }
    if (nearest) one.nearest = natural(*nearest, one.objective.direction);
    one.scale = scale_for(values, one.objective.unit);
  }
}

// Reasons that differ by their numbers alone are one: every unstable timing has its own spread.
std::string without_numbers(const std::string& reason) {
  std::string kept;
  for (const char c : reason) {
    const bool number = (c >= '0' && c <= '9') || (c == '.' && kept.ends_with('#'));
    if (!number)
      kept += c;
    else if (!kept.ends_with('#'))
      kept += '#';
  }
  return kept;
}

void fill_reasons(StudyReport& report, const std::vector<Trial>& trials, std::size_t most) {
  std::map<std::pair<Status, std::string>, DeathReason> reasons;
  for (const Trial& trial : trials) {
    ++report.counts[static_cast<std::size_t>(trial.status)];
    if (trial.status == Status::ok) continue;
    auto [it, fresh] = reasons.try_emplace({trial.status, without_numbers(trial.reason)},
                                           DeathReason{trial.status, trial.reason, 0, trial.id});
    ++it->second.trials;
  }
  for (auto& [key, reason] : reasons) report.reasons.push_back(std::move(reason));
  std::stable_sort(report.reasons.begin(), report.reasons.end(),
                   [](const DeathReason& a, const DeathReason& b) { return a.trials > b.trials; });
  for (std::size_t i = most; i < report.reasons.size(); ++i) report.other_reasons += report.reasons[i].trials;
  if (report.reasons.size() > most) report.reasons.resize(most);
}

class ComparisonSet {
 public:
  void add(std::size_t objective, const std::string& by, const std::string& against, ComparedPair pair) {
    if (!std::isfinite(pair.predicted) || !std::isfinite(pair.measured) || pair.measured == 0.0) return;
    for (Comparison& one : all_) {
      if (one.objective == objective && one.predicted_by == by && one.against == against) {
        one.pairs.push_back(pair);
        return;
      }
    }
    all_.push_back({objective, by, against, {pair}, {}});
  }

  std::vector<Comparison> finish() {
    for (Comparison& one : all_) {
      std::vector<double> predicted, measured;
      for (const ComparedPair& pair : one.pairs) {
        predicted.push_back(pair.predicted);
        measured.push_back(pair.measured);
      }
      one.error = prediction_error(predicted, measured);
    }
    return std::move(all_);
  }

 private:
  std::vector<Comparison> all_;
};

// Cheaper evaluations beside the whole ones of the same candidates, where they differ at all.
void add_rungs(ComparisonSet& set, const ReportInput& input, const std::vector<ReportObjective>& objectives) {
  std::map<Genome, const Trial*> whole;
  for (const Trial& trial : input.trials) {
    if (trial.has_values()) whole.emplace(trial.genome, &trial);
  }
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const Direction direction = objectives[i].objective.direction;
    std::vector<std::pair<std::size_t, ComparedPair>> pairs;  // with the rung
    bool differ = false;
    for (const Trial& trial : input.cheaper) {
      const auto found = whole.find(trial.genome);
      if (!trial.has_values() || found == whole.end()) continue;
      const double value = found->second->values[i];
      differ = differ || trial.values[i] != value;
      pairs.push_back({static_cast<std::size_t>(trial.rung),
                       {found->second->id, natural(trial.values[i], direction), natural(value, direction)}});
    }
    const std::vector<double>& costs = input.record.rung_costs;
    for (const auto& [rung, pair] : pairs) {
      if (!differ || rung >= costs.size()) continue;
      set.add(i, fmt::format("rung {} ({:.3g} of an evaluation)", rung, costs[rung]), "the whole evaluation", pair);
    }
  }
}

void fill_rungs(StudyReport& report, const ReportInput& input) {
  report.evaluations = static_cast<double>(input.record.trials);
  if (std::accumulate(input.rung_trials.begin(), input.rung_trials.end(), std::int64_t{0}) ==
      (input.rung_trials.empty() ? 0 : input.rung_trials.front())) {
    return;  // whole ones alone
  }
  report.evaluations = 0;
  for (std::size_t k = 0; k < input.rung_trials.size(); ++k) {
    report.rungs.push_back({input.record.rung_costs[k], input.rung_trials[k]});
    report.evaluations += static_cast<double>(input.rung_trials[k]) * input.record.rung_costs[k];
  }
}

std::vector<Comparison> comparisons_of(const ReportInput& input, const std::vector<ReportObjective>& objectives) {
  const char* const during = "measured during the search";
  const char* const again = "measured again at the end";
  std::map<std::int64_t, const Trial*> trials;
  for (const MeasurementRecord& one : input.measurements) trials[one.trial_id] = nullptr;
  for (const Trial& trial : input.trials) {
    if (const auto it = trials.find(trial.id); it != trials.end() && trial.has_values()) it->second = &trial;
  }
  ComparisonSet set;
  const Json config = Json::parse(input.record.config, nullptr, false);
  for (const MeasurementRecord& one : input.measurements) {
    const std::optional<std::size_t> objective = objective_index(input.record, one.objective);
    const Trial* trial = trials[one.trial_id];
    if (!objective || trial == nullptr || one.measurement.outcome != Measurement::Outcome::ok) continue;
    const double value = natural(trial->values[*objective], objectives[*objective].objective.direction);
    if (one.purpose == "verify") {
      const Json source = objective_source(config, one.objective);
      const bool timed = source.is_object() && source.value("evaluator", Json()) == Json("measured");
      set.add(*objective, timed ? during : objectives[*objective].origin, again,
              {trial->id, value, one.measurement.median_s});
    } else if (one.predicted) {
      set.add(*objective, source_text(objective_source(config, one.objective, "screen")), during,
              {trial->id, *one.predicted, value});
    }
  }
  add_rungs(set, input, objectives);
  return set.finish();
}

}  // namespace

std::vector<ReportObjective> described_objectives(const StudyRecord& record) {
  const Json config = Json::parse(record.config, nullptr, false);
  std::vector<ReportObjective> described;
  for (const Objective& objective : record.objectives) {
    const Json source = objective_source(config, objective.name);
    ReportObjective one;
    one.objective = objective;
    one.proxy = is_proxy(source);
    one.label = plain_name(objective.name, objective.unit) + (one.proxy ? " (training-free proxy)" : "");
    one.origin = source_text(source);
    described.push_back(std::move(one));
  }
  return described;
}

StudyReport make_report(ReportInput input, const ReportOptions& options) {
  StudyReport report;
  report.record = input.record;
  report.database = input.database;
  report.space_problem = input.space_problem;
  report.environment = input.environment;
  report.searcher_notes = std::move(input.searcher_notes);
  report.objectives = described_objectives(input.record);
  for (std::size_t i = 0; i < input.record.objectives.size(); ++i) {
    if (!input.record.objectives[i].constraint_only) report.optimised.push_back(i);
  }
  report.front_fidelity = best_fidelity(input.trials);
  fill_rungs(report, input);
  if (input.space != nullptr) describe_dimensions(report, *input.space);

  std::vector<Trial> front;
  fill_front_and_history(report, input, options, front);
  report.front = front_members(input, front);
  mark_ties(report.front);
  fill_scales_and_limits(report, input.trials);
  std::set<std::int64_t> front_ids;
  for (const Trial& trial : front) front_ids.insert(trial.id);
  report.points = thinned_points(input, front_ids, options, report.trials_with_values);
  fill_reasons(report, input.trials, options.most_reasons);
  report.comparisons = comparisons_of(input, report.objectives);

  std::set<std::string> protocols;
  for (const MeasurementRecord& one : input.measurements) {
    protocols.insert(one.protocol);
    report.samples += static_cast<std::int64_t>(one.measurement.samples_s.size());
  }
  report.timed = static_cast<std::int64_t>(input.measurements.size());
  report.protocols.assign(protocols.begin(), protocols.end());
  return report;
}

}  // namespace ridgeline
