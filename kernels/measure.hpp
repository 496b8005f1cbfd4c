// The stated protocol for timing a design here.
//
// steady_clock around whole inferences; warm-up outside the timed region; repeats until a time or count target; every
// sample kept; median with a distribution-free 95 % confidence interval (binomial order statistics) and the median absolute
// deviation; threads pinned; caches hot (back to back) or cold (a buffer larger than the last-level cache is walked before
// each run). A result whose spread is above the limit is `unstable`, not a number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/executable.hpp"

namespace ridgeline {

enum class CacheState : std::uint8_t { hot, cold };

struct MeasureOptions {
  int threads = 1;
  CacheState cache = CacheState::hot;
  double warmup_s = 0.02;           // and at least two runs
  double target_s = 0.2;            // stop when this much was timed and min_samples are there
  int min_samples = 20;
  int max_samples = 2000;
  double max_relative_mad = 0.10;   // MAD / median above this is unstable
  bool per_operator = false;        // also time every step, in runs of their own
  bool pin_threads = true;
  std::uint64_t seed = 1;
};

struct OpTime {
  StepInfo step;
  double median_s;
};

struct Measurement {
  enum class Outcome : std::uint8_t { ok, unstable, unsupported };
  Outcome outcome = Outcome::ok;
  std::string reason;                // when not ok
  std::vector<double> samples_s;     // every sample, in the order taken
  double median_s = 0, ci_low_s = 0, ci_high_s = 0, mad_s = 0;
  std::vector<OpTime> ops;           // when per_operator
  double sum_of_ops_s = 0;           // when per_operator: to be seen beside median_s
  std::int64_t arena_bytes = 0, weight_bytes = 0;
};

// Never throws for a design that cannot run or a noisy machine: the outcome says so.
Measurement measure(const Design& design, const MeasureOptions& options);

// median_s, ci_*, mad_s of samples (at least one, finite, positive).
void summarise(Measurement& measurement);

}  // namespace ridgeline
