// The stated protocol for timing a design here.
//
// steady_clock around whole inferences; warm-up outside the timed region; repeats until a time or count target; every
// sample kept; median with a distribution-free 95 % confidence interval (binomial order statistics) and the median
// absolute deviation; threads pinned; caches hot (back to back) or cold (cold_walk_bytes() are written before each run,
// outside the timed region). A result whose spread is above the limit is `unstable`, not a number.
//
// measure_interleaved() times many designs so that they can be compared: all take turns, in a new random order each
// round, so that slow drift of the machine falls on all of them alike.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/environment.hpp"
#include "kernels/executable.hpp"

namespace ridgeline {

// Branch predictors and caches settle over the first runs. On a Xeon with AVX-512, medians of 100 small networks: the
// first run takes 1.28 times as long as the sixteenth, the third 1.07, the fifth 1.003; what is compared must have run
// equally often.
inline constexpr int warm_up_runs = 5;

enum class CacheState : std::uint8_t { hot, cold };

struct MeasureOptions {
  int threads = 1;
  CacheState cache = CacheState::hot;
  double warmup_s = 0.02;  // and at least warm_up_runs
  double target_s = 0.2;   // stop when this much was timed and min_samples are there
  int min_samples = 20;
  int max_samples = 2000;
  double max_relative_mad = 0.10;  // MAD / median above this is unstable
  bool per_operator = false;       // also time every step, in runs of their own
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
  std::string reason;               // when not ok
  std::vector<double> samples_s;    // every sample, in the order taken
  std::vector<double> reference_s;  // one a sample when a reference was timed beside it: the time of the reference then
  double median_s = 0, ci_low_s = 0, ci_high_s = 0, mad_s = 0;
  std::vector<OpTime> ops;  // when per_operator; timed beside a reference: at the machine's median speed of the run
  double sum_of_ops_s = 0;  // when per_operator: to be seen beside median_s
  std::int64_t arena_bytes = 0, weight_bytes = 0;
};

// Never throws for a design that cannot run or a noisy machine: the outcome says so.
Measurement measure(const Design& design, const MeasureOptions& options);

// A compiled design that is timed now and again to know how fast the machine is at the moment. Processors change their
// clock, and a virtual machine's neighbours come and go: everything slows down together, by ten percent within seconds.
class SpeedReference {
 public:
  SpeedReference(const Design& design, const MeasureOptions& options);  // throws Unsupported
  ~SpeedReference();
  double time_s();  // the median of three runs, after two that bring it back into the caches

 private:
  std::unique_ptr<Executable> executable_;
};

struct InterleaveOptions {
  int rounds = 5;  // how often every design has its turn
  // After so long no further round begins, but two there are: on a busy machine fewer samples, not a longer run.
  double seconds = std::numeric_limits<double>::infinity();
  std::int64_t block_bytes = std::int64_t{2}
                             << 30;  // designs kept compiled at once; beyond this they are timed in blocks
  // A design timed just before and after every turn, so that the machine's speed is known for every sample. Must
  // compile.
  const Design* reference = nullptr;
  std::function<void(std::size_t done, std::size_t total)> progress;  // turns
};

// Every design timed as by measure(), its samples split over the rounds; a turn starts with warm_up_runs that are not
// kept.
// options.target_s and the sample limits are of all rounds together. One result a design, in their order.
std::vector<Measurement> measure_interleaved(std::span<const Design> designs, const MeasureOptions& options,
                                             const InterleaveOptions& interleave = {});

// median_s, ci_*, mad_s of samples (at least one, finite, positive; throws std::invalid_argument otherwise), and
// the outcome `unstable` with its reason when the spread is above `max_relative_mad`.
void summarise(Measurement& measurement, double max_relative_mad);

// What is written before each run with a cold cache: twice the last-level cache, but at least 64 MiB and at most 256
// MiB, because a virtual machine reports the whole cache of its host, of which a guest has a share. Every core's
// private caches are emptied with certainty; a shared cache above 256 MiB is not.
std::int64_t cold_walk_bytes(const Environment& environment);

}  // namespace ridgeline
