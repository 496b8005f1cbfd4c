// ridgeline memory: the plan printed, drawn and as JSON, of a network and of a stored trial.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/cli/child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class Memory : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  TemporaryFolder folder_;
};

// Of a plan's JSON: buffers that live at the same time lie apart, and the highest end is the arena.
void expect_valid(const Json& plan) {
  std::int64_t top = 0;
  const Json& buffers = plan["buffers"];
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Json& a = buffers[i];
    const auto end = a["offset_bytes"].get<std::int64_t>() + a["bytes"].get<std::int64_t>();
    top = std::max(top, end);
    for (std::size_t j = 0; j < i; ++j) {
      const Json& b = buffers[j];
      if (a["first_step"] > b["last_step"] || b["first_step"] > a["last_step"]) continue;
      const auto other = b["offset_bytes"].get<std::int64_t>() + b["bytes"].get<std::int64_t>();
      EXPECT_TRUE(end <= b["offset_bytes"].get<std::int64_t>() || other <= a["offset_bytes"].get<std::int64_t>());
    }
  }
  EXPECT_EQ(top, plan["arena_bytes"]);
  EXPECT_GE(plan["arena_bytes"], plan["lower_bound_bytes"]);
}

TEST_F(Memory, PlansDrawsAndSchedules) {
  const std::vector<std::string> network{"memory", "mobilenet_v2", "--seed", "3", "--format", "int8"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), network.begin(), network.end());
    return run(more);
  };
  const Json whole = parsed(with({"--json"}));
  expect_valid(whole);
  const Json patched = parsed(with({"--patch-layers", "3", "--patch-grid", "3", "--json"}));
  expect_valid(patched);
  EXPECT_EQ(patched["patches"]["whole_arena_bytes"], whole["arena_bytes"]);
  EXPECT_GT(patched["extra_macs"], 0);
  const Json less = parsed(with({"--no-fusion", "--no-in-place", "--json"}));
  EXPECT_GT(less["arena_bytes"], whole["arena_bytes"]);
  const Outcome drawn = with({"--patch-layers", "3", "--patch-grid", "3", "--svg", "plan.svg"});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_THAT(drawn.out,
              AllOf(HasSubstr("extra MACs where they overlap"), HasSubstr("offset"), HasSubstr("depthwise")));
  std::ifstream file(folder_.file("plan.svg"));
  std::stringstream svg;
  svg << file.rdbuf();
  EXPECT_THAT(svg.str(), AllOf(HasSubstr("<svg"), HasSubstr("once a patch"), HasSubstr("</svg>")));
  const Json schedules = parsed(with({"--schedules", "--json"}))["schedules"];
  ASSERT_GT(schedules.size(), 2U);
  for (std::size_t i = 1; i < schedules.size(); ++i) {
    EXPECT_LT(schedules[i]["arena_bytes"], schedules[i - 1]["arena_bytes"]);
    EXPECT_GT(schedules[i]["extra_macs"], schedules[i - 1]["extra_macs"]);
  }
}

TEST_F(Memory, SaysWhatIsWrong) {
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    return outcome.err;
  };
  EXPECT_THAT(refused({"memory"}), HasSubstr("neither"));
  EXPECT_THAT(refused({"memory", "mobilenet_v2", "--patch-layers", "3"}), HasSubstr("--patch-grid"));
  EXPECT_THAT(refused({"memory", "mobilenet_v2", "--patch-layers", "4", "--patch-grid", "2000"}),
              HasSubstr("patch-grid"));
  EXPECT_THAT(refused({"memory", "mobilenet_v2", "--patch-layers", "4000", "--patch-grid", "2"}), HasSubstr("runs as"));
  EXPECT_THAT(refused({"memory", "mobilenet_v2", "--device", "raspberry_pi_4"}), HasSubstr("microcontroller"));
  EXPECT_THAT(refused({"memory", "mobilenet_v2", "--trial", "3"}), HasSubstr("--study"));
  EXPECT_THAT(refused({"memory", "--study", "any", "--seed", "3"}), HasSubstr("a trial has its own"));
  EXPECT_EQ(run({"memory", "--study", "any", "--db", "none.db"}).code, 4);
}

TEST_F(Memory, WhatDoesNotFitTheDeviceEndsWithThree) {
  const Outcome outcome = run({"memory", "mobilenet_v2", "--seed", "3", "--device", "stm32f746"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.out, HasSubstr("does not fit"));
}

TEST_F(Memory, TheShippedStudyFindsWhatFitsAndDrawsIt) {
  const Outcome found = run({"search", "mcu_mobilenet_v2", "--trials", "300", "--quiet", "--db", "x.db"});
  ASSERT_EQ(found.code, 0) << found.err;
  EXPECT_TRUE(folder_.has("plan.svg"));
  const Json front = parsed(run({"pareto", "mcu_mobilenet_v2", "--db", "x.db", "--json"}))["front"];
  ASSERT_GT(front.size(), 0U);
  const Json plan = parsed(run({"memory", "--study", "mcu_mobilenet_v2", "--db", "x.db", "--json"}));
  expect_valid(plan);
  EXPECT_EQ(plan["device"]["name"], "STM32F746");
  EXPECT_EQ(plan["device"]["fits"], true);
  const std::string small = "constraints[0].limit=32768", tiny = "constraints[0].limit=9000";
  const std::string choices = "choices={\"resolution\":[48,64,80]}";
  EXPECT_EQ(run({"search", "mcu_mobilenet_v2", "--trials", "600", "--quiet", "--db", "x.db", "--name", "small", "--set",
                 small, "--set", choices})
                .code,
            0);
  const Outcome nothing = run(
      {"search", "mcu_mobilenet_v2", "--trials", "300", "--quiet", "--db", "x.db", "--name", "tiny", "--set", tiny});
  EXPECT_EQ(nothing.code, 3);
  EXPECT_THAT(nothing.err, AllOf(HasSubstr("'sram_bytes' <= 9000 B"), HasSubstr("the nearest reached")));
}

}  // namespace
}  // namespace ridgeline
