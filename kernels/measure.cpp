#include "kernels/measure.hpp"

#include <algorithm>
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

// Runs outside the timed region: at least two, and until `warmup_s` have passed.
void warm_up(Executable& executable, double warmup_s) {
  const Clock::time_point start = Clock::now();
  for (int run = 0; run < 2 || seconds_since(start) < warmup_s; ++run) executable.run();
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

// Every step in runs of their own: reading the clock between steps would lengthen the whole.
void time_operators(const Design& design, const MeasureOptions& options, CacheWalk& caches, Measurement& result) {
  ExecutableOptions compile;
  compile.threads = options.threads;
  compile.keep_op_times = true;
  compile.seed = options.seed;
  Executable executable(design, compile);
  fill_input(executable, options.seed);
  warm_up(executable, options.warmup_s);
  const auto steps = executable.steps();
  std::vector<std::vector<double>> times(steps.size());
  const int runs = std::clamp(static_cast<int>(result.samples_s.size()), 5, 200);
  for (int run = 0; run < runs; ++run) {
    timed_run(executable, caches);
    const auto step_times = executable.step_times_s();
    for (std::size_t i = 0; i < steps.size(); ++i) times[i].push_back(step_times[i]);
  }
  result.sum_of_ops_s = 0.0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    result.ops.push_back({steps[i], median(times[i])});
    result.sum_of_ops_s += result.ops.back().median_s;
  }
}

std::unique_ptr<Executable> compile_for(const Design& design, const MeasureOptions& options) {
  ExecutableOptions compile;
  compile.threads = options.threads;
  compile.seed = options.seed;
  auto executable = std::make_unique<Executable>(design, compile);
  fill_input(*executable, options.seed);
  return executable;
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
    throw;
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

std::vector<Measurement> measure_interleaved(std::span<const Design> designs, const MeasureOptions& options,
                                             const InterleaveOptions& interleave) {
  std::optional<PinnedThreads> pinned;
  if (options.pin_threads) pinned.emplace(options.threads);
  CacheWalk caches(options.cache, options.threads);
  const int rounds = std::max(1, interleave.rounds);
  MeasureOptions turn = options;
  turn.target_s = options.target_s / rounds;
  turn.min_samples = (options.min_samples + rounds - 1) / rounds;
  turn.max_samples = std::max(turn.min_samples, options.max_samples / rounds);
  std::vector<Measurement> results(designs.size());
  Rng rng(options.seed, "measure-interleave");
  const std::size_t total = designs.size() * static_cast<std::size_t>(rounds);
  std::size_t done = 0;
  for (std::size_t first = 0; first < designs.size();) {
    std::vector<std::unique_ptr<Executable>> block;
    std::int64_t bytes = 0;
    while (first + block.size() < designs.size() && bytes < interleave.block_bytes) {
      const std::size_t index = first + block.size();
      block.emplace_back();
      results[index] = or_unsupported([&] {
        Measurement result;
        block.back() = compile_for(designs[index], options);
        result.arena_bytes = block.back()->arena_bytes();
        result.weight_bytes = block.back()->weight_bytes();
        return result;
      });
      bytes += results[index].arena_bytes + results[index].weight_bytes;
    }
    std::vector<std::size_t> order(block.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (int round = 0; round < rounds; ++round) {
      rng.shuffle(std::span<std::size_t>(order));
      for (const std::size_t i : order) {
        ++done;
        if (block[i] == nullptr) continue;
        warm_up(*block[i], round == 0 ? options.warmup_s : 0.0);
        take_samples(*block[i], turn, caches, results[first + i].samples_s);
        if (interleave.progress) interleave.progress(done, total);
      }
    }
    first += block.size();
  }
  for (Measurement& result : results) {
    if (result.outcome == Measurement::Outcome::ok) summarise(result, options.max_relative_mad);
  }
  return results;
}

}  // namespace ridgeline
