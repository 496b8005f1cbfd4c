#include "experiments/bench/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ridgeline {
namespace {

constexpr std::size_t curve_points = 60;

// The worst and the best of a front in each objective, minimised.
struct Extremes {
  Point best, worst;
};

Extremes range_of(std::span<const Point> front) {
  Extremes range{front.front(), front.front()};
  for (const Point& point : front) {
    for (std::size_t i = 0; i < point.size(); ++i) {
      range.best[i] = std::min(range.best[i], point[i]);
      range.worst[i] = std::max(range.worst[i], point[i]);
    }
  }
  return range;
}

double moved_out(double best, double worst) {
  if (worst > best) return worst + 0.1 * (worst - best);
  return worst + (worst == 0.0 ? 1.0 : 0.1 * std::abs(worst));
}

[[noreturn]] void refuse_reference(const std::string& text, std::string expected, std::string found) {
  throw ConfigError({"--reference", text, std::move(expected), std::move(found),
                     "for example --reference accuracy=50 --reference latency_s=1.1x"});
}

void set_reference(const std::string& text, std::span<const Objective> objectives, const Extremes& range,
                   Point& reference) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) refuse_reference(text, "NAME=VALUE or NAME=1.1x", "no '='");
  const auto found = std::ranges::find(objectives, text.substr(0, equals), &Objective::name);
  if (found == objectives.end()) {
    std::vector<std::string> names;
    for (const Objective& one : objectives) names.push_back(one.name);
    refuse_reference(text, "an objective of the study",
                     fmt::format("'{0}'; {1}", text.substr(0, equals), known_words(text.substr(0, equals), names)));
  }
  const auto place = static_cast<std::size_t>(found - objectives.begin());
  std::string number = text.substr(equals + 1);
  const bool factor = number.ends_with('x');
  if (factor) number.pop_back();
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0' || !std::isfinite(value)) refuse_reference(text, "a number", "'" + number + "'");
  if (factor && value <= 0) refuse_reference(text, "a multiple above 0", "'" + number + "x'");
  const double worst = natural(range.worst[place], found->direction);
  reference[place] = minimised(factor ? value * worst : value, found->direction);
}

class Figures {
 public:
  Figures(const BenchProblem& problem, std::span<const BenchSetting> settings, const BenchResult& result,
          std::int64_t evaluations)
      : settings_(settings), result_(result), evaluations_(evaluations) {
    for (const std::size_t i : problem.counted()) figures_.objectives.push_back(problem.objectives()[i]);
    figures_.hypervolume = figures_.objectives.size() > 1;
    figures_.ideal = result.exact.source;
    figures_.candidates = result.exact.candidates;
    figures_.seeds = result.seeds;
  }

  BenchFigures make(std::vector<std::int64_t> at, std::span<const std::string> reference,
                    std::optional<std::size_t> reach) {
    std::erase_if(at, [&](std::int64_t budget) { return budget < 1 || budget >= evaluations_; });
    at.push_back(evaluations_);
    std::ranges::sort(at);
    at.erase(std::unique(at.begin(), at.end()), at.end());
    figures_.at = at;
    if (figures_.hypervolume) {
      choose_box(reference);
    } else {
      if (result_.exact.best) figures_.optimum = natural(*result_.exact.best, figures_.objectives[0].direction);
    }
    for (std::int64_t k = 1; k <= static_cast<std::int64_t>(curve_points); ++k) {
      const std::int64_t point = std::max<std::int64_t>(1, evaluations_ * k / static_cast<std::int64_t>(curve_points));
      if (grid_.empty() || point > grid_.back()) grid_.push_back(point);
    }
    for (std::size_t s = 0; s < settings_.size(); ++s) add_row(s);
    rank();
    improve();
    spread();
    if (reach && result_.seeds > 0) add_reach(*reach);
    return std::move(figures_);
  }

 private:
  std::span<const BenchRun> runs_of(std::size_t setting) const {
    return std::span(result_.runs).subspan(setting * result_.seeds, result_.seeds);
  }

  void choose_box(std::span<const std::string> given) {
    std::vector<Point> front = result_.exact.front;
    if (figures_.ideal == ExactAnswer::Source::none) {
      std::vector<Point> all;
      for (const BenchRun& run : result_.runs) {
        for (const BenchStep& step : run.steps) all.push_back(step.values);
      }
      for (const std::size_t i : all.empty() ? std::vector<std::size_t>{} : non_dominated(all)) front.push_back(all[i]);
    }
    if (front.empty()) return;
    const Extremes range = range_of(front);
    reference_ = result_.exact.reference;
    if (reference_.empty()) {
      for (std::size_t i = 0; i < range.best.size(); ++i)
        reference_.push_back(moved_out(range.best[i], range.worst[i]));
    }
    for (const std::string& text : given) set_reference(text, figures_.objectives, range, reference_);
    figures_.ideal_hypervolume = given.empty() && result_.exact.hypervolume ? *result_.exact.hypervolume
                                                                            : ridgeline::hypervolume(front, reference_);
    if (!given.empty() && figures_.ideal != ExactAnswer::Source::none && figures_.ideal_hypervolume <= 0) {
      refuse_reference(given[0], "a reference point that something of the ideal front is better than in everything",
                       "one that nothing is");
    }
    for (std::size_t i = 0; i < reference_.size(); ++i) {
      figures_.reference.push_back(natural(reference_[i], figures_.objectives[i].direction));
    }
  }

  // Natural, for a mean; none without a feasible candidate.
  std::optional<double> quality(const BenchRun& run, std::int64_t at) const {
    std::vector<Point> front;
    for (const BenchStep& step : run.steps) {
      if (step.evaluations <= at) front.push_back(step.values);
    }
    if (front.empty()) return figures_.hypervolume ? std::optional<double>(0.0) : std::nullopt;
    if (!figures_.hypervolume) return natural(front.back()[0], figures_.objectives[0].direction);
    if (figures_.ideal_hypervolume <= 0.0) return 0.0;
    return ridgeline::hypervolume(front, reference_) / figures_.ideal_hypervolume;
  }

  bool more_is_better() const {
    return figures_.hypervolume || figures_.objectives[0].direction == Direction::maximise;
  }

  void add_row(std::size_t setting) {
    BenchRow row;
    row.label = settings_[setting].label;
    row.searcher = settings_[setting].searcher;
    row.warm = !settings_[setting].warm_from.empty();
    const std::span<const BenchRun> runs = runs_of(setting);
    for (const std::int64_t at : figures_.at) row.cells.push_back(cell(runs, at));
    for (const std::int64_t at : grid_) {
      const BenchCell one = cell(runs, at);
      if (!one.quality || 2 * one.without > runs.size()) continue;
      const double mean = one.quality->mean;
      row.curve.push_back({at, mean, one.quality->interval.value_or(ConfidenceInterval{mean, mean})});
    }
    add_work(runs, row);
    if (figures_.optimum) add_first_hit(runs, row);
    figures_.rows.push_back(std::move(row));
  }

  BenchCell cell(std::span<const BenchRun> runs, std::int64_t at) const {
    BenchCell one;
    std::vector<double> values;
    for (const BenchRun& run : runs) {
      if (const std::optional<double> value = quality(run, at)) {
        values.push_back(*value);
        if (figures_.optimum && *value == *figures_.optimum) ++one.found;
      } else {
        ++one.without;
      }
    }
    if (!values.empty()) one.quality = mean_interval(values);
    if (figures_.optimum && !runs.empty()) one.found_interval = wilson_interval(one.found, runs.size());
    return one;
  }

  static void add_work(std::span<const BenchRun> runs, BenchRow& row) {
    double evaluations = 0, fresh = 0, asked = 0, told = 0, ask_s = 0, tell_s = 0, evaluate_s = 0;
    std::size_t now = 0;
    for (const BenchRun& run : runs) {
      evaluations += static_cast<double>(run.evaluations);
      if (run.stored) continue;
      ++now;
      fresh += static_cast<double>(run.evaluations);
      asked += static_cast<double>(run.asked);
      told += static_cast<double>(run.told);
      ask_s += run.ask_s;
      tell_s += run.tell_s;
      evaluate_s += run.evaluate_s;
    }
    if (!runs.empty()) row.mean_evaluations = evaluations / static_cast<double>(runs.size());
    if (now == 0 || asked == 0) return;
    row.mean_asked = asked / static_cast<double>(now);
    row.ask_us = 1e6 * ask_s / asked;
    if (told > 0) row.tell_us = 1e6 * tell_s / told;
    const double seconds = ask_s + tell_s + evaluate_s;
    if (seconds > 0) row.evaluations_per_s = fresh / seconds;
  }

  void add_first_hit(std::span<const BenchRun> runs, BenchRow& row) const {
    std::vector<double> hits;
    for (const BenchRun& run : runs) {
      const bool found = !run.steps.empty() &&
                         natural(run.steps.back().values[0], figures_.objectives[0].direction) == *figures_.optimum;
      hits.push_back(found ? static_cast<double>(run.steps.back().evaluations)
                           : std::numeric_limits<double>::infinity());
    }
    std::ranges::sort(hits);
    if (hits.empty()) return;
    const double middle = (hits[(hits.size() - 1) / 2] + hits[hits.size() / 2]) / 2;
    if (std::isfinite(middle)) row.median_evaluations_to_best = middle;
  }

  void rank() {
    if (figures_.rows.size() < 2 || result_.seeds == 0) return;
    for (std::size_t a = 0; a < figures_.at.size(); ++a) {
      std::vector<std::vector<double>> blocks(result_.seeds);
      for (std::size_t s = 0; s < settings_.size(); ++s) {
        for (std::size_t seed = 0; seed < result_.seeds; ++seed) {
          const std::optional<double> value = quality(runs_of(s)[seed], figures_.at[a]);
          const double worst = std::numeric_limits<double>::lowest();
          blocks[seed].push_back(!value ? worst : more_is_better() ? *value : -*value);
        }
      }
      const FriedmanTest test = friedman_test(blocks);
      figures_.ranks.push_back({test.statistic, test.p_value, test.critical_difference});
      for (std::size_t s = 0; s < settings_.size(); ++s) figures_.rows[s].cells[a].mean_rank = test.mean_ranks[s];
    }
  }

  void improve() {
    const auto random = std::ranges::find(figures_.rows, "random", &BenchRow::label);
    if (random == figures_.rows.end()) return;
    for (std::size_t a = 0; a < figures_.at.size(); ++a) {
      const std::optional<MeanInterval> base = random->cells[a].quality;
      if (!base || base->mean == 0.0) continue;
      for (BenchRow& row : figures_.rows) {
        if (!row.cells[a].quality) continue;
        const double change = 100.0 * (row.cells[a].quality->mean - base->mean) / std::abs(base->mean);
        row.cells[a].improvement = more_is_better() || change == 0.0 ? change : -change;
      }
    }
  }

  void spread() {
    std::vector<std::string> seen;
    const auto kind = [](const BenchRow& row) { return row.searcher + (row.warm ? " with a warm start" : ""); };
    for (const BenchRow& first : figures_.rows) {
      if (std::ranges::find(seen, kind(first)) != seen.end()) continue;
      seen.push_back(kind(first));
      BenchSpread spread;
      spread.searcher = kind(first);
      std::vector<double> means;
      double best = 0, worst = 0;
      for (const BenchRow& row : figures_.rows) {
        if (kind(row) != kind(first) || !row.cells.back().quality) continue;
        const double mean = row.cells.back().quality->mean, score = more_is_better() ? mean : -mean;
        if (means.empty() || score > best) {
          best = score;
          spread.best = row.label;
        }
        if (means.empty() || score < worst) {
          worst = score;
          spread.worst = row.label;
        }
        means.push_back(mean);
      }
      if (means.size() < 2) continue;
      spread.settings = means.size();
      spread.quality = five_numbers(means);
      figures_.spreads.push_back(std::move(spread));
    }
  }

  QualityCurve curve_of(const BenchRun& run) const {
    QualityCurve curve;
    for (const BenchStep& step : run.steps) {
      const double value = *quality(run, step.evaluations), score = more_is_better() ? value : -value;
      // A hypervolume's last bits depend on which points it is computed from.
      curve.push_back({step.evaluations, curve.empty() ? score : std::max(score, curve.back().quality)});
    }
    // A hypervolume without a feasible candidate is 0, as in the means.
    if (figures_.hypervolume) curve.insert(curve.begin(), {0, 0.0});
    return curve;
  }

  void add_reach(std::size_t named) {
    std::vector<std::vector<QualityCurve>> curves(settings_.size());
    for (std::size_t s = 0; s < settings_.size(); ++s) {
      for (const BenchRun& run : runs_of(s)) curves[s].push_back(curve_of(run));
    }
    figures_.reach = bench_reach(curves, named, figures_.at);
    if (more_is_better()) return;
    for (ReachTarget& target : figures_.reach->targets) {
      if (target.quality) target.quality = -*target.quality;
    }
  }

  std::span<const BenchSetting> settings_;
  const BenchResult& result_;
  std::int64_t evaluations_;
  BenchFigures figures_;
  Point reference_;  // minimised
  std::vector<std::int64_t> grid_;
};

}  // namespace

void check_bench_reference(const BenchProblem& problem, std::span<const std::string> reference) {
  std::vector<Objective> objectives;
  for (const std::size_t i : problem.counted()) objectives.push_back(problem.objectives()[i]);
  if (!reference.empty() && objectives.size() == 1) {
    refuse_reference(reference[0], "a study of several objectives", "one of one");
  }
  const Extremes range{Point(objectives.size(), 0.0), Point(objectives.size(), 1.0)};
  Point point = range.worst;
  for (const std::string& text : reference) set_reference(text, objectives, range, point);
}

BenchFigures bench_figures(const BenchProblem& problem, std::span<const BenchSetting> settings,
                           const BenchResult& result, BenchRequest request) {
  return Figures(problem, settings, result, request.evaluations)
      .make(std::move(request.at), request.reference, request.reach);
}

}  // namespace ridgeline
