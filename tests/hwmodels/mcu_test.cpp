// Microcontrollers: cycles by hand, what fits, and TinyEngine's published figures.
#include "hwmodels/mcu.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spaces/config_error.hpp"
#include "spaces/search_space.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json plain_device() {
  return Json::parse(R"({
    "ridgeline_device": 1, "model": "mcu", "name": "toy", "clock_hz": 1e8,
    "sram_bytes": 60000, "flash_bytes": 10000, "reserved": {"sram_bytes": 1000, "flash_bytes": 500},
    "memory": {"alignment_bytes": 1},
    "cycles_per_mac": {"conv2d": {"int8": 2, "f32": 5}, "depthwise": {"int8": 4, "f32": 9}, 
                       "linear": {"int8": 3, "f32": 6}, "matmul": {"int8": 3, "f32": 6}},
    "cycles_per_element": {"int8": 1, "f32": 1.5}, "cycles_per_layer": 100,
    "energy": {"joules_per_cycle": 1e-9},
    "sources": {"clock_hz": "made up", "sram_bytes": "made up", "flash_bytes": "made up", "reserved": "made up",
                "memory": "made up", "cycles_per_mac": "made up", "cycles_per_element": "made up",
                "cycles_per_layer": "made up", "energy": "made up"}})");
}

std::unique_ptr<HardwareModel> make(const Json& device) {
  return McuModel::make(JsonDocument::from_value(device, "toy.json"));
}

std::string problems(const Json& device) {
  try {
    make(device);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Mcu, CyclesByHand) {
  const Cost cost = make(plain_device())->estimate(test::mobile_block(int8));
  EXPECT_EQ(cost.unsupported, "");
  const double stem = 16 * 16 * 16 * 27 * 2, expand = 16 * 16 * 96 * 16 * 2, depthwise = 16 * 16 * 96 * 9 * 4;
  const double project = 16 * 16 * 16 * 96 * 2 + 16 * 16 * 16 * 1.5;  // adds; pooled to the output it is kept in f32
  const double pool = 16 * 1, linear = 160 * 3;
  const double cycles = stem + expand + depthwise + project + pool + linear + 6 * 100;
  // The tensor between the pool and the classifier is int8, what is pooled is as well.
  EXPECT_NEAR(cost.latency_s * 1e8, cycles, 16 * 16 * 16 * 0.5 + 1);
  EXPECT_NEAR(cost.energy_j, cost.latency_s * 1e8 * 1e-9, 1e-12);
  ASSERT_EQ(cost.resources.size(), 2U);
  EXPECT_EQ(cost.peak_bytes, 4096 + 2 * 24576);
  EXPECT_EQ(cost.resources[0].used, cost.peak_bytes + 1000);
  EXPECT_EQ(cost.resources[1].used, cost.weight_bytes + 500);
}

TEST(Mcu, WhatDoesNotFitHasItsNumbersAndSaysSo) {
  Json small = plain_device();
  small["sram_bytes"] = 50000;
  const Cost cost = make(small)->estimate(test::mobile_block(int8));
  EXPECT_THAT(cost.unsupported, HasSubstr("does not fit toy: needs 54248 of 50000 sram_bytes"));
  EXPECT_GT(cost.latency_s, 0);
  EXPECT_EQ(cost.resource("flash_bytes")->available, 10000);
  small["memory"]["depthwise_in_place"] = true;
  EXPECT_EQ(make(small)->estimate(test::mobile_block(int8)).unsupported, "");
}

TEST(Mcu, PatchesTradeCyclesForMemory) {
  const std::unique_ptr<HardwareModel> model = make(plain_device());
  Design design = test::mobile_block(int8);
  const Cost whole = model->estimate(design);
  design.schedule = std::make_shared<const Json>(Json{{"patch_layers", 4}, {"patch_grid", 2}});
  const Cost patched = model->estimate(design);
  EXPECT_LT(patched.peak_bytes, whole.peak_bytes);
  EXPECT_GT(patched.latency_s, whole.latency_s);
  design.schedule =
      std::make_shared<const Json>(Json{{"patch_layers", 4}, {"patch_grid", 2}, {"patch_format", "int4"}});
  const Cost narrow = model->estimate(design);
  EXPECT_LT(narrow.peak_bytes, patched.peak_bytes);
  EXPECT_EQ(narrow.latency_s, patched.latency_s);  // 4-bit operands are unpacked to 8
  design.schedule = std::make_shared<const Json>(Json{{"patch_layers", 2}, {"patch_grid", 2}});
  const Cost illegal = model->estimate(design);
  EXPECT_THAT(illegal.unsupported, HasSubstr("do not end in one tensor"));
  EXPECT_TRUE(illegal.resources.empty());
}

TEST(Mcu, FormatsWithoutKernels) {
  Json integers = plain_device();
  for (auto& [name, formats] : integers["cycles_per_mac"].items()) formats.erase("f32");
  EXPECT_THAT(make(integers)->estimate(test::mobile_block(f32)).unsupported, HasSubstr("has no kernels for conv2d"));
  EXPECT_EQ(make(integers)->estimate(test::mobile_block(Format::parse("int4"))).unsupported, "");
  EXPECT_THAT(make(plain_device())->estimate(test::mobile_block(Format::parse("e4m3"))).unsupported,
              HasSubstr("has no kernels"));
}

TEST(Mcu, FilesAreReadStrictly) {
  EXPECT_EQ(problems(plain_device()), "");
  Json wrong = plain_device();
  wrong["sources"].erase("clock_hz");
  EXPECT_THAT(problems(wrong), HasSubstr("where 'clock_hz' comes from"));
  wrong = plain_device();
  wrong["cycles_per_mac"]["conv2d"] = Json::object();
  EXPECT_THAT(problems(wrong), HasSubstr("a number of cycles for a format"));
  wrong = plain_device();
  wrong["sram_byte"] = 3;
  EXPECT_THAT(problems(wrong), HasSubstr("sram_byte"));
  EXPECT_THAT(make(plain_device())->resources(), ElementsAre("sram_bytes", "flash_bytes"));
}

// github.com/mit-han-lab/mcunet: mbv2-w0.35 at 144 x 144 has 23.5 M MACs and 0.75 M parameters; TinyEngine runs it on a
// STM32H743 in 295 kB of SRAM, 839 kB of flash and 124 ms. Memory within 10 %, latency, an estimate, within 30 %.
TEST(Mcu, AgreesWithTinyEngine) {
  const SearchSpace space = SearchSpace::load(RIDGELINE_SOURCE_DIR "/spaces/library/mobilenet_v2_mcu.json");
  Json choices = Json::object();
  for (const Dimension& dimension : space.dims()) choices[dimension.name] = dimension.choices.front();
  const int depths[] = {2, 3, 4, 3, 3};
  for (auto& [name, value] : choices.items()) {
    if (name.starts_with("expand")) value = 6;
    if (name.starts_with("depth")) value = depths[name[6] - '0'];
  }
  choices["resolution"] = 144;
  choices["width"] = 0.35;
  choices["last"] = 448;
  const Design design = space.decode(space.from_json(choices));
  EXPECT_NEAR(static_cast<double>(macs(design.network)), 23.5e6, 0.1e6);
  EXPECT_NEAR(static_cast<double>(parameters(design.network)), 0.75e6, 0.01e6);
  const Cost cost = load_device(RIDGELINE_SOURCE_DIR "/hwmodels/devices/stm32h743.json")->estimate(design);
  EXPECT_EQ(cost.unsupported, "");
  EXPECT_NEAR(cost.resource("sram_bytes")->used / 1024, 295, 29.5);
  EXPECT_NEAR(cost.resource("flash_bytes")->used / 1024, 839, 83.9);
  EXPECT_NEAR(cost.latency_s, 0.124, 0.3 * 0.124);
  RecordProperty("latency_s", std::to_string(cost.latency_s));
}

}  // namespace
}  // namespace ridgeline
