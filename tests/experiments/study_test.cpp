#include "experiments/study/study.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using End = StudyResult::End;

class StudyTest : public ::testing::Test {
 protected:
  std::string database() const { return scratch_.path("a.db"); }
  StudyResult run(const Json& study, StudyHooks hooks = {}) { return run_study(study, database(), std::move(hooks)); }
  std::vector<Trial> trials() const { return trials_of(database(), "s"); }
  std::string state() const { return Store(database(), Store::Mode::read).find("s")->state; }
  Scratch scratch_;
};

TEST_F(StudyTest, EveryGenomeIsAnsweredAndEveryFunctionEvaluatedOnce) {
  Json study = small_study("s");
  study["searcher"] = {{"name", "exhaustive"}};
  study["batch"] = 500;
  study["stop"]["trials"] = 100'000;
  const StudyResult result = run(study);
  EXPECT_EQ(result.end, End::exhausted);
  EXPECT_EQ(state(), "done");
  const SearchSpace space = SearchSpace::load(resources().space("nasbench_macro"));
  std::map<std::uint64_t, std::pair<double, double>> functions;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const Design design = space.decode(space.at(i).value());
    functions[function_hash(design)] = {-static_cast<double>(parameters(design.network)),
                                        static_cast<double>(macs(design.network))};
  }
  const std::vector<Trial> all = trials();
  ASSERT_EQ(all.size(), functions.size());
  EXPECT_LT(functions.size(), 6561U);
  EXPECT_EQ(result.saved, (SavedEvaluations{0, 6561 - static_cast<std::int64_t>(functions.size())}));
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].id, static_cast<std::int64_t>(i));
    ASSERT_EQ(all[i].values[0], functions.at(all[i].function_hash).first);
    ASSERT_EQ(all[i].values[1], functions.at(all[i].function_hash).second);
  }
  EXPECT_EQ(run(study).trials, static_cast<std::int64_t>(all.size())) << "a finished study does nothing more";
}

// Su et al. publish accuracy, parameters and FLOPs of all networks; the front of accuracy against FLOPs has 35 points.
TEST_F(StudyTest, ExactFrontOfNasBenchMacro) {
  if (!std::filesystem::exists(data_folder() + "/tables/nasbench_macro_cifar10.csv.gz")) {
    GTEST_SKIP() << "no tables/nasbench_macro_cifar10.csv.gz in " << data_folder();
  }
  const StudyConfig config = load_study("nasbench_macro_front", {"name=s"}, resources());
  Store store(database(), Store::Mode::write);
  const StudyResult result = Study(config, resources(), store, "test").run();
  EXPECT_EQ(result.end, End::exhausted);
  ASSERT_EQ(result.front.size(), 35U);
  std::vector<Point> points;
  for (const Trial& trial : result.front) points.push_back({trial.values[0], trial.values[1] / 1e6});
  EXPECT_NEAR(hypervolume(points, {-80.0, 93.681}), 862.07, 0.005);
  double best = 0.0;
  for (const Trial& trial : trials()) {
    ASSERT_EQ(trial.values[1], trial.values[2]) << "the table's MACs are the network's";
    best = std::max(best, -trial.values[0]);
  }
  EXPECT_NEAR(best, 93.13, 0.005);
}

TEST_F(StudyTest, ShippedStudiesAreSound) {
  std::vector<std::string> names = resources().studies();
  EXPECT_GE(names.size(), 3U);
  for (const std::string& name : names) {
    const std::string problems = what_of([&] { load_study(name, {}, resources()); });
    const StudyConfig alone = peek_study(name, {}, resources());
    if (!alone.before.empty()) {  // nothing is missing but what its steps make, one file each
      EXPECT_EQ(std::ranges::count(problems, '\n') + 1, std::ssize(alone.before)) << problems;
      for (const StudyStep& step : alone.before) {
        const auto out = std::ranges::find(step.words, "--out");
        ASSERT_LT(out + 1, step.words.end()) << name;
        EXPECT_NE(problems.find(*(out + 1)), std::string::npos) << problems;
      }
      continue;
    }
    if (!std::filesystem::exists(data_folder() + "/tables")) {
      EXPECT_TRUE(problems.empty() || problems.find("RIDGELINE_DATA") != std::string::npos) << problems;
    } else {
      EXPECT_EQ(problems, "") << name;
    }
  }
}

TEST_F(StudyTest, AnImpossibleLimitEndsWithTheNearestValue) {
  Json study = small_study("s");
  study["objectives"][1]["limit"] = 1e7;
  study["constraints"] = {
      {{"name", "effectiveness"}, {"limit", 1e-9}, {"from", {{"evaluator", "proxy"}, {"quantity", "effectiveness"}}}}};
  const StudyResult result = run(study);
  EXPECT_EQ(result.end, End::infeasible);
  EXPECT_EQ(result.trials, 50);
  EXPECT_EQ(state(), "infeasible");
  EXPECT_TRUE(result.front.empty());
  double nearest = 1e300;
  std::int64_t id = -1;
  for (const Trial& trial : trials()) {
    EXPECT_EQ(trial.status, Status::infeasible);
    EXPECT_THAT(trial.reason, HasSubstr("'effectiveness' above its limit of 1e-09"));
    const double excess = (trial.values[2] - 1e-9) / 1e-9 + std::max(0.0, (trial.values[1] - 1e7) / 1e7);
    EXPECT_NEAR(trial.violation, excess, 1e-9 * excess);
    if (trial.values[2] < nearest) {
      nearest = trial.values[2];
      id = trial.id;
    }
  }
  char value[32];
  std::snprintf(value, sizeof value, "%.6g", nearest);
  EXPECT_THAT(result.infeasibility, AllOf(HasSubstr("'effectiveness' <= 1e-09"), HasSubstr(value),
                                          HasSubstr("(trial " + std::to_string(id) + ")")));
  ASSERT_FALSE(result.reasons.empty());
  std::int64_t counted = 0;
  for (const auto& [reason, count] : result.reasons) counted += count;
  EXPECT_EQ(counted, 50);
}

TEST_F(StudyTest, StagnationEndsAnImpossibleSearchEarly) {
  Json study = small_study("s");
  study["objectives"][1]["limit"] = 1.0;
  study["stop"] = {{"trials", 3000}, {"stagnation", 40}};
  const StudyResult result = run(study);
  EXPECT_EQ(result.end, End::infeasible);
  EXPECT_EQ(result.trials, 40);
}

TEST_F(StudyTest, ASpaceThatAdmitsNothingIsRefusedBeforeAnythingIsWritten) {
  Json space = JsonDocument::load(resources().space("nasbench_macro")).value();
  space["constraints"] = {{{"require", "layer[0] == 'id' and layer[0] != 'id'"}, {"why", "nothing is good enough"}}};
  Json study = small_study("s");
  study["space"] = scratch_.write("space.json", space.dump());
  EXPECT_THAT(what_of([&] { run(study); }), HasSubstr("nothing is good enough"));
  EXPECT_TRUE(Store(database(), Store::Mode::read).studies().empty());
}

TEST_F(StudyTest, StopsByStagnationWallClockSignalAndBudget) {
  Json study = small_study("s");
  study["stop"] = {{"trials", 3000}, {"stagnation", 60}};
  const StudyResult stagnated = run(study);
  EXPECT_EQ(stagnated.end, End::stagnation);
  EXPECT_LT(stagnated.trials, 3000);
  // Front members are the only trials that changed a front and stayed; the last change is not among the last 60.
  for (const Trial& member : stagnated.front) EXPECT_LE(member.id, stagnated.trials - 60);

  study["name"] = "slow";
  study["stop"] = {{"trials", 3000}, {"wall_s", 0.001}};
  const StudyResult timed_out = run(study);
  EXPECT_EQ(timed_out.end, End::wall_clock);
  EXPECT_LT(timed_out.trials, 3000);

  study = timed_study("s2");
  std::atomic<bool> stop = false;
  StudyHooks hooks;
  hooks.stop = &stop;
  std::int64_t seen = 0;
  hooks.progress = [&](const StudyProgress& progress) {
    EXPECT_GE(progress.trials, seen);
    seen = progress.trials;
    if (seen == 13) stop = true;
  };
  const StudyResult interrupted = run(study, hooks);
  EXPECT_EQ(interrupted.end, End::interrupted);
  EXPECT_EQ(interrupted.trials, 13) << "it ends after the candidate under way";
  EXPECT_EQ(Store(database(), Store::Mode::read).find("s2")->state, "interrupted");
  EXPECT_EQ(run(study).end, End::budget);
  EXPECT_EQ(trials_of(database(), "s2").size(), 50U);
}

TEST_F(StudyTest, ProgressShowsTheBestByTheFirstObjective) {
  StudyHooks hooks;
  double best = 0.0;
  hooks.progress = [&](const StudyProgress& progress) {
    EXPECT_EQ(progress.budget, 50);
    if (progress.best != nullptr) {
      EXPECT_LE(progress.best->values[0], best);
      best = progress.best->values[0];
      EXPECT_GE(progress.front_size, 1U);
    }
  };
  run(timed_study("s"), hooks);
  double expected = 0.0;
  for (const Trial& trial : trials()) expected = std::min(expected, trial.values[0]);
  EXPECT_EQ(best, expected);
}

TEST_F(StudyTest, AScreenLetsTheBestShareOfABatchBeTimed) {
  Json study = timed_study("s");
  study["objectives"][1]["screen"] = {{"evaluator", "cost"}, {"device", "raspberry_pi_4"}, {"keep", 0.25}};
  int timed = 0;
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    ++timed;
    return fake_timing(design, options);
  };
  study["stop"]["trials"] = 40;
  const StudyResult result = run(study, hooks);
  const std::vector<Trial> all = trials();
  std::size_t measured = 0;
  for (const Trial& trial : all) measured += trial.fidelity == Fidelity::measured ? 1 : 0;
  EXPECT_EQ(measured, static_cast<std::size_t>(timed));
  EXPECT_EQ(result.fidelity, Fidelity::measured);
  for (const Trial& member : result.front) EXPECT_EQ(member.fidelity, Fidelity::measured);
  // Nobody held back dominates, by the estimates, somebody who passed in the same batch of ten asked for; batches here
  // have at most ten new candidates, in order, so that no two of a batch are more than nine ids apart.
  const Store store(database(), Store::Mode::read);
  std::map<std::int64_t, double> predicted;
  for (const MeasurementRecord& record : store.measurements(result.study)) {
    EXPECT_EQ(record.purpose, "search");
    ASSERT_TRUE(record.predicted.has_value());
    predicted[record.trial_id] = *record.predicted;
  }
  EXPECT_EQ(predicted.size(), measured);
  EXPECT_GE(measured, all.size() / 4);
  EXPECT_LE(measured, all.size() / 4 + 4 + 6);
  // The first batch: ten asked for, ranked here by brute force.
  std::vector<const Trial*> first;
  for (const Trial& trial : all) {
    if (trial.id < 10) first.push_back(&trial);
  }
  const auto estimate = [&](const Trial& trial) {
    return trial.fidelity == Fidelity::measured ? predicted.at(trial.id) : trial.values[1];
  };
  for (const Trial* out : first) {
    if (out->fidelity == Fidelity::measured) continue;
    for (const Trial* in : first) {
      if (in->fidelity != Fidelity::measured) continue;
      const bool dominates = out->values[0] <= in->values[0] && estimate(*out) < estimate(*in);
      EXPECT_FALSE(dominates) << out->id << " was held back, " << in->id << " passed";
    }
  }
}

TEST_F(StudyTest, WhatBreaksACheapLimitIsNotTimed) {
  Json study = timed_study("s");
  study["constraints"] = {{{"name", "macs"}, {"limit", 4e7}, {"from", {{"evaluator", "count"}, {"quantity", "macs"}}}}};
  StudyHooks hooks;
  std::int64_t largest = 0;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    largest = std::max(largest, macs(design.network));
    return fake_timing(design, options);
  };
  run(study, hooks);
  EXPECT_GT(largest, 0);
  EXPECT_LE(largest, 40'000'000);
  int refused = 0;
  for (const Trial& trial : trials()) {
    if (trial.status != Status::infeasible) continue;
    ++refused;
    EXPECT_GT(trial.violation, 0.0);
    EXPECT_TRUE(trial.values.empty()) << "its latency is not known";
    EXPECT_THAT(trial.reason, HasSubstr("'macs' above its limit of 4e+07"));
  }
  EXPECT_GT(refused, 0);
}

TEST_F(StudyTest, FailuresOfCandidatesAreValues) {
  Json study = timed_study("s");
  StudyHooks hooks;
  hooks.measure = [](const Design& design, const MeasureOptions& options) {
    Measurement measurement = fake_timing(design, options);
    switch (function_hash(design) % 4) {
      case 0:
        measurement = {};
        measurement.outcome = Measurement::Outcome::unsupported;
        measurement.reason = "no such operator";
        break;
      case 1:
        measurement.outcome = Measurement::Outcome::unstable;
        measurement.reason = "spread above the limit";
        break;
      case 2:
        measurement.median_s = std::nan("");
        break;
      default:
        break;
    }
    return measurement;
  };
  const StudyResult result = run(study, hooks);
  EXPECT_EQ(result.end, End::budget);
  std::map<std::string, std::int64_t> reasons;
  for (const Trial& trial : trials()) {
    const Status expected[] = {Status::unsupported, Status::unstable, Status::failed, Status::ok};
    EXPECT_EQ(trial.status, expected[trial.function_hash % 4]);
    EXPECT_EQ(trial.has_values(), trial.status == Status::ok);
    if (trial.status != Status::ok) ++reasons[trial.reason];
  }
  EXPECT_EQ(reasons.size(), 3U);
  EXPECT_EQ((std::map<std::string, std::int64_t>(result.reasons.begin(), result.reasons.end())), reasons);
  EXPECT_GE(result.reasons[0].second, result.reasons[1].second);
}

TEST_F(StudyTest, StoredTimingsAreUsedAgainOnlyWhenAskedForAndSaySo) {
  Json study = timed_study("s");
  run(study);
  study["name"] = "again";
  int timed = 0;
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    ++timed;
    return fake_timing(design, options);
  };
  EXPECT_EQ(run(study, hooks).reused, 0);
  EXPECT_EQ(timed, 50);
  study["name"] = "reusing";
  study["objectives"][1]["from"]["reuse"] = true;
  const StudyResult result = run(study, hooks);
  EXPECT_EQ(timed, 50);
  EXPECT_EQ(result.reused, 50);
  for (const Trial& trial : trials_of(database(), "reusing")) EXPECT_THAT(trial.reason, HasSubstr("used again"));
  const Store store(database(), Store::Mode::read);
  for (const MeasurementRecord& record : store.measurements(result.study)) EXPECT_EQ(record.purpose, "reuse");
  study["name"] = "other protocol";
  study["objectives"][1]["from"]["cache"] = "cold";
  run(study, hooks);
  EXPECT_EQ(timed, 100);
}

TEST_F(StudyTest, TheFrontIsMeasuredAgainOnce) {
  Json study = timed_study("s");
  study["verify_front"] = true;
  study["objectives"][1]["screen"] = {{"evaluator", "cost"}, {"device", "raspberry_pi_4"}, {"keep", 1}};
  int timed = 0;
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    Measurement measurement = fake_timing(design, options);
    if (++timed <= 50) return measurement;
    for (double& sample : measurement.samples_s) sample *= 1.1;  // the second look is slower
    summarise(measurement, options.max_relative_mad);
    return measurement;
  };
  const StudyResult result = run(study, hooks);
  ASSERT_EQ(result.verified.size(), result.front.size());
  EXPECT_EQ(timed, 50 + static_cast<int>(result.front.size()));
  for (std::size_t i = 0; i < result.front.size(); ++i) {
    const Verified& verified = result.verified[i];
    EXPECT_EQ(verified.trial, result.front[i].id);
    EXPECT_EQ(verified.objective, 1U);
    EXPECT_EQ(verified.searched, result.front[i].values[1]);
    EXPECT_NEAR(verified.again.median_s, 1.1 * verified.searched, 1e-12);
    EXPECT_TRUE(verified.predicted.has_value());
  }
  EXPECT_EQ(sql(database(), "SELECT count(*) FROM measurements WHERE purpose = 'verify'"),
            std::to_string(result.front.size()));
  const int before = timed;
  EXPECT_EQ(run(study, hooks).verified.size(), result.front.size());
  EXPECT_EQ(timed, before) << "verified already";
}

TEST_F(StudyTest, TimingsOfAnotherMachineAreNotMixed) {
  const Json study = timed_study("s");
  run(study);
  sql(database(), "UPDATE environments SET description = replace(description, '\"isa\":\"', '\"isa\":\"other_')");
  EXPECT_THAT(what_of([&] { run(study); }), AllOf(HasSubstr("another machine"), HasSubstr("other_")));
}

TEST_F(StudyTest, AChangedDeviceFileIsAnotherStudy) {
  const std::string text = JsonDocument::load(resources().device("raspberry_pi_4")).value().dump();
  Json study = small_study("s");
  study["objectives"][1]["from"] = {{"evaluator", "cost"}, {"device", scratch_.write("device.json", text)}};
  run(study);
  run(study);
  Json device = Json::parse(text);
  device["peak_ops_per_s"]["f32"] = 1e9;
  scratch_.write("device.json", device.dump());
  EXPECT_THAT(what_of([&] { run(study); }), HasSubstr("another content of a file"));
}

TEST_F(StudyTest, TiesAreOverlappingIntervals) {
  Measurement a, b;
  a.ci_low_s = 1.0;
  a.ci_high_s = 2.0;
  b.ci_low_s = 1.9;
  b.ci_high_s = 3.0;
  EXPECT_TRUE(tied(a, b));
  EXPECT_TRUE(tied(b, a));
  b.ci_low_s = 2.1;
  EXPECT_FALSE(tied(a, b));
  EXPECT_FALSE(tied(b, a));
  b.ci_low_s = 0.5;
  EXPECT_TRUE(tied(a, b));
}

}  // namespace
}  // namespace ridgeline::testing
