// A study and what it is compared with, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>

#include "child.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Compare : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  // Two variants: no search at all, and one with a budget of its own.
  Json study(const std::string& name, int trials, const std::string& space = "nasbench201") const {
    Json study = Json::parse(counting_study(name, space, trials));
    study["compare"] = Json::parse(R"([
      {"name": "random", "about": "no search at all",
       "override": {"searcher": {"name": "random", "population": null}}},
      {"name": "other", "override": {"seed": 8}}])");
    return study;
  }
  void write(const Json& study) const { folder_.write("study.json", study.dump()); }
  std::string contents(const std::string& name) const {
    std::ifstream file(folder_.file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::int64_t trials(const std::string& name, const std::string& database = "ridgeline.db") const {
    return parsed(run({"runs", "show", name, "--db", database, "--json"})).at("trials").get<std::int64_t>();
  }
  TemporaryFolder folder_;
};

TEST_F(Compare, SearchRunsTheStudyThenItsVariantsThenComparesThem) {
  write(study("tiny", 40));
  const Outcome outcome = run({"search", "./study.json", "--report", "report.html"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::size_t main = outcome.out.find("1/3 tiny\n"),
                    random = outcome.out.find("2/3 tiny/random: no search at all"),
                    other = outcome.out.find("3/3 tiny/other\n"), table = outcome.out.find("hypervolume (%)");
  EXPECT_LT(main, random);
  EXPECT_LT(random, other);
  EXPECT_LT(other, table);
  ASSERT_NE(table, std::string::npos) << outcome.out;
  for (const char* progress : {"1/3 tiny: ", "2/3 tiny/random: ", "3/3 tiny/other: "}) {
    EXPECT_THAT(outcome.err, HasSubstr(std::string(progress) + "10/40 trials")) << outcome.err;
  }
  EXPECT_THAT(contents("report.html"), AllOf(HasSubstr("<h1>tiny</h1>"), Not(HasSubstr("<h1>tiny and"))));
  // Done, so that nothing is added.
  const Json again = parsed(run({"search", "./study.json", "--json"}));
  EXPECT_EQ(again.at("run").at("resumed_trials"), 40);
  ASSERT_EQ(again.at("compared").size(), 2U);
  EXPECT_EQ(again.at("compared")[0].at("study").at("name"), "tiny/random");
  EXPECT_EQ(again.at("compared")[0].at("about"), "no search at all");
  for (const Json& one : again.at("compared")) {
    EXPECT_EQ(one.at("run").at("resumed_trials"), 40);
    EXPECT_EQ(one.at("study").at("trials"), 40);
  }
  EXPECT_EQ(again.at("comparison"), parsed(run({"compare", "tiny", "--json"})));
}

TEST_F(Compare, AVariantIsTheSearchThatItsOverrideSays) {
  write(study("tiny", 40));
  ASSERT_EQ(run({"search", "./study.json", "--quiet"}).code, 0);
  Json alone = Json::parse(counting_study("alone", "nasbench201", 40));
  alone["searcher"] = {{"name", "random"}};
  write(alone);
  ASSERT_EQ(run({"search", "./study.json", "--quiet"}).code, 0);
  ASSERT_EQ(run({"report", "tiny/random", "--csv", "variant.csv"}).code, 0);
  ASSERT_EQ(run({"report", "alone", "--csv", "alone.csv"}).code, 0);
  EXPECT_EQ(contents("variant.csv"), contents("alone.csv"));
}

TEST_F(Compare, FlagsReachVariantsAndMayLeaveThemOut) {
  write(study("tiny", 40));
  EXPECT_EQ(run({"search", "./study.json", "--only-main", "--quiet"}).code, 0);
  EXPECT_EQ(parsed(run({"runs", "list", "--json"})).size(), 1U);
  EXPECT_EQ(run({"search", "./study.json", "--name", "named", "--trials", "20", "--seed", "3", "--quiet"}).code, 0);
  const Json random = parsed(run({"runs", "show", "named/random", "--json"}));
  EXPECT_EQ(random.at("trials"), 20);
  EXPECT_EQ(random.at("seed"), 3);
  EXPECT_EQ(parsed(run({"runs", "show", "named/other", "--json"})).at("seed"), 8);
  // The stored study knows its variants; a larger budget is one for all.
  EXPECT_EQ(run({"resume", "named", "--trials", "30", "--quiet"}).code, 0);
  EXPECT_EQ(trials("named/other"), 30);
  EXPECT_EQ(run({"resume", "named", "--trials", "35", "--only-main", "--quiet"}).code, 0);
  EXPECT_EQ(trials("named"), 35);
  EXPECT_EQ(trials("named/other"), 30);
  // Where the main study was there before its variants, it goes on.
  EXPECT_EQ(run({"search", "./study.json", "--quiet"}).code, 0);
  EXPECT_EQ(trials("tiny/random"), 40);
  const Outcome dry = run({"search", "./study.json", "--dry-run"});
  EXPECT_THAT(dry.out, AllOf(HasSubstr("tiny/random: no search at all"), HasSubstr("tiny/other")));
  EXPECT_EQ(parsed(run({"search", "./study.json", "--dry-run", "--json"})).at("compared").size(), 2U);
}

TEST_F(Compare, AnInterruptInAVariantSavesAllAndTheSameCommandGoesOn) {
  Json cut = study("cut", 30, "ofa_mobilenet_v3");
  cut["compare"][0]["override"]["stop"] = {{"trials", 100000000}};
  write(cut);
  const Outcome outcome =
      run_ridgeline({"search", "./study.json"}, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, SIGINT, "2/3 cut/random: "});
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("Go on with:\n  ridgeline search ./study.json\n"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("3/3 cut/other")));
  EXPECT_EQ(trials("cut"), 30);
  const std::int64_t reached = trials("cut/random");
  EXPECT_GT(reached, 0);
  const std::string budget = "compare[0].override.stop.trials=" + std::to_string(reached + 20);
  ASSERT_EQ(run({"search", "./study.json", "--set", budget, "--quiet"}).code, 0);
  ASSERT_EQ(run({"search", "./study.json", "--set", budget, "--quiet", "--db", "whole.db"}).code, 0);
  for (const std::string name : {"cut", "cut/random", "cut/other"}) {
    ASSERT_EQ(run({"report", name, "--csv", "cut.csv"}).code, 0);
    ASSERT_EQ(run({"report", name, "--csv", "whole.csv", "--db", "whole.db"}).code, 0);
    EXPECT_EQ(contents("cut.csv"), contents("whole.csv")) << name;
  }
}

TEST_F(Compare, NothingFeasibleInOneIsSaidAndTheOthersAreCompared) {
  Json limited = study("tiny", 20);
  limited["compare"][1]["override"]["objectives"] = limited["objectives"];
  limited["compare"][1]["override"]["objectives"][1]["limit"] = 1;
  write(limited);
  const Outcome outcome = run({"search", "./study.json"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("nothing feasible in tiny/other: "));
  EXPECT_THAT(outcome.out, HasSubstr("Without a feasible candidate: tiny/other."));
  const Outcome none = run({"compare", "tiny", "tiny/other", "--baseline", "tiny"});
  EXPECT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(run({"search", "./study.json", "--name", "none", "--set", "objectives[1].limit=1", "--set",
                 "compare=[{\"name\": \"v\", \"override\": {\"seed\": 1}}]", "--quiet"})
                .code,
            3);
  const Outcome empty = run({"compare", "none"});
  EXPECT_EQ(empty.code, 3);
  EXPECT_THAT(empty.err, HasSubstr("no study has a feasible candidate"));
}

TEST_F(Compare, EveryFormAndABaseline) {
  write(study("tiny", 40));
  for (const char* seed : {"1", "2"}) {
    ASSERT_EQ(run({"search", "./study.json", "--name", std::string("seed") + seed, "--seed", seed, "--quiet"}).code, 0);
  }
  const Outcome text = run({"compare", "seed1", "seed2", "--html", "compare.html", "--baseline", "main"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("Baseline: main."), HasSubstr("±"), HasSubstr("wrote compare.html")));
  EXPECT_THAT(contents("compare.html"), AllOf(StartsWith("<!doctype html>"), HasSubstr("2 runs, 3 variants")));
  EXPECT_THAT(run({"compare", "seed1", "--csv"}).out, StartsWith("variant,studies,baseline,trials,trials_sd,"));
  EXPECT_THAT(run({"compare", "seed1", "--markdown"}).out, StartsWith("| variant | trials |"));
  EXPECT_EQ(parsed(run({"compare", "seed1", "seed2", "--json"})).at("rows")[0].at("studies"), (Json{"seed1", "seed2"}));
  const Outcome unknown = run({"compare", "seed3"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("'seed3'"), HasSubstr("did you mean 'seed1'?")));
}

TEST_F(Compare, ABadVariantEndsEverythingBeforeItBegins) {
  Json bad = study("tiny", 40);
  bad["compare"][1]["override"] = {{"searcher", {{"name", "nsga4"}}}};
  write(bad);
  const Outcome outcome = run({"search", "./study.json"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("compare[1].override.searcher.name"), HasSubstr("did you mean 'nsga2'?")));
  EXPECT_EQ(folder_.entries(), 1U);
}

// A latency here and a latency there are two things, whatever both are called.
TEST_F(Compare, CostsOfDifferentDevicesAreSaidNotToCompare) {
  Json one = study("one", 20);
  one.erase("compare");
  one["objectives"].push_back(Json::parse(
      R"({"name": "latency_s", "unit": "s", "direction": "minimise",
          "from": {"evaluator": "cost", "device": "raspberry_pi_4", "quantity": "latency_s"}})"));
  write(one);
  ASSERT_EQ(run({"search", "./study.json", "--quiet"}).code, 0);
  ASSERT_EQ(run({"search", "./study.json", "--quiet", "--name", "same", "--seed", "3"}).code, 0);
  const std::string device = "objectives[" + std::to_string(one["objectives"].size() - 1) + "].from.device=pixel_6";
  ASSERT_EQ(run({"search", "./study.json", "--quiet", "--name", "two", "--set", device}).code, 0);
  const Outcome alike = run({"compare", "one", "same"});
  EXPECT_THAT(alike.out, Not(HasSubstr("do not compare")));
  const Outcome mixed = run({"compare", "one", "same", "two"});
  EXPECT_THAT(mixed.out, AllOf(HasSubstr("'latency_s' is not told by the same means"), HasSubstr("one and same by"),
                               HasSubstr("raspberry_pi_4"), HasSubstr("two by"), HasSubstr("pixel_6"),
                               HasSubstr("ridgeline cross")));
}

}  // namespace
}  // namespace ridgeline
