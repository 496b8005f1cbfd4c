#include "kernels/measure.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "kernels/pinning.hpp"
#include "kernels/statistics.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void fill_input(Executable& executable, std::uint64_t seed) {
  Rng rng(seed, "measure-input");
  for (float& value : executable.input()) value = static_cast<float>(rng.normal());
}

// Empties the caches: every thread writes its share, so that the private caches of every core are reached.
class CacheWalk {
 public:
  CacheWalk(CacheState state, int threads) : threads_(threads) {
    if (state == CacheState::cold) buffer_.resize(static_cast<std::size_t>(cold_walk_bytes(this_environment())));
  }
  void walk() {
    if (buffer_.empty()) return;
    ++round_;
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::size_t i = 0; i < buffer_.size(); i += 64) buffer_[i] = static_cast<unsigned char>(buffer_[i] + round_);
  }

 private:
  int threads_;
  std::vector<unsigned char> buffer_;
  unsigned round_ = 0;
};

double timed_run(Executable& executable, CacheWalk& caches) {
  caches.walk();
  const Clock::time_point start = Clock::now();
  executable.run();
  return seconds_since(start);
}

// Runs outside the timed region: at least warm_up_runs, and until `warmup_s` have passed.
void warm_up(Executable& executable, double warmup_s) {
  const Clock::time_point start = Clock::now();
  for (int run = 0; run < warm_up_runs || seconds_since(start) < warmup_s; ++run) executable.run();
}

void take_samples(Executable& executable, const MeasureOptions& options, CacheWalk& caches,
                  std::vector<double>& samples) {
  const auto least = static_cast<std::size_t>(std::max(1, options.min_samples));
  const auto most = std::max(least, static_cast<std::size_t>(std::max(1, options.max_samples)));
  double timed_s = 0.0;
  for (std::size_t n = 0; n < most && (n < least || timed_s < options.target_s); ++n) {
    samples.push_back(timed_run(executable, caches));
    timed_s += samples.back();
  }
}

std::unique_ptr<Executable> compile_for(const Design& design, const MeasureOptions& options, bool by_step = false) {
  ExecutableOptions compile;
  compile.threads = options.threads;
  compile.seed = options.seed;
  compile.keep_op_times = by_step;
  auto executable = std::make_unique<Executable>(design, compile);
  fill_input(*executable, options.seed);
  return executable;
}

// The times of every step, one list a step.
using StepSamples = std::vector<std::vector<double>>;

void take_step_samples(Executable& executable, std::size_t runs, CacheWalk& caches, StepSamples& samples) {
  samples.resize(executable.steps().size());
  for (std::size_t run = 0; run < runs; ++run) {
    timed_run(executable, caches);
    const auto step_times = executable.step_times_s();
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i].push_back(step_times[i]);
  }
}

void summarise_steps(std::span<const StepInfo> steps, const StepSamples& samples, Measurement& result) {
  result.sum_of_ops_s = 0.0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    result.ops.push_back({steps[i], median(samples[i])});
    result.sum_of_ops_s += result.ops.back().median_s;
  }
}

// Every step in runs of their own: reading the clock between steps would lengthen the whole.
void time_operators(const Design& design, const MeasureOptions& options, CacheWalk& caches, Measurement& result) {
  const auto executable = compile_for(design, options, true);
  warm_up(*executable, options.warmup_s);
  StepSamples samples;
  take_step_samples(*executable, std::clamp<std::size_t>(result.samples_s.size(), 5, 200), caches, samples);
  summarise_steps(executable->steps(), samples, result);
}

Measurement refused(const std::string& reason) {
  Measurement result;
  result.outcome = Measurement::Outcome::unsupported;
  result.reason = reason;
  return result;
}

// What a design that does not compile becomes: oneDNN's and the executor's refusals are answers.
template <typename Work>
Measurement or_unsupported(Work&& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return refused("it needs more memory than there is");
  } catch (const std::exception& problem) {
    return refused(problem.what());
  }
}

}  // namespace

std::int64_t cold_walk_bytes(const Environment& environment) {
  std::int64_t last_level = 0;
  for (const CacheLevel& cache : environment.caches) {
    last_level = std::max(last_level, static_cast<std::int64_t>(cache.bytes));
  }
  return std::clamp(2 * last_level, std::int64_t{64} << 20, std::int64_t{256} << 20);
}

void summarise(Measurement& measurement, double max_relative_mad) {
  const std::span<const double> samples = measurement.samples_s;
  for (const double sample : samples) {
    if (!(sample > 0.0)) throw std::invalid_argument("a timing sample is not positive");
  }
  measurement.median_s = median(samples);
  measurement.mad_s = median_absolute_deviation(samples, measurement.median_s);
  std::vector<double> ordered(samples.begin(), samples.end());
  std::sort(ordered.begin(), ordered.end());
  const MedianRanks ranks = median_ranks(ordered.size());
  measurement.ci_low_s = ordered[ranks.low - 1];
  measurement.ci_high_s = ordered[ranks.high - 1];
  const double spread = measurement.mad_s / measurement.median_s;
  if (spread <= max_relative_mad) return;
  measurement.outcome = Measurement::Outcome::unstable;
  char text[160];
  std::snprintf(text, sizeof text, "spread %.1f %% of the median (MAD of %zu samples) is above the limit of %.1f %%",
                100.0 * spread, samples.size(), 100.0 * max_relative_mad);
  measurement.reason = text;
}

SpeedReference::SpeedReference(const Design& design, const MeasureOptions& options)
    : executable_(compile_for(design, options)) {
  warm_up(*executable_, options.warmup_s);
}

SpeedReference::~SpeedReference() = default;

double SpeedReference::time_s() {
  for (int run = 0; run < 2; ++run) executable_->run();
  std::array<double, 3> times{};
  for (double& time : times) {
    const Clock::time_point start = Clock::now();
    executable_->run();
    time = seconds_since(start);
  }
  return median(times);
}

Measurement measure(const Design& design, const MeasureOptions& options) {
  return or_unsupported([&] {
    std::optional<PinnedThreads> pinned;
    if (options.pin_threads) pinned.emplace(options.threads);
    Measurement result;
    CacheWalk caches(options.cache, options.threads);
    {
      const auto executable = compile_for(design, options);
      result.arena_bytes = executable->arena_bytes();
      result.weight_bytes = executable->weight_bytes();
      warm_up(*executable, options.warmup_s);
      take_samples(*executable, options, caches, result.samples_s);
    }
    summarise(result, options.max_relative_mad);
    if (options.per_operator) time_operators(design, options, caches, result);
    return result;
  });
}

namespace {

// Designs taking turns. Blocks of them are compiled at once.
class Interleaving {
 public:
  Interleaving(std::span<const Design> designs, const MeasureOptions& options, const InterleaveOptions& interleave)
      : designs_(designs),
        options_(options),
        turn_(options),
        interleave_(interleave),
        caches_(options.cache, options.threads),
        rng_(options.seed, "measure-interleave"),
        rounds_(std::max(1, interleave.rounds)),
        results_(designs.size()) {
    if (interleave.reference != nullptr) reference_.emplace(*interleave.reference, options);
    turn_.target_s = options.target_s / rounds_;
    turn_.min_samples = (options.min_samples + rounds_ - 1) / rounds_;
    turn_.max_samples = std::max(turn_.min_samples, options.max_samples / rounds_);
  }

  std::vector<Measurement> run() {
    for (std::size_t first = 0; first < designs_.size();) first += run_block(first);
    const double usual_s = reference_times_s_.empty() ? 1.0 : median(reference_times_s_);
    for (Measurement& result : results_) {
      steps_to_seconds(result, usual_s);
      if (result.outcome == Measurement::Outcome::ok) summarise(result, options_.max_relative_mad);
    }
    return std::move(results_);
  }

 private:
  struct Compiled {
    std::unique_ptr<Executable> whole, by_step;  // by_step: where operators are timed too
    StepSamples step_samples{};
    std::vector<double> step_reference_s{};  // one a run by step
  };
  using Block = std::vector<Compiled>;

  Block compile_block(std::size_t first) {
    Block block;
    std::int64_t bytes = 0;
    while (first + block.size() < designs_.size() && bytes < interleave_.block_bytes) {
      Measurement& result = results_[first + block.size()];
      const Design& design = designs_[first + block.size()];
      block.emplace_back();
      result = or_unsupported([&] {
        Measurement made;
        Compiled compiled{compile_for(design, options_), nullptr};
        if (options_.per_operator) compiled.by_step = compile_for(design, options_, true);
        made.arena_bytes = compiled.whole->arena_bytes();
        made.weight_bytes = compiled.whole->weight_bytes();
        block.back() = std::move(compiled);
        return made;
      });
      bytes += (options_.per_operator ? 2 : 1) * (result.arena_bytes + result.weight_bytes);
    }
    return block;
  }

  std::size_t run_block(std::size_t first) {
    Block block = compile_block(first);
    std::vector<std::size_t> order(block.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const double seconds =
        interleave_.seconds * static_cast<double>(block.size()) / static_cast<double>(designs_.size());
    const Clock::time_point start = Clock::now();
    for (int round = 0; round < rounds_ && (round < 2 || seconds_since(start) < seconds); ++round) {
      rng_.shuffle(std::span<std::size_t>(order));
      double before_s = reference_speed_s();
      for (const std::size_t i : order) {
        if (block[i].whole != nullptr) before_s = take_turn(block[i], results_[first + i], round == 0, before_s);
        ++done_;
        if (interleave_.progress) interleave_.progress(done_, designs_.size() * static_cast<std::size_t>(rounds_));
      }
    }
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (block[i].by_step != nullptr) finish_steps(block[i], results_[first + i]);
    }
    return block.size();
  }

  // Medians of the steps; beside a reference in units of its time.
  void finish_steps(Compiled& compiled, Measurement& result) const {
    if (reference_) {
      for (std::vector<double>& samples : compiled.step_samples) {
        for (std::size_t k = 0; k < samples.size(); ++k) samples[k] /= compiled.step_reference_s[k];
      }
    }
    summarise_steps(compiled.by_step->steps(), compiled.step_samples, result);
  }

  static void steps_to_seconds(Measurement& result, double reference_s) {
    for (OpTime& op : result.ops) op.median_s *= reference_s;
    result.sum_of_ops_s *= reference_s;
  }

  double reference_speed_s() {
    if (!reference_) return 0.0;
    reference_times_s_.push_back(reference_->time_s());
    return reference_times_s_.back();
  }

  // Returns the reference's time after the turn.
  double take_turn(Compiled& compiled, Measurement& result, bool first_turn, double before_s) {
    warm_up(*compiled.whole, first_turn ? options_.warmup_s : 0.0);
    const std::size_t had = result.samples_s.size();
    take_samples(*compiled.whole, turn_, caches_, result.samples_s);
    double after_s = reference_speed_s();
    if (reference_) result.reference_s.resize(result.samples_s.size(), 0.5 * (before_s + after_s));
    if (compiled.by_step == nullptr) return after_s;
    before_s = after_s;
    warm_up(*compiled.by_step, first_turn ? options_.warmup_s : 0.0);
    take_step_samples(*compiled.by_step, result.samples_s.size() - had, caches_, compiled.step_samples);
    after_s = reference_speed_s();
    compiled.step_reference_s.resize(compiled.step_reference_s.size() + result.samples_s.size() - had,
                                     0.5 * (before_s + after_s));
    return after_s;
  }

  std::span<const Design> designs_;
  const MeasureOptions& options_;
  MeasureOptions turn_;
  const InterleaveOptions& interleave_;
  CacheWalk caches_;
  std::optional<SpeedReference> reference_;
  std::vector<double> reference_times_s_;
  Rng rng_;
  int rounds_;
  std::size_t done_ = 0;
  std::vector<Measurement> results_;
};

}  // namespace

std::vector<Measurement> measure_interleaved(std::span<const Design> designs, const MeasureOptions& options,
                                             const InterleaveOptions& interleave) {
  std::optional<PinnedThreads> pinned;
  if (options.pin_threads) pinned.emplace(options.threads);
  return Interleaving(designs, options, interleave).run();
}

}  // namespace ridgeline
