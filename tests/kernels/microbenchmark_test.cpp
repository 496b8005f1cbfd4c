#include "kernels/microbenchmark.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ridgeline {
namespace {

TEST(LevelSizes, HalfOfPrivateQuarterOfSharedAndBeyondTheLast) {
  Environment environment;
  environment.caches = {{1, 48 << 10, 1}, {2, 2 << 20, 1}, {3, 64 << 20, 8}};
  const std::vector<LevelSize> sizes = level_sizes(environment, 2);
  ASSERT_EQ(sizes.size(), 4U);
  EXPECT_EQ(sizes[0].array_bytes, 48 << 10);  // half of two cores' caches
  EXPECT_EQ(sizes[1].capacity_bytes, 4 << 20);
  EXPECT_EQ(sizes[2].level, "L3");
  EXPECT_EQ(sizes[2].capacity_bytes, 64 << 20);  // shared: not multiplied
  EXPECT_EQ(sizes[2].array_bytes, 16 << 20);
  EXPECT_EQ(sizes[3].level, "DRAM");
  EXPECT_EQ(sizes[3].array_bytes, 128 << 20);
  environment.caches = {{3, 480LL << 20, 2}};
  EXPECT_EQ(level_sizes(environment, 1).back().array_bytes, 512LL << 20);  // capped
}

TEST(Peaks, EveryFormatAndKindOnce) {
  MicrobenchmarkOptions options;
  options.seconds_each = 0.001;
  std::size_t calls = 0, total = 0;
  options.progress = [&](std::size_t done, std::size_t all) {
    EXPECT_EQ(done, ++calls);
    total = all;
  };
  const std::vector<PeakResult> peaks = measure_peaks(options);
  EXPECT_EQ(calls, 12U);
  EXPECT_EQ(total, 12U);
  std::set<std::string> seen;
  for (const PeakResult& peak : peaks) {
    seen.insert(peak.kind + " " + peak.format);
    // 10 Mop/s to 1 Pop/s: a unit slipped by a thousand lands outside on any machine this runs on.
    EXPECT_GT(peak.ops_per_s, 1e7);
    EXPECT_LT(peak.ops_per_s, 1e15);
    EXPECT_FALSE(peak.implementation.empty());
  }
  EXPECT_EQ(seen.size(), peaks.size());
  EXPECT_TRUE(seen.contains("conv2d f32"));
  EXPECT_TRUE(seen.contains("linear f32"));
}

TEST(Bandwidths, FourKernelsALevel) {
  MicrobenchmarkOptions options;
  options.seconds_each = 0.0;
  const std::vector<BandwidthResult> results = measure_bandwidths(options);
  EXPECT_EQ(results.size(), 4 * (this_environment().caches.size() + 1));
  for (const BandwidthResult& result : results) {
    EXPECT_GT(result.bytes_per_s, 1e7) << result.level << " " << result.kernel;
    EXPECT_LT(result.bytes_per_s, 1e14) << result.level << " " << result.kernel;
  }
}

}  // namespace
}  // namespace ridgeline
