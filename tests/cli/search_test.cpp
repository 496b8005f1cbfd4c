// The main job through the program: search, interrupt, resume, read the results in every form.
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

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Search : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  TemporaryFolder folder_;
};

TEST_F(Search, WritesADatabaseAReportAndTheFront) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 60));
  const Outcome outcome = run({"search", "./study.json", "--report", "report.html"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("60 trials"), HasSubstr("entropy (training-free proxy)"), HasSubstr("hypervolume")));
  EXPECT_TRUE(folder_.has("ridgeline.db"));
  EXPECT_THAT(contents(folder_.file("report.html")), AllOf(StartsWith("<!doctype html>"), HasSubstr("report-data")));
  EXPECT_FALSE(folder_.has("report.html.new"));
}

TEST_F(Search, EveryFormOfTheResultHoldsTheSameFront) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 60));
  const Json search = parsed(run({"search", "./study.json", "--json"}));
  EXPECT_EQ(search.at("run").at("end"), "budget");
  EXPECT_EQ(search.at("study").at("trials"), 60);
  const Json front = parsed(run({"pareto", "tiny", "--json"})).at("front");
  EXPECT_EQ(front, search.at("front"));
  EXPECT_EQ(parsed(run({"report", "tiny", "--json"})).at("front"), front);
  const std::string csv = run({"pareto", "tiny", "--csv"}).out;
  EXPECT_EQ(lines(csv), front.size() + 1);
  EXPECT_THAT(csv, StartsWith("trial,entropy,entropy_again,entropy_ci_low,entropy_ci_high,macs,"));
  EXPECT_EQ(lines(run({"pareto", "tiny", "--markdown"}).out), front.size() + 2);
  EXPECT_EQ(run({"report", "tiny", "--csv", "trials.csv", "--markdown", "report.md"}).code, 0);
  EXPECT_EQ(lines(contents(folder_.file("trials.csv"))), 61U);
  EXPECT_THAT(contents(folder_.file("report.md")), HasSubstr("# tiny"));
  // No member dominates another: quality is maximised, MACs are minimised.
  for (const Json& a : front) {
    for (const Json& b : front) {
      const double qa = a.at("values").at("entropy"), qb = b.at("values").at("entropy");
      const double ma = a.at("values").at("macs"), mb = b.at("values").at("macs");
      EXPECT_FALSE(qa >= qb && ma <= mb && (qa > qb || ma < mb));
    }
  }
}

TEST_F(Search, APredictingSearcherShowsItsErrors) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 60));
  const std::vector<std::string> linas = {"search", "./study.json", "--set", "searcher={\"name\": \"linas\"}",
                                          "--set",  "batch=12"};
  const Outcome text = run(linas);
  EXPECT_THAT(text.out, AllOf(HasSubstr("what the searcher knows of itself"),
                              HasSubstr("36 predictions made before the trial, in the end by ")));
  std::vector<std::string> other = linas;
  other.insert(other.end(), {"--name", "again", "--json"});
  const Json notes = parsed(run(other)).at("searcher_notes").at("predictors");
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[0].at("objective"), "entropy");
  EXPECT_EQ(notes[1].at("trials"), 36);  // all but the first 24
  EXPECT_EQ(notes[1].at("rounds").size(), 3U);
  // From the database: as of its last checkpoint, at most a batch before.
  const Json stored = parsed(run({"report", "again", "--json"})).at("searcher_notes").at("predictors");
  ASSERT_EQ(stored.size(), 2U);
  EXPECT_EQ(stored[0].at("objective"), "entropy");
  EXPECT_GE(stored[1].at("trials"), 24);
  EXPECT_LE(stored[1].at("trials"), 36);
}

TEST_F(Search, TheCacheSaysWhatItSaves) {
  Json study = Json::parse(counting_study("tiny", "nasbench201", 40));
  study["choices"] = {{"edge", {"none", "skip_connect", "nor_conv_3x3"}}};
  study["searcher"] = {{"name", "random"}};
  folder_.write("study.json", study.dump());
  const auto search = [&](const std::string& cache) {
    return parsed(run({"search", "./study.json", "--cache", cache, "--name", cache, "--json"}));
  };
  const Json functional = search("functional"), off = search("off");
  const Json& saved = functional.at("evaluations_saved");
  EXPECT_GT(saved.at("by_function"), 0);
  EXPECT_EQ(functional.at("run").at("cache"), "functional");
  EXPECT_EQ(functional.at("run").at("duplicates"),
            saved.at("by_genome").get<int>() + saved.at("by_function").get<int>());
  EXPECT_EQ(off.at("evaluations_saved"), (Json{{"by_genome", 0}, {"by_function", 0}}));
  EXPECT_THAT(run({"search", "./study.json", "--cache", "genome"}).out, HasSubstr("cache genome: "));
  EXPECT_EQ(parsed(run({"report", "functional", "--json"})).at("evaluations_saved"), saved);
  EXPECT_THAT(run({"report", "functional"}).out, HasSubstr(" saved, "));
  // A stored study keeps its cache.
  const Outcome changed = run({"search", "./study.json", "--cache", "genome", "--name", "off"});
  EXPECT_EQ(changed.code, 4);
  EXPECT_THAT(changed.err, AllOf(HasSubstr("another configuration"), HasSubstr("another name")));
  EXPECT_EQ(parsed(run({"resume", "off", "--trials", "60", "--json"})).at("run").at("cache"), "off");
  EXPECT_EQ(run({"search", "./study.json", "--cache", "all"}).code, 2);
}

TEST_F(Search, InPartsAndOnOtherThreadsIsTheSameSearch) {
  folder_.write("study.json", counting_study("whole", "ofa_mobilenet_v3", 60));
  ASSERT_EQ(run({"search", "./study.json", "--threads", "1", "--db", "whole.db", "--quiet"}).code, 0);
  ASSERT_EQ(run({"search", "./study.json", "--threads", "4", "--trials", "25", "--db", "parts.db", "--quiet"}).code, 0);
  const Json resumed = parsed(run({"resume", "whole", "--trials", "60", "--db", "parts.db", "--json"}));
  EXPECT_EQ(resumed.at("run").at("resumed_trials"), 25);
  ASSERT_EQ(run({"report", "whole", "--db", "whole.db", "--csv", "whole.csv"}).code, 0);
  ASSERT_EQ(run({"report", "whole", "--db", "parts.db", "--csv", "parts.csv"}).code, 0);
  EXPECT_EQ(contents(folder_.file("whole.csv")), contents(folder_.file("parts.csv")));
}

TEST_F(Search, QuietSaysNothingAndPipedProgressHasNoCarriageReturns) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 30));
  const Outcome quiet = run({"search", "./study.json", "--quiet"});
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.out + quiet.err, "");
  const Outcome loud = run({"search", "./study.json", "--db", "other.db"});
  EXPECT_THAT(loud.err, AllOf(HasSubstr("/30 trials"), Not(HasSubstr("\r"))));
}

TEST_F(Search, ADryRunWritesNothing) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 30));
  const Outcome outcome = run({"search", "./study.json", "--dry-run"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("15,625 candidates"), HasSubstr("entropy"), HasSubstr("macs")));
  EXPECT_EQ(folder_.entries(), 1U);
  const Json json = parsed(run({"search", "./study.json", "--dry-run", "--json"}));
  EXPECT_NEAR(json.at("log10_size").get<double>(), 4.1938, 1e-3);
  EXPECT_EQ(json.at("objectives").size(), 2U);
  EXPECT_LE(json.at("objectives").at(1).at("least"), json.at("objectives").at(1).at("most"));
}

TEST_F(Search, AnInterruptSavesAndSaysHowToGoOn) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string name = "long" + std::to_string(signal), database = name + ".db";
    folder_.write("study.json", counting_study(name, "ofa_mobilenet_v3", 100000000));
    ChildOptions options{folder_.path(), {}, signal, " trials"};
    const Outcome outcome = run_ridgeline({"search", "./study.json", "--db", database}, options);
    EXPECT_EQ(outcome.code, 130) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("ridgeline resume " + name + " --db " + database));
    const Json runs = parsed(run({"runs", "list", "--db", database, "--json"}));
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_EQ(runs[0].at("state"), "interrupted");
    const auto trials = runs[0].at("trials").get<std::int64_t>();
    EXPECT_GT(trials, 0);
    const Json resumed =
        parsed(run({"resume", name, "--db", database, "--trials", std::to_string(trials + 20), "--json"}));
    EXPECT_EQ(resumed.at("study").at("trials"), trials + 20);
  }
}

TEST_F(Search, AnInterruptedSearchThatGoesOnEqualsAnUninterruptedOne) {
  folder_.write("study.json", counting_study("cut", "ofa_mobilenet_v3", 100000000));
  const Outcome cut =
      run_ridgeline({"search", "./study.json", "--db", "cut.db"}, {folder_.path(), {}, SIGINT, " trials"});
  ASSERT_EQ(cut.code, 130) << cut.err;
  const auto trials = parsed(run({"runs", "show", "cut", "--db", "cut.db", "--json"})).at("trials").get<std::int64_t>();
  const std::string budget = std::to_string(trials + 30);
  ASSERT_EQ(run({"resume", "cut", "--db", "cut.db", "--trials", budget, "--quiet"}).code, 0);
  ASSERT_EQ(run({"search", "./study.json", "--db", "whole.db", "--trials", budget, "--quiet"}).code, 0);
  ASSERT_EQ(run({"report", "cut", "--db", "cut.db", "--csv", "cut.csv"}).code, 0);
  ASSERT_EQ(run({"report", "cut", "--db", "whole.db", "--csv", "whole.csv"}).code, 0);
  EXPECT_EQ(contents(folder_.file("cut.csv")), contents(folder_.file("whole.csv")));
}

TEST_F(Search, ATerminalWithoutUtf8GetsPlainAscii) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 30));
  const Outcome outcome = run_ridgeline({"search", "./study.json"}, {folder_.path(), {{"LC_ALL", "C"}}, 0, ""});
  EXPECT_TRUE(std::all_of(outcome.out.begin(), outcome.out.end(), [](char c) { return (c & 0x80) == 0; }));
  EXPECT_THAT(run({"pareto", "tiny"}).out, HasSubstr("─"));
}

TEST_F(Search, ExplainShowsATrialAndCommandsThatGiveTheSameNetwork) {
  folder_.write("study.json", counting_study("tiny", "nasbench201", 30));
  ASSERT_EQ(run({"search", "./study.json", "--quiet"}).code, 0);
  const Json trial = parsed(run({"explain", "tiny", "3", "--device", "raspberry_pi_4", "--json"}));
  EXPECT_EQ(trial.at("trial"), 3);
  EXPECT_EQ(trial.at("objectives").at(1).at("value"), trial.at("macs"));
  const double latency_s = trial.at("estimates").at("raspberry_pi_4").at("latency_s");
  const Json estimate = parsed(
      run({"estimate", "nasbench201", "--genome", trial.at("genome").dump(), "--device", "raspberry_pi_4", "--json"}));
  EXPECT_EQ(estimate.at("devices").at("raspberry_pi_4").at("latency_s").get<double>(), latency_s);
  double sum = 0;
  for (const Json& op : estimate.at("devices").at("raspberry_pi_4").at("operators"))
    sum += op.at("latency_s").get<double>();
  EXPECT_NEAR(sum, latency_s, 1e-9 * latency_s);
  const std::string text = run({"explain", "tiny", "3", "--device", "raspberry_pi_4"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("conv2d 3x3"), HasSubstr("bound by"),
                          HasSubstr("ridgeline estimate nasbench201 --genome")));
}

}  // namespace
}  // namespace ridgeline
