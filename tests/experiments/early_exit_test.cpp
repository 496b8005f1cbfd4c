// Candidates beyond a threshold are rejected before they cost a trial, in the first population and among children.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "experiments/study/early_exit.hpp"
#include "search/searcher.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

// The median of the parameters of all networks of nasbench_macro, by counting them.
double median_parameters() {
  static const double median = [] {
    const SearchSpace space = resources().load_space("nasbench_macro");
    std::vector<double> counts;
    for (std::uint64_t i = 0; i < space.enumeration_size(); i += 7) {
      if (const auto genome = space.at(i)) {
        counts.push_back(static_cast<double>(parameters(space.decode(*genome).network)));
      }
    }
    std::ranges::sort(counts);
    return counts[counts.size() / 2];
  }();
  return median;
}

// Fewest macs; parameters only limited, and limited early.
Json exit_study(const std::string& searcher, bool early) {
  Json study = small_study("exit");
  study["searcher"] = {{"name", searcher}};
  study.erase("batch");
  study["objectives"].erase(0);
  study["constraints"] = {{{"name", "parameters"},
                           {"limit", median_parameters()},
                           {"from", {{"evaluator", "count"}, {"quantity", "parameters"}}}}};
  study["constraints"][0]["early_exit"] = early;
  return study;
}

TEST(EarlyExit, NoTrialIsBeyondTheThresholdWhateverSearches) {
  Scratch scratch;
  for (const char* searcher : {"nsga2", "random", "regularized-evolution", "mcts", "ant-colony", "local-search"}) {
    const std::string database = scratch.path(std::string(searcher) + ".db");
    const StudyResult result = run_study(exit_study(searcher, true), database);
    const std::vector<Trial> trials = trials_of(database, "exit");
    EXPECT_EQ(trials.size(), 50U);
    for (const Trial& trial : trials) {
      EXPECT_EQ(trial.status, Status::ok);
      EXPECT_LE(trial.values[1], median_parameters());
    }
    ASSERT_EQ(result.rejected.size(), 1U) << searcher;
    EXPECT_THAT(result.rejected[0].first, HasSubstr("'parameters' above its early exit"));
    EXPECT_GE(result.rejected[0].second, 3) << searcher;
    // The same search without it spends trials on what it would have rejected.
    run_study(exit_study(searcher, false), scratch.path("without.db"));
    const std::vector<Trial> without = trials_of(scratch.path("without.db"), "exit");
    EXPECT_GE(std::ranges::count(without, Status::infeasible, &Trial::status), 3) << searcher;
    std::filesystem::remove(scratch.path("without.db"));
  }
}

TEST(EarlyExit, GoesOnTheSame) {
  Scratch scratch;
  run_study(exit_study("nsga2", true), scratch.path("whole.db"));
  Json half = exit_study("nsga2", true);
  half["stop"]["trials"] = 23;
  run_study(half, scratch.path("cut.db"));
  Json rest = exit_study("nsga2", true);
  rest["threads"] = 8;
  EXPECT_EQ(run_study(rest, scratch.path("cut.db")).resumed, 23);
  expect_same_trials(trials_of(scratch.path("cut.db"), "exit"), trials_of(scratch.path("whole.db"), "exit"));
  EXPECT_THAT(what_of([&] { run_study(exit_study("nsga2", false), scratch.path("cut.db")); }), HasSubstr("exit"));
}

TEST(EarlyExit, EachCandidateIsComputedOnce) {
  class Counting final : public Evaluator {
   public:
    explicit Counting(std::atomic<int>& calls) : calls_(&calls) {}
    Fidelity fidelity() const override { return Fidelity::analytic; }
    void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
      ++*calls_;
      scores[0].value = candidates[0].genome->genes[0];
      if (candidates[0].genome->genes[1] == 1) scores[0].status = Status::unsupported;
    }

   private:
    std::atomic<int>* calls_;
  };
  std::atomic<int> calls = 0;
  std::vector<EarlyExit::Rule> rules(1);
  rules[0].objective.name = "first";
  rules[0].objective.limit = 1.0;
  rules[0].evaluator = std::make_unique<Counting>(calls);
  const SearchSpace space = resources().load_space("nasbench_macro");
  EarlyExit exit(config_of(small_study("a")), space.refusing({}), std::move(rules));
  Genome genome = *space.at(0);
  EXPECT_EQ(exit(genome), std::nullopt);
  genome.genes[0] = 2;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(exit(genome), "'first' above its early exit at 1");
  genome.genes[1] = 1;
  EXPECT_EQ(exit(genome), std::nullopt);  // has no value: the study says why
  EXPECT_EQ(calls, 3);
  ASSERT_EQ(exit.rejected().size(), 1U);
  EXPECT_EQ(exit.rejected()[0].second, 1);
}

TEST(EarlyExit, WhatCannotBeIsRefusedWithARemedy) {
  Scratch scratch;
  const auto message = [&](const Json& study) { return what_of([&] { run_study(study, scratch.path("a.db")); }); };
  Json study = exit_study("nsga2", true);
  study["constraints"][0]["early_exit"] = "yes";
  EXPECT_THAT(message(study), HasSubstr("constraints[0].early_exit"));
  study["constraints"][0]["early_exit"] = -1;  // below any
  EXPECT_THAT(message(study), ::testing::AllOf(HasSubstr("none in 10000 draws"), HasSubstr("early exit")));
  study = small_study("a");
  study["objectives"][1]["early_exit"] = true;
  EXPECT_THAT(message(study), HasSubstr("no \"limit\""));
  study = timed_study("a");
  study["objectives"][1]["early_exit"] = 1.0;
  EXPECT_THAT(message(study), HasSubstr("computed, not predicted or timed"));
}

}  // namespace
}  // namespace ridgeline::testing
