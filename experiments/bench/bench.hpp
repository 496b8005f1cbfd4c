// Searchers x seeds on one problem, at equal numbers of distinct evaluations: what `ridgeline bench` runs.
//
// Runs are independent and threads take whole runs, so the figures are the same for any number of threads, times
// excepted.
//
// With a database every run is a study in it, STUDY/bench/SETTING/SEED, with its trials and a checkpoint: reports read
// it and `resume` goes on with it. A run that is there with as many evaluations is not run again; one with fewer is
// computed again from its start, which comes to the same trials, and what is new is added. Nothing stored is ever
// changed; a stored run of another problem or other options is refused. Several benchmarks may use one database at the
// same time: a run is written in one transaction, for which the others wait.
//
// What runs with a warm start begin with is retrieved from the database before the first of them is run, each by its
// own seed; one that is stored keeps what it began with.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "experiments/bench/settings.hpp"

namespace ridgeline {

struct BenchOptions {
  std::size_t seeds = 100;
  std::uint64_t first_seed = 1;
  BenchBudget budget;
  int threads = 0;                          // 0: all
  std::uint64_t most_enumerated = 1 << 20;  // combinations of a space whose exact answer is computed
};

struct BenchHooks {
  std::function<void(const std::string& phase, std::size_t done, std::size_t total)> progress;  // one call at a time
  const std::atomic<bool>* stop = nullptr;  // end after the runs under way
  std::string command, program_version;     // stored with studies
};

struct BenchResult {
  std::vector<BenchRun> runs;  // settings x seeds, seeds fastest
  ExactAnswer exact;
  std::size_t stored = 0;  // runs taken from the database
  std::string begun;       // what the first run with a warm start began with, in words; empty without one
  int threads = 0;
  double elapsed_s = 0;
  bool interrupted = false;  // then runs holds only those of seeds that every setting has done
  std::size_t seeds = 0;     // that were done
};

// `store`: null keeps nothing and has nothing to begin with. Throws ConfigError, StoreError, std::logic_error (a
// searcher's own bug).
BenchResult run_bench(const BenchProblem& problem, std::span<const BenchSetting> settings, const BenchOptions& options,
                      Store* store, const BenchHooks& hooks);

}  // namespace ridgeline
