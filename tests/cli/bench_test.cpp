// A benchmark through the program; needs no published table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Bench : public ::testing::Test {
 protected:
  Outcome run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "bench");
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  TemporaryFolder folder_;
};

TEST_F(Bench, PrintsOneTableAndWritesAPage) {
  const Outcome outcome = run({"zdt1", "--searcher", "nsga2", "--seeds", "3", "--evaluations", "200", "--at", "50,100",
                               "--grid", "nsga2.population=10,20", "--out", "bench.html"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("nsga2 population=10"), HasSubstr("nsga2 population=20"), HasSubstr("random"),
                    HasSubstr("at 50"), HasSubstr("lower quartile"), HasSubstr("wrote bench.html")));
  EXPECT_TRUE(folder_.has("bench.html"));
  EXPECT_FALSE(folder_.has("ridgeline.db"));  // nothing is kept that was not asked for
}

TEST_F(Bench, KeepsRunsAndDoesNotRepeatThem) {
  const std::vector<std::string> arguments = {"separable",     "--searcher", "nsga2", "--seeds", "2",
                                              "--evaluations", "60",         "--db",  "runs.db", "--json"};
  const nlohmann::json first = parsed(run(arguments)), again = parsed(run(arguments));
  EXPECT_EQ(first.at("stored_runs"), 0);
  EXPECT_EQ(again.at("stored_runs"), 4);
  EXPECT_EQ(first.at("rows")[0].at("at"), again.at("rows")[0].at("at"));
  const Outcome report = run_ridgeline({"runs", "show", "separable/bench/nsga2/1", "--db", "runs.db", "--json"},
                                       {folder_.path(), {}, 0, ""});
  EXPECT_EQ(parsed(report).at("trials"), 60);
}

TEST_F(Bench, SaysWhatOthersNeedToReachASearcher) {
  const nlohmann::json reach = parsed(run({"separable", "--searcher", "nsga2", "--seeds", "3", "--evaluations", "200",
                                           "--at", "100", "--reach", "random", "--json"}))
                                   .at("reach");
  EXPECT_EQ(reach.at("searcher"), "random");
  ASSERT_EQ(reach.at("targets").size(), 2U);
  EXPECT_EQ(reach.at("targets")[1].at("at"), 200);
  EXPECT_EQ(reach.at("targets")[1].at("rows")[0].at("label"), "nsga2");
  EXPECT_GT(reach.at("targets")[1].at("rows")[0].at("ratio"), 1.0);
  const Outcome unknown = run({"separable", "--searcher", "nsga2", "--reach", "nsga3"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("a searcher that is run"));
}

TEST_F(Bench, RunsSearchersWithAWarmStartAndWithout) {
  const Outcome before =
      run_ridgeline({"search", "separable", "--name", "before", "--trials", "40", "--db", "runs.db", "--quiet"},
                    {folder_.path(), {}, 0, ""});
  ASSERT_EQ(before.code, 0) << before.err;
  const std::vector<std::string> words{"separable",     "--searcher", "nsga2",        "--seeds", "2",
                                       "--evaluations", "60",         "--warm-start", "before",  "--json"};
  std::vector<std::string> stored = words;
  stored.insert(stored.end(), {"--db", "runs.db"});
  const nlohmann::json made = parsed(run(stored));
  EXPECT_THAT(made.at("warm_start"), HasSubstr("began with 20 candidates of 'before'"));
  ASSERT_EQ(made.at("rows").size(), 3U);
  EXPECT_EQ(made.at("rows")[1].at("label"), "nsga2 warm-start=before");
  EXPECT_GT(made.at("rows")[1].at("at")[0].at("mean"), made.at("rows")[0].at("at")[0].at("mean"));
  const Outcome nowhere = run(words);
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("--db FILE"));
  stored[2] = "exhaustive";
  const Outcome cold = run(stored);
  EXPECT_EQ(cold.code, 2);
  EXPECT_THAT(cold.err, AllOf(HasSubstr("--warm-start"), HasSubstr("'exhaustive'")));
}

TEST_F(Bench, SaysWhatIsWrong) {
  const Outcome searcher = run({"zdt1", "--searcher", "nsga4"});
  EXPECT_EQ(searcher.code, 2);
  EXPECT_THAT(searcher.err, HasSubstr("did you mean 'nsga2'"));
  const Outcome reference = run({"zdt1", "--seeds", "1", "--evaluations", "5", "--reference", "g1=3"});
  EXPECT_EQ(reference.code, 2);
  EXPECT_THAT(reference.err, HasSubstr("an objective of the study"));
  EXPECT_EQ(run({"zdt1", "--cache", "off", "--db", "runs.db", "--seeds", "1"}).code, 2);
  EXPECT_EQ(run({"zdt1", "--seeds", "0"}).code, 2);
  EXPECT_EQ(run({"zdt1", "--asks", "0"}).code, 2);
  EXPECT_EQ(run({"zdt1", "--at", "0"}).code, 2);
  EXPECT_EQ(run({"zdt1", "--evaluations", "5", "--at", "6"}).code, 2);
  EXPECT_EQ(run({"zdt1", "--seeds", "3", "--first-seed", "18446744073709551614"}).code, 2);
}

}  // namespace
}  // namespace ridgeline
