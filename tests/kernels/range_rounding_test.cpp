// Rounding over a learned range: against the codec, LSQ's formula, and what noise is to be.
#include "kernels/training/range_rounding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

NumberMemory array_of(std::vector<float>& values) { return {reinterpret_cast<std::byte*>(values.data()), false}; }

std::vector<float> normal_numbers(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, "numbers");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

TEST(RangeRounding, IsTheCodecsOverEveryRange) {
  for (const char* text : {"int4@channel", "int8@channel", "e4m3@channel", "e2m1@channel", "int3", "e5m2"}) {
    const Format format = Format::parse(text);
    const bool by_row = format.granularity == Format::Granularity::channel;
    std::vector<float> x = normal_numbers(3 * 40, 1), y(x.size());
    std::vector<float> ranges = by_row ? std::vector<float>{0.7F, -1.9F, 3.1F} : std::vector<float>{1.2F};
    const RangeRounding rounding{.format = format, .activations = false, .rows = 3, .row_length = 40};
    round_over(rounding, array_of(x), array_of(y), ranges, 0);
    Quantizer quantizer{.format = format};
    for (const float range : ranges) quantizer.ranges.push_back({-std::abs(range), std::abs(range)});
    std::vector<float> expected(x.size());
    fake_quantize_by_codec(x, expected, 40, quantizer);
    EXPECT_EQ(y, expected) << text;
  }
}

TEST(RangeRounding, StartsFromTheFirstNumbers) {
  std::vector<float> x{0.1F, -0.2F, 0.1F, 4.0F, 0.1F, 0.1F, 0.1F, 0.1F}, y(8), ranges{0.0F, 0.5F};
  const RangeRounding rounding{
      .format = Format::parse("int3@channel"), .activations = false, .rows = 2, .row_length = 4};
  round_over(rounding, array_of(x), array_of(y), ranges, 0);
  EXPECT_FLOAT_EQ(ranges[0], static_cast<float>(2.0 * 1.1 * std::sqrt(3.0)));  // mean |x| is 1.1, Q is 3
  EXPECT_EQ(ranges[1], 0.5F);                                                  // it had one
  std::vector<float> even{1.0F, -1.0F, 1.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F};
  ranges = {0.0F, 0.0F};
  round_over(rounding, array_of(even), array_of(y), ranges, 0);
  EXPECT_EQ(ranges[0], 1.0F);  // 2 sqrt(3) is beyond the largest
  EXPECT_EQ(ranges[1], 0.0F);
  EXPECT_EQ(y, even);
}

// dL/ds of learned step sizes (Esser et al., 2020, equation 3), times its gradient scale 1 / sqrt(N Q), by hand.
TEST(RangeRounding, GradientsAreThoseOfLearnedStepSizes) {
  struct One {
    bool is_unsigned;
    double steps;
    std::vector<float> passes;
  };
  for (const One& one : {One{false, 3, {1, 1, 0, 0, 1, 1}}, One{true, 7, {1, 1, 0, 0, 1, 0}}}) {
    std::vector<float> x{0.3F, 0.9F, 1.7F, -2.0F, 0.0F, -0.55F}, y(6), passed(6), found{0.0F}, ranges{1.0F};
    std::vector<float> g{1.0F, -2.0F, 0.5F, 3.0F, 1.0F, 4.0F};
    const RangeRounding rounding{
        .format = Format::parse("int3"), .is_unsigned = one.is_unsigned, .rows = 1, .row_length = 6, .samples = 2};
    round_over(rounding, array_of(x), array_of(y), ranges, 0);
    pull_back(rounding, array_of(x), array_of(y), ranges, array_of(g), array_of(passed), found, false);
    const double s = 1.0 / one.steps, low = one.is_unsigned ? 0.0 : -one.steps;
    double by_step = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double v = static_cast<double>(x[i]) / s;
      const double slope = v < low ? low : v > one.steps ? one.steps : std::nearbyint(v) - v;
      by_step += static_cast<double>(g[i]) * slope;
      EXPECT_EQ(passed[i], one.passes[i] * g[i]) << i;
    }
    // A step of descent on the range changes it by Q times what it changes the step by.
    const double expected = one.steps * by_step / std::sqrt(3.0 * one.steps);  // N: six numbers of two samples
    EXPECT_NEAR(static_cast<double>(found[0]), expected, 1e-5);
    pull_back(rounding, array_of(x), array_of(y), ranges, array_of(g), array_of(passed), found, true);
    EXPECT_NEAR(static_cast<double>(found[0]), 2 * expected, 1e-5);
    ranges[0] = -1.0F;  // its sign means nothing, but turns the slope around
    pull_back(rounding, array_of(x), array_of(y), ranges, array_of(g), array_of(passed), found, false);
    EXPECT_NEAR(static_cast<double>(found[0]), -expected, 1e-5);
  }
}

TEST(RangeRounding, OfNoiseOnlyWhatIsCutOffMovesTheRange) {
  std::vector<float> x{0.3F, 0.9F, 1.7F, -2.0F, 0.0F, -0.55F}, y(6), passed(6), found{0.0F}, ranges{1.0F};
  std::vector<float> g{1.0F, -2.0F, 0.5F, 3.0F, 1.0F, 4.0F};
  const RangeRounding rounding{.format = Format::parse("int3"),
                               .is_unsigned = false,
                               .rows = 1,
                               .row_length = 6,
                               .samples = 2,
                               .way = RoundingWay::noise};
  round_over(rounding, array_of(x), array_of(y), ranges, 0);
  pull_back(rounding, array_of(x), array_of(y), ranges, array_of(g), array_of(passed), found, false);
  EXPECT_NEAR(static_cast<double>(found[0]), (0.5 * 1 + 3.0 * -1) * std::sqrt(std::pow(3.0, 3) / 3.0), 1e-5);
  EXPECT_EQ(passed, (std::vector<float>{1.0F, -2.0F, 0.0F, 0.0F, 1.0F, 4.0F}));
}

TEST(RangeRounding, NoiseIsOneStepWideAndTheSameForAnyNumberOfThreads) {
  const std::size_t count = 100000;
  std::vector<float> x = normal_numbers(count, 2), one(count), two(count), other(count), ranges{2.5F};
  x[17] = 0.0F;
  RangeRounding rounding{
      .format = Format::parse("int4"), .rows = 1, .row_length = count, .way = RoundingWay::noise, .seed = 5};
  round_over(rounding, array_of(x), array_of(one), ranges, 3);
  rounding.threads = 2;
  round_over(rounding, array_of(x), array_of(two), ranges, 3);
  EXPECT_EQ(one, two);
  round_over(rounding, array_of(x), array_of(other), ranges, 4);
  EXPECT_NE(one, other);
  const double step = 2.5 / 7.0;
  double sum = 0, square = 0, inside = 0, most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::abs(x[i]) > 2.5F) {
      ASSERT_EQ(one[i], std::copysign(2.5F, x[i]));
      continue;
    }
    const double noise = static_cast<double>(one[i]) - static_cast<double>(x[i]);
    most = std::max(most, std::abs(noise));
    sum += noise;
    square += noise * noise;
    inside += 1;
  }
  EXPECT_EQ(one[17], 0.0F);
  EXPECT_LE(most, step / 2 + 1e-6);
  EXPECT_GT(most, 0.49 * step);
  EXPECT_NEAR(sum / inside, 0.0, 0.005 * step);                           // five standard deviations
  EXPECT_NEAR(square / inside / (step * step), 1.0 / 12.0, 0.02 / 12.0);  // of a uniform distribution
}

TEST(RangeRounding, NoiseOfMinifloatsIsTheStepOfTheirBinade) {
  std::vector<float> x(20000), y(x.size()), ranges{448.0F};  // e4m3's largest: the scale is 1
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 5.0F : 0.001F;
  const RangeRounding rounding{
      .format = Format::parse("e4m3"), .rows = 1, .row_length = x.size(), .way = RoundingWay::noise, .seed = 5};
  round_over(rounding, array_of(x), array_of(y), ranges, 0);
  float at_five = 0, below_normal = 0;
  for (std::size_t i = 0; i < x.size(); i += 2) {
    at_five = std::max(at_five, std::abs(y[i] - x[i]));
    below_normal = std::max(below_normal, std::abs(y[i + 1] - x[i + 1]));
  }
  EXPECT_NEAR(at_five, 0.25F, 0.002F);                    // between 4 and 8 the values of e4m3 are 1/2 apart
  EXPECT_NEAR(below_normal, 0x1p-10F, 0x1p-10F * 0.01F);  // its smallest value is 2^-9
}

}  // namespace
}  // namespace ridgeline
