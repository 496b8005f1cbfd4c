// Archives of elites: a hand-made one, and one of a search against a plain loop over its trials.
#include "experiments/report/elites.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/study/study_parts.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// {"parameters" maximised, "macs" minimised} in nasbench_macro; genes beyond the first are 0.
struct Made {
  std::uint16_t gene;
  double parameters, macs;
  Status status = Status::ok;
  Fidelity fidelity = Fidelity::analytic;
};

class Elites : public ::testing::Test {
 protected:
  // Trials as a search of `study` would have stored them.
  void keep(const Json& study, const std::vector<Made>& made) {
    const StudyConfig config = config_of(study);
    StudyRecord record;
    record.name = config.name;
    record.space_name = config.space;
    record.space_fingerprint = resources().load_space(config.space, config.space_options).fingerprint();
    record.config = config.canonical.dump();
    record.objectives = objectives_of(config);
    Store store(path_, Store::Mode::write);
    const StudyId id = store.open_study(record).id;
    std::vector<Trial> trials;
    for (const Made& one : made) {
      Trial trial;
      trial.id = static_cast<std::int64_t>(trials.size());
      trial.genome.genes.assign(8, 0);
      trial.genome.genes[0] = one.gene;
      trial.status = one.status;
      trial.fidelity = one.fidelity;
      if (one.status == Status::ok || one.status == Status::infeasible) trial.values = {-one.parameters, one.macs};
      if (one.status != Status::ok) trial.reason = "made so";
      if (one.status == Status::infeasible) trial.violation = 1.0;
      trials.push_back(std::move(trial));
    }
    store.append(id, trials, {}, std::nullopt);
  }
  ElitesReport report(const ElitesOptions& options) const {
    return elites_of(Store(path_, Store::Mode::read), resources(), options);
  }
  std::string refusal(const ElitesOptions& options) const {
    return what_of([&] { report(options); });
  }
  Scratch scratch_;
  std::string path_ = scratch_.path("a.db");
};

const std::vector<Made> archive = {
    {0, 5, 10},                        // cell 0 of macs, id
    {0, 7, 20},                        // the same, better
    {0, 7, 20},                        // as good, later
    {1, 9, 30},                        // cell 1, ir_3x3_t3
    {2, 3, 75},                        // cell 3: the lower bound of a cell is in it
    {2, 4, 500},                       // beyond the range: the last cell too
    {1, 100, 60, Status::infeasible},  // never
    {1, 100, 60, Status::failed},
};

TEST_F(Elites, AHandMadeArchive) {
  keep(small_study("made"), archive);
  const ElitesReport made = report({.study = "made", .by = {"macs=0:100:4", "layer[0]"}});
  EXPECT_EQ(made.cells, 12U);
  EXPECT_EQ(made.candidates, 6U);
  ASSERT_EQ(made.elites.size(), 3U);
  EXPECT_THAT(made.elites[0].place, ElementsAre(0, 0));
  EXPECT_EQ(made.elites[0].trial, 1);
  EXPECT_THAT(made.elites[1].place, ElementsAre(1, 1));
  EXPECT_EQ(made.elites[1].trial, 3);
  EXPECT_THAT(made.elites[2].place, ElementsAre(3, 2));
  EXPECT_EQ(made.elites[2].trial, 5);
  EXPECT_DOUBLE_EQ(made.coverage(), 0.25);
  EXPECT_EQ(made.worst, 3);
  EXPECT_EQ(made.qd_score, 4 + 6 + 1);
  EXPECT_THAT(made.axes[0].bounds, ElementsAre(0, 25, 50, 75, 100));
  EXPECT_THAT(made.axes[1].labels, ElementsAre("id", "ir_3x3_t3", "ir_5x5_t6"));
  const auto table = elites_table(made);
  ASSERT_EQ(table.size(), 4U);
  EXPECT_EQ(table[0][0], 0U);
  EXPECT_EQ(table[2][1], std::nullopt);
}

TEST_F(Elites, AnotherScoreAndAnAxisThatIsMaximised) {
  keep(small_study("made"), archive);
  const ElitesReport made = report({.study = "made", .by = {"parameters=0.5:10.5:5"}, .score = "macs"});
  // 5, 7, 7, 9, 3 and 4 parameters are in cells 2, 3, 3, 4, 1 and 1; fewest MACs are best.
  ASSERT_EQ(made.elites.size(), 4U);
  EXPECT_THAT(made.elites[0].place, ElementsAre(1));
  EXPECT_EQ(made.elites[0].trial, 4);
  EXPECT_EQ(made.elites[1].trial, 0);
  EXPECT_EQ(made.elites[2].trial, 1);
  EXPECT_THAT(made.elites[3].place, ElementsAre(4));
  EXPECT_EQ(made.worst, 500);
  EXPECT_EQ(made.qd_score, (500 - 75) + (500 - 10) + (500 - 20) + (500 - 30));
}

TEST_F(Elites, QuestionsAreAnswered) {
  keep(small_study("made"), archive);
  const std::vector<std::string> by{"macs=0:100:4", "layer[0]"};
  const auto where = [&](const std::vector<std::string>& conditions) {
    return report({.study = "made", .by = by, .where = conditions}).answer.value();
  };
  EXPECT_EQ(where({"macs<30"}).best->trial, 1);
  EXPECT_EQ(where({"macs<30"}).meeting, 3U);
  EXPECT_EQ(where({"macs<=30"}).best->trial, 3);
  EXPECT_EQ(where({"macs>30", "layer[0]=ir_5x5_t6"}).best->trial, 5);
  EXPECT_EQ(where({"parameters=5"}).best->trial, 0);
  // Ranges: macs 490, parameters 6. Nothing has more than 9; 7 misses by 3/6, 9 by 1/6.
  const ElitesAnswer none = where({"parameters>=10"});
  EXPECT_FALSE(none.best);
  EXPECT_EQ(none.meeting, 0U);
  EXPECT_EQ(none.nearest->trial, 3);
  EXPECT_EQ(where({"macs<30", "layer[0]=ir_3x3_t3"}).nearest->trial, 3) << "a strict bound is missed at 0 distance";

  const auto near = [&](const std::vector<std::string>& there) {
    return report({.study = "made", .by = by, .near = there}).neighbour.value();
  };
  EXPECT_EQ(near({"macs=26"}).elite.trial, 3);
  EXPECT_EQ(near({"macs=26"}).distance, 0.0);
  // From cell (2, id): (0, id) is 2 away, (1, ir) and (3, ir) are both the root of 2, and 9 parameters are more than 4.
  EXPECT_EQ(near({"macs=60", "layer[0]=id"}).elite.trial, 3);
  EXPECT_DOUBLE_EQ(near({"macs=60", "layer[0]=id"}).distance, std::sqrt(2.0));
}

TEST_F(Elites, OnlyTheHighestFidelityCounts) {
  std::vector<Made> mixed = archive;
  mixed.push_back({0, 6, 21, Status::ok, Fidelity::measured});
  keep(small_study("made"), mixed);
  const ElitesReport made = report({.study = "made", .by = {"layer[0]"}});
  EXPECT_EQ(made.candidates, 1U);
  EXPECT_EQ(made.fidelity, Fidelity::measured);
  EXPECT_EQ(made.elites.front().trial, 8);
  EXPECT_EQ(made.qd_score, 0);
}

TEST_F(Elites, TheArchiveOfASearchIsThatOfAPlainLoop) {
  Json study = small_study("s");
  study["searcher"] = Json::parse(R"({"name": "map-elites", "descriptors": [
      {"objective": "macs", "from": 1e7, "to": 9e7, "cells": 6}, {"dimension": "layer[6]"}, {"dimension": "layer[7]"}]})");
  study["stop"]["trials"] = 150;
  run_study(study, path_);
  const ElitesReport made = report({.study = "s"});  // by its own descriptors
  std::map<std::vector<std::size_t>, double> best;
  double worst = 1e300;
  for (const Trial& trial : trials_of(path_, "s")) {
    const double part = std::floor((trial.values[1] - 1e7) / 8e7 * 6);
    const std::vector<std::size_t> place{static_cast<std::size_t>(std::min(5.0, std::max(0.0, part))),
                                         trial.genome.genes[6], trial.genome.genes[7]};
    const double score = -trial.values[0];
    worst = std::min(worst, score);
    const auto [at, fresh] = best.try_emplace(place, score);
    if (!fresh) at->second = std::max(at->second, score);
  }
  ASSERT_EQ(made.elites.size(), best.size());
  EXPECT_EQ(made.cells, 54U);
  double sum = 0.0;
  for (const Elite& elite : made.elites) {
    EXPECT_EQ(elite.score, best.at(elite.place));
    sum += elite.score - worst;
  }
  EXPECT_DOUBLE_EQ(made.qd_score, sum);
  const Json json = elites_json(made);
  EXPECT_EQ(json.at("filled"), best.size());
  EXPECT_EQ(json.at("elites").size(), best.size());
}

TEST_F(Elites, PicturesAndTextSayTheSame) {
  keep(small_study("a <b> & c"), archive);
  const ElitesReport made =
      report({.study = "a <b> & c", .by = {"macs=0:100:4", "layer[0]"}, .where = {"macs<30"}, .near = {"macs=60"}});
  const std::string svg = elites_svg(made);
  EXPECT_THAT(svg, AllOf(HasSubstr("a &lt;b&gt; &amp; c"), HasSubstr("3 of 12 cells"), HasSubstr("trial 5")));
  std::size_t empty = 0;
  for (std::size_t at = svg.find("class=\"empty\""); at != std::string::npos;
       at = svg.find("class=\"empty\"", at + 1)) {
    ++empty;
  }
  EXPECT_EQ(empty, 9U);
  EXPECT_THAT(elites_html(made), AllOf(HasSubstr(svg), HasSubstr("macs&lt;30"), HasSubstr("ir_5x5_t6")));
  const std::string text = elites_text(made, {});
  EXPECT_THAT(text, AllOf(HasSubstr("3 of 12 cells hold a candidate (25.0 %)"), HasSubstr("QD score 11"),
                          HasSubstr("best of 3 with macs<30"), HasSubstr("trial 1")));
  // Of one axis a column; text is a list then.
  const ElitesReport single = report({.study = "a <b> & c", .by = {"layer[0]"}});
  EXPECT_THAT(elites_svg(single), HasSubstr("ir_3x3_t3"));
  EXPECT_THAT(elites_text(single, {}), HasSubstr("ir_3x3_t3"));
}

TEST_F(Elites, MistakesSayWhatToDo) {
  keep(small_study("made"), archive);
  const std::vector<std::string> by{"layer[0]"};
  EXPECT_THAT(refusal({.study = "mad", .by = by}), HasSubstr("did you mean 'made'?"));
  EXPECT_THAT(refusal({.study = "made"}), AllOf(HasSubstr("searched by random"), HasSubstr("--by macs")));
  EXPECT_THAT(refusal({.study = "made", .by = {"mac"}}), HasSubstr("did you mean 'macs'?"));
  EXPECT_THAT(refusal({.study = "made", .by = {"layer[0]=0:1"}}), HasSubstr("layer[0] alone"));
  EXPECT_THAT(refusal({.study = "made", .by = {"macs=1:0:5"}}), HasSubstr("ascend"));
  EXPECT_THAT(refusal({.study = "made", .by = {"macs=0:nan"}}), HasSubstr("two numbers"));
  EXPECT_THAT(refusal({.study = "made", .by = {"macs=0:1:2.5"}}), HasSubstr("cells"));
  EXPECT_THAT(refusal({.study = "made", .by = {"macs=0"}}), HasSubstr("FROM:TO"));
  EXPECT_THAT(refusal({.study = "made", .by = {"macs=0:1:100000", "parameters=0:1:100000"}}), HasSubstr("1000000"));
  EXPECT_THAT(refusal({.study = "made", .by = by, .score = "mac"}), HasSubstr("did you mean 'macs'?"));
  EXPECT_THAT(refusal({.study = "made", .by = by, .where = {"macs"}}), HasSubstr("NAME<VALUE"));
  EXPECT_THAT(refusal({.study = "made", .by = by, .where = {"macs<many"}}), HasSubstr("'many'"));
  EXPECT_THAT(refusal({.study = "made", .by = by, .where = {"layer[0]<2"}}), HasSubstr("layer[0]=CHOICE"));
  EXPECT_THAT(refusal({.study = "made", .by = by, .where = {"layer[0]=idd"}}), HasSubstr("did you mean 'id'?"));
  EXPECT_THAT(refusal({.study = "made", .by = by, .near = {"macs=1"}}), HasSubstr("axes of --by"));
  keep(small_study("empty"), {{0, 1, 1, Status::failed}});
  EXPECT_THAT(refusal({.study = "empty", .by = by}), AllOf(HasSubstr("a feasible trial"), HasSubstr("resume empty")));
}

}  // namespace
}  // namespace ridgeline::testing
