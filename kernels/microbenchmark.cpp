#include "kernels/microbenchmark.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>

#include "kernels/executable.hpp"
#include "kernels/pinning.hpp"

namespace ridgeline {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// ---- arithmetic ----

Design one_layer(const std::string& kind, const Format& format) {
  Design design;
  Network& network = design.network;
  Op op;
  if (kind == "linear") {
    op.kind = OpKind::linear;
    op.channels = 1024;
    network.mark_output(network.add(op, {network.add_input({256, 1024})}));
  } else {
    const int size = kind == "pointwise" ? 1 : 3;
    op.kind = OpKind::conv2d;
    op.channels = 256;
    op.kernel = {size, size};
    op.padding = {size / 2, size / 2, size / 2, size / 2};
    op.groups = kind == "depthwise" ? 256 : 1;
    network.mark_output(network.add(op, {network.add_input({1, 256, 28, 28})}));
  }
  design.precision = PrecisionPlan::uniform(network, format, format);
  return design;
}

// The best time of the step that multiplies, without the reorders around it.
PeakResult best_of(const std::string& kind, const Format& format, int threads, double seconds) {
  const Design design = one_layer(kind, format);
  ExecutableOptions options;
  options.threads = threads;
  options.keep_op_times = true;
  Executable executable(design, options);
  std::fill(executable.input().begin(), executable.input().end(), 0.5F);
  const auto steps = executable.steps();
  std::size_t main = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].macs > steps[main].macs) main = i;
  }
  double best = 1e300;
  executable.run();
  const Clock::time_point start = Clock::now();
  for (int run = 0; run < 3 || seconds_since(start) < seconds; ++run) {
    executable.run();
    best = std::min(best, executable.step_times_s()[main]);
  }
  return {kind, format.text(), threads, 2.0 * static_cast<double>(steps[main].macs) / best, steps[main].implementation};
}

// ---- bandwidth ----

enum class Kernel : std::uint8_t { copy, scale, add, triad };
constexpr std::array<const char*, 4> kernel_names{"copy", "scale", "add", "triad"};

[[gnu::always_inline]] inline void stream(Kernel kernel, std::size_t n, float* a, const float* b, const float* c) {
  constexpr float q = 3.0F;
  switch (kernel) {
    case Kernel::copy:
      for (std::size_t i = 0; i < n; ++i) a[i] = b[i];
      return;
    case Kernel::scale:
      for (std::size_t i = 0; i < n; ++i) a[i] = q * b[i];
      return;
    case Kernel::add:
      for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + c[i];
      return;
    case Kernel::triad:
      for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + q * c[i];
      return;
  }
}

// The same loops for each vector width, chosen when the program runs: a build for any x86-64 measures this machine.
#if defined(__x86_64__)
[[gnu::target("avx512f,prefer-vector-width=512")]] void stream_512(Kernel kernel, std::size_t n, float* __restrict a,
                                                                   const float* __restrict b,
                                                                   const float* __restrict c) {
  stream(kernel, n, a, b, c);
}
[[gnu::target("avx2")]] void stream_256(Kernel kernel, std::size_t n, float* __restrict a, const float* __restrict b,
                                        const float* __restrict c) {
  stream(kernel, n, a, b, c);
}
#endif
void stream_any(Kernel kernel, std::size_t n, float* __restrict a, const float* __restrict b,
                const float* __restrict c) {
  stream(kernel, n, a, b, c);
}

using StreamFunction = void (*)(Kernel, std::size_t, float*, const float*, const float*);
StreamFunction widest_stream() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return stream_512;
  if (__builtin_cpu_supports("avx2")) return stream_256;
#endif
  return stream_any;
}

struct Arrays {
  explicit Arrays(std::size_t n) : a(n), b(n, 1.0F), c(n, 2.0F) {}
  std::vector<float> a, b, c;
};

double best_bandwidth(Kernel kernel, const LevelSize& level, int threads, double seconds) {
  const bool three = kernel == Kernel::add || kernel == Kernel::triad;
  const std::size_t arrays = three ? 3 : 2;
  const std::size_t n = static_cast<std::size_t>(level.array_bytes) / sizeof(float) / arrays /
                        static_cast<std::size_t>(threads) / 16 * 16;
  const double bytes = static_cast<double>(n * sizeof(float) * arrays) * threads;
  // Short passes are repeated inside one timed round, so that the clock and the barrier do not count.
  const int passes = static_cast<int>(std::clamp(2e7 / bytes, 1.0, 10000.0));
  const StreamFunction run = widest_stream();
  std::vector<std::unique_ptr<Arrays>> own(static_cast<std::size_t>(threads));
  double best_s = 1e300;
#pragma omp parallel num_threads(threads)
  {
    auto& mine = own[static_cast<std::size_t>(omp_get_thread_num())];
    mine = std::make_unique<Arrays>(n);  // touched by the thread that uses it
  }
  const Clock::time_point begin = Clock::now();
  for (int round = 0; round < 4 || seconds_since(begin) < seconds; ++round) {
    const Clock::time_point start = Clock::now();
#pragma omp parallel num_threads(threads)
    {
      Arrays& mine = *own[static_cast<std::size_t>(omp_get_thread_num())];
      for (int pass = 0; pass < passes; ++pass) run(kernel, n, mine.a.data(), mine.b.data(), mine.c.data());
    }
    if (round > 0) best_s = std::min(best_s, seconds_since(start) / passes);
  }
  return bytes / best_s;
}

}  // namespace

std::vector<PeakResult> measure_peaks(const MicrobenchmarkOptions& options) {
  const std::array<const char*, 4> kinds{"conv2d", "pointwise", "depthwise", "linear"};
  const std::size_t total = options.threads.size() * options.formats.size() * kinds.size();
  std::vector<PeakResult> results;
  std::size_t done = 0;
  for (const int threads : options.threads) {
    const PinnedThreads pinned(threads);
    for (const std::string& format : options.formats) {
      for (const char* kind : kinds) {
        try {
          results.push_back(best_of(kind, Format::parse(format), threads, options.seconds_each));
        } catch (const Unsupported&) {
          // Left out: the answer is that there is no such peak here.
        }
        if (options.progress) options.progress(++done, total);
      }
    }
  }
  return results;
}

std::vector<LevelSize> level_sizes(const Environment& environment, int threads) {
  std::vector<LevelSize> sizes;
  std::int64_t last = std::int64_t{32} << 20;
  for (const CacheLevel& cache : environment.caches) {
    const bool is_shared = cache.shared_by > 1;
    const std::int64_t capacity = is_shared ? cache.bytes : cache.bytes * threads;
    const std::int64_t half = capacity / 2;
    const std::int64_t quarter = std::min<std::int64_t>(capacity / 4, std::int64_t{64} << 20);
    sizes.push_back({fmt::format("L{}", cache.level), capacity, is_shared && cache.level > 1 ? quarter : half});
    last = capacity;
  }
  sizes.push_back({"DRAM", 0, std::clamp(2 * last, std::int64_t{64} << 20, std::int64_t{512} << 20)});
  return sizes;
}

std::vector<BandwidthResult> measure_bandwidths(const MicrobenchmarkOptions& options) {
  const Environment environment = this_environment();
  std::vector<BandwidthResult> results;
  std::size_t done = 0;
  const std::size_t total = options.threads.size() * kernel_names.size() * (environment.caches.size() + 1);
  for (const int threads : options.threads) {
    const PinnedThreads pinned(threads);
    for (const LevelSize& level : level_sizes(environment, threads)) {
      for (std::size_t k = 0; k < kernel_names.size(); ++k) {
        const double rate = best_bandwidth(static_cast<Kernel>(k), level, threads, options.seconds_each);
        results.push_back({level.level, kernel_names[k], threads, level.array_bytes, rate});
        if (options.progress) options.progress(++done, total);
      }
    }
  }
  return results;
}

}  // namespace ridgeline
