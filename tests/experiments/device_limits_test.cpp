// What a device has only so much of is a constraint of the studies that cost candidates on it.
#include "experiments/study/device_limits.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hwmodels/hardware_model.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

Json latency_on(const std::string& device) {
  return {{"name", "latency_s"},
          {"unit", "s"},
          {"direction", "minimise"},
          {"from", {{"evaluator", "cost"}, {"device", device}}}};
}

Json mcu_study(const std::string& name) {
  return {
      {"ridgeline_study", 1},
      {"name", name},
      {"space", "mobilenet_v2_mcu"},
      {"searcher", {{"name", "nsga2"}, {"population", 24}}},
      {"batch", 24},
      {"objectives",
       {{{"name", "entropy"}, {"direction", "maximise"}, {"from", {{"evaluator", "proxy"}, {"quantity", "entropy"}}}},
        latency_on("stm32f746")}},
      {"stop", {{"trials", 240}}}};
}

TEST(DeviceLimits, AreAddedWhereTheStudyStatesNone) {
  Json study{{"objectives", {latency_on("stm32f746"), latency_on("raspberry_pi_4")}}};
  const Json limited = with_device_limits(study, resources());
  ASSERT_EQ(limited["constraints"].size(), 2U);
  EXPECT_EQ(limited["constraints"][0]["name"], "sram_bytes");
  EXPECT_EQ(limited["constraints"][0]["limit"], 327680);
  EXPECT_EQ(limited["constraints"][1]["limit"], 1048576);
  EXPECT_EQ(with_device_limits(limited, resources()), limited) << "once is enough";
  // A limit of the study's own stands in its place.
  study["constraints"] =
      Json::array({{{"name", "memory"},
                    {"limit", 1000},
                    {"from", {{"evaluator", "cost"}, {"device", "stm32f746"}, {"quantity", "sram_bytes"}}}}});
  const Json own = with_device_limits(study, resources());
  ASSERT_EQ(own["constraints"].size(), 2U);
  EXPECT_EQ(own["constraints"][1]["name"], "flash_bytes");
  // Names stay different.
  study["objectives"][0]["name"] = "flash_bytes";
  EXPECT_EQ(with_device_limits(study, resources())["constraints"][1]["name"], "flash_bytes of stm32f746");
  // What is wrong is left for the reader.
  for (const char* text : {"[]", "{}", R"({"objectives": 3})", R"({"objectives": [{"from": {"evaluator": "cost"}}]})",
                           R"({"objectives": [{"from": {"evaluator": "cost", "device": "nowhere"}}]})"}) {
    EXPECT_EQ(with_device_limits(Json::parse(text), resources()), Json::parse(text)) << text;
  }
}

TEST(DeviceLimits, GuideTheSearchToWhatFits) {
  const Scratch scratch;
  Store store(scratch.path("x.db"), Store::Mode::write);
  StudyConfig config = load_study(scratch.write("study.json", mcu_study("fits").dump()), {}, resources());
  ASSERT_EQ(config.objectives.size(), 4U);
  Study study(config, resources(), store, "test");
  const StudyResult result = study.run();
  EXPECT_NE(result.end, StudyResult::End::infeasible);
  ASSERT_FALSE(result.front.empty());
  const auto device = load_device(resources().device("stm32f746"));
  std::size_t infeasible = 0;
  for (const Trial& trial : store.load(result.study)) {
    const Cost cost = device->estimate(study.space().decode(trial.genome));
    const bool fits = cost.unsupported.empty();
    EXPECT_EQ(trial.status, fits ? Status::ok : Status::infeasible);
    ASSERT_TRUE(trial.has_values());
    double excess = 0;
    for (const ResourceUse& one : cost.resources) excess += std::max(0.0, one.used / one.available - 1);
    EXPECT_NEAR(trial.violation, excess, 1e-9);
    infeasible += fits ? 0 : 1;
  }
  EXPECT_GT(infeasible, 0U) << "some must be pushed back";
}

TEST(DeviceLimits, NothingFitsNamesTheTightestAndTheNearest) {
  const Scratch scratch;
  Store store(scratch.path("x.db"), Store::Mode::write);
  Json text = mcu_study("impossible");
  text["constraints"] =
      Json::array({{{"name", "sram_bytes"},
                    {"unit", "B"},
                    {"limit", 9000},
                    {"from", {{"evaluator", "cost"}, {"device", "stm32f746"}, {"quantity", "sram_bytes"}}}}});
  const StudyConfig config = load_study(scratch.write("study.json", text.dump()), {}, resources());
  const StudyResult result = Study(config, resources(), store, "test").run();
  EXPECT_EQ(result.end, StudyResult::End::infeasible);
  EXPECT_THAT(result.infeasibility, HasSubstr("no candidate meets 'sram_bytes' <= 9000 B; the nearest reached"));
  std::optional<double> nearest;
  for (const Trial& trial : store.load(result.study)) {
    if (!nearest || trial.values[2] < *nearest) nearest = trial.values[2];
  }
  EXPECT_THAT(result.infeasibility, HasSubstr(fmt::format("{:.6g} B", *nearest)));
}

}  // namespace
}  // namespace ridgeline::testing
