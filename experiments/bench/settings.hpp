// Which searchers a benchmark runs, with which options: one setting a row.
//
//   searchers  "nsga2", "nsga2 population=50 crossover=0.9"; none: all registered ones that can run the study, but for
//              `exhaustive`, whose first candidates say nothing
//   grids      "nsga2.population=20,50,100": every setting of that searcher once with each of the values; several grids
//              of one searcher are combined
//
//   warm       names of stored studies: every setting of a searcher that takes a warm start once more, beginning with
//              the best of the nearest of them (warm_start.hpp)
//
// Options are the searcher's defaults where they are not named, not those of the study. `random` always comes along: it
// is what others are measured by.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/run.hpp"

namespace ridgeline {

struct BenchSettings {
  std::vector<BenchSetting> settings;                        // labels are distinct
  std::vector<std::pair<std::string, std::string>> skipped;  // searchers that cannot run the study, and why
};

// Throws ConfigError with everything that is wrong: unknown searchers and options, a grid of a searcher that is not
// run, a warm start of a searcher that was named and has no use for one.
BenchSettings bench_settings(const BenchProblem& problem, std::span<const std::string> searchers,
                             std::span<const std::string> grids, std::span<const std::string> warm = {});

}  // namespace ridgeline
