// Studies on rungs: what is cheaper, what it counts as, and what only whole evaluations answer.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>

#include "experiments/report/comparison_report.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_html.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/study/study_parts.hpp"
#include "experiments/study/warm_start.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// f1 of 8 variables has rungs, f2 is the same on each.
Json rung_study(const std::string& name, const std::string& searcher = "hyperband") {
  Json study = Json::parse(R"({
    "ridgeline_study": 1, "space": "categorical", "parameters": {"variables": 8, "levels": 5}, "seed": 3, "threads": 2,
    "verify_front": false, "searcher": {}, "batch": 10, "stop": {"trials": 40},
    "objectives": [
      {"name": "f1", "direction": "minimise", "from": {"evaluator": "function", "function": "separable",
       "output": "f1", "rungs": [1, 0.25, 0.0625], "rung_error": 0.05}},
      {"name": "f2", "direction": "minimise", "from": {"evaluator": "function", "function": "separable",
       "output": "f2"}}]})");
  study["name"] = name;
  study["searcher"]["name"] = searcher;
  return study;
}

constexpr double cost_of[] = {1.0, 0.25, 0.0625};

double cost(const std::vector<Trial>& trials) {
  double sum = 0;
  for (const Trial& trial : trials) sum += cost_of[trial.rung];
  return sum;
}

std::string refusal(const Json& study) {
  const Scratch scratch;
  return what_of([&] { load_study(scratch.write("study.json", study.dump()), {}, resources()); });
}

struct Made {
  explicit Made(const Json& study) : config(config_of(study)) {
    JsonDocument document = JsonDocument::from_value(config.canonical, "study.json");
    parts = make_parts(config, resources(), document);
    document.raise();
  }
  double value(const Genome& genome, std::size_t objective, int rung) {
    const Candidate candidate{0, &genome, nullptr, 0, rung};
    Score score;
    parts.from[objective]->evaluate({&candidate, 1}, {&score, 1});
    return score.value;
  }
  StudyConfig config;
  StudyParts parts;
};

// A mean over a share c of the images is off that over all with a variance proportional to 1 / c - 1; u from -1 to 1
// has the variance 1 / 3.
TEST(Rungs, AFunctionIsOffByWhatItSays) {
  Made made(rung_study("s"));
  Rng rng(5);
  for (const int rung : {1, 2}) {
    const double most = 0.05 * std::sqrt(1.0 / cost_of[rung] - 1.0);
    double sum = 0, squares = 0;
    constexpr int n = 4000;
    for (int i = 0; i < n; ++i) {
      const Genome genome = made.parts.space->sample(rng);
      const double off = made.value(genome, 0, rung) - made.value(genome, 0, 0);
      ASSERT_LE(std::abs(off), most);
      ASSERT_EQ(off, made.value(genome, 0, rung) - made.value(genome, 0, 0));
      ASSERT_EQ(made.value(genome, 1, rung), made.value(genome, 1, 0));
      sum += off;
      squares += off * off;
    }
    EXPECT_NEAR(sum / n, 0.0, 4 * most / std::sqrt(3.0 * n));
    EXPECT_NEAR(std::sqrt(squares / n), most / std::sqrt(3.0), 0.03 * most);
  }
}

TEST(Rungs, OfSeveralObjectivesTheDearestCounts) {
  Json study = rung_study("s");
  EXPECT_EQ(Made(study).parts.rung_costs, (std::vector<double>{1.0, 0.25, 0.0625}));
  study["objectives"][1]["from"]["rungs"] = {1, 0.5, 0.05};
  EXPECT_EQ(Made(study).parts.rung_costs, (std::vector<double>{1.0, 0.5, 0.0625}));
  study["objectives"][0]["from"].erase("rungs");
  study["objectives"][1]["from"].erase("rungs");
  study["searcher"]["name"] = "random";
  EXPECT_EQ(Made(study).parts.rung_costs, std::vector<double>{1.0});
}

TEST(Rungs, WhatDoesNotGoTogetherIsRefused) {
  Json study = rung_study("s");
  study["objectives"][1]["from"]["rungs"] = {1, 0.5};
  EXPECT_THAT(refusal(study), AllOf(HasSubstr("objectives[1].from"), HasSubstr("3 rungs, as many as 'f1' has")));
  study = rung_study("s");
  study["objectives"][1]["screen"] = {
      {"evaluator", "function"}, {"function", "separable"}, {"output", "f2"}, {"rungs", {1, 0.5}}, {"keep", 0.5}};
  EXPECT_THAT(refusal(study), HasSubstr("objectives[1].screen"));
  study = rung_study("s", "successive-halving");
  study["objectives"][0]["from"].erase("rungs");
  EXPECT_THAT(refusal(study), AllOf(HasSubstr("searcher"), HasSubstr("no objective has cheaper rungs"),
                                    HasSubstr("\"images\": [900, 300, 100]")));
  for (const Json& bad : {Json::array(), Json{1}, Json{1, 1}, Json{0.5, 0.25}, Json{1, 0.5, 0.6}, Json{1, "half"},
                          Json{1, 0}, Json("many")}) {
    study = rung_study("s");
    study["objectives"][0]["from"]["rungs"] = bad;
    EXPECT_THAT(refusal(study), HasSubstr("objectives[0].from.rungs")) << bad;
  }
  study = rung_study("s", "random");  // rungs that nobody asks for are no mistake
  EXPECT_EQ(refusal(study), "");
}

TEST(Rungs, TheBudgetIsInWholeEvaluations) {
  const Scratch scratch;
  for (const std::string searcher : {"successive-halving", "hyperband"}) {
    for (const int budget : {3, 17, 40}) {
      Json study = rung_study("s", searcher);
      study["stop"]["trials"] = budget;
      const std::string database = scratch.path(searcher + std::to_string(budget) + ".db");
      const StudyResult result = run_study(study, database);
      const std::vector<Trial> trials = trials_of(database, "s");
      EXPECT_EQ(result.trials, static_cast<std::int64_t>(trials.size()));
      EXPECT_LE(cost(trials), budget + 1e-9);
      EXPECT_GT(cost(trials), budget - 1.0);
      EXPECT_GT(trials.size(), static_cast<std::size_t>(budget));
    }
  }
}

TEST(Rungs, WhatComesOutIsOfWholeEvaluationsAlone) {
  const Scratch scratch;
  const std::string database = scratch.path("a.db");
  const StudyResult result = run_study(rung_study("s"), database);
  Made made(rung_study("s"));
  std::map<Genome, std::set<int>> rungs;
  const ParetoArchive empty(objectives_of(made.config), Fidelity::analytic);
  ParetoArchive archive = empty;
  for (const Trial& trial : trials_of(database, "s")) {
    EXPECT_TRUE(rungs[trial.genome].insert(trial.rung).second);  // known on this rung, it is no new trial
    ASSERT_EQ(trial.values.size(), 2U);
    EXPECT_EQ(trial.values[0], made.value(trial.genome, 0, trial.rung));  // not another rung's
    if (trial.rung == 0) archive.add(trial);
  }
  EXPECT_TRUE(std::ranges::any_of(rungs, [](const auto& one) { return one.second.size() == 3; }));
  expect_same_trials({archive.front().begin(), archive.front().end()}, result.front);
  const Store store(database, Store::Mode::read);
  const StudyId id = store.find("s")->id;
  for (const Trial& trial : store.load(id)) EXPECT_EQ(trial.rung, 0);
  expect_same_trials(store.front(id, Fidelity::analytic), result.front);
}

TEST(Rungs, ABudgetThatEndsBeforeTheFirstWholeEvaluationSaysSo) {
  const Scratch scratch;
  Json study = rung_study("s", "successive-halving");
  study["searcher"]["candidates"] = 400;
  study["stop"]["trials"] = 5;
  const StudyResult result = run_study(study, scratch.path("a.db"));
  EXPECT_EQ(result.end, StudyResult::End::infeasible);
  EXPECT_THAT(result.infeasibility, AllOf(HasSubstr("evaluated whole"), HasSubstr("stop.trials")));
}

TEST(Rungs, BudgetsOneAfterTheOtherEqualOne) {
  const Scratch scratch;
  Json study = rung_study("s");
  run_study(study, scratch.path("whole.db"));
  for (const int trials : {1, 7, 8, 23, 40}) {
    study["stop"]["trials"] = trials;
    run_study(study, scratch.path("parts.db"));
  }
  expect_same_trials(trials_of(scratch.path("parts.db"), "s"), trials_of(scratch.path("whole.db"), "s"));
}

Json half_timed_study(const std::string& name) {
  Json study = timed_study(name);
  study["searcher"] = {{"name", "hyperband"}};
  study["objectives"][0] = rung_study(name)["objectives"][0];
  study["objectives"][0]["from"]["function"] = "zdt1";
  return study;
}

TEST(Rungs, ATimingThatHasNoneIsMadeOnce) {
  const Scratch scratch;
  std::int64_t timings = 0;
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    ++timings;
    return fake_timing(design, options);
  };
  const StudyResult result = run_study(half_timed_study("s"), scratch.path("a.db"), hooks);
  std::map<Genome, std::set<double>> latencies;
  for (const Trial& trial : trials_of(scratch.path("a.db"), "s")) latencies[trial.genome].insert(trial.values[1]);
  for (const auto& [genome, different] : latencies) EXPECT_EQ(different.size(), 1U);
  EXPECT_EQ(timings, static_cast<std::int64_t>(latencies.size()));
  EXPECT_EQ(result.reused, result.trials - timings);
  EXPECT_GT(result.reused, 20);
}

TEST(Rungs, ATimingThatHasSomeTakesAsLongAsEachSays) {
  const Scratch scratch;
  Json study = half_timed_study("s");
  study["objectives"][1]["from"].update(Json{{"target_s", {0.3, 0.1, 0.02}}, {"warmup_s", 0.1}});
  Json alone = study;
  alone["objectives"][0]["from"].erase("rungs");
  const std::vector<double> costs = Made(alone).parts.rung_costs;
  ASSERT_EQ(costs.size(), 3U);
  EXPECT_NEAR(costs[1], 0.2 / 0.4, 1e-12);
  EXPECT_NEAR(costs[2], 0.12 / 0.4, 1e-12);
  std::map<std::uint64_t, std::multiset<double>> timed, expected;  // by function
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    timed[function_hash(design)].insert(options.target_s);
    return fake_timing(design, options);
  };
  run_study(study, scratch.path("a.db"), hooks);
  const SearchSpace space = SearchSpace::load(resources().space("nasbench_macro"));
  constexpr double target_s[] = {0.3, 0.1, 0.02};
  for (const Trial& trial : trials_of(scratch.path("a.db"), "s")) {
    expected[function_hash(space.decode(trial.genome))].insert(target_s[trial.rung]);
  }
  EXPECT_EQ(timed, expected);
}

TEST(Rungs, AReportSaysWhatWasDoneOnEach) {
  const Scratch scratch;
  const std::string database = scratch.path("a.db");
  run_study(rung_study("s"), database);
  const std::vector<Trial> all = trials_of(database, "s");
  std::array<std::int64_t, 3> counts{};
  for (const Trial& trial : all) ++counts[static_cast<std::size_t>(trial.rung)];
  const Store store(database, Store::Mode::read);
  const StudyReport report = report_of(store, "s", resources());
  ASSERT_EQ(report.rungs.size(), 3U);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(report.rungs[k].trials, counts[k]);
    EXPECT_EQ(report.rungs[k].cost, cost_of[k]);
  }
  EXPECT_NEAR(report.evaluations, cost(all), 1e-9);
  EXPECT_EQ(report.counts[0], counts[0]);
  EXPECT_EQ(report.trials_with_values, counts[0]);
  EXPECT_EQ(report.hypervolume.back().evaluations, static_cast<std::int64_t>(std::ceil(cost(all) - 1e-6)));
  const std::string work = fmt::format("{} at 0.0625, {} at 0.25 of a whole one; all together the work of {:.1f}",
                                       counts[2], counts[1], cost(all));
  EXPECT_THAT(summary_text(report),
              AllOf(HasSubstr(std::to_string(counts[0]) + " trials evaluated whole"), HasSubstr(work)));
  EXPECT_THAT(summary_text(front_of(store, "s", resources())), HasSubstr(work));
  EXPECT_EQ(report_json(report)["rungs"][1], (Json{{"cost", 0.25}, {"trials", counts[1]}}));
  EXPECT_THAT(report_html(report), HasSubstr(rungs_text(report)));

  // Cheap values beside the whole ones of the same candidates: of f1, as f2 is the same on every rung.
  std::map<Genome, double> whole;
  for (const Trial& trial : all) {
    if (trial.rung == 0) whole[trial.genome] = trial.values[0];
  }
  std::map<std::string, std::vector<ComparedPair>> found;
  for (const Comparison& one : report.comparisons) {
    EXPECT_EQ(one.objective, 0U);
    found[one.predicted_by] = one.pairs;
  }
  ASSERT_EQ(found.size(), 2U);
  std::size_t pairs = 0;
  for (const Trial& trial : all) pairs += trial.rung == 2 && whole.contains(trial.genome) ? 1 : 0;
  ASSERT_EQ(found.at("rung 2 (0.0625 of an evaluation)").size(), pairs);
  for (const ComparedPair& pair : found.at("rung 2 (0.0625 of an evaluation)")) {
    EXPECT_EQ(pair.measured, store.trial(report.record.id, pair.trial)->values[0]);
  }
}

TEST(Rungs, AStudyOfWholeEvaluationsReportsAsEver) {
  const Scratch scratch;
  const std::string database = scratch.path("a.db");
  run_study(rung_study("s", "nsga2"), database);
  const Store store(database, Store::Mode::read);
  const StudyReport report = report_of(store, "s", resources());
  EXPECT_TRUE(report.rungs.empty());
  EXPECT_EQ(report.evaluations, 40.0);
  EXPECT_THAT(summary_text(report), AllOf(HasSubstr("40 trials, 40 feasible"), ::testing::Not(HasSubstr("whole"))));
  EXPECT_FALSE(report_json(report).contains("rungs"));
}

// At equal stop rules, work is equal, and so are the places on the curves that a comparison draws.
TEST(Rungs, AComparisonCountsWork) {
  const Scratch scratch;
  const std::string database = scratch.path("a.db");
  run_study(rung_study("cheap"), database);
  run_study(rung_study("plain", "random"), database);
  const Store store(database, Store::Mode::read);
  const ComparisonReport report = comparison_report_of(store, std::vector<std::string>{"cheap", "plain"}, resources());
  ASSERT_EQ(report.studies.size(), 2U);
  EXPECT_NEAR(report.studies[0].evaluations, cost(trials_of(database, "cheap")), 1e-9);
  EXPECT_EQ(report.studies[1].evaluations, 40.0);
  for (const ComparedStudy& study : report.studies) EXPECT_EQ(study.history.back().evaluations, 40);
}

TEST(Rungs, AWarmStartTakesWholeEvaluations) {
  const Scratch scratch;
  const std::string database = scratch.path("a.db");
  run_study(rung_study("s"), database);
  std::set<std::vector<std::uint16_t>> whole;
  for (const Trial& trial : trials_of(database, "s")) {
    if (trial.rung == 0) whole.insert(trial.genome.genes);
  }
  Json next = rung_study("next", "nsga2");
  next["warm_start"] = {{"from", {"s"}}, {"trials", 30}};
  const Store store(database, Store::Mode::write);
  const StudyConfig config = with_warm_start(config_of(next), store, resources());
  ASSERT_FALSE(config.warm->genomes.empty());
  for (const Json& genome : config.warm->genomes) {
    EXPECT_TRUE(whole.contains(genome.get<std::vector<std::uint16_t>>()));
  }
}

TEST(Rungs, ShippedStudiesLoadAndRun) {
  const Scratch scratch;
  StudyConfig config = load_study("hyperband", {"stop.trials=12"}, resources());
  Store store(scratch.path("a.db"), Store::Mode::write);
  const StudyResult result = Study(std::move(config), resources(), store, "test").run();
  EXPECT_FALSE(result.front.empty());
  EXPECT_GT(store.trials_by_rung(result.study).back(), 0);
}

}  // namespace
}  // namespace ridgeline::testing
