// One run of a benchmark: a searcher, its options and a seed on a problem, for a number of distinct evaluations.
//
// What is asked for, answered as a duplicate, numbered and told is what a study with this searcher, these options, this
// seed and the searcher's own batch does (study.hpp), without a store: a test holds the two against each other. A
// duplicate costs nothing; a run also ends after so many asks, when the searcher has nothing left, or when it has
// repeated itself most_idle times in a row. A run depends on nothing but its arguments, times excepted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/bench/problem.hpp"
#include "experiments/store/store.hpp"

namespace ridgeline {

// A searcher with options of its own: a row of the benchmark.
struct BenchSetting {
  std::string searcher;
  Json options = Json::object();
  std::string label;  // "nsga2 population=50"
  // Stored studies that its runs begin with the best of; none: they begin with nothing. A run's own retrieval is in
  // `warm`, decided by its seed.
  std::vector<std::string> warm_from{};
  WarmStart warm{};
};

struct BenchBudget {
  std::int64_t evaluations = 100;
  std::int64_t asks = 10'000;  // candidates asked for, duplicates included
};

// A trial that was on the front of its run (that was better than all before it, with one objective) when it came.
struct BenchStep {
  std::int64_t evaluations;  // with this one
  Point values;              // minimised, the optimised objectives
};

struct BenchRun {
  enum class End : std::uint8_t { budget, asks, exhausted };
  std::size_t setting = 0;
  std::uint64_t seed = 0;
  End end = End::budget;
  std::int64_t evaluations = 0, asked = 0, told = 0;
  std::vector<BenchStep> steps;
  double ask_s = 0, evaluate_s = 0, tell_s = 0;  // 0 where the run was stored before
  bool stored = false;                           // taken from a database
};

// What a database keeps of a run beside its figures.
struct BenchTrajectory {
  std::vector<Trial> trials;
  std::optional<Checkpoint> checkpoint;  // the last batch's
};

// `trajectory`: filled where it is not null. Throws ConfigError (options), std::logic_error (a searcher's own bug).
BenchRun run_searcher(const BenchProblem& problem, const BenchSetting& setting, std::uint64_t seed,
                      const BenchBudget& budget, BenchTrajectory* trajectory = nullptr);

// The same figures from trials that were stored, in id order; only the first `evaluations` count.
BenchRun run_of_trials(const BenchProblem& problem, std::span<const Trial> trials, std::int64_t evaluations);

}  // namespace ridgeline
