// What a benchmark's runs come to. Pure functions of the runs; natural units, larger or smaller as the objective says.
//
// Quality of a run at so many evaluations: with one objective the best value so far; with several the hypervolume of
// the front so far as a share of the exact front's, or where that is not known of the front of all runs together. The
// reference point is what was given, else that of a closed form, else the worst value of the ideal front in each
// objective moved out by a tenth of the front's range (by a tenth of the value, or by 1, where the range is 0).
//
// Intervals are of 95 %: Student's t for means over runs, Wilson's for shares of runs. Ranks are over seeds, each a
// block: Friedman's test with Nemenyi's critical difference (statistics.hpp). Relative improvement over random search,
// RI = 100 (mean - random's mean) / |random's mean|, with the sign that makes better positive, is of Yang, Esperanca
// and Carlucci, "NAS evaluation is frustratingly hard", ICLR 2020. The spread over settings of one searcher is the
// "hyper-parameter lottery" of Krishnan et al., "ArchGym", ISCA 2023.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/bench/bench.hpp"
#include "experiments/bench/reach.hpp"
#include "experiments/bench/statistics.hpp"

namespace ridgeline {

// A setting at a number of evaluations.
struct BenchCell {
  std::optional<MeanInterval> quality;  // a hypervolume without a feasible candidate is 0, a best value is none
  std::size_t without = 0;              // runs without a quality, which are not in the mean
  std::size_t found = 0;                // runs that have the known optimum; only where it is known
  std::optional<ConfidenceInterval> found_interval;
  std::optional<double> improvement;  // RI, in percent
  double mean_rank = 0;
};

struct BenchCurvePoint {
  std::int64_t evaluations = 0;
  double mean = 0;
  ConfidenceInterval interval;  // the mean twice where there is one run
};

struct BenchRow {
  std::string label, searcher;
  bool warm = false;                        // its runs begin with what stored studies found
  std::vector<BenchCell> cells;             // one a budget of BenchFigures::at
  std::vector<BenchCurvePoint> curve;       // where at least half of the runs have a quality
  double mean_evaluations = 0;              // that the runs did: fewer than asked for where a searcher had nothing left
  std::optional<double> mean_asked;         // candidates asked for, duplicates included; of runs that were run now
  std::optional<double> ask_us, tell_us;    // a candidate; of runs that were run now
  std::optional<double> evaluations_per_s;  // asking, evaluating and telling, in one thread
  std::optional<double> median_evaluations_to_best;  // to the known optimum, where at least half of the runs found it
};

// The settings of one searcher, where there are several.
struct BenchSpread {
  std::string searcher;
  std::size_t settings = 0;
  FiveNumbers quality;  // of the settings' means, at the largest budget
  std::string best, worst;
};

struct BenchRanks {
  double statistic = 0, p_value = 1, critical_difference = 0;
};

struct BenchFigures {
  std::vector<Objective> objectives;  // the optimised ones
  bool hypervolume = false;           // else the best value of the single objective
  std::vector<std::int64_t> at;       // ascending; the last is the whole budget
  std::vector<BenchRow> rows;
  std::vector<BenchRanks> ranks;  // one a budget; empty with a single row
  std::vector<BenchSpread> spreads;
  std::optional<BenchReach> reach;                        // where it is asked for and a seed is done; qualities natural
  ExactAnswer::Source ideal = ExactAnswer::Source::none;  // none: the front of all runs together
  std::uint64_t candidates = 0;                           // that an enumeration saw
  std::optional<double> optimum;                          // natural, of a single objective
  Point reference;                                        // natural; hypervolume only
  double ideal_hypervolume = 0;                           // in units of the objectives
  std::size_t seeds = 0;
};

// What of `reference` is known to be wrong before anything is run. Throws ConfigError.
void check_bench_reference(const BenchProblem& problem, std::span<const std::string> reference);

// What figures are asked for.
struct BenchRequest {
  std::int64_t evaluations = 0;        // the whole budget
  std::vector<std::int64_t> at;        // budgets beside it; those above it are left out
  std::vector<std::string> reference;  // "NAME=VALUE" in natural units, or "NAME=1.1x" for a multiple of the ideal
                                       // front's worst value
  std::optional<std::size_t> reach;    // of the settings: what the others need to have what it has (reach.hpp)
};

// Throws ConfigError for a reference of no objective.
BenchFigures bench_figures(const BenchProblem& problem, std::span<const BenchSetting> settings,
                           const BenchResult& result, BenchRequest request);

}  // namespace ridgeline
