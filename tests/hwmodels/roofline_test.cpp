#include "hwmodels/roofline.hpp"

#include <gtest/gtest.h>

#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

// A device whose numbers make sums easy: 1 Gop/s f32, 4 Gop/s int8; L1 100 kB at 10 GB/s, DRAM at 1 GB/s.
Json plain_device() {
  return Json::parse(R"({
    "ridgeline_device": 1, "model": "roofline", "name": "toy",
    "peak_ops_per_s": {"f32": 1e9, "int8": 4e9},
    "format_as": {"bf16": "f32"},
    "memory": [{"name": "L1", "bytes": 100000, "bandwidth_bytes_per_s": 1e10},
               {"name": "DRAM", "bytes": 1e9, "bandwidth_bytes_per_s": 1e9}],
    "sources": {"peak_ops_per_s": "made up", "memory.L1": "made up", "memory.DRAM": "made up"}})");
}

std::unique_ptr<HardwareModel> make(const Json& device) {
  return RooflineModel::make(JsonDocument::from_value(device, "toy.json"));
}

constexpr double conv_macs = 64.0 * 64 * 9 * 256;    // test::one_conv
constexpr double conv_weights = 64.0 * 64 * 9;       // values
constexpr double conv_activations = 2.0 * 64 * 256;  // values in and out

TEST(Roofline, ComputeBoundByHand) {
  const Cost cost = make(plain_device())->estimate(test::one_conv(f32));
  EXPECT_NEAR(cost.latency_s, 2 * conv_macs / 1e9, 1e-12);  // 75.5 ms against 0.28 ms of traffic
  ASSERT_EQ(cost.ops.size(), 2U);
  EXPECT_EQ(cost.ops[1].bound_by, "compute");
  EXPECT_EQ(cost.ops[1].macs, static_cast<std::int64_t>(conv_macs));
  EXPECT_EQ(cost.weight_bytes, static_cast<std::int64_t>(4 * conv_weights));
}

TEST(Roofline, MemoryBoundByHand) {
  Json device = plain_device();
  device["peak_ops_per_s"]["f32"] = 1e15;
  const Cost cost = make(device)->estimate(test::one_conv(f32));
  // Weights (147 kB) and working set (278 kB) exceed L1, so that all of it comes from DRAM.
  EXPECT_NEAR(cost.latency_s, 4 * (conv_weights + conv_activations) / 1e9, 1e-12);
  EXPECT_EQ(cost.ops[1].bound_by, "DRAM");
  EXPECT_EQ(cost.ops[1].bytes, static_cast<std::int64_t>(4 * (conv_weights + conv_activations)));
}

TEST(Roofline, WhatFitsTheInnerLevelStaysThere) {
  Json device = plain_device();
  device["peak_ops_per_s"]["f32"] = 1e15;
  device["memory"][0]["bytes"] = 400000;
  const Cost cost = make(device)->estimate(test::one_conv(f32));
  EXPECT_NEAR(cost.latency_s, 4 * (conv_weights + conv_activations) / 1e10, 1e-15);
  EXPECT_EQ(cost.ops[1].bound_by, "L1");
  // Between the two: the working set does not fit but the weights of the network do.
  device["memory"][0]["bytes"] = 200000;
  const Cost mixed = make(device)->estimate(test::one_conv(f32));
  EXPECT_NEAR(mixed.latency_s, 4 * conv_activations / 1e9, 1e-12);
}

TEST(Roofline, EfficiencyCurvesAreLinearInTheLogarithm) {
  EfficiencyCurve curve;
  curve.points = {{1e6, 0.2}, {1e8, 0.6}};
  EXPECT_DOUBLE_EQ(curve.at(1e3), 0.2);
  EXPECT_NEAR(curve.at(1e7), 0.4, 1e-12);
  EXPECT_DOUBLE_EQ(curve.at(1e9), 0.6);
  Json device = plain_device();
  device["efficiency"] = {{"conv2d", 0.5}};
  device["overhead_s"] = 0.001;
  device["sources"]["efficiency"] = device["sources"]["overhead_s"] = "made up";
  EXPECT_NEAR(make(device)->estimate(test::one_conv(f32)).latency_s, 2 * conv_macs / 0.5e9 + 0.001, 1e-12);
}

TEST(Roofline, FormatsFallBackOrAreRefused) {
  const auto model = make(plain_device());
  const double as_f32 = model->estimate(test::one_conv(f32)).latency_s;
  EXPECT_NEAR(model->estimate(test::one_conv(int8)).latency_s, as_f32 / 4, 1e-12);
  EXPECT_DOUBLE_EQ(model->estimate(test::one_conv(bf16)).latency_s, as_f32);  // computed as f32
  const Cost refused = model->estimate(test::one_conv(Format::parse("e4m3")));
  EXPECT_NE(refused.unsupported.find("e4m3"), std::string::npos) << refused.unsupported;
  EXPECT_NE(refused.unsupported.find("only"), std::string::npos) << refused.unsupported;
  // Operands of two formats meet in the wider one.
  Design mixed = test::one_conv(int8);
  mixed.precision = PrecisionPlan::uniform(mixed.network, int8, f32);
  EXPECT_DOUBLE_EQ(model->estimate(mixed).latency_s, as_f32);
}

TEST(Roofline, EnergyByHand) {
  Json device = plain_device();
  device["energy"] = {
      {"joules_per_op", {{"f32", 2e-12}, {"int8", 1e-12}}}, {"joules_per_byte", {{"DRAM", 1e-10}}}, {"idle_w", 0.5}};
  device["sources"]["energy"] = "made up";
  const auto model = make(device);
  EXPECT_TRUE(model->has_energy());
  const Cost cost = model->estimate(test::one_conv(f32));
  const double expected = 2 * conv_macs * 2e-12 + 4 * (conv_weights + conv_activations) * 1e-10 + 0.5 * cost.latency_s;
  EXPECT_NEAR(cost.energy_j, expected, 1e-12);
  EXPECT_FALSE(make(plain_device())->has_energy());
  EXPECT_EQ(make(plain_device())->estimate(test::one_conv(f32)).energy_j, 0.0);
}

TEST(Roofline, OperatorsAddUpAndFusedOnesAreFree) {
  const auto model = make(plain_device());
  const Design design = test::mobile_block(f32);
  const Cost cost = model->estimate(design);
  ASSERT_EQ(cost.ops.size(), design.network.live_nodes().size());
  double sum = 0.0;
  int charged = 0;
  for (const OpCost& op : cost.ops) {
    sum += op.latency_s;
    charged += op.latency_s > 0 ? 1 : 0;
    EXPECT_EQ(op.latency_s > 0, !op.bound_by.empty());
  }
  EXPECT_NEAR(sum, cost.latency_s, 1e-15);
  EXPECT_EQ(charged, 6);
  EXPECT_GT(cost.peak_bytes, 0);
}

TEST(Roofline, BatchesEqualSingles) {
  const auto model = make(plain_device());
  const std::vector<Design> designs{test::one_conv(f32), test::mobile_block(int8),
                                    test::one_conv(Format::parse("e4m3"))};
  std::vector<Cost> costs(3);
  model->estimate(designs, costs);
  for (std::size_t i = 0; i < designs.size(); ++i) {
    EXPECT_DOUBLE_EQ(costs[i].latency_s, model->estimate(designs[i]).latency_s);
    EXPECT_EQ(costs[i].unsupported, model->estimate(designs[i]).unsupported);
  }
}

TEST(RooflineFile, IsWrittenAndReadBack) {
  Json device = plain_device();
  device["efficiency"] = {{"conv2d", {{1e6, 0.2}, {1e8, 0.5}}}, {"vector", 0.1}};
  device["sources"]["efficiency"] = "made up";
  const auto model = make(device);
  const auto& first = dynamic_cast<const RooflineModel&>(*model).device();
  JsonDocument document = JsonDocument::from_value(write_roofline(first), "again");
  JsonReader root = document.root();
  const RooflineDevice second = read_roofline(root, false);
  root.finish();
  document.raise();
  EXPECT_EQ(write_roofline(second), write_roofline(first));
  EXPECT_DOUBLE_EQ(RooflineModel(second).estimate(test::mobile_block(f32)).latency_s,
                   model->estimate(test::mobile_block(f32)).latency_s);
}

std::string complaint(const Json& device) {
  try {
    make(device);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

TEST(RooflineFile, ProblemsAreNamed) {
  Json device = plain_device();
  device["sources"].erase("memory.DRAM");
  EXPECT_NE(complaint(device).find("memory.DRAM.bytes"), std::string::npos) << complaint(device);
  device = plain_device();
  device["sources"]["memory.L7"] = "nowhere";
  EXPECT_NE(complaint(device).find("memory.L7"), std::string::npos);
  device = plain_device();
  device["peak_ops_per_s"]["f23"] = 1;
  EXPECT_NE(complaint(device).find("f32"), std::string::npos) << complaint(device);
  device = plain_device();
  device["format_as"] = {{"bf16", "f16"}, {"f16", "bf16"}};
  EXPECT_NE(complaint(device).find("leads to none"), std::string::npos) << complaint(device);
  device = plain_device();
  device["memory"][1]["bytes"] = 5;
  EXPECT_NE(complaint(device).find("innermost first"), std::string::npos);
  device = plain_device();
  device["efficiency"] = {{"conv2d", 1.5}};
  EXPECT_NE(complaint(device).find("(0, 1]"), std::string::npos);
  device = plain_device();
  device["overhed_s"] = 1;
  EXPECT_NE(complaint(device).find("overhead_s"), std::string::npos) << complaint(device);
  EXPECT_EQ(complaint(plain_device()), "");
}

}  // namespace
}  // namespace ridgeline
