// Reports against a study small enough to be worked out by hand.
#include "experiments/report/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_html.hpp"
#include "experiments/report/report_text.hpp"
#include "tests/experiments/html_support.hpp"

namespace ridgeline {
namespace {

using testing::count;
using ::testing::ElementsAre;
using testing::expect_balanced_tags;
using testing::expect_self_contained;
using ::testing::HasSubstr;
using testing::markup;
using ::testing::Not;
using testing::page_data;

constexpr auto config_text = R"({"searcher": {"name": "random"}, "objectives": [
  {"name": "quality", "from": {"evaluator": "proxy", "quantity": "entropy"}},
  {"name": "latency_s", "screen": {"evaluator": "cost", "device": "toaster"}, "from": {"evaluator": "measured", "threads": 1}}],
  "constraints": [{"name": "parameters", "from": {"evaluator": "count", "quantity": "parameters"}}]})";

Trial trial(std::int64_t id, double quality, double latency_s, double parameters = 1e6) {
  Trial one;
  one.id = id;
  one.genome.genes = {static_cast<std::uint16_t>(id), 0};
  one.fidelity = Fidelity::measured;
  one.values = {-quality, latency_s, parameters};
  return one;
}

MeasurementRecord timing(std::int64_t trial_id, const char* purpose, double median_s, double half_width_s) {
  MeasurementRecord record;
  record.trial_id = trial_id;
  record.objective = "latency_s";
  record.purpose = purpose;
  record.protocol = R"({"cache":"hot","threads":1})";
  record.measurement.samples_s = {median_s, median_s, median_s};
  record.measurement.median_s = median_s;
  record.measurement.ci_low_s = median_s - half_width_s;
  record.measurement.ci_high_s = median_s + half_width_s;
  return record;
}

// Quality is maximised, latency minimised. Front of the feasible measured trials: 0 (q 2, 2 ms), 1 (q 4, 4 ms), 3 (q 5,
// 8 ms).
ReportInput hand_made() {
  ReportInput input;
  input.record.name = "hand";
  input.record.space_name = "made_up";
  input.record.config = config_text;
  input.record.command = "ridgeline search hand.json";
  input.record.objectives = {{"quality", "", Direction::maximise, std::nullopt, false},
                             {"latency_s", "s", Direction::minimise, std::nullopt, false},
                             {"parameters", "", Direction::minimise, 2e6, true}};
  input.trials = {trial(0, 2, 0.002), trial(1, 4, 0.004), trial(2, 3, 0.006), trial(3, 5, 0.008),
                  trial(4, 9, 0.001, 3e6)};
  input.trials[4].status = Status::infeasible;
  input.trials[4].violation = 0.5;
  input.trials[4].reason = "'parameters' above its limit";
  Trial failed = trial(5, 0, 0);
  failed.values.clear();
  failed.status = Status::unstable;
  failed.reason = "too noisy";
  input.trials.push_back(failed);
  input.record.trials = static_cast<std::int64_t>(input.trials.size());
  input.database = "hand.db";
  return input;
}

TEST(Report, FrontIsTheHandMadeOneInNaturalUnits) {
  const StudyReport report = make_report(hand_made());
  ASSERT_EQ(report.front.size(), 3U);
  std::vector<std::int64_t> ids;
  for (const FrontMember& member : report.front) ids.push_back(member.trial);
  EXPECT_THAT(ids, ElementsAre(3, 1, 0));  // by the first objective, best first
  EXPECT_THAT(report.front[0].values, ElementsAre(5.0, 0.008, 1e6));
  EXPECT_EQ(report.front_fidelity, Fidelity::measured);
}

TEST(Report, HypervolumeOfTheFrontIsTheSumOfItsRectangles) {
  const StudyReport report = make_report(hand_made());
  EXPECT_THAT(report.reference, ElementsAre(2.0, 0.008));  // worst feasible quality and latency
  // Only trial 1 is better than the reference in both: (4 - 2) * (8 - 4) ms.
  EXPECT_NEAR(report.final_hypervolume, 2 * 0.004, 1e-12);
  EXPECT_NEAR(report.hypervolume.back().value, 2 * 0.004 / (3 * 0.006), 1e-12);
  EXPECT_EQ(report.hypervolume.back().evaluations, 6);
  for (std::size_t i = 1; i < report.hypervolume.size(); ++i) {
    EXPECT_LT(report.hypervolume[i - 1].evaluations, report.hypervolume[i].evaluations);
    EXPECT_LE(report.hypervolume[i - 1].value, report.hypervolume[i].value + 1e-12);
  }
}

TEST(Report, OfOneObjectiveTheHistoryIsTheBestValue) {
  ReportInput input = hand_made();
  input.record.objectives[1].constraint_only = true;
  const StudyReport report = make_report(std::move(input));
  std::vector<double> best;
  for (const HypervolumeStep& step : report.hypervolume) best.push_back(step.value);
  EXPECT_THAT(best, ElementsAre(2.0, 4.0, 5.0, 5.0));
  ASSERT_EQ(report.front.size(), 1U);
  EXPECT_EQ(report.front[0].trial, 3);
}

TEST(Report, CountsReasonsAndLimits) {
  const StudyReport report = make_report(hand_made());
  EXPECT_EQ(report.counts[static_cast<std::size_t>(Status::ok)], 4);
  EXPECT_EQ(report.counts[static_cast<std::size_t>(Status::infeasible)], 1);
  EXPECT_EQ(report.counts[static_cast<std::size_t>(Status::unstable)], 1);
  ASSERT_EQ(report.reasons.size(), 2U);
  const ReportObjective& parameters = report.objectives[2];
  EXPECT_EQ(parameters.broken, 1);
  EXPECT_EQ(parameters.nearest, 1e6);
}

TEST(Report, ReasonsThatDifferByNumbersAreOne) {
  ReportInput input = hand_made();
  input.trials[5].reason = "spread 12.5 % (MAD of 20 samples) is above the limit";
  Trial other = input.trials[5];
  other.id = 6;
  other.reason = "spread 9 % (MAD of 1000 samples) is above the limit";
  input.trials.push_back(other);
  const StudyReport report = make_report(std::move(input));
  ASSERT_EQ(report.reasons.size(), 2U);
  EXPECT_EQ(report.reasons[0].trials, 2);
  EXPECT_EQ(report.reasons[0].reason, "spread 12.5 % (MAD of 20 samples) is above the limit");
}

TEST(Report, SaysWhatTheSearcherKnowsOfItself) {
  ReportInput input = hand_made();
  EXPECT_EQ(searcher_notes_text(make_report(input)), "");
  input.searcher_notes = {{"stage", "precision"},
                          {"architectures", 4},
                          {"searcher",
                           {{"predictors",
                             {{{"objective", input.record.objectives[1].name},
                               {"trials", 1200},
                               {"mean_absolute_error", 0.0004},
                               {"mean_absolute_percentage_error", 8.25},
                               {"spearman", 0.875},
                               {"rounds", {0.002, 0.001, 0.0003}}},
                              {{"objective", input.record.objectives[0].name},
                               {"trials", 0},
                               {"mean_absolute_error", nullptr},
                               {"mean_absolute_percentage_error", nullptr},
                               {"spearman", nullptr},
                               {"rounds", Json::array()}}}}}}};
  const StudyReport report = make_report(input);
  const std::string text = searcher_notes_text(report);
  for (const char* part : {"stage: precision; architectures on the first stage's front: 4\n",
                           "1,200 predictions made before the trial: mean error 400.0 µs (8.25 % of the value), "
                           "Spearman 0.875; 2 rounds ago 2.000 ms, in the latest 300.0 µs\n",
                           "nothing was predicted yet\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(report_text(report, {}), HasSubstr(text));
  EXPECT_EQ(report_json(report).at("searcher_notes"), input.searcher_notes);
  EXPECT_THAT(report_markdown(report), HasSubstr("- stage: precision"));
  input.searcher_notes = {{"group", "hardware"}, {"searched", 40}};
  EXPECT_EQ(searcher_notes_text(make_report(input)), "hardware proposed and searched on: 40; nothing feasible yet\n");
  input.searcher_notes["best"] = {{"rows", 16}, {"dataflow", "ws"}};
  input.searcher_notes["quality"] = input.record.objectives[1].name;
  input.searcher_notes["value"] = 0.0005;
  EXPECT_EQ(searcher_notes_text(make_report(input)), "hardware proposed and searched on: 40; the best, " +
                                                         input.record.objectives[1].name +
                                                         " 500.0 µs: dataflow ws, rows 16\n");
}

TEST(Report, OverlappingIntervalsAreTies) {
  ReportInput input = hand_made();
  input.measurements = {timing(0, "search", 0.002, 0.0015), timing(1, "search", 0.004, 0.001),
                        timing(3, "search", 0.008, 0.001)};
  const StudyReport report = make_report(std::move(input));  // 0.5 to 3.5 ms, 3 to 5 ms, 7 to 9 ms
  EXPECT_FALSE(report.front[0].tied[1]);
  EXPECT_TRUE(report.front[1].tied[1]);
  EXPECT_TRUE(report.front[2].tied[1]);
  EXPECT_FALSE(report.front[1].tied[0]);  // quality was not measured
  EXPECT_THAT(front_table_text(report, {}), HasSubstr("≈ a tie"));
}

TEST(Report, VerificationReplacesTheSearchsInterval) {
  ReportInput input = hand_made();
  input.measurements = {timing(1, "verify", 0.0044, 0.0001), timing(1, "search", 0.004, 0.001)};
  const StudyReport report = make_report(std::move(input));
  ASSERT_TRUE(report.front[1].intervals[1].has_value());
  EXPECT_NEAR(report.front[1].intervals[1]->low, 0.0043, 1e-12);
  EXPECT_TRUE(report.front[1].intervals[1]->again);
  EXPECT_EQ(report.front[1].values[1], 0.004);  // what the search went by stays beside it
  EXPECT_EQ(front_json(report).at(1).at("measured_again").at("latency_s"), 0.0044);
  EXPECT_THAT(front_table_text(report, {true, 140}), HasSubstr("4.400 [4.300, 4.500]"));
  EXPECT_THAT(report_html(report), HasSubstr("measured again, 95 % interval"));
}

TEST(Report, ComparesPredictionsAndVerificationsWithTheHandComputedErrors) {
  ReportInput input = hand_made();
  const double predicted[] = {0.0022, 0.004, 0.0057, 0.0088};  // +10 %, 0, -5 %, +10 %
  for (int i = 0; i < 4; ++i) {
    MeasurementRecord record = timing(i, "search", input.trials[static_cast<std::size_t>(i)].values[1], 1e-5);
    record.predicted = predicted[i];
    input.measurements.push_back(record);
  }
  input.measurements.push_back(timing(1, "verify", 0.005, 1e-5));
  const StudyReport report = make_report(std::move(input));
  ASSERT_EQ(report.comparisons.size(), 2U);
  const Comparison& screen = report.comparisons[0];
  EXPECT_EQ(screen.predicted_by, "cost model (device toaster)");
  EXPECT_EQ(screen.error.pairs, 4U);
  EXPECT_NEAR(screen.error.mape, 0.25 / 4, 1e-9);
  EXPECT_NEAR(screen.error.bias, 0.15 / 4, 1e-9);
  EXPECT_NEAR(screen.error.worst, 0.10, 1e-9);
  EXPECT_DOUBLE_EQ(*screen.error.spearman, 1.0);
  EXPECT_DOUBLE_EQ(*screen.error.kendall, 1.0);
  const Comparison& again = report.comparisons[1];
  EXPECT_EQ(again.error.pairs, 1U);
  EXPECT_NEAR(again.error.bias, -0.2, 1e-12);      // the search said 4 ms, the second look 5 ms
  EXPECT_FALSE(again.error.spearman.has_value());  // one pair has no rank
}

TEST(Report, ThinningIsEvenDeterministicAndKeepsTheFront) {
  ReportInput input = hand_made();
  const Trial first = input.trials[0], best = input.trials[3];
  input.trials.clear();
  for (int i = 0; i < 10000; ++i) {
    Trial one = i == 7777 ? best : first;
    one.id = i;
    if (i != 7777) one.values[1] += 1.0 + i;  // all dominated by earlier ones but the first
    input.trials.push_back(one);
  }
  ReportOptions options;
  options.most_points = 100;
  const StudyReport report = make_report(input, options), again = make_report(input, options);
  EXPECT_EQ(report.trials_with_values, 10000);
  EXPECT_GE(report.points.size(), 100U);
  EXPECT_LE(report.points.size(), 100U + report.front.size());
  const auto on_front =
      std::count_if(report.points.begin(), report.points.end(), [](const ReportPoint& p) { return p.on_front; });
  EXPECT_EQ(static_cast<std::size_t>(on_front), report.front.size());
  ASSERT_EQ(report.points.size(), again.points.size());
  for (std::size_t i = 0; i < report.points.size(); ++i) EXPECT_EQ(report.points[i].trial, again.points[i].trial);
  for (std::size_t i = 2; i < report.points.size(); ++i)
    EXPECT_LE(report.points[i].trial - report.points[i - 1].trial, 200);
}

TEST(Report, HistoryIsBoundedAndEndsWithTheLastTrial) {
  ReportInput input = hand_made();
  const Trial model = input.trials[0];
  input.trials.clear();
  for (int i = 0; i < 3000; ++i) {  // every trial joins the front: better quality, worse latency
    Trial one = model;
    one.id = i;
    one.values = {-1.0 - i, 1.0 + i, 1e6};
    input.trials.push_back(one);
  }
  ReportOptions options;
  options.most_steps = 50;
  const StudyReport report = make_report(std::move(input), options);
  EXPECT_LE(report.hypervolume.size(), 51U);
  EXPECT_GE(report.hypervolume.size(), 20U);
  EXPECT_EQ(report.hypervolume.back().evaluations, 3000);
}

TEST(Report, AnEmptyStudyHasAReportInEveryForm) {
  ReportInput input = hand_made();
  input.trials.clear();
  input.record.trials = 0;
  const StudyReport report = make_report(std::move(input));
  EXPECT_TRUE(report.front.empty());
  EXPECT_THAT(report_html(report), HasSubstr("No trial has been evaluated yet."));
  EXPECT_THAT(report_text(report, {}), HasSubstr("no feasible candidate"));
  EXPECT_THAT(report_markdown(report), HasSubstr("No feasible candidate was found."));
  EXPECT_TRUE(report_json(report).at("front").empty());
}

TEST(Report, ProxiesAreNamedAsProxiesEverywhere) {
  const StudyReport report = make_report(hand_made());
  EXPECT_EQ(report.objectives[0].label, "quality (training-free proxy)");
  EXPECT_EQ(report.objectives[1].label, "latency");
  EXPECT_THAT(report_text(report, {}), HasSubstr("quality (training-free proxy)"));
  EXPECT_THAT(report_markdown(report), HasSubstr("quality (training-free proxy)"));
  EXPECT_THAT(report_html(report), HasSubstr("is a training-free proxy, not a trained accuracy"));
  EXPECT_TRUE(report_json(report).at("objectives").at(0).at("proxy").get<bool>());
}

// ---- HTML ----

ReportInput hostile() {
  ReportInput input = hand_made();
  input.record.name = "</script><script>alert(1)</script>{{vega}}";
  input.record.command = "ridgeline search \"<b>\" --set 'a&b'";
  input.record.objectives[0].name = "<img src=x onerror=alert(2)>";
  input.trials[4].reason = "</table><iframe src=http://evil.example/>";
  return input;
}

TEST(ReportHtml, UserTextsStayText) {
  const std::string html = report_html(make_report(hostile()));
  EXPECT_EQ(count(html, "<script"), 3U);  // data, Vega, charts
  EXPECT_EQ(count(html, "</script>"), 3U);
  const std::string page = markup(html);
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<iframe")));
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{vega}}"));
  EXPECT_THAT(page, HasSubstr("--set &#39;a&amp;b&#39;"));
}

TEST(ReportHtml, TagsAreBalanced) {
  for (const ReportInput& input : {hand_made(), hostile()}) expect_balanced_tags(report_html(make_report(input)));
}

TEST(ReportHtml, LoadsNothingFromAnywhere) { expect_self_contained(report_html(make_report(hand_made()))); }

TEST(ReportHtml, ItsDataIsTheStudys) {
  const StudyReport report = make_report(hostile());
  const std::string html = report_html(report);
  const Json data = page_data(html);
  EXPECT_EQ(data.at("points").size(), 5U);
  EXPECT_EQ(data.at("objectives").at(0).at("label"), "<img src=x onerror=alert(2)>");
  const Json& point = data.at("points").at(3);
  EXPECT_EQ(point.at(0), 3);
  EXPECT_EQ(point.at(3), true);
  EXPECT_EQ(point.at(5).at(1), 0.008);
  EXPECT_EQ(data.at("objectives").at(1).at("factor"), 1e-3);
}

// ---- other forms ----

TEST(ReportJson, HoldsTheFrontInNaturalUnits) {
  const Json json = report_json(make_report(hand_made()));
  EXPECT_EQ(json.at("front").at(1).at("values").at("latency_s"), 0.004);
  EXPECT_EQ(json.at("front").at(1).at("values").at("quality"), 4.0);
  EXPECT_EQ(json.at("counts").at("ok"), 4);
  EXPECT_EQ(json.at("study").at("command"), "ridgeline search hand.json");
}

TEST(ReportCsv, HasEveryTrialWithExactNumbersAndQuotedText) {
  ReportInput input = hand_made();
  input.trials[0].values[1] = 0.1 + 0.2;  // 0.30000000000000004
  input.trials[5].reason = "said \"no\", twice";
  const std::vector<Trial> trials = input.trials;
  const std::string csv = trials_csv(make_report(std::move(input)), trials, nullptr);
  EXPECT_THAT(csv, ::testing::StartsWith("trial,status,fidelity,front,quality,latency_s,parameters,reason,genes\r\n"));
  EXPECT_EQ(count(csv, "\r\n"), 7U);
  EXPECT_THAT(csv, HasSubstr("0.30000000000000004"));
  EXPECT_THAT(csv, HasSubstr("5,unstable,measured,0,,,,\"said \"\"no\"\", twice\",\"[5,0]\"\r\n"));
  EXPECT_THAT(csv, HasSubstr("3,ok,measured,1,5,0.008,1000000,"));
}

TEST(ReportMarkdown, EscapesWhatWouldBreakATable) {
  ReportInput input = hand_made();
  input.record.objectives[0].name = "a|b";
  const std::string text = front_markdown(make_report(std::move(input)));
  EXPECT_THAT(text, HasSubstr("a\\|b"));
  EXPECT_THAT(text, HasSubstr("| 1 | 4"));
  EXPECT_EQ(count(text, "\n"), 5U);  // head, rule, three members
}

}  // namespace
}  // namespace ridgeline
