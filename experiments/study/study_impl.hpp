// The study loop's insides, shared by its own files.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/flat_map.hpp"
#include "experiments/study/study.hpp"
#include "experiments/study/study_parts.hpp"

namespace ridgeline {

// One new candidate of a batch on its way to becoming a trial.
struct BatchEvaluation {
  Trial trial;  // id, genome, function; status and reason as of the evaluators so far
  Design design;
  std::vector<std::optional<double>> values;     // one an objective, natural; what is known so far
  std::vector<std::optional<double>> estimates;  // of the screens
  std::vector<bool> held_back;                   // one an objective: did not pass the screen
  std::vector<MeasurementRecord> measurements;
  bool wanted = false;  // not stored yet and within the budget
};

// A candidate of a batch whose genome has no answer yet.
struct Proposal {
  std::size_t position = 0;  // in Batch::asked
  std::uint64_t genome_hash = 0;
  std::uint64_t function_hash = 0;
  Design design{};
  std::string problem{};  // why it cannot be decoded
};

// A candidate that was answered by a trial with other genes.
struct CacheHit {
  std::size_t position = 0;  // in Batch::asked
  Design design;
};

// A batch as it was asked for.
struct Batch {
  std::optional<Checkpoint> checkpoint;
  std::vector<Genome> asked;
  int rung = 0;                        // of all of them
  std::vector<std::size_t> answers;    // the trial that answers each
  std::vector<BatchEvaluation> fresh;  // those not known before, in order of ids
  std::vector<CacheHit> hits;          // of "verify_cache"
};

std::uint64_t hash_of(const Genome& genome);
// What a candidate or function with this hash is known by on a rung.
std::uint64_t at_rung(std::uint64_t hash, int rung);

// A searcher that proposes so many known candidates in a row has nothing new to say.
inline constexpr std::size_t most_idle = 50'000;

struct Study::Impl {
  Impl(StudyConfig study, const Resources& resources, Store& database, std::string typed, StudyHooks given);

  using Clock = std::chrono::steady_clock;
  using End = StudyResult::End;

  // study.cpp
  StudyResult run();
  void open();
  void restore();
  std::optional<End> stopped();
  bool must_pause();                  // between candidates
  void remember(const Trial& trial);  // stored: for the fronts and the best
  void follow(const Trial& trial);    // told: for stagnation
  void progress();
  double cost_of(const Trial& trial) const;  // in whole evaluations
  double slack() const;                      // less than any evaluation costs, more than sums are off
  StudyResult finish(End end);
  std::string infeasibility(std::span<const Trial* const> all) const;

  // study_batch.cpp
  bool run_batch();  // false: cut short
  Batch ask();
  void identify(Batch& batch);
  void make_functions(const Batch& batch, std::vector<Proposal>& unknown);
  void number(Batch& batch, Proposal& proposal);
  void count_saved(const Batch& batch);
  void check_hits(const Batch& batch);
  void tell(const Batch& batch);
  void time_one(BatchEvaluation& evaluation);
  bool time_all(Batch& batch);  // false: cut short
  void commit(std::span<BatchEvaluation* const> done, const std::optional<Checkpoint>& checkpoint);

  // study_scores.cpp
  void score_cheap(Batch& batch);
  void score(std::span<BatchEvaluation* const> some, std::size_t objective, bool by_screen);
  void hold_back(Batch& batch);
  bool needs_timing(const BatchEvaluation& evaluation, std::size_t objective) const;
  bool needs_timing(const BatchEvaluation& evaluation) const;
  double violation(std::size_t objective, double value) const;  // relative excess over its limit, 0 where it holds
  double violation(const BatchEvaluation& evaluation, bool with_estimates) const;
  void conclude(BatchEvaluation& evaluation) const;

  // study_verify.cpp
  std::vector<Verified> verify(std::span<const Trial> front);

  struct Timer {  // adds the time of its life to a phase
    Timer(Impl& study, const char* name) : seconds(study.phases[name]) {}
    ~Timer() { seconds += std::chrono::duration<double>(Clock::now() - begin).count(); }
    double& seconds;
    Clock::time_point begin = Clock::now();
  };

  StudyConfig config;
  Store& store;
  std::string command;
  StudyHooks hooks;
  WorkerPool pool;
  StudyParts parts;
  StudyCache cache = StudyCache::functional;  // cache_of()
  std::vector<Objective> objectives;

  StudyId id = 0;
  bool opened = false;
  std::size_t batch_size = 1;
  std::int64_t batch_number = 0;
  std::vector<Trial> trials;                       // by id; of the batch under way those with id -1 are not done
  std::size_t told = 0;                            // trials of complete batches
  std::optional<std::size_t> checkpointed;         // told, of the last checkpoint stored
  FlatMap by_genome, by_function;                  // hash at a rung -> trial, of all batches with the one under way
  std::vector<ParetoArchive> archives;             // by fidelity, of everything stored
  std::array<std::optional<std::size_t>, 3> best;  // by fidelity: trial with the best first objective
  std::vector<ParetoArchive> in_order;  // by fidelity, of everything told, for stagnation: in order of ids, so
                                        // that it does not depend on the order of timing
  double told_cost = 0;                 // of trials of complete batches, in whole evaluations
  double improved = 0;                  // told_cost when a front in order last changed
  std::int64_t stored = 0;              // trials in the store
  double stored_cost = 0;
  std::int64_t resumed = 0, reused = 0;
  CacheCheck cache_check;
  SavedEvaluations saved;   // of the whole study
  bool saved_whole = true;  // false: `saved` begins where this run does, as what was stored before did not count
  std::size_t idle = 0;     // candidates asked for since the last new one
  Clock::time_point begin;
  std::map<std::string, double> phases;
};

}  // namespace ridgeline
