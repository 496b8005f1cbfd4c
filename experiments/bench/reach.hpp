// How many evaluations each searcher needs to have what a named one has: the mean curves of a benchmark read crosswise.
// Pure functions; the same arguments give the same intervals.
//
// A run's curve is a step function that never falls: the best so far, more being better. Over runs the mean curve is
//
//   Q(e) = 1/n sum over runs r of q_r(e)      from where every run has something feasible; nothing is reached before
//
// For a target Q_named(at) a searcher's evaluations are the smallest e with Q(e) >= Q_named(at), and its ratio is the
// named one's own evaluations to that target (`at`, or fewer where its curve ends level) divided by them: 2 is half as
// many. Intervals of the ratio are of 95 %, percentiles of a bootstrap over seeds (Efron, "Bootstrap Methods: Another
// Look at the Jackknife", Annals of Statistics 7, 1979), which draws the same seeds for both and the target anew each
// time. Where a target is not reached within the budget, the ratio is only known to be below a bound.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/bench/run.hpp"

namespace ridgeline {

struct QualityStep {
  std::int64_t evaluations = 0;  // ascending in a curve
  double quality = 0;            // more is better; does not fall along a curve
};
using QualityCurve = std::vector<QualityStep>;  // of one run; empty where it found nothing feasible

// A searcher on its way to a target.
struct ReachRow {
  std::size_t row = 0;                      // of the settings
  std::optional<std::int64_t> evaluations;  // none: more than the whole budget
  std::optional<double> ratio;
  // Ends of the interval; none where that end is a resample that does not reach the target, so below the bound.
  std::optional<double> low, high;
};

struct ReachTarget {
  std::int64_t at = 0;            // the named one's budget
  std::optional<double> quality;  // its mean there, as in the curves; none where a run of it has nothing feasible
  std::int64_t evaluations = 0;   // that its own mean curve needs for it, at most `at`
  double bound = 0;               // a ratio that is not stated is below it: `at` over the whole budget
  std::vector<ReachRow> rows;     // every other searcher; empty without a quality
};

struct BenchReach {
  std::size_t named = 0;      // of the settings
  bool intervals = false;     // with a single seed there are none
  std::size_t resamples = 0;  // that intervals come from
  std::vector<ReachTarget> targets;
};

constexpr std::size_t reach_resamples = 2000;

// The smallest number of evaluations, at most `most`, at which the mean of the curves that `runs` names (indices, each
// as often as it is named) is at least `target`.
std::optional<std::int64_t> first_reach(std::span<const QualityCurve> curves, std::span<const std::size_t> runs,
                                        double target, std::int64_t most);

// curves: settings x seeds, all of one length; `at`: budgets, the last the whole. Throws std::invalid_argument.
BenchReach bench_reach(std::span<const std::vector<QualityCurve>> curves, std::size_t named,
                       std::span<const std::int64_t> at);

// The setting that `--reach` names, by its label or as the only one of a searcher. Throws ConfigError.
std::size_t reach_setting(std::span<const BenchSetting> settings, const std::string& name);

}  // namespace ridgeline
