#include "hwmodels/fpga.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

// 100 MHz for 1000 images a second: 100,000 cycles an image.
Json plain_device() {
  return Json::parse(R"({
    "ridgeline_device": 1, "model": "fpga", "name": "toy", "clock_hz": 1e8, "images_per_s": 1000,
    "part": {"luts": 100000, "dsps": 200, "brams": 50},
    "fabric": {"lut_inputs": 6, "luts_per_partial_product_bit": 1, "luts_per_adder_bit": 1,
               "luts_per_multiplexer_bit": 1, "lut_ram_bits": 64, "luts_per_layer": 10, "overhead": 2},
    "sources": {"clock_hz": "made up", "images_per_s": "made up", "part": "made up", "fabric": "made up"}})");
}

std::unique_ptr<HardwareModel> make(const Json& device) {
  return FpgaModel::make(JsonDocument::from_value(device, "toy.json"));
}

FpgaOperand operand(const std::string& format) {
  std::string why;
  const std::optional<FpgaOperand> found = fpga_operand(Format::parse(format), why);
  EXPECT_TRUE(found) << why;
  return found.value_or(FpgaOperand{});
}

FpgaUnit unit(const std::string& a, const std::string& b, std::int64_t products = 576) {
  return fpga_unit(operand(a), operand(b), products, {});
}

// Every integer and minifloat of 3 to 8 bits.
std::vector<std::string> small_formats() {
  std::vector<std::string> formats;
  for (int bits = 3; bits <= 8; ++bits) {
    formats.push_back("int" + std::to_string(bits));
    for (int e = 1; e < bits; ++e) formats.push_back("e" + std::to_string(e) + "m" + std::to_string(bits - 1 - e));
  }
  return formats;
}

TEST(FpgaUnit, IntegersByHand) {
  // Seven by seven magnitude bits: six rows of seven LUTs, a sign; 14 + 10 + 1 bits of sum.
  const FpgaUnit wide = unit("int8", "int8");
  EXPECT_EQ(wide.multiplier_luts, 43);
  EXPECT_EQ(wide.accumulator_bits, 25);
  EXPECT_EQ(wide.luts(), 68);
  // Three by three: six bits, each a function of six variables; the array has as many.
  EXPECT_EQ(unit("int4", "int4").luts(), 6 + 1 + 17);
  // Eight variables: four LUTs for each of eight bits are more than three rows of four.
  EXPECT_EQ(unit("int5", "int5", 1).multiplier_luts, 12 + 1);
  EXPECT_EQ(unit("int3", "int6", 1).multiplier_luts, 5 + 1);    // one row
  EXPECT_EQ(unit("uint8", "uint8", 1).multiplier_luts, 8 * 7);  // no sign
}

TEST(FpgaUnit, MinifloatsByHand) {
  // Significands of four bits: 12; two ORs of exponents; an adder of 5; 8 bits shifted by up to 28 in three stages,
  // which reach 11, 23 and 36 bits; a sign.
  const FpgaUnit e4m3 = unit("e4m3", "e4m3");
  EXPECT_EQ(e4m3.multiplier_luts, 12 + 2 + 5 + (11 + 23 + 36) + 1);
  EXPECT_EQ(e4m3.accumulator_bits, 8 + 28 + 10 + 1);
  // Three bits of magnitude each: a table of eight bits.
  EXPECT_EQ(unit("e2m1", "e2m1", 1).luts(), 8 + 1 + 9);
  // An integer brings no exponent: no adder, and half of the shift, in two stages.
  EXPECT_EQ(unit("int8", "e4m3").luts(), 7 * 3 + 1 + (14 + 25) + 1 + (11 + 14 + 10 + 1));
  // Nothing but exponents: 6 + 6 places of 2 bits.
  EXPECT_EQ(unit("e3m0", "e3m0", 1).multiplier_luts, 14 + 1);
  // The last exponent of e5m2 is infinity.
  EXPECT_EQ(operand("e5m2").most_shift, 29);
  EXPECT_EQ(operand("e5m1").most_shift, 30);
  EXPECT_EQ(operand("bf16").most_shift, 253);
}

TEST(FpgaUnit, SymmetricAndMonotone) {
  const std::vector<std::string> formats = small_formats();
  ASSERT_EQ(formats.size(), 33U);
  for (const std::string& a : formats) {
    for (const std::string& b : formats) {
      EXPECT_EQ(unit(a, b).luts(), unit(b, a).luts()) << a << " " << b;
      EXPECT_LE(unit(a, b, 100).luts(), unit(a, b, 1000).luts());
      FpgaOperand wider = operand(a);
      ++wider.significand_bits;
      EXPECT_GE(fpga_unit(wider, operand(b), 576, {}).luts(), unit(a, b).luts()) << a << " " << b;
    }
  }
  for (const char* other : {"int3", "int8", "e2m1", "e4m3"}) {
    for (int bits = 3; bits < 8; ++bits) {
      EXPECT_LT(unit("int" + std::to_string(bits), other).luts(), unit("int" + std::to_string(bits + 1), other).luts());
    }
    for (int e = 1; e < 6; ++e) {
      const std::string less = "e" + std::to_string(e) + "m1", more = "e" + std::to_string(e + 1) + "m1";
      EXPECT_LT(unit(less, other).luts(), unit(more, other).luts()) << more << " " << other;
    }
  }
}

// The numbers of e1mY are those of an integer; every other minifloat spans more and costs more than it at equal width.
TEST(FpgaUnit, AnIntegerIsTheCheapestFormatOfItsWidth) {
  for (int bits = 3; bits <= 8; ++bits) {
    const std::string integer = "int" + std::to_string(bits);
    const double least = unit(integer, integer).luts();
    for (int e = 1; e < bits; ++e) {
      const std::string minifloat = "e" + std::to_string(e) + "m" + std::to_string(bits - 1 - e);
      const double luts = unit(minifloat, minifloat).luts();
      EXPECT_EQ(luts == least, e == 1) << minifloat;
      EXPECT_GE(luts, least) << minifloat;
    }
  }
}

// Enumerates the magnitudes of a minifloat as the formats' definition has them, in steps of its smallest.
double most_steps(int exponent_bits, int mantissa_bits) {
  double most = 0;
  for (int e = 0; e < 1 << exponent_bits; ++e) {
    for (int m = 0; m < 1 << mantissa_bits; ++m) {
      const int significand = (e > 0 ? 1 << mantissa_bits : 0) + m;
      most = std::max(most, std::ldexp(significand, std::max(e, 1) - 1));
    }
  }
  return most;
}

TEST(FpgaUnit, TheAccumulatorHoldsTheLargestSumAndIsNoWiderThanItMust) {
  for (const auto& [ea, ma] : {std::pair{2, 1}, {3, 2}, {4, 3}, {5, 0}}) {
    for (const auto& [eb, mb] : {std::pair{1, 6}, {2, 3}, {3, 4}}) {
      for (const std::int64_t n : {1, 3, 64, 576}) {
        const double largest = most_steps(ea, ma) * most_steps(eb, mb) * static_cast<double>(n);
        const FpgaUnit found = fpga_unit(operand("e" + std::to_string(ea) + "m" + std::to_string(ma)),
                                         operand("e" + std::to_string(eb) + "m" + std::to_string(mb)), n, {});
        EXPECT_LE(largest, std::ldexp(1.0, found.accumulator_bits - 1) - 1);
        EXPECT_GT(largest, std::ldexp(1.0, found.accumulator_bits - 5));  // e5m0: 1 of 2, e2m1: 3 of 4, n: 3 of 4
      }
    }
  }
}

TEST(FpgaUnit, DspSlicesTakeMultipliersAndShortSums) {
  const FpgaUnit integers = fpga_unit(operand("int8"), operand("int8"), 576, {}, true);
  EXPECT_EQ(integers.dsps, 1);
  EXPECT_EQ(integers.luts(), 1);
  const FpgaUnit floats = fpga_unit(operand("e4m3"), operand("e4m3"), 576, {}, true);
  EXPECT_EQ(floats.luts(), unit("e4m3", "e4m3").luts() - 12);
  EXPECT_EQ(fpga_unit(operand("f32"), operand("f32"), 1, {}, true).dsps, 0);  // 24 x 24 bits are too many
}

TEST(Fpga, FoldingByHand) {
  const Cost cost = make(plain_device())->estimate(test::one_conv(int8));
  EXPECT_EQ(cost.unsupported, "");
  // 64 * 64 * 9 * 256 multiply-accumulates in 100,000 cycles: 94.4, so 95 units, which need 99,339 cycles.
  EXPECT_NEAR(cost.latency_s, 99339 / 1e8, 1e-15);
  ASSERT_EQ(cost.ops.size(), 2U);
  EXPECT_EQ(cost.ops[1].bound_by, "units");
  EXPECT_EQ(cost.ops[1].macs, 9437184);
  ASSERT_NE(cost.resource("luts"), nullptr);
  EXPECT_EQ(cost.resource("luts")->used, 10 + 2 * 95 * 68);
  EXPECT_EQ(cost.resource("luts")->available, 100000);
  EXPECT_EQ(cost.resource("dsps")->used, 0);
  // Weights: 760 bits wide and 389 deep, 11 blocks of 72 x 512. Lines: (2 * 16 + 3) places of 64 channels, one block.
  EXPECT_EQ(cost.resource("brams")->used, 12);
  EXPECT_EQ(cost.resource("area"), nullptr);
}

// After a ReLU eight bits hold 0 ... 255: a magnitude bit more, and no sign. A minifloat stays as it is.
TEST(Fpga, IntegersThatAreNeverNegativeUseTheirSignBit) {
  const auto luts = [](const char* format, bool relu) {
    Design design;
    Network& n = design.network;
    NodeId x = n.add_input({1, 64, 16, 16});
    if (relu) x = n.add(test::simple(OpKind::relu), {x});
    n.mark_output(n.add(test::conv(64, 3), {x}));
    design.precision = PrecisionPlan::uniform(n, Format::parse(format), Format::parse(format));
    return make(plain_device())->estimate(design).resource("luts")->used;
  };
  EXPECT_EQ(luts("int8", false), 10 + 2 * 95 * 68);
  EXPECT_EQ(luts("int8", true), 10 + 2 * 95 * (8 * 6 + 26));
  EXPECT_EQ(luts("e4m3", true), luts("e4m3", false));
}

TEST(Fpga, ShallowWeightsLieInLuts) {
  Json device = plain_device();
  device["images_per_s"] = 10000;  // 10,000 cycles: 944 units, weights 40 deep
  device["part"]["luts"] = 1000000;
  const Cost cost = make(device)->estimate(test::one_conv(int8));
  EXPECT_EQ(cost.resource("luts")->used, 10 + 2 * 944 * 68 + 944 * 8);
  EXPECT_EQ(cost.resource("brams")->used, 1);
}

TEST(Fpga, AFasterRateTakesMoreAndANarrowerFormatLess) {
  Json device = plain_device();
  double last = 0;
  for (const int rate : {1, 10, 100, 1000, 5000}) {
    device["images_per_s"] = rate;
    const Cost cost = make(device)->estimate(test::mobile_block(int8));
    EXPECT_EQ(cost.unsupported, "");
    EXPECT_GE(cost.resource("luts")->used, last);
    last = cost.resource("luts")->used;
    for (const OpCost& op : cost.ops) EXPECT_LE(op.latency_s, 1.0 / rate);
  }
  const auto model = make(plain_device());
  EXPECT_LT(model->estimate(test::mobile_block(Format::parse("int4"))).resource("luts")->used,
            model->estimate(test::mobile_block(int8)).resource("luts")->used);
}

TEST(Fpga, ABatchTakesItsTimesAsLongInTheSameHardware) {
  Design design = test::one_conv(int8);
  const auto model = make(plain_device());
  const Cost one = model->estimate(design);
  design.network = with_batch(design.network, 4);
  const Cost four = model->estimate(design);
  EXPECT_NEAR(four.latency_s, 4 * one.latency_s, 1e-15);
  EXPECT_EQ(four.resource("luts")->used, one.resource("luts")->used);
}

TEST(Fpga, AMatrixProductReadsActivationsTwice) {
  Design design;
  Network& n = design.network;
  const NodeId a = n.add_input({1, 8, 32}), b = n.add_input({1, 32, 16});
  n.mark_output(n.add(test::simple(OpKind::matmul), {a, b}, "product"));
  design.precision = PrecisionPlan::uniform(n, f32, int8);  // no weights: their format says nothing
  const Cost cost = make(plain_device())->estimate(design);
  EXPECT_EQ(cost.resource("luts")->used, 10 + 2 * unit("int8", "int8", 32).luts());
  EXPECT_EQ(cost.resource("brams")->used, 1);  // the second matrix
}

TEST(Fpga, WhatDoesNotFitSaysHowMuchItNeeds) {
  Json device = plain_device();
  device["part"]["luts"] = 12000;
  const Cost cost = make(device)->estimate(test::one_conv(int8));
  EXPECT_THAT(cost.unsupported, HasSubstr("12930 of 12000 luts"));
  EXPECT_FALSE(cost.resource("luts")->fits());
  EXPECT_TRUE(cost.resource("brams")->fits());
}

TEST(Fpga, FormatsWithoutUnitsAreRefusedWithTheirName) {
  for (const char* format : {"pot4", "ternary", "int4@group32", "mxfp4"}) {
    const Cost cost = make(plain_device())->estimate(test::one_conv(Format::parse(format)));
    EXPECT_THAT(cost.unsupported, HasSubstr(Format::parse(format).text()));
    EXPECT_TRUE(cost.resources.empty());
  }
}

TEST(Fpga, BadFilesAreExplained) {
  const auto refused = [](const char* pointer, const Json& value) {
    Json device = plain_device();
    device[Json::json_pointer(pointer)] = value;
    try {
      make(device);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refused("/sources", Json::object()), HasSubstr("fabric.overhead"));
  EXPECT_THAT(refused("/clock_hz", 1e30), HasSubstr("cycles an image"));  // more than an integer holds
  EXPECT_THAT(refused("/sources/peak", "x"), HasSubstr("peak"));
  EXPECT_THAT(refused("/images_per_s", 0), HasSubstr("images_per_s"));
  EXPECT_THAT(refused("/images_per_s", 2e8), HasSubstr("at most one image a cycle"));
  EXPECT_THAT(refused("/multipliers", "gates"), HasSubstr("dsp"));
  EXPECT_THAT(refused("/part/urams", 3), HasSubstr("urams"));
  EXPECT_THAT(refused("/fabric/overhead", "much"), HasSubstr("overhead"));
}

}  // namespace
}  // namespace ridgeline
