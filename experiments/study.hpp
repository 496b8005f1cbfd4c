// One search: configuration, searcher, evaluators, store. Running and resuming are the same path.
//
// A batch: checkpoint of the searcher; ask; answer duplicates (by the function of the network) from what is known; decode and
// score the rest; append trials and checkpoint in one transaction; tell all. A batch that a crash or a budget cut short is
// asked for again from its checkpoint and only what is missing is evaluated, so N trials, a kill, and N more equal 2N.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/evaluator.hpp"
#include "experiments/store.hpp"
#include "experiments/study_config.hpp"
#include "search/pareto.hpp"

namespace ridgeline {

struct StudyProgress {
  std::int64_t trials = 0, budget = 0, duplicates = 0;
  double elapsed_s = 0;
  const Trial* best = nullptr;          // by the first objective, feasible; null while there is none
  std::size_t front_size = 0;
};

struct StudyHooks {
  std::function<void(const StudyProgress&)> progress;   // after every batch and every exclusive evaluation
  const std::atomic<bool>* stop = nullptr;              // set by a signal handler: end after the current candidate
  std::function<Measurement(const Design&, const MeasureOptions&)> measure;  // what times a design; empty = measure()
};

struct PhaseTime {
  std::string phase;   // "ask", "decode", "cost", "measure", "store", "tell"
  double seconds = 0;
};

struct StudyResult {
  enum class End : std::uint8_t { budget, wall_clock, stagnation, exhausted, interrupted, infeasible };
  End end = End::budget;
  StudyId study = 0;
  std::int64_t trials = 0, duplicates = 0, resumed = 0;
  std::vector<Trial> front;            // of the best fidelity there is
  std::vector<std::pair<std::string, std::int64_t>> reasons;   // why candidates died, most first
  std::string infeasibility;           // End::infeasible: the tightest constraint and the nearest value reached
  std::vector<PhaseTime> phases;
};

class Study {
 public:
  // Throws ConfigError (space, searcher, evaluators: all problems together) and StoreError.
  Study(StudyConfig config, const Resources& resources, Store& store, std::string command, StudyHooks hooks = {});
  ~Study();
  StudyResult run();   // runs or resumes until a stop rule holds

  const SearchSpace& space() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
