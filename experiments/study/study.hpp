// One search: configuration, searcher, evaluators, store. Running and resuming are the same path.
//
// A batch: checkpoint of the searcher; ask; answer duplicates (by the function of the network, or as the
// configuration's "cache" says) from what is known, and count them; decode and score the rest; append trials and
// checkpoint in one transaction; tell all. Candidates that are timed are appended one by one as they finish. A batch
// that a crash or a budget cut short is asked for again from its checkpoint and only what is missing is evaluated, so N
// trials, a kill, and N more equal 2N.
//
// A trial's fidelity: of the dearest of its evaluators where it passed every screen, else of the screen that held it
// back. A candidate that breaks a limit by its cheap values is not timed; it is infeasible, with values where its
// screens give the rest of them.
//
// Rungs: a searcher may ask for cheaper evaluations of candidates (Trial::rung) where objectives have them. Each is a
// trial; a candidate is evaluated again on the next rung, and what is known of it on one answers only for that one.
// Fronts and the best are of rung 0, the whole evaluations, and the stop rules count what trials cost in these.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/evaluator.hpp"
#include "experiments/store/store.hpp"
#include "experiments/study/study_config.hpp"
#include "search/fronts/pareto.hpp"

namespace ridgeline {

struct StudyProgress {
  std::int64_t trials = 0, budget = 0, duplicates = 0;
  double evaluations = 0;  // what the trials cost, in whole evaluations; the budget is in these
  double elapsed_s = 0;
  const Trial* best = nullptr;  // by the first objective, feasible; null while there is none
  std::size_t front_size = 0;
};

struct StudyHooks {
  std::function<void(const StudyProgress&)> progress;  // after every commit, and during the verification of the front
  const std::atomic<bool>* stop = nullptr;             // set by a signal handler: end after the current candidate
  MeasureFunction measure;                             // what times a design; empty = measure()
  std::string program_version;                         // stored with the study
};

struct PhaseTime {
  std::string phase;  // "ask", "decode", "cost", "measure", "store", "tell", "verify"
  double seconds = 0;
};

// A member of the front measured again after the search.
struct Verified {
  std::int64_t trial = 0;
  std::size_t objective = 0;        // index of StudyConfig::objectives
  double searched = 0;              // its value in the search, natural units
  std::optional<double> predicted;  // what the screen said
  Measurement again;                // samples of every round together
};

// What "verify_cache" found: answers of the functional cache that were evaluated all the same, by every objective
// without a screen that is not timed.
struct CacheCheck {
  std::int64_t checked = 0, differing = 0;
  std::string example;  // of one that differs: the trial, the objective, both values
};

struct StudyResult {
  enum class End : std::uint8_t { budget, wall_clock, stagnation, exhausted, interrupted, infeasible };
  End end = End::budget;
  StudyId study = 0;
  std::int64_t trials = 0, resumed = 0;
  StudyCache cache = StudyCache::functional;                  // that the study worked with: cache_of
  SavedEvaluations saved;                                     // by it, of the whole study
  CacheCheck cache_check;                                     // of this run
  std::int64_t reused = 0;                                    // timings taken from the store instead of measured
  Fidelity fidelity = Fidelity::analytic;                     // of the front
  std::vector<Trial> front;                                   // of the best fidelity there is
  std::vector<std::pair<std::string, std::int64_t>> reasons;  // why candidates died, most first
  std::string infeasibility;  // End::infeasible: the tightest constraint and the nearest value reached
  // Different candidates that this run rejected before they became trials, by the early exit that did.
  std::vector<std::pair<std::string, std::int64_t>> rejected;
  std::vector<PhaseTime> phases;
  std::vector<Verified> verified;  // of verify_front
  Json searcher_notes;             // Searcher::notes() at the end
  std::string begun_with;          // of a warm start, in words; empty: nothing
};

class Study {
 public:
  // Throws ConfigError (space, searcher, evaluators: all problems together). Nothing is written yet.
  Study(StudyConfig config, const Resources& resources, Store& store, std::string command, StudyHooks hooks = {});
  ~Study();
  // Runs or resumes until a stop rule holds, then measures the front again where the configuration says so.
  // Throws StoreError, and ConfigError when the space yields nothing valid.
  StudyResult run();
  // Measures the timed objectives of these trials again, interleaved; stores the result with purpose "verify". Trials
  // verified in this environment before are taken from the store. Only after run().
  std::vector<Verified> verify_front(std::span<const Trial> front);

  const SearchSpace& space() const;
  const StudyConfig& config() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether two measured medians cannot be told apart: their confidence intervals overlap.
bool tied(const Measurement& a, const Measurement& b);

}  // namespace ridgeline
