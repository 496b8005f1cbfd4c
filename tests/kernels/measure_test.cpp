#include "kernels/measure.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/pinning.hpp"
#include "kernels/statistics.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

TEST(Statistics, MedianOfOddAndEvenCounts) {
  const std::vector<double> odd{5, 1, 3};
  const std::vector<double> even{4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(median(odd), 3);
  EXPECT_DOUBLE_EQ(median(even), 2.5);
  EXPECT_DOUBLE_EQ(median_absolute_deviation(std::vector<double>{1, 1, 2, 2, 4, 6, 9}, 2), 1);
}

TEST(Statistics, QuantilesInterpolate) {
  const std::vector<double> samples{10, 20, 30, 40, 50};
  EXPECT_DOUBLE_EQ(quantile(samples, 0.0), 10);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.5), 30);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.1), 14);
  EXPECT_DOUBLE_EQ(quantile(samples, 1.0), 50);
}

// Ranks of the 95 % interval for a median as printed in tables of the sign test (e.g. Conover, table A3; Hahn and
// Meeker, Statistical Intervals, table A.15): n -> (low, high).
TEST(Statistics, MedianRanksAgreeWithPrintedTables) {
  struct Row {
    std::size_t n, low, high;
    double coverage;
  };
  const Row rows[] = {{6, 1, 6, 0.9688},    {8, 1, 8, 0.9922},    {9, 2, 8, 0.9609},    {10, 2, 9, 0.9785},
                      {15, 4, 12, 0.9648},  {20, 6, 15, 0.9586},  {25, 8, 18, 0.9567},  {30, 10, 21, 0.9572},
                      {40, 14, 27, 0.9615}, {50, 18, 33, 0.9672}, {100, 40, 61, 0.9648}};
  for (const Row& row : rows) {
    const MedianRanks ranks = median_ranks(row.n);
    EXPECT_TRUE(ranks.reached) << row.n;
    EXPECT_EQ(ranks.low, row.low) << row.n;
    EXPECT_EQ(ranks.high, row.high) << row.n;
    EXPECT_NEAR(ranks.coverage, row.coverage, 6e-5) << row.n;
  }
  EXPECT_FALSE(median_ranks(5).reached);
  EXPECT_EQ(median_ranks(5).high, 5U);
  EXPECT_NEAR(median_ranks(5).coverage, 0.9375, 1e-12);
}

// The promise behind the interval, checked on a skewed distribution whose median is known (exponential: ln 2).
TEST(Statistics, IntervalCoversTheMedianOfASkewedDistribution) {
  Rng rng(7);
  constexpr int trials = 4000;
  int covered = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Measurement measurement;
    for (int i = 0; i < 20; ++i) measurement.samples_s.push_back(1e-9 - std::log(1.0 - rng.uniform()));
    summarise(measurement, 1e9);
    covered += measurement.ci_low_s <= std::log(2.0) && std::log(2.0) <= measurement.ci_high_s ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(covered) / trials, 0.9586, 0.012);  // table value, within four standard errors
}

TEST(Summarise, WideSpreadIsUnstable) {
  Measurement noisy;
  noisy.samples_s = {1.0, 1.5, 2.0, 2.5, 3.0};
  summarise(noisy, 0.10);
  EXPECT_EQ(noisy.outcome, Measurement::Outcome::unstable);
  EXPECT_NE(noisy.reason.find("25.0 %"), std::string::npos) << noisy.reason;
  EXPECT_DOUBLE_EQ(noisy.median_s, 2.0);
  EXPECT_DOUBLE_EQ(noisy.mad_s, 0.5);

  Measurement quiet;
  quiet.samples_s = {1.0, 1.0, 1.0, 1.01, 9.0};  // one outlier does not make a run unstable
  summarise(quiet, 0.10);
  EXPECT_EQ(quiet.outcome, Measurement::Outcome::ok);
  EXPECT_DOUBLE_EQ(quiet.median_s, 1.0);
}

TEST(Summarise, RefusesWhatIsNoTime) {
  Measurement measurement;
  EXPECT_THROW(summarise(measurement, 0.1), std::invalid_argument);
  measurement.samples_s = {1.0, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(summarise(measurement, 0.1), std::invalid_argument);
  measurement.samples_s = {1.0, 0.0};
  EXPECT_THROW(summarise(measurement, 0.1), std::invalid_argument);
}

TEST(ColdWalk, IsLargerThanSmallCachesAndCappedForLargeOnes) {
  Environment environment;
  environment.caches = {{1, 32 << 10, 1}, {3, 48LL << 20, 8}};
  EXPECT_EQ(cold_walk_bytes(environment), std::int64_t{96} << 20);
  environment.caches = {{3, 480LL << 20, 2}};
  EXPECT_EQ(cold_walk_bytes(environment), std::int64_t{256} << 20);
  environment.caches = {};
  EXPECT_EQ(cold_walk_bytes(environment), std::int64_t{64} << 20);
}

TEST(PinnedThreads, BindsAndGivesBack) {
  cpu_set_t before, inside, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  {
    const PinnedThreads pinned(1);
    ASSERT_EQ(sched_getaffinity(0, sizeof inside, &inside), 0);
    EXPECT_EQ(CPU_COUNT(&inside), pinned.pinned() ? 1 : CPU_COUNT(&before));
  }
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  const PinnedThreads too_many(100000);
  EXPECT_FALSE(too_many.pinned());
}

TEST(Team, WorksWhereTheThreadsAreBound) {
  if (allowed_processors() < 2) GTEST_SKIP() << "one processor";
  const PinnedThreads pinned(2);
  std::array<cpu_set_t, 2> places{};
  on_team(2, [&](int i) { sched_getaffinity(0, sizeof(cpu_set_t), &places[static_cast<std::size_t>(i)]); });
  if (!pinned.pinned()) return;
  EXPECT_EQ(CPU_COUNT(&places[0]), 1);
  EXPECT_EQ(CPU_COUNT(&places[1]), 1);
  EXPECT_FALSE(CPU_EQUAL(&places[0], &places[1]));
}

TEST(Team, CallsEachOnceAndRethrowsTheFirst) {
  for (const int threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(threads));
    on_team(threads, [&](int i) { ++calls[static_cast<std::size_t>(i)]; });
    for (const std::atomic<int>& count : calls) EXPECT_EQ(count, 1);
  }
  const auto fails = [](int i) {
    if (i > 0) throw std::runtime_error(std::to_string(i));
  };
  on_team(1, fails);
  try {
    on_team(3, fails);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& failure) {
    EXPECT_STREQ(failure.what(), "1");
  }
}

Design small_network() {
  Design design;
  Network& network = design.network;
  const NodeId input = network.add_input({1, 8, 16, 16});
  Op conv;
  conv.kind = OpKind::conv2d;
  conv.channels = 16;
  conv.kernel = {3, 3};
  conv.padding = {1, 1, 1, 1};
  const NodeId first = network.add(conv, {input});
  Op relu;
  relu.kind = OpKind::relu;
  const NodeId act = network.add(relu, {first});
  const NodeId second = network.add(conv, {act});
  network.mark_output(second);
  design.precision = PrecisionPlan::uniform(network, f32, f32);
  return design;
}

MeasureOptions short_run() {
  MeasureOptions options;
  options.warmup_s = 0.0;
  options.target_s = 0.002;
  options.min_samples = 7;
  options.max_samples = 50;
  options.max_relative_mad = 1e9;  // a loaded test machine is no failure of the protocol
  return options;
}

TEST(Measure, KeepsEverySampleAndStopsAtItsTargets) {
  const Measurement result = measure(small_network(), short_run());
  ASSERT_EQ(result.outcome, Measurement::Outcome::ok) << result.reason;
  EXPECT_GE(result.samples_s.size(), 7U);
  EXPECT_LE(result.samples_s.size(), 50U);
  EXPECT_DOUBLE_EQ(result.median_s, median(result.samples_s));
  EXPECT_LE(result.ci_low_s, result.median_s);
  EXPECT_GE(result.ci_high_s, result.median_s);
  EXPECT_GT(result.weight_bytes, 0);
}

TEST(Measure, TimesEveryStepOnRequest) {
  MeasureOptions options = short_run();
  options.per_operator = true;
  const Measurement result = measure(small_network(), options);
  ASSERT_EQ(result.outcome, Measurement::Outcome::ok) << result.reason;
  ASSERT_GE(result.ops.size(), 2U);
  double sum = 0.0;
  for (const OpTime& op : result.ops) {
    EXPECT_GT(op.median_s, 0.0);
    EXPECT_FALSE(op.step.signature.empty());
    sum += op.median_s;
  }
  EXPECT_DOUBLE_EQ(sum, result.sum_of_ops_s);
}

TEST(Measure, ColdRunsAreMeasuredToo) {
  MeasureOptions options = short_run();
  options.cache = CacheState::cold;
  options.min_samples = options.max_samples = 3;
  const Measurement result = measure(small_network(), options);
  ASSERT_EQ(result.outcome, Measurement::Outcome::ok) << result.reason;
  EXPECT_EQ(result.samples_s.size(), 3U);
}

TEST(Measure, UnsupportedIsAnAnswer) {
  Design design = small_network();
  design.precision = PrecisionPlan::uniform(design.network, Format::parse("e4m3"), Format::parse("e4m3"));
  const Measurement result = measure(design, short_run());
  EXPECT_EQ(result.outcome, Measurement::Outcome::unsupported);
  EXPECT_FALSE(result.reason.empty());
  EXPECT_TRUE(result.samples_s.empty());
}

TEST(Measure, ATensorBeyondThirtyTwoBitsIsRefusedBeforeItIsMade) {
  Design design;
  Op conv;
  conv.kind = OpKind::conv2d;
  conv.channels = 4096;
  conv.kernel = {1, 1};
  const NodeId input = design.network.add_input({1, 16, 4096, 4096});
  design.network.mark_output(design.network.add(conv, {input}));
  design.precision = PrecisionPlan::uniform(design.network, f32, f32);
  const Measurement result = measure(design, short_run());
  EXPECT_EQ(result.outcome, Measurement::Outcome::unsupported);
  EXPECT_NE(result.reason.find("68719476736 elements"), std::string::npos) << result.reason;
}

TEST(MeasureInterleaved, GivesEveryDesignItsTurns) {
  std::vector<Design> designs(3, small_network());
  designs[1].precision = PrecisionPlan::uniform(designs[1].network, Format::parse("e4m3"), Format::parse("e4m3"));
  MeasureOptions options = short_run();
  options.min_samples = options.max_samples = 6;
  InterleaveOptions interleave;
  interleave.rounds = 3;
  interleave.block_bytes = 1;  // one design a block: the results must not depend on it
  const std::vector<Measurement> results = measure_interleaved(designs, options, interleave);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].samples_s.size(), 6U);
  EXPECT_EQ(results[1].outcome, Measurement::Outcome::unsupported);
  EXPECT_EQ(results[2].samples_s.size(), 6U);
  EXPECT_GT(results[2].median_s, 0.0);
  EXPECT_TRUE(results[2].ops.empty());
}

TEST(MeasureInterleaved, BeginsNoFurtherRoundWhenTheTimeIsOver) {
  const std::vector<Design> designs(2, small_network());
  MeasureOptions options = short_run();
  options.min_samples = options.max_samples = 30;
  InterleaveOptions interleave;
  interleave.rounds = 10;
  interleave.seconds = 1e-9;
  for (const Measurement& result : measure_interleaved(designs, options, interleave)) {
    EXPECT_EQ(result.samples_s.size(), 6U);  // three a round, two rounds
  }
}

TEST(MeasureInterleaved, TimesStepsBesideAReference) {
  const Design design = small_network();
  MeasureOptions options = short_run();
  options.min_samples = options.max_samples = 6;
  options.per_operator = true;
  InterleaveOptions interleave;
  interleave.rounds = 3;
  interleave.reference = &design;
  for (const std::int64_t block : {std::int64_t{1}, std::int64_t{1} << 30}) {
    interleave.block_bytes = block;
    const std::vector<Measurement> results = measure_interleaved(std::vector<Design>(2, design), options, interleave);
    for (const Measurement& result : results) {
      ASSERT_EQ(result.ops.size(), Executable(design).steps().size());
      EXPECT_EQ(result.reference_s.size(), 6U);
      double sum = 0.0;
      for (const OpTime& op : result.ops) {
        EXPECT_GT(op.median_s, 0.0);
        sum += op.median_s;
      }
      EXPECT_NEAR(sum, result.sum_of_ops_s, 1e-12 * sum);
      EXPECT_LT(sum, 10.0 * result.median_s);  // seconds, not shares of the reference
      EXPECT_GT(sum, 0.1 * result.median_s);
    }
  }
}

}  // namespace
}  // namespace ridgeline
