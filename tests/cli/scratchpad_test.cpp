// ridgeline scratchpad: ten library networks by every solver, the schedule that is printed, and bad input.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

Json compared(const std::string& space, int seed, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"scratchpad", space, "--seed", std::to_string(seed), "--format", "int8", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return parsed(run_ridgeline(arguments));
}

std::map<std::string, Json> by_solver(const Json& result) {
  std::map<std::string, Json> found;
  for (const Json& one : result.at("solvers")) found[one.at("solver")] = one;
  return found;
}

struct Network {
  const char* space;
  int seed;
};
// As experiments/peers/scratchpad_traffic.py finds them.
constexpr Network ten_networks[] = {
    {"nasbench201", 1}, {"resnet", 1}, {"vit_small", 1},    {"ofa_mobilenet_v3", 1}, {"mobilenet_small", 1},
    {"nasbench201", 2}, {"resnet", 2}, {"mobilenet_v2", 2}, {"vit_small", 2},        {"ofa_mobilenet_v3", 2}};

// What is saved of LRU's bytes beyond the compulsory, the mean over the networks; each optimum is proved.
double mean_share_below_lru(bool order_peak) {
  double sum = 0;
  for (const Network& network : ten_networks) {
    std::vector<std::string> more{"--compare"};
    if (order_peak) {
      const Json first = compared(network.space, network.seed, {"--solver", "lru"});
      more.insert(more.end(), {"--bytes", std::to_string(first.at("order_peak_bytes").get<std::int64_t>())});
    }
    const std::map<std::string, Json> found = by_solver(compared(network.space, network.seed, more));
    EXPECT_EQ(found.size(), 4U);
    const auto beyond = [&](const char* solver) { return found.at(solver).at("beyond_bytes").get<double>(); };
    EXPECT_GT(beyond("lru"), 0) << network.space;
    EXPECT_LE(beyond("exact"), beyond("divide")) << network.space;
    EXPECT_LE(beyond("divide"), beyond("greedy")) << network.space;
    EXPECT_TRUE(found.at("exact").at("optimal").get<bool>()) << network.space << " " << network.seed;
    EXPECT_EQ(found.at("exact").at("bound_bytes"), found.at("exact").at("beyond_bytes"));
    sum += 1 - beyond("exact") / beyond("lru");
  }
  return sum / static_cast<double>(std::size(ten_networks));
}

TEST(Scratchpad, TenNetworksInTheSmallestScratchpadThatHoldsEveryOperator) {
  EXPECT_GE(mean_share_below_lru(false), 0.72);
}

TEST(Scratchpad, TenNetworksWhereTheirOwnOrderWouldJustFit) { EXPECT_GE(mean_share_below_lru(true), 0.80); }

TEST(Scratchpad, TheScheduleIsWhole) {
  const Json result = compared("nasbench201", 1, {});
  const Json& schedule = result.at("schedule");
  ASSERT_EQ(schedule.size(), result.at("operators").get<std::size_t>());
  std::int64_t spilled = 0;
  const std::int64_t capacity = result.at("scratchpad_bytes");
  for (const Json& step : schedule) {
    for (const Json& one : step.at("evict")) {
      if (one.at("written").get<bool>()) spilled += one.at("bytes").get<std::int64_t>();
    }
    const Json& output = step.at("output");
    EXPECT_LE(output.at("offset").get<std::int64_t>() + output.at("bytes").get<std::int64_t>(), capacity);
  }
  EXPECT_GT(spilled, 0);
  EXPECT_EQ(spilled, result.at("solvers").at(0).at("spill_bytes").get<std::int64_t>());
  const Outcome text = run_ridgeline({"scratchpad", "nasbench201", "--seed", "1", "--format", "int8"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("optimal (proved)"), HasSubstr("spill "), HasSubstr("load "),
                              HasSubstr("have to cross the chip's border")));
}

// The policy is never worse than greedy, and on these near the optimum.
TEST(Scratchpad, TensorsAreMappedToTwoMemories) {
  for (const Network& network : {Network{"vit_small", 1}, {"plain_cnn", 1}}) {
    const Json result = compared(network.space, network.seed, {"--map", "--device", "coral_edge_tpu", "--share", "2"});
    const std::map<std::string, Json> found = by_solver(result.at("mapping"));
    const auto cost = [&](const char* solver) { return found.at(solver).at("latency_s").get<double>(); };
    EXPECT_TRUE(found.at("exact").at("optimal").get<bool>()) << network.space;
    EXPECT_LE(cost("exact"), cost("policy") * (1 + 1e-9)) << network.space;
    EXPECT_LE(cost("policy"), cost("greedy")) << network.space;
    EXPECT_LE(cost("policy"), cost("exact") * 1.01) << network.space;
    EXPECT_LT(cost("greedy"), cost("all slow"));
    for (const Json& one : result.at("mapping").at("solvers")) {
      EXPECT_LE(one.at("peak_bytes").get<double>(), result.at("mapping").at("fast_bytes").get<double>());
    }
    EXPECT_GT(result.at("solvers").at(0).at("transfer_latency_s").get<double>(), 0);
  }
}

TEST(Scratchpad, BadInputIsNamed) {
  const auto complaint = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"scratchpad", "plain_cnn"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_ridgeline(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(complaint({"--bytes", "0"}), HasSubstr("--bytes"));
  EXPECT_THAT(complaint({"--solver", "best"}), HasSubstr("--solver"));
  EXPECT_THAT(complaint({"--order", "random"}), HasSubstr("--order"));
  EXPECT_THAT(complaint({"--map"}), HasSubstr("--device"));
  EXPECT_THAT(complaint({"--map", "--device", "zcu104"}), HasSubstr("memory levels"));
  EXPECT_THAT(complaint({"--map", "--device", "raspberry_pi_4", "--by", "energy"}), HasSubstr("joules"));
  EXPECT_THAT(complaint({"--bytes", "1000", "--share", "1"}), HasSubstr("--share"));
  for (const char* share : {"1e-9", "1e300"})
    EXPECT_THAT(complaint({"--share", share}), HasSubstr("a share that makes"));
}

}  // namespace
}  // namespace ridgeline
