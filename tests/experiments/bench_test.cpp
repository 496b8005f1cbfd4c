// Runs of a benchmark are those of a study, for any number of threads and any number of interruptions; their figures
// are what hand cases come to.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/bench/report.hpp"
#include "tests/experiments/html_support.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json sizes_study(const std::string& name = "sizes") {
  Json study = small_study(name);
  study.erase("batch");
  return study;
}

Json function_study(const std::string& function, std::size_t variables = 4, std::size_t levels = 11) {
  Json study = {{"ridgeline_study", 1},
                {"name", function},
                {"space", "grid"},
                {"parameters", {{"variables", variables}, {"levels", levels}}},
                {"searcher", {{"name", "nsga2"}}},
                {"objectives", Json::array()},
                {"stop", {{"trials", 50}}}};
  for (const char* output : {"f1", "f2"}) {
    study["objectives"].push_back({{"name", output},
                                   {"direction", "minimise"},
                                   {"from", {{"evaluator", "function"}, {"function", function}, {"output", output}}}});
  }
  return study;
}

BenchProblem problem_of(const Json& study, std::optional<StudyCache> cache = {}) {
  return {config_of(study), resources(), cache};
}

BenchOptions few(std::size_t seeds, std::int64_t evaluations, int threads = 1) {
  BenchOptions options;
  options.seeds = seeds;
  options.budget = {evaluations, 100 * evaluations};
  options.threads = threads;
  return options;
}

std::vector<BenchSetting> settings_of(const BenchProblem& problem, const std::vector<std::string>& names,
                                      const std::vector<std::string>& grids = {}) {
  return bench_settings(problem, names, grids).settings;
}

std::string labels(const std::vector<BenchSetting>& settings) {
  std::string text;
  for (const BenchSetting& one : settings) text += one.label + ";";
  return text;
}

std::string described(const BenchRun& run) {
  std::string text = fmt::format("{} {} {} {} {}:", run.setting, run.seed, run.evaluations, run.asked, run.told);
  for (const BenchStep& step : run.steps) {
    text += fmt::format(" {}", step.evaluations);
    for (const double value : step.values) text += fmt::format(" {}", value);
  }
  return text;
}

TEST(Bench, ARunIsWhatAStudyDoes) {
  const Scratch scratch;
  int number = 0;
  for (const char* cache : {"functional", "genome"}) {
    for (const char* searcher : {"random", "nsga2", "local-search", "regularized-evolution"}) {
      Json study = sizes_study(fmt::format("study{}", number++));
      study["searcher"]["name"] = searcher;
      study["stop"]["trials"] = 45;  // cuts the last batch of some
      study["cache"] = cache;
      study["constraints"] = Json::parse(
          R"([{"name": "peak", "limit": 400000, "from": {"evaluator": "count", "quantity": "peak_bytes"}}])");
      run_study(study, scratch.path("studies.db"));
      const std::vector<Trial> trials = trials_of(scratch.path("studies.db"), study["name"]);
      const BenchProblem problem = problem_of(study);
      BenchTrajectory trajectory;
      const BenchRun run = run_searcher(problem, {searcher, Json::object(), ""}, 7, {45, 100'000}, &trajectory);
      EXPECT_EQ(run.evaluations, 45) << searcher;
      expect_same_trials(trajectory.trials, trials);
      const BenchRun read = run_of_trials(problem, trials, 45);
      ASSERT_EQ(read.steps.size(), run.steps.size());
      for (std::size_t i = 0; i < run.steps.size(); ++i) {
        EXPECT_EQ(read.steps[i].evaluations, run.steps[i].evaluations);
        EXPECT_EQ(read.steps[i].values, run.steps[i].values);
      }
    }
  }
}

TEST(Bench, DuplicatesCostNothingAndAsksBoundARun) {
  // Nine candidates: whoever asks for a tenth repeats himself.
  const BenchProblem problem = problem_of(function_study("zdt1", 2, 3));
  const BenchRun random = run_searcher(problem, {"random", Json::object(), ""}, 1, {20, 640});
  EXPECT_EQ(random.evaluations, 9);
  EXPECT_EQ(random.asked, 640);
  EXPECT_EQ(random.end, BenchRun::End::asks);
  const BenchRun all = run_searcher(problem, {"exhaustive", Json::object(), ""}, 1, {20, 640});
  EXPECT_EQ(all.evaluations, 9);
  EXPECT_EQ(all.end, BenchRun::End::exhausted);
  const BenchProblem off = problem_of(function_study("zdt1", 2, 3), StudyCache::off);
  EXPECT_EQ(run_searcher(off, {"random", Json::object(), ""}, 1, {200, 640}).evaluations, 200);
}

TEST(Bench, ThreadsDoNotChangeFigures) {
  const BenchProblem problem = problem_of(sizes_study());
  const std::vector<BenchSetting> settings = settings_of(problem, {"nsga2", "local-search"});
  ASSERT_EQ(labels(settings), "nsga2;local-search;random;");
  const BenchResult one = run_bench(problem, settings, few(4, 40, 1), nullptr, {});
  const BenchResult three = run_bench(problem, settings, few(4, 40, 3), nullptr, {});
  ASSERT_EQ(one.runs.size(), 12U);
  ASSERT_EQ(three.runs.size(), 12U);
  for (std::size_t i = 0; i < one.runs.size(); ++i) EXPECT_EQ(described(one.runs[i]), described(three.runs[i]));
  EXPECT_EQ(one.exact.front, three.exact.front);
  EXPECT_EQ(one.exact.candidates, 6561U);
}

TEST(Bench, WhatIsInTheDatabaseIsNotRunAgainAndGoesOn) {
  const Scratch scratch;
  const BenchProblem problem = problem_of(sizes_study());
  const std::vector<BenchSetting> settings = settings_of(problem, {"nsga2 population=12"});
  BenchOptions options = few(3, 30);
  options.most_enumerated = 0;
  Store store(scratch.path("runs.db"), Store::Mode::write);
  const BenchResult first = run_bench(problem, settings, options, &store, {});
  EXPECT_EQ(first.stored, 0U);
  const BenchResult again = run_bench(problem, settings, options, &store, {});
  EXPECT_EQ(again.stored, 6U);
  options.budget.evaluations = 47;
  const BenchResult more = run_bench(problem, settings, options, &store, {});
  EXPECT_EQ(more.stored, 0U);
  options.budget.evaluations = 30;
  const BenchResult back = run_bench(problem, settings, options, &store, {});
  EXPECT_EQ(back.stored, 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    ASSERT_EQ(again.runs[i].steps.size(), first.runs[i].steps.size());
    for (std::size_t k = 0; k < first.runs[i].steps.size(); ++k) {
      EXPECT_EQ(back.runs[i].steps[k].values, first.runs[i].steps[k].values);
      EXPECT_EQ(again.runs[i].steps[k].evaluations, first.runs[i].steps[k].evaluations);
    }
  }
  // A stored run is a study that `resume` goes on with as if it had never been a benchmark's.
  const StudyRecord record = store.find("sizes/bench/nsga2 population=12/2").value();
  EXPECT_EQ(record.trials, 47);
  Json config = Json::parse(record.config);
  config["stop"]["trials"] = 80;
  Study(config_of(config), resources(), store, "test").run();
  config["name"] = "in one go";
  Study(config_of(config), resources(), store, "test").run();
  expect_same_trials(trials_of(scratch.path("runs.db"), record.name), trials_of(scratch.path("runs.db"), "in one go"));
  // Another problem under the same names.
  Json other = sizes_study();
  other["objectives"][1]["limit"] = 1e6;
  const BenchProblem limited = problem_of(other);
  EXPECT_THROW(run_bench(limited, settings, options, &store, {}), StoreError);
}

TEST(Bench, SettingsAreNamedSpreadAndChecked) {
  const BenchProblem problem = problem_of(sizes_study());
  EXPECT_EQ(labels(settings_of(problem, {"nsga2 population=8 crossover=0.9", "random"})),
            "nsga2 crossover=0.9 population=8;random;");
  EXPECT_EQ(labels(settings_of(problem, {"nsga2"}, {"nsga2.population=8,16", "nsga2.mutation=0.5,1"})),
            "nsga2 mutation=0.5 population=8;nsga2 mutation=1 population=8;nsga2 mutation=0.5 population=16;"
            "nsga2 mutation=1 population=16;random;");
  // All that can: `sequential` needs precision genes, `nested` those of hardware, halving cheaper evaluations.
  const BenchSettings all = bench_settings(problem, {}, {});
  EXPECT_THAT(labels(all.settings), HasSubstr("local-search;"));
  std::vector<std::string> skipped;
  for (const auto& [name, why] : all.skipped) skipped.push_back(name);
  EXPECT_THAT(skipped, ::testing::UnorderedElementsAre("sequential", "nested", "successive-halving", "hyperband"));
  const auto refused = [&](const std::vector<std::string>& names, const std::vector<std::string>& grids) {
    return what_of([&] { bench_settings(problem, names, grids); });
  };
  EXPECT_THAT(refused({"nsga4"}, {}), HasSubstr("did you mean 'nsga2'"));
  EXPECT_THAT(refused({"nsga2 populaton=3"}, {}), HasSubstr("population"));
  EXPECT_THAT(refused({"nsga2 population=8 population=9"}, {}), HasSubstr("'population' twice"));
  EXPECT_THAT(refused({"nsga2 population"}, {}), HasSubstr("population=50"));
  EXPECT_THAT(refused({"nsga2"}, {"nsga2.population=8", "nsga2.population=9"}), HasSubstr("in one --grid"));
  EXPECT_THAT(refused({"nsga2 population=8"}, {"nsga2.population=9"}), HasSubstr("given before"));
  EXPECT_THAT(refused({"random"}, {"nsga2.population=8"}), HasSubstr("--searcher nsga2"));
  EXPECT_THAT(refused({}, {"population=8"}), HasSubstr("SEARCHER.OPTION"));
}

TEST(Bench, TimingsAndScreensAreRefused) {
  EXPECT_THAT(what_of([] { problem_of(timed_study("timed")); }), HasSubstr("the same in every run"));
  Json screened = sizes_study();
  screened["objectives"][0]["screen"] = Json::parse(R"({"evaluator": "count", "quantity": "macs", "keep": 0.5})");
  EXPECT_THAT(what_of([&] { problem_of(screened); }), HasSubstr("no screen"));
}

TEST(Bench, TheExactAnswerIsThatOfBruteForce) {
  Json study = sizes_study();
  study["objectives"][1]["limit"] = 30e6;
  const BenchProblem problem = problem_of(study);
  WorkerPool pool(2);
  const ExactAnswer exact = problem.exact(10'000, pool);
  std::vector<Point> feasible;
  const SearchSpace& space = problem.space();
  for (std::uint64_t i = 0; i < space.enumeration_size(); i += 1) {
    const Design design = space.decode(*space.at(i));
    const auto size = static_cast<double>(parameters(design.network)), work = static_cast<double>(macs(design.network));
    if (work <= 30e6) feasible.push_back({-size, work});
  }
  std::vector<Point> front;
  for (const std::size_t i : non_dominated(feasible)) front.push_back(feasible[i]);
  EXPECT_EQ(exact.source, ExactAnswer::Source::enumeration);
  std::vector<Point> given = exact.front;
  std::ranges::sort(front);
  std::ranges::sort(given);
  EXPECT_EQ(given, front);
  EXPECT_EQ(problem.exact(6'560, pool).source, ExactAnswer::Source::none);
}

TEST(Bench, FunctionsHaveTheirOwnAnswer) {
  WorkerPool pool(1);
  Json study = function_study("zdt2", 6, 21);
  EXPECT_NEAR(*problem_of(study).exact(100, pool).hypervolume, 0.1 + 1.0 / 3 + 0.11, 1e-4);
  std::swap(study["objectives"][0], study["objectives"][1]);  // the front follows
  const ExactAnswer swapped = problem_of(study).exact(100, pool);
  for (const Point& point : swapped.front) EXPECT_NEAR(point[0], 1 - point[1] * point[1], 1e-12);
  study["objectives"][0]["limit"] = 0.5;  // no longer the published problem
  EXPECT_EQ(problem_of(study).exact(100, pool).source, ExactAnswer::Source::none);
  // Constraints belong to the problem.
  Json constrained = function_study("mw7", 6, 21);
  EXPECT_EQ(problem_of(constrained).exact(100, pool).source, ExactAnswer::Source::none);
  for (const char* c : {"c1", "c2"}) {
    constrained["constraints"].push_back(
        {{"name", c}, {"limit", 0}, {"from", {{"evaluator", "function"}, {"function", "mw7"}, {"output", c}}}});
  }
  EXPECT_EQ(problem_of(constrained).exact(100, pool).source, ExactAnswer::Source::closed_form);
}

// Two settings, four seeds, one maximised objective whose optimum is 10.
struct HandCase {
  Json study = [] {
    Json one = sizes_study();
    one["objectives"].erase(1);
    return one;
  }();
  BenchProblem problem = problem_of(study);
  std::vector<BenchSetting> settings = {{"nsga2", Json::object(), "nsga2"}, {"random", Json::object(), "random"}};
  BenchResult result;

  HandCase() {
    result.seeds = 4;
    result.exact.source = ExactAnswer::Source::enumeration;
    result.exact.best = -10.0;
    const double ends[2][4] = {{10, 10, 8, 10}, {6, 10, 4, 4}};
    for (std::size_t s = 0; s < 2; ++s) {
      for (std::size_t seed = 0; seed < 4; ++seed) {
        BenchRun run;
        run.setting = s;
        run.evaluations = 20;
        run.asked = run.told = 40;
        run.ask_s = 4e-5;
        run.evaluate_s = 2e-5;
        run.tell_s = 2e-5;
        run.steps = {{3, {-2.0}}, {static_cast<std::int64_t>(10 + seed), {-ends[s][seed]}}};
        result.runs.push_back(run);
      }
    }
  }
};

TEST(BenchFigures, OfOneObjectiveAreThoseOfAHandCase) {
  const HandCase hand;
  const BenchFigures figures = bench_figures(hand.problem, hand.settings, hand.result, {20, {5, 2, 99}, {}, {}});
  EXPECT_THAT(figures.at, ElementsAre(2, 5, 20));
  const BenchRow &nsga2 = figures.rows[0], &random = figures.rows[1];
  EXPECT_FALSE(nsga2.cells[0].quality);  // the first feasible one is the third
  EXPECT_EQ(nsga2.cells[0].without, 4U);
  EXPECT_DOUBLE_EQ(nsga2.cells[1].quality->mean, 2.0);
  EXPECT_DOUBLE_EQ(nsga2.cells[2].quality->mean, 9.5);
  EXPECT_DOUBLE_EQ(random.cells[2].quality->mean, 6.0);
  EXPECT_EQ(nsga2.cells[2].found, 3U);
  EXPECT_EQ(random.cells[2].found, 1U);
  EXPECT_DOUBLE_EQ(*nsga2.cells[2].improvement, 100 * 3.5 / 6);
  EXPECT_DOUBLE_EQ(*random.cells[2].improvement, 0.0);
  EXPECT_DOUBLE_EQ(nsga2.cells[2].mean_rank, (1 + 1.5 + 1 + 1) / 4);     // both found it with the second seed
  EXPECT_DOUBLE_EQ(*nsga2.median_evaluations_to_best, (11 + 13) / 2.0);  // 10, 11, 13, never
  EXPECT_FALSE(random.median_evaluations_to_best);
  EXPECT_DOUBLE_EQ(*nsga2.ask_us, 1.0);
  EXPECT_DOUBLE_EQ(*nsga2.tell_us, 0.5);
  EXPECT_NEAR(*nsga2.evaluations_per_s, 20 / 8e-5, 1e-6);
  EXPECT_EQ(nsga2.curve.front().evaluations, 3);
  // Means: 2 from 3 on; nsga2's 4, 6, 7.5, 9.5 from 10, 11, 12, 13, random's 3, 5, 5.5, 6.
  const BenchFigures reach = bench_figures(hand.problem, hand.settings, hand.result, {20, {4, 12}, {}, 1});
  ASSERT_EQ(reach.reach->targets.size(), 3U);
  EXPECT_DOUBLE_EQ(*reach.reach->targets[1].quality, 5.5);
  EXPECT_EQ(reach.reach->targets[1].rows[0].evaluations, 11);
  EXPECT_DOUBLE_EQ(*reach.reach->targets[2].rows[0].ratio, 13.0 / 11);
  EXPECT_THROW(check_bench_reference(hand.problem, std::vector<std::string>{"macs=1"}), ConfigError);
}

TEST(BenchFigures, HypervolumesAreSharesOfTheIdealFronts) {
  const BenchProblem problem = problem_of(function_study("zdt1"));
  const std::vector<BenchSetting> settings = {{"random", Json::object(), "random"}};
  BenchResult result;
  result.seeds = 2;
  result.exact.source = ExactAnswer::Source::enumeration;
  result.exact.front = {{0, 2}, {1, 0}};
  BenchRun one, none;
  one.steps = {{1, {1, 1}}, {5, {0, 2}}};
  result.runs = {one, none};
  // The reference is (1.1, 2.2): the ideal front's area is 0.1 * 2.2 + 1 * 0.2.
  BenchFigures figures = bench_figures(problem, settings, result, {10, {1}, {}, {}});
  EXPECT_NEAR(figures.ideal_hypervolume, 0.42, 1e-12);
  EXPECT_NEAR(figures.rows[0].cells[0].quality->mean, 0.1 * 1.2 / 0.42 / 2, 1e-12);  // the run without anything is 0
  EXPECT_NEAR(figures.rows[0].cells[1].quality->mean, (0.1 * 1.2 + 1 * 0.2) / 0.42 / 2, 1e-12);
  figures = bench_figures(problem, settings, result, {10, {}, {"f1=2", "f2=1.5x"}, {}});
  EXPECT_THAT(figures.reference, ElementsAre(2, 3));
  EXPECT_NEAR(figures.ideal_hypervolume, 2 * 1 + 1 * 2, 1e-12);
  EXPECT_THROW(bench_figures(problem, settings, result, {10, {}, {"f3=1"}, {}}), ConfigError);
  EXPECT_THROW(bench_figures(problem, settings, result, {10, {}, {"f1=ten"}, {}}), ConfigError);
  for (const char* given : {"f1=-1x", "f1=0", "f2=-3"}) {
    EXPECT_THROW(bench_figures(problem, settings, result, {10, {}, {given}, {}}), ConfigError) << given;
  }
  check_bench_reference(problem, std::vector<std::string>{"f1=2", "f2=1.5x"});
  EXPECT_THROW(check_bench_reference(problem, std::vector<std::string>{"f3=1"}), ConfigError);
  // Nothing exact is known: the union of all runs is the ideal.
  result.exact = {};
  figures = bench_figures(problem, settings, result, {10, {}, {}, {}});
  EXPECT_EQ(figures.ideal, ExactAnswer::Source::none);
  EXPECT_NEAR(figures.rows[0].cells[0].quality->mean, 0.5, 1e-12);
}

TEST(BenchReport, ValuesThatRoundingTellsApartAreDrawnAsOne) {
  const BenchProblem problem = problem_of(function_study("zdt1"));
  const std::vector<BenchSetting> settings = {{"random", Json::object(), "random"}};
  BenchReport report;
  report.figures =
      bench_figures(problem, settings, run_bench(problem, settings, few(1, 20), nullptr, {}), {20, {}, {}, {}});
  for (const double least : {0.0, 1.0, 1e-300}) {
    std::vector<BenchCurvePoint>& curve = report.figures.rows[0].curve;
    for (std::size_t i = 0; i < curve.size(); ++i) {
      curve[i].mean = i % 2 == 0 ? least : std::nextafter(least, 2.0);
      curve[i].interval = {curve[i].mean, curve[i].mean};
    }
    const std::string html = bench_html(report);
    EXPECT_EQ(count(html, "<polyline"), 1U);
    EXPECT_EQ(count(html, ">0.00000000"), 0U);  // a label that says nothing and leaves the page
  }
}

TEST(BenchReport, EveryFormSaysTheSame) {
  const BenchProblem problem = problem_of(function_study("zdt1"));
  const std::vector<BenchSetting> settings = settings_of(problem, {"nsga2"}, {"nsga2.population=6,12"});
  BenchReport report;
  report.study = "<b>zdt1</b>";
  report.space = "grid";
  report.budget = {60, 6000};
  report.figures =
      bench_figures(problem, settings, run_bench(problem, settings, few(3, 60), nullptr, {}), {60, {30}, {}, 0});
  ASSERT_EQ(report.figures.spreads.size(), 1U);
  EXPECT_EQ(report.figures.spreads[0].settings, 2U);
  const std::string html = bench_html(report), text = bench_text(report, {}), markdown = bench_markdown(report);
  expect_balanced_tags(std::regex_replace(html, std::regex("<[a-z]+[^>]*/>"), ""));  // SVG closes its own
  EXPECT_EQ(count(html, "<svg"), 2U);
  EXPECT_EQ(count(html, "<b>zdt1"), 0U);
  EXPECT_EQ(count(html, "<polyline"), 3U);
  const Json json = bench_json(report);
  for (const BenchRow& row : report.figures.rows) {
    const std::string mean = fmt::format("{:.4f} ±", row.cells.back().quality->mean);
    for (const std::string* form : {&html, &text, &markdown}) {
      EXPECT_THAT(*form, HasSubstr(mean));
      EXPECT_THAT(*form, HasSubstr(row.label));
    }
  }
  ASSERT_EQ(report.figures.reach->targets.size(), 2U);
  const ReachRow& random = report.figures.reach->targets[0].rows[1];  // random beside nsga2 population=6
  EXPECT_EQ(random.row, 2U);
  EXPECT_EQ(json.at("reach").at("searcher"), "nsga2 population=6");
  EXPECT_EQ(json.at("reach").at("targets")[0].at("rows")[1].at("label"), "random");
  const Json needed = json.at("reach").at("targets")[0].at("rows")[1].at("evaluations");
  EXPECT_EQ(needed, random.evaluations ? Json(*random.evaluations) : Json());
  const std::string said = random.evaluations ? fmt::format("{}: {:.2f}", *random.evaluations, *random.ratio)
                                              : std::string("above 60: below 0.50");
  for (const std::string* form : {&html, &text, &markdown}) {
    EXPECT_THAT(*form, HasSubstr("Evaluations to reach nsga2 population=6"));
    EXPECT_THAT(*form, HasSubstr(said));
  }
  EXPECT_EQ(json.at("rows").size(), 3U);
  EXPECT_EQ(json.at("rows")[0].at("at")[1].at("mean"), report.figures.rows[0].cells[1].quality->mean);
}

}  // namespace
}  // namespace ridgeline::testing
