// Stored studies compared: which are rows, which values count, and every form the result is written in.
#include "experiments/report/comparison_report.hpp"

#include <gmock/gmock.h>

#include "experiments/report/comparison_formats.hpp"
#include "experiments/study/study_variants.hpp"
#include "tests/experiments/html_support.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ComparisonReportTest : public ::testing::Test {
 protected:
  std::string database() const { return scratch_.path("study.db"); }
  // A study with variants of another seed and another searcher, all searched.
  void search(const std::string& name, std::uint64_t seed, const StudyHooks& hooks = {}) {
    Json study = small_study(name);
    study["seed"] = seed;
    study["compare"] = {{{"name", "evolved"}, {"override", {{"searcher", {{"name", "nsga2"}}}}}},
                        {{"name", "short"}, {"about", "fewer trials"}, {"override", {{"stop", {{"trials", 20}}}}}}};
    const StudyConfig config = config_of(study);
    run_study(study, database(), hooks);
    for (const VariantConfig& variant : config.variants)
      run_study(variant_document(config, variant), database(), hooks);
  }
  ComparisonReport compare(const std::vector<std::string>& studies, const std::string& baseline = "") const {
    return comparison_report_of(Store(database(), Store::Mode::read), studies, resources(), baseline);
  }
  std::string refusal(const std::vector<std::string>& studies, const std::string& baseline = "") const {
    return what_of([&] { compare(studies, baseline); });
  }
  static std::vector<std::string> variants(const ComparisonReport& report) {
    std::vector<std::string> names;
    for (const ComparisonRow& row : report.table.rows) names.push_back(row.variant);
    return names;
  }
  Scratch scratch_;
};

TEST_F(ComparisonReportTest, AStudyStandsBesideItsVariants) {
  search("s", 7);
  run_study(small_study("s2"), database());
  const ComparisonReport report = compare({"s"});
  EXPECT_THAT(variants(report), ElementsAre("s", "evolved", "short"));
  EXPECT_EQ(report.table.baseline, "short");
  EXPECT_EQ(report.studies[2].record.name, "s/short");
  EXPECT_EQ(report.studies[2].about, "fewer trials");
  EXPECT_EQ(report.studies[2].record.trials, 20);
  EXPECT_FALSE(report.grouped);
  EXPECT_FALSE(report.measured_again);
  EXPECT_THAT(report.notes, IsEmpty());
  for (const ComparedStudy& study : report.studies) {
    // Nothing was timed, so that what the search went by is what is compared.
    ASSERT_FALSE(study.history.empty());
    EXPECT_NEAR(study.history.back().value,
                report.table.fronts[static_cast<std::size_t>(&study - report.studies.data())].hypervolume, 1e-12);
    for (std::size_t i = 1; i < study.history.size(); ++i) {
      EXPECT_LE(study.history[i - 1].value, study.history[i].value + 1e-12);
    }
  }
  // The first 20 trials of the same search are the short one's.
  EXPECT_LE(report.table.fronts[2].hypervolume, report.table.fronts[0].hypervolume);
  EXPECT_EQ(compare({"s"}, "s").table.baseline, "s");
  EXPECT_EQ(compare({"s"}, "main").table.baseline, "s");
  EXPECT_EQ(compare({"s"}, "s/evolved").table.baseline, "evolved");
}

TEST_F(ComparisonReportTest, SeveralRunsAreAveragedByVariant) {
  search("one", 7);
  search("two", 8);
  const ComparisonReport report = compare({"one", "two"});
  EXPECT_TRUE(report.grouped);
  EXPECT_THAT(variants(report), ElementsAre("main", "evolved", "short"));
  const ComparisonRow& row = report.table.rows[1];
  ASSERT_THAT(row.fronts, ElementsAre(1, 4));
  EXPECT_EQ(report.studies[4].record.name, "two/evolved");
  const double a = report.table.fronts[1].hypervolume, b = report.table.fronts[4].hypervolume;
  EXPECT_NEAR(row.hypervolume.mean, (a + b) / 2, 1e-12);
  EXPECT_NEAR(*row.hypervolume.deviation, std::abs(a - b) / std::sqrt(2.0), 1e-12);
  EXPECT_THAT(comparison_text(report, {true, 120}), AllOf(HasSubstr("±"), HasSubstr("runs")));
  // One without variants: the studies themselves.
  run_study(small_study("plain"), database());
  EXPECT_THAT(variants(compare({"one", "plain"})), ElementsAre("one", "plain"));
  EXPECT_THAT(variants(compare({"one", "two/short"})), ElementsAre("one", "two/short"));
}

TEST_F(ComparisonReportTest, WhatWasMeasuredAgainReplacesWhatTheSearchWentBy) {
  Json study = timed_study("s");
  study["verify_front"] = true;
  int timed = 0;
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    Measurement measurement = fake_timing(design, options);
    if (++timed <= 50) return measurement;
    for (double& sample : measurement.samples_s) sample *= 1.25;  // the second look is slower
    summarise(measurement, options.max_relative_mad);
    return measurement;
  };
  run_study(study, database(), hooks);
  study["name"] = "once";
  study["verify_front"] = false;
  run_study(study, database());
  const ComparisonReport report = compare({"s", "once"});
  ASSERT_FALSE(report.studies[0].members.empty());
  for (const ComparedMember& member : report.studies[0].members) {
    EXPECT_TRUE(member.again);
    EXPECT_NEAR(member.values[1], 1.25 * member.member.values[1], 1e-12);
  }
  EXPECT_FALSE(report.studies[1].members.front().again);
  EXPECT_TRUE(report.measured_again);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("measured again at the end"), HasSubstr("once: not measured again")));
  // The same trials, each 1.25 times as slow.
  EXPECT_NEAR(*report.table.fronts[0].equal_quality->mean, 1 / 1.25, 1e-9);
  EXPECT_EQ(report.studies[0].history.back().value, report.studies[1].history.back().value);
}

TEST_F(ComparisonReportTest, ConstraintsTakeNoPartAndNothingFeasibleIsSaid) {
  search("s", 7);
  Json study = small_study("limited");
  study["constraints"] = {
      {{"name", "weight_bytes"}, {"limit", 1}, {"from", {{"evaluator", "count"}, {"quantity", "weight_bytes"}}}}};
  run_study(study, database());
  EXPECT_THAT(refusal({"s", "limited"}),
              AllOf(HasSubstr("the objectives of 's'"), HasSubstr("'limited': 'weight_bytes' is only limited")));
  study["name"] = "looser";
  study["constraints"][0]["limit"] = 1e12;
  run_study(study, database());
  const ComparisonReport report = compare({"limited", "looser"});
  EXPECT_THAT(report.objectives, SizeIs(2));
  EXPECT_THAT(report.table.box.ideal, SizeIs(2));
  EXPECT_EQ(report.table.fronts[0].members, 0U);
  EXPECT_EQ(report.table.fronts[0].hypervolume, 0.0);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("Without a feasible candidate: limited")));
  EXPECT_THAT(comparison_text(compare({"looser", "limited"}), {}), HasSubstr("Baseline: limited"));
}

TEST_F(ComparisonReportTest, RefusalsNameWhatIsThere) {
  search("study", 7);
  Json other = small_study("other");
  other["objectives"][0]["direction"] = "minimise";
  run_study(other, database());
  EXPECT_THAT(refusal({"stduy"}), AllOf(HasSubstr("'stduy'"), HasSubstr("did you mean 'study'?")));
  EXPECT_THAT(refusal({"other"}), AllOf(HasSubstr("a study with variants"), HasSubstr("'other', which has none")));
  EXPECT_THAT(refusal({"study", "study"}), HasSubstr("'study' twice"));
  EXPECT_THAT(refusal({"study", "other"}), AllOf(HasSubstr("'other': 'parameters' is minimised, without a unit"),
                                                 HasSubstr("where 'parameters' is maximised")));
  EXPECT_THAT(refusal({"study"}, "evovled"), AllOf(HasSubstr("--baseline"), HasSubstr("did you mean 'evolved'?")));
}

TEST_F(ComparisonReportTest, EveryFormHoldsTheSameFigures) {
  search("s", 7);
  const ComparisonReport report = compare({"s"}, "evolved");
  const Json json = comparison_json(report);
  EXPECT_EQ(json.at("rows").size(), 3U);
  EXPECT_EQ(json.at("baseline"), "evolved");
  EXPECT_EQ(json.at("rows")[0].at("hypervolume").at("mean"), report.table.fronts[0].hypervolume);
  EXPECT_EQ(json.at("studies")[0].at("at_equal_quality").at("mean_ratio"), *report.table.fronts[0].equal_quality->mean);
  EXPECT_EQ(json.at("ideal").at("macs"), report.table.box.ideal[1]);
  EXPECT_EQ(json.at("studies")[2].at("front").size(), report.studies[2].members.size());
  const std::string csv = comparison_csv(report);
  EXPECT_EQ(count(csv, "\r\n"), 4U);
  EXPECT_THAT(csv, HasSubstr("\nevolved,1,1,50,,"));
  const std::string text = comparison_text(report, {true, 120});
  EXPECT_THAT(text, AllOf(HasSubstr("times less macs at equal parameters"), HasSubstr("baseline"),
                          HasSubstr("reference point (parameters")));
  EXPECT_EQ(count(comparison_markdown(report), "\n|"), 4U);  // the rule and three rows below the heading
}

TEST_F(ComparisonReportTest, ThePageIsWholeAndHoldsEveryFront) {
  search("<s>", 7);
  search("two", 8);
  for (const ComparisonReport& report : {compare({"<s>"}), compare({"<s>", "two"})}) {
    const std::string html = comparison_html(report);
    expect_balanced_tags(html);
    expect_self_contained(html);
    EXPECT_THAT(markup(html), AllOf(HasSubstr("front-chart"), HasSubstr("progress-chart"), Not(HasSubstr("<s>"))));
    EXPECT_EQ(count(html, "{{"), count(html.substr(html.find("<script>")), "{{"));
    const Json data = page_data(html);
    ASSERT_EQ(data.at("studies").size(), report.studies.size());
    ASSERT_EQ(data.at("means").size(), 3U);
    EXPECT_EQ(data.at("grouped"), report.grouped);
    for (std::size_t i = 0; i < report.studies.size(); ++i) {
      EXPECT_EQ(data.at("studies")[i].at("members").size(), report.studies[i].members.size());
      EXPECT_EQ(data.at("rows")[data.at("studies")[i].at("row").get<std::size_t>()], report.studies[i].variant);
    }
  }
}

}  // namespace
}  // namespace ridgeline::testing
