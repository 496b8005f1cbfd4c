#include "experiments/calibration/device_conformance.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <limits>

#include "experiments/calibration/conformance_networks.hpp"
#include "hwmodels/roofline.hpp"
#include "spaces/config_error.hpp"
#include "tests/experiments/support.hpp"
#include "tests/hwmodels/plugin_support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Outcome = ConformanceCheck::Outcome;

std::vector<std::string> failed_checks(const ConformanceResult& result) {
  std::vector<std::string> names;
  for (const ConformanceCheck& one : result.checks) {
    if (one.outcome == Outcome::failed) names.push_back(one.name);
  }
  return names;
}

std::string seen(const ConformanceResult& result, const std::string& name) {
  for (const ConformanceCheck& one : result.checks) {
    if (one.name == name) return one.seen;
  }
  return "no such check";
}

// A right model with one thing wrong.
class Wrong final : public HardwareModel {
 public:
  using Spoil = std::function<void(std::span<const Design>, std::span<Cost>)>;
  explicit Wrong(Spoil spoil) : right_(load_device(testing::resources().device("pixel_6"))), spoil_(std::move(spoil)) {}
  const std::string& name() const override { return right_->name(); }
  bool has_energy() const override { return right_->has_energy(); }
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override {
    right_->estimate(designs, costs);
    spoil_(designs, costs);
  }

 private:
  std::unique_ptr<HardwareModel> right_;
  Spoil spoil_;
};

ConformanceResult with_every(const std::function<void(const Design&, Cost&)>& spoil) {
  return check_conformance(Wrong([&](std::span<const Design> designs, std::span<Cost> costs) {
    for (std::size_t i = 0; i < designs.size(); ++i) {
      if (costs[i].problem().empty()) spoil(designs[i], costs[i]);
    }
  }));
}

std::int64_t work_of(const Design& design) { return macs(design.network); }

TEST(Conformance, EveryShippedDevicePasses) {
  for (const std::string& name : resources().devices()) {
    const ConformanceResult result = check_conformance(*load_device(resources().device(name)));
    EXPECT_TRUE(result.passed()) << name;
    for (const ConformanceCheck& one : result.checks) {
      EXPECT_EQ(one.outcome, Outcome::passed) << name << ": " << one.name << ": " << one.seen;
    }
  }
}

TEST(Conformance, TheExamplesPass) {
  const std::filesystem::path examples = std::filesystem::path(RIDGELINE_SOURCE_DIR) / "hwmodels/examples";
  std::vector<std::filesystem::path> files;
  if (!test::python().empty()) files.push_back(examples / "program/my_program.json");
  for (const auto& entry : std::filesystem::directory_iterator(examples)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  EXPECT_GE(files.size(), 3U);
  for (const std::filesystem::path& file : files) {
    const ConformanceResult result = check_conformance(*load_device(file.string()));
    EXPECT_THAT(failed_checks(result), IsEmpty()) << file;
    EXPECT_TRUE(result.passed()) << file;
  }
}

TEST(Conformance, EachFaultFailsItsCheck) {
  EXPECT_THAT(failed_checks(with_every([](const Design&, Cost&) {})), IsEmpty());
  EXPECT_THAT(failed_checks(with_every([](const Design&, Cost& cost) { cost.latency_s *= 1e9; })),
              ElementsAre("units"));
  EXPECT_THAT(failed_checks(with_every([](const Design&, Cost& cost) { cost.energy_j = -1; })),
              ::testing::Contains("finite"));
  EXPECT_THAT(failed_checks(with_every([](const Design&, Cost& cost) { cost.ops.pop_back(); })), ElementsAre("rows"));
  EXPECT_THAT(failed_checks(with_every([](const Design& design, Cost& cost) {
                for (OpCost& op : cost.ops) op.latency_s = 0;
                cost.latency_s = 1e6 / static_cast<double>(work_of(design) + 1000000);
              })),
              ElementsAre("channels", "pixels", "images"));
  EXPECT_THAT(failed_checks(with_every([](const Design& design, Cost& cost) {
                if (design.precision.at(1).weights == f32) cost.weight_bytes = 1;
              })),
              ElementsAre("widths"));
}

TEST(Conformance, ANumberThatChangesIsSeen) {
  std::atomic<int> calls = 0;
  const ConformanceResult result = with_every([&](const Design&, Cost& cost) { cost.latency_s *= 1 + 1e-9 * ++calls; });
  EXPECT_THAT(failed_checks(result), ElementsAre("deterministic", "batches", "threads"));
  EXPECT_THAT(seen(result, "deterministic"), HasSubstr("latency_s"));
}

TEST(Conformance, WhatDependsOnTheBatchIsSeen) {
  const ConformanceResult result = check_conformance(Wrong([](std::span<const Design> designs, std::span<Cost> costs) {
    for (Cost& cost : costs) cost.latency_s *= 1 + 0.001 * static_cast<double>(designs.size());
  }));
  EXPECT_THAT(failed_checks(result), ElementsAre("batches"));
  EXPECT_THAT(seen(result, "batches"), HasSubstr("alone"));
}

TEST(Conformance, AReasonMustBeThere) {
  const ConformanceResult result = check_conformance(Wrong([](std::span<const Design> designs, std::span<Cost> costs) {
    for (std::size_t i = 0; i < designs.size(); ++i) {
      if (work_of(designs[i]) == 0) costs[i].unsupported = std::string(1000, 'x');
    }
  }));
  EXPECT_THAT(failed_checks(result), ElementsAre("operators"));
}

TEST(Conformance, ADeviceThatAnswersNothingFailsAtOnce) {
  const ConformanceResult result = with_every([](const Design&, Cost& cost) { cost.unsupported = "not on Saturdays"; });
  EXPECT_FALSE(result.passed());
  EXPECT_THAT(failed_checks(result), ElementsAre("answers"));
  EXPECT_THAT(seen(result, "answers"), HasSubstr("not on Saturdays"));
  EXPECT_EQ(result.checks.back().outcome, Outcome::not_run);
}

TEST(Conformance, AProgramThatGivesUpFailsTheCheckUnderWay) {
  RIDGELINE_NEEDS_PYTHON();
  ProgramOptions options = test::program("crash");
  options.restarts = 1;
  const ConformanceResult result = check_conformance(ProgramModel(options));
  EXPECT_THAT(failed_checks(result), ElementsAre("answers"));
  EXPECT_THAT(seen(result, "answers"), HasSubstr("the table has no such row"));
}

TEST(Conformance, SlowIsTimed) {
  const auto device = load_device(resources().device("pixel_6"));
  ConformanceOptions options;
  options.candidate_s = 1e-9;
  EXPECT_THAT(failed_checks(check_conformance(*device, options)), ElementsAre("speed"));
}

// Published: 300 M multiply-accumulates and 3.4 M parameters (Sandler et al., table 4).
TEST(ConformanceNetworks, MobileNetV2IsThePublishedOne) {
  const Network network = mobilenet_v2_network();
  EXPECT_NEAR(static_cast<double>(macs(network)), 300e6, 2e6);
  EXPECT_NEAR(static_cast<double>(parameters(network)), 3.4e6, 0.2e6);
}

TEST(ConformanceNetworks, ThereIsOneOfEveryOperator) {
  const std::vector<OperatorNetwork> networks = operator_networks();
  EXPECT_EQ(networks.size(), op_names().size() - 1);
  for (const OperatorNetwork& one : networks) {
    bool found = false;
    for (const NodeId node : one.network.live_nodes()) found = found || one.network.op(node).kind == one.kind;
    EXPECT_TRUE(found) << name_of(one.kind);
  }
}

}  // namespace
}  // namespace ridgeline::testing
