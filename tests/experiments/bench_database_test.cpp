// Benchmarks and what is stored: several on one database at the same time, and runs that begin with what other studies
// have found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "experiments/bench/bench.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json sizes_study(const std::string& name) {
  Json study = small_study(name);
  study.erase("batch");
  return study;
}

BenchOptions few(std::size_t seeds, std::int64_t evaluations) {
  BenchOptions options;
  options.seeds = seeds;
  options.budget = {evaluations, 100 * evaluations};
  options.threads = 1;
  options.most_enumerated = 0;
  return options;
}

class BenchDatabase : public ::testing::Test {
 protected:
  static std::vector<std::string> labels(const std::vector<BenchSetting>& settings) {
    std::vector<std::string> all;
    for (const BenchSetting& one : settings) all.push_back(one.label);
    return all;
  }
  std::vector<BenchSetting> settings(const std::vector<std::string>& names,
                                     const std::vector<std::string>& warm) const {
    return bench_settings(problem_, names, {}, warm).settings;
  }
  BenchResult run(std::span<const BenchSetting> all, const BenchOptions& options) const {
    Store store(path_, Store::Mode::write);
    return run_bench(problem_, all, options, &store, {});
  }
  Scratch scratch_;
  std::string path_ = scratch_.path("runs.db");
  BenchProblem problem_{config_of(sizes_study("sizes")), resources(), {}};
};

TEST_F(BenchDatabase, IsWrittenInTurns) {
  const std::vector<BenchSetting> all = settings({"nsga2", "local-search"}, {});
  // Another that has written its runs and is not done: nothing of its stays locked.
  Store other(path_, Store::Mode::write);
  run_bench(problem_, all, few(2, 20), &other, {});
  EXPECT_EQ(run(all, few(2, 40)).stored, 0U);
  EXPECT_EQ(run_bench(problem_, all, few(2, 40), &other, {}).stored, 6U);
  EXPECT_EQ(sql(path_, "SELECT COUNT(*) FROM locks"), "0");
  // At the same time, on the same runs.
  std::vector<BenchResult> results(3);
  std::vector<std::string> problems(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] { problems[i] = what_of([&] { results[i] = run(all, few(6, 50)); }); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(problems, ElementsAre("", "", ""));
  for (const BenchResult& result : results) {
    ASSERT_EQ(result.runs.size(), 18U);
    for (std::size_t k = 0; k < 18; ++k) {
      ASSERT_EQ(result.runs[k].steps.size(), results[0].runs[k].steps.size());
      EXPECT_EQ(result.runs[k].steps.back().values, results[0].runs[k].steps.back().values);
    }
  }
  EXPECT_EQ(sql(path_, "SELECT COUNT(*) FROM studies WHERE trial_count = 50 AND state = 'done'"), "18");
  EXPECT_EQ(sql(path_, "SELECT COUNT(*) FROM trials"), "900");
}

TEST_F(BenchDatabase, WhatFailsIsNotWrittenInPart) {
  Store store(path_, Store::Mode::write);
  EXPECT_THROW(store.atomically([&] {
    store.environment(this_environment());
    throw StoreError("in the middle");
  }),
               StoreError);
  EXPECT_EQ(sql(path_, "SELECT COUNT(*) FROM environments"), "0");
}

TEST_F(BenchDatabase, AWarmRunIsThatOfAStudyWithAWarmStart) {
  run_study(small_study("before"), path_);
  const std::vector<BenchSetting> all = settings({"nsga2"}, {"before"});
  EXPECT_THAT(labels(all), ElementsAre("nsga2", "nsga2 warm-start=before", "random"));
  const BenchResult result = run(all, few(3, 40));
  EXPECT_EQ(result.begun, "began with 20 candidates of 'before' (similarity 1.00)");
  for (const std::uint64_t seed : {1U, 3U}) {
    Json study = sizes_study("alone" + std::to_string(seed));
    study["seed"] = seed;
    study["searcher"] = {{"name", "nsga2"}};
    study["warm_start"] = {{"from", {"before"}}};
    study["stop"] = {{"trials", 40}};
    run_study(study, path_);
    expect_same_trials(trials_of(path_, "sizes/bench/nsga2 warm-start=before/" + std::to_string(seed)),
                       trials_of(path_, study["name"]));
  }
  // Again, with more evaluations, from what was stored: the same beginning, whatever became of the other study.
  Store(path_, Store::Mode::write).remove_study(Store(path_, Store::Mode::read).find("before")->id);
  EXPECT_EQ(run(all, few(3, 40)).stored, 9U);
  const BenchResult more = run(all, few(3, 60));
  for (std::size_t i = 3; i < 6; ++i) {
    for (std::size_t k = 0; k < result.runs[i].steps.size(); ++k) {
      EXPECT_EQ(more.runs[i].steps[k].values, result.runs[i].steps[k].values);
    }
  }
}

TEST_F(BenchDatabase, AllOthersAreNotTheBenchmarksOwn) {
  run_study(sizes_study("sizes"), path_);
  Json other = small_study("other");
  other["objectives"][1]["name"] = "work";
  run_study(other, path_);
  const std::vector<BenchSetting> all = settings({"local-search"}, {"*"});
  const BenchResult first = run(all, few(2, 20));
  EXPECT_THAT(first.begun, HasSubstr("of 'other'"));
  run(all, few(4, 20));
  const Json of_last =
      Json::parse(Store(path_, Store::Mode::read).find("sizes/bench/local-search warm-start=*/4")->config);
  EXPECT_EQ(of_last.at("warm_start").at("of"), "other");
}

TEST_F(BenchDatabase, WarmStartsThatCannotBeAreRefused) {
  EXPECT_THAT(what_of([&] { settings({"nsga2", "exhaustive"}, {"before"}); }), HasSubstr("found 'exhaustive'"));
  const std::vector<BenchSetting> all = settings({"nsga2"}, {"before"});
  EXPECT_THAT(what_of([&] { run(all, few(1, 10)); }), HasSubstr("another study stored in"));
  EXPECT_THAT(what_of([&] { run_bench(problem_, all, few(1, 10), nullptr, {}); }), HasSubstr("--db FILE"));
}

}  // namespace
}  // namespace ridgeline::testing
