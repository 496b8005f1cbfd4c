// Bits of groups held against every assignment of a small layer, and against as many bits everywhere.
#include "kernels/quantization/group_bits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, "group bits");
  std::vector<float> values(count);
  for (float& value : values) value = 0.1F * static_cast<float>(rng.normal());
  return values;
}

// Of patches of which a run of taps is much larger than the others, and the first run nearly nothing.
LayerMoments clustered(std::size_t groups, std::size_t taps, std::size_t run, std::uint64_t seed) {
  LayerMoments moments{groups, taps, 0, std::vector<double>(groups * taps), std::vector<float>(groups * taps * taps)};
  Rng rng(seed, "clustered patches");
  const std::size_t patches = 6 * taps;
  std::vector<double> x(taps);
  for (std::size_t patch = 0; patch < groups * patches; ++patch) {
    const std::size_t group = patch / patches;
    double state = 0;
    for (std::size_t i = 0; i < taps; ++i) {
      state = 0.6 * state + 0.8 * rng.normal();
      const std::size_t cluster = (group * 7 + i / run) % 5;
      x[i] = state * (cluster == 2 ? 12.0 : cluster == 0 ? 0.3 : 1.0);
    }
    for (std::size_t i = 0; i < taps * taps; ++i) {
      moments.gram[group * taps * taps + i] +=
          static_cast<float>(x[i / taps] * x[i % taps] / static_cast<double>(patches));
    }
  }
  moments.patches = static_cast<std::int64_t>(patches);
  return moments;
}

double error_of(const LayerMoments& moments, const std::vector<float>& kernel, const std::vector<float>& rounded,
                std::size_t channels) {
  std::vector<float> change(kernel.size());
  for (std::size_t i = 0; i < kernel.size(); ++i) change[i] = rounded[i] - kernel[i];
  return output_power(moments, change, channels);
}

double uniform_error(const LayerMoments& moments, const std::vector<float>& kernel, const Format& format,
                     std::size_t channels) {
  std::vector<float> rounded(kernel.size());
  fake_quantize(kernel, rounded, moments.taps, {.format = format});
  return error_of(moments, kernel, rounded, channels);
}

TEST(GroupBits, MixedBitsLoseLessThanTheSameBitsEverywhere) {
  const std::size_t channels = 12, taps = 160;
  const std::vector<float> kernel = normals(channels * taps, 1);
  const LayerMoments moments = clustered(1, taps, 16, 2);
  for (const char* name : {"int3@group16", "int4@group16", "uint2@group16", "uint4@group16"}) {
    const Format format = Format::parse(name);
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(std::string(name) + (weighted ? " weighted" : ""));
      const GroupBits found = group_bits(kernel, channels, format, moments, {WeightRounding::nearest, weighted});
      const double uniform = uniform_error(moments, kernel, format, channels);
      EXPECT_DOUBLE_EQ(found.mean_bits, format.width_bits);
      EXPECT_LT(found.output_error, 0.6 * found.uniform_error);
      EXPECT_LT(found.output_error, 0.6 * uniform);
      EXPECT_NEAR(found.output_error, error_of(moments, kernel, found.kernel, channels), 1e-12);
      if (!weighted) {
        EXPECT_NEAR(found.uniform_error, uniform, 1e-5 * uniform);
      }
      // The runs that are read with large numbers have one bit more, those with small ones less.
      ASSERT_EQ(found.bits.size(), 10U);
      EXPECT_EQ(found.bits[2], format.width_bits + 1);
      EXPECT_EQ(found.bits[7], format.width_bits + 1);
      EXPECT_EQ(found.bits[0], format.width_bits - 1);
      EXPECT_EQ(found.bits[5], format.width_bits - 1);
    }
  }
}

TEST(GroupBits, EveryBlockIsOnTheGridOfItsBits) {
  const std::size_t channels = 6, taps = 72;
  const std::vector<float> kernel = normals(channels * taps, 3);
  const LayerMoments moments = clustered(2, taps, 16, 4);
  for (const char* name : {"int4@group16", "uint2@group16"}) {
    for (const WeightRounding rounding : {WeightRounding::nearest, WeightRounding::learned, WeightRounding::gptq}) {
      const Format format = Format::parse(name);
      const GroupBits found = group_bits(kernel, channels, format, moments, {rounding, false});
      ASSERT_EQ(found.bits.size(), 10U);  // two groups of channels, five blocks
      ASSERT_EQ(found.ranges.size(), 30U);
      for (std::size_t channel = 0; channel < channels; ++channel) {
        for (std::size_t block = 0; block < 5; ++block) {
          Format own{format.kind, Format::Granularity::tensor, found.bits[channel / 3 * 5 + block], 0, 0};
          const auto first = found.kernel.begin() + static_cast<std::ptrdiff_t>(channel * taps + block * 16);
          const std::vector<float> values(first, first + (block < 4 ? 16 : 8));
          std::vector<float> again(values.size());
          fake_quantize(values, again, values.size(), {.format = own, .ranges = {found.ranges[channel * 5 + block]}});
          EXPECT_EQ(again, values);
        }
      }
      EXPECT_EQ(found.bits[4], format.width_bits);  // the shorter blocks
      EXPECT_EQ(found.bits[9], format.width_bits);
      EXPECT_DOUBLE_EQ(found.mean_bits, format.width_bits);
    }
  }
}

TEST(GroupBits, FeedbackLowersTheErrorFurther) {
  const std::size_t channels = 8, taps = 96;
  const std::vector<float> kernel = normals(channels * taps, 5);
  const LayerMoments moments = clustered(1, taps, 16, 6);
  const Format format = Format::parse("int3@group16");
  const double nearest = group_bits(kernel, channels, format, moments).output_error;
  for (const WeightRounding rounding : {WeightRounding::learned, WeightRounding::gptq}) {
    EXPECT_LT(group_bits(kernel, channels, format, moments, {rounding, false}).output_error, 0.9 * nearest);
  }
}

// All assignments of three widths to seven blocks whose mean is b.
TEST(GroupBits, TheSearchIsNearTheBestOfAllAssignments) {
  const std::size_t channels = 4, taps = 28, blocks = 7;
  const Format format = Format::parse("int3@group4");
  double found_sum = 0, best_sum = 0, uniform_sum = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const std::vector<float> kernel = normals(channels * taps, seed);
    const LayerMoments moments = clustered(1, taps, 4, 50 + seed);
    std::array<std::vector<float>, 3> rounded;
    for (std::size_t width = 0; width < 3; ++width) {
      Format own = format;
      own.width_bits = static_cast<std::uint8_t>(2 + width);
      rounded[width].resize(kernel.size());
      fake_quantize(kernel, rounded[width], taps, {.format = own});
    }
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t code = 0; code < 2187; ++code) {
      std::array<std::size_t, blocks> widths{};
      std::size_t rest = code, sum = 0;
      for (std::size_t& width : widths) {
        width = rest % 3;
        rest /= 3;
        sum += width;
      }
      if (sum != blocks) continue;
      std::vector<float> mixed(kernel.size());
      for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] = rounded[widths[i % taps / 4]][i];
      least = std::min(least, error_of(moments, kernel, mixed, channels));
    }
    const GroupBits found = group_bits(kernel, channels, format, moments);
    EXPECT_GE(found.output_error, least * (1 - 1e-5));
    EXPECT_LE(found.output_error, found.uniform_error);
    found_sum += found.output_error;
    best_sum += least;
    uniform_sum += found.uniform_error;
  }
  EXPECT_LT(found_sum, 1.25 * best_sum);
  EXPECT_GT(uniform_sum, 2 * best_sum);
}

TEST(GroupBits, EqualSalienceKeepsEveryBit) {
  const std::size_t channels = 4, taps = 32;
  std::vector<float> kernel = normals(channels * taps, 7);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] = kernel[i / taps * taps + i % 8];  // equal blocks
  LayerMoments moments{1, taps, 1, std::vector<double>(taps), std::vector<float>(taps * taps)};
  for (std::size_t i = 0; i < taps; ++i) moments.gram[i * taps + i] = 1;
  const GroupBits found = group_bits(kernel, channels, Format::parse("int4@group8"), moments);
  EXPECT_EQ(found.bits, (std::vector<std::uint8_t>{4, 4, 4, 4}));
  EXPECT_EQ(found.output_error, found.uniform_error);
}

TEST(GroupBits, WeightedScalesMatchWhatIsRead) {
  const std::size_t channels = 12, taps = 128;
  std::vector<float> kernel = normals(channels * taps, 8);
  for (std::size_t i = 0; i < kernel.size(); i += 37) kernel[i] *= 5;  // outliers that widen the whole range
  LayerMoments moments = clustered(1, taps, 8, 9);  // within a block of 32, some inputs count for more
  const Format format = Format::parse("int3@group32");
  const GroupBits whole = group_bits(kernel, channels, format, moments, {WeightRounding::nearest, false});
  const GroupBits weighted = group_bits(kernel, channels, format, moments, {WeightRounding::nearest, true});
  EXPECT_LT(weighted.output_error, 0.8 * whole.output_error);
  EXPECT_LT(weighted.uniform_error, 0.8 * whole.uniform_error);
}

TEST(GroupBits, BitsOfAWeightCountScalesAndWidths) {
  const std::size_t channels = 4, taps = 32;
  const std::vector<float> kernel = normals(channels * taps, 10);
  const LayerMoments moments = clustered(1, taps, 8, 11);
  const GroupBits plain = group_bits(kernel, channels, Format::parse("int4@group8"), moments);
  // 128 weights of 4 bits, 16 scales of 32, four widths of two.
  EXPECT_DOUBLE_EQ(plain.stored_bits, (128 * 4 + 16 * 32 + 4 * 2) / 128.0);
  const GroupBits offset = group_bits(kernel, channels, Format::parse("uint4@group8"), moments);
  EXPECT_DOUBLE_EQ(offset.stored_bits, (128 * 4 + 16 * (32 + 4) + 4 * 2) / 128.0);
}

TEST(GroupBits, WhatDoesNotFitIsRefused) {
  const std::vector<float> kernel = normals(64, 12);
  const LayerMoments moments = clustered(1, 16, 4, 13);
  for (const char* name : {"int2@group4", "int16@group4", "uint1@group4", "int4@channel", "e4m3@group4", "int4@mx4"}) {
    EXPECT_THROW(group_bits(kernel, 4, Format::parse(name), moments), std::invalid_argument) << name;
  }
  EXPECT_THROW(group_bits(kernel, 8, Format::parse("int4@group4"), moments), std::invalid_argument);
  std::vector<float> broken = kernel;
  broken[1] = INFINITY;
  EXPECT_THROW(group_bits(broken, 4, Format::parse("int4@group4"), moments), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
