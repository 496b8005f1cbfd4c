// fake_quantize against the codec bit for bit, and the scales against closed forms and a plain reading of OCP's MX 1.0.
#include "kernels/quantization/fake_quantize.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "kernels/quantization/elements.hpp"
#include "kernels/quantization/instruction_set.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr std::array modes{Rounding::nearest_even, Rounding::nearest_away, Rounding::toward_zero, Rounding::stochastic};

Quantizer quantizer_of(const std::string& format, std::vector<Range> ranges = {},
                       Rounding rounding = Rounding::nearest_even, std::uint64_t seed = 0) {
  return {Format::parse(format), std::move(ranges), rounding, seed};
}

std::vector<float> quantized(std::span<const float> values, std::size_t row_length, const Quantizer& quantizer) {
  std::vector<float> result(values.size());
  fake_quantize(values, result, row_length, quantizer);
  return result;
}

std::vector<std::string> every_element() {
  std::vector<std::string> elements{"binary", "ternary", "int12", "int16", "uint12", "uint16"};
  for (int exponent = 1; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 10; ++mantissa) {
      if (1 + exponent + mantissa <= 8 || mantissa % 5 == 0)
        elements.push_back(fmt::format("e{}m{}", exponent, mantissa));
    }
  }
  for (int bits = 1; bits <= 8; ++bits) {
    if (bits > 1) elements.push_back(fmt::format("int{}", bits));
    if (bits > 1) elements.push_back(fmt::format("pot{}", bits));
    elements.push_back(fmt::format("uint{}", bits));
  }
  return elements;
}

// Every kind of float: all bit patterns, usual numbers, numbers near `step` times a few halves (ties and what is beside
// them when the scale is `step`), and the special ones.
std::vector<float> awkward_numbers(Rng& rng, std::size_t count, float step) {
  constexpr std::array special{0.0F,
                               -0.0F,
                               infinity,
                               -infinity,
                               not_a_number,
                               -not_a_number,
                               1e-45F,
                               -1e-45F,
                               0x1p-126F,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::lowest(),
                               0.5F,
                               -1.0F};
  std::vector<float> values(count);
  for (float& value : values) {
    const std::uint64_t kind = rng.below(8);
    if (kind < 2) {
      value = std::bit_cast<float>(static_cast<std::uint32_t>(rng.next()));
    } else if (kind < 4) {
      value = static_cast<float>(rng.normal() * std::exp(3 * rng.normal()));
    } else if (kind < 7) {
      const float tie =
          std::ldexp(static_cast<float>(rng.below(600)) * 0.5F, static_cast<int>(rng.below(9)) - 6) * step;
      const float aside = rng.chance(0.5) ? tie : std::nextafter(tie, rng.chance(0.5) ? infinity : -infinity);
      value = rng.chance(0.5) ? aside : -aside;
    } else {
      value = special[rng.below(special.size())];
    }
  }
  return values;
}

void expect_equal_bits(std::span<const float> found, std::span<const float> expected, std::span<const float> in,
                       const std::string& what) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(found[i]), std::bit_cast<std::uint32_t>(expected[i]))
        << what << ", " << fmt::format("{:a}", in[i]) << " at " << i;
  }
}

void expect_codec(std::span<const float> values, std::size_t row_length, const Quantizer& quantizer) {
  std::vector<float> expected(values.size());
  fake_quantize_by_codec(values, expected, row_length, quantizer);
  expect_equal_bits(quantized(values, row_length, quantizer), expected, values,
                    fmt::format("{} mode {}", quantizer.format.text(), static_cast<int>(quantizer.rounding)));
}

TEST(FakeQuantize, EqualsTheCodecBitForBit) {
  Rng rng(21);
  std::vector<float> values;
  for (const std::string& element : every_element()) {
    const bool blocked = element.starts_with("int") || (element[0] == 'e');
    for (const Rounding mode : modes) {
      const float step = std::ldexp(1.0F, static_cast<int>(rng.below(20)) - 10);
      const float largest = ElementCodec(Format::parse(element)).largest();
      const float bound = std::min(largest, 0x1p100F) * step;  // makes the scale `step`, so that ties are met
      constexpr std::size_t rows = 36, row_length = 481;
      values = awkward_numbers(rng, rows * row_length, step);
      expect_codec(values, row_length, quantizer_of(element, {{-bound, bound}}, mode, 5));
      expect_codec(values, row_length, quantizer_of(element, {}, mode, 5));
      expect_codec(values, row_length, quantizer_of(element + "@channel", {}, mode, 6));
      expect_codec(values, row_length, quantizer_of(element + "@channel", {{0, bound}, {-3, 1}, {0, 0}}, mode, 6));
      expect_codec(values, row_length, quantizer_of(element + "@group32", {}, mode, 7));
      expect_codec(values, row_length, quantizer_of(element + "@group7", {}, mode, 7));
      if (blocked) expect_codec(values, row_length, quantizer_of(element + "@mx32", {}, mode, 8));
      if (blocked) expect_codec(values, row_length, quantizer_of(element + "@mx5", {}, mode, 8));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(FakeQuantize, PlainFormatsEqualTheCodecBitForBit) {
  Rng rng(22);
  for (const char* format : {"f32", "f16", "bf16"}) {
    for (const Rounding mode : modes) {
      const std::vector<float> values = awkward_numbers(rng, 300001, 0x1p-10F);
      expect_codec(values, 1, quantizer_of(format, {}, mode, 9));
      if (HasFatalFailure()) return;
    }
  }
  const std::vector<float> nan{std::bit_cast<float>(0x7f812345U)};
  EXPECT_EQ(std::bit_cast<std::uint32_t>(quantized(nan, 1, quantizer_of("f32"))[0]), 0x7f812345U) << "f32 copies";
}

// The loops of all instruction sets that this CPU has, not only the widest.
template <Rounding rounding, typename Element>
void expect_same_for_instruction_sets(const Element& element, float scale, const std::string& name) {
  Rng rng(23);
  const std::vector<float> in = awkward_numbers(rng, 20000, scale);
  const element_arithmetic::SharedScale shared{scale, scale, scale / 2, 100, 155, 100};
  std::vector<float> plain(in.size()), wide(in.size());
  const auto loop = [&](std::vector<float>& out) {
    return [&in, &out, element, shared ]() __attribute__((always_inline)) {
      const float* const from = in.data();
      float* const to = out.data();
      for (std::size_t i = 0; i < in.size(); ++i) {
        to[i] = element.template round<rounding>(from[i], shared, static_cast<float>(i % 64) / 64);
      }
    };
  };
  loop(plain)();
  if (__builtin_cpu_supports("avx2")) {
    run_avx2(loop(wide));
    expect_equal_bits(wide, plain, in, name + " with AVX2");
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    run_avx512(loop(wide));
    expect_equal_bits(wide, plain, in, name + " with AVX-512");
  }
}

template <typename Element>
void expect_same_in_every_mode(const Element& element, const std::string& name) {
  for (const float scale : {1.0F, 0.0317F, 0x1p-126F, 3e36F}) {
    expect_same_for_instruction_sets<Rounding::nearest_even>(element, scale, name);
    expect_same_for_instruction_sets<Rounding::nearest_away>(element, scale, name);
    expect_same_for_instruction_sets<Rounding::toward_zero>(element, scale, name);
    expect_same_for_instruction_sets<Rounding::stochastic>(element, scale, name);
  }
}

TEST(FakeQuantize, EveryInstructionSetComputesTheSameBits) {
  expect_same_in_every_mode(element_arithmetic::Integer{}, "integers");
  expect_same_in_every_mode(element_arithmetic::Binary{}, "binary");
  expect_same_in_every_mode(element_arithmetic::Ternary{}, "ternary");
  for (const char* format : {"e4m3", "e5m2", "e2m1", "e1m2", "pot8", "f16"}) {
    expect_same_in_every_mode(element_arithmetic::NarrowFloat(ElementCodec(Format::parse(format))), format);
  }
  for (const char* format : {"bf16", "e8m0", "e8m3"}) {
    expect_same_in_every_mode(element_arithmetic::WideFloat(ElementCodec(Format::parse(format))), format);
  }
}

TEST(FakeQuantize, ByHand) {
  const std::vector<float> row{-4.0F, 3.9F, 1.0F, 0.5F, -0.24F, 0.0F};
  using Values = std::vector<float>;
  EXPECT_EQ(quantized(row, 6, quantizer_of("int4", {{-3.5F, 3.5F}})), (Values{-3.5F, 3.5F, 1.0F, 0.5F, 0.0F, 0.0F}));
  EXPECT_EQ(quantized(row, 6, quantizer_of("uint3", {{-0.5F, 3.0F}})), (Values{-0.5F, 3.0F, 1.0F, 0.5F, 0.0F, 0.0F}));
  EXPECT_EQ(quantized(row, 6, quantizer_of("e2m1", {{-6.0F, 0.0F}})), (Values{-4.0F, 4.0F, 1.0F, 0.5F, 0.0F, 0.0F}));
  EXPECT_EQ(quantized(row, 6, quantizer_of("pot3", {{-4.0F, 4.0F}})), (Values{-4.0F, 4.0F, 1.0F, 0.0F, 0.0F, 0.0F}));
  EXPECT_EQ(quantized(row, 3, quantizer_of("int2@channel", {{-4, 4}, {0, 0.5F}})),
            (Values{-4.0F, 4.0F, 0.0F, 0.5F, 0.0F, 0.0F}));
  EXPECT_EQ(quantized(row, 6, quantizer_of("int8", {{0, 0}})), Values(6, 0.0F)) << "all beyond a range of 0 saturates";
}

TEST(Scales, FromRanges) {
  const auto of = [](const char* format, Range range) { return ScaleRule(Format::parse(format)).of(range); };
  EXPECT_EQ(of("int8", {-2, 1}).scale, 2.0F / 127.0F);
  EXPECT_EQ(of("int4", {-2, 14}).scale, 2.0F);
  EXPECT_EQ(of("e4m3", {-2, 1}).scale, 2.0F / 448.0F);
  EXPECT_EQ(of("pot4", {-2, 1}).scale, 2.0F);
  EXPECT_EQ(of("binary", {-2, 1}).scale, 2.0F);
  EXPECT_EQ(of("ternary", {-2, 1}), (ElementScale{2, 0, 1}));
  EXPECT_EQ(of("uint8", {-1, 1.55F}), (ElementScale{static_cast<float>((double{1.55F} + 1) / 255), 100, 0}));
  EXPECT_EQ(of("uint8", {0.5F, 5.1F}), (ElementScale{static_cast<float>(double{5.1F} / 255), 0, 0})) << "holds 0";
  EXPECT_EQ(of("uint8", {-5.1F, -0.5F}).zero_point, 255);
  EXPECT_EQ(of("uint4", {-1, 4}), (ElementScale{static_cast<float>(5.0 / 15), 3, 0}));
  EXPECT_EQ(of("uint2", {-0.5F, 2.5F}).zero_point, 0) << "a tie goes to even";
  for (const char* format : {"int8", "uint8", "e4m3", "ternary"}) {
    EXPECT_EQ(of(format, {0, 0}), (ElementScale{0, 0, 0}));
    EXPECT_EQ(of(format, {0, 1e-40F}).scale, 0x1p-126F);
    const float most = std::numeric_limits<float>::max();
    const std::vector<float> ends = quantized(std::vector{-most, most}, 2, quantizer_of(format, {{-most, most}}));
    EXPECT_NEAR(ends[1] / 0x1p126F, 1.0, 0.01) << format;
    EXPECT_THROW(of(format, {-infinity, 1}), std::invalid_argument);
    EXPECT_THROW(of(format, {0, not_a_number}), std::invalid_argument);
    EXPECT_THROW(of(format, {1, 0}), std::invalid_argument);
  }
}

TEST(Scales, ZeroIsExactWhateverTheRange) {
  Rng rng(31);
  for (int i = 0; i < 20000; ++i) {
    const auto a = static_cast<float>(rng.normal() * std::exp(5 * rng.normal())), b = static_cast<float>(rng.normal());
    const Range range{std::min(a, b), std::max(a, b)};
    const int bits = 1 + static_cast<int>(rng.below(8));
    const Quantizer quantizer = quantizer_of(fmt::format("uint{}", bits), {range});
    const ElementScale scale = ScaleRule(quantizer.format).of(range);
    ASSERT_TRUE(scale.zero_point >= 0 && scale.zero_point < 1 << bits);
    const double low = std::min(range.low, 0.0F), high = std::max(range.high, 0.0F);
    const std::vector<float> ends = quantized(std::array{0.0F, range.low, range.high}, 3, quantizer);
    ASSERT_EQ(ends[0], 0.0F);
    ASSERT_LE(std::abs(ends[1] - std::max<double>(low, range.low)),
              0.5001 * scale.scale);  // the ends are representable
    ASSERT_LE(std::abs(ends[2] - std::min<double>(high, range.high)), 0.5001 * scale.scale);
  }
}

TEST(Ranges, AreOfTheFiniteNumbersThatShareAScale) {
  const std::vector<float> values{1, -2, infinity, not_a_number, 0.5F, 3, -infinity, 0.25F, -0.125F, 7};
  const auto of = [&](const char* format) { return ranges_of(values, 5, Format::parse(format)); };
  using Ranges = std::vector<Range>;
  EXPECT_EQ(of("int8"), (Ranges{{-2, 7}}));
  EXPECT_EQ(of("int8@channel"), (Ranges{{-2, 1}, {-0.125F, 7}}));
  EXPECT_EQ(of("uint8@group2"), (Ranges{{-2, 1}, {0, 0}, {0, 0.5F}, {0, 3}, {-0.125F, 0.25F}, {0, 7}}));
  for (const char* format : {"f32", "bf16", "mxfp4", "binary", "ternary@channel"}) EXPECT_TRUE(of(format).empty());
  Rng rng(41);
  for (std::size_t count = 1; count < 70; ++count) {
    std::vector<float> many(count);
    for (float& value : many) value = static_cast<float>(rng.normal());
    const auto [low, high] = std::minmax_element(many.begin(), many.end());
    EXPECT_EQ(ranges_of(many, count, int8)[0], (Range{std::min(*low, 0.0F), std::max(*high, 0.0F)}));
    const Quantizer itself = quantizer_of("e4m3"), given = quantizer_of("e4m3", ranges_of(many, count, itself.format));
    EXPECT_EQ(quantized(many, count, itself), quantized(many, count, given));
  }
}

// OCP MX 1.0, 6.3, read plainly: X is the largest power of two not above max |V|, over the largest power of two of the
// element; every P is the element nearest to V / X. All in double, the element found among all there are.
std::vector<double> by_ocp(std::span<const float> block, const std::vector<double>& element_values, int emax) {
  double largest = 0;
  for (const float value : block) largest = std::max(largest, std::abs(double{value}));
  int exponent = -127;
  while (exponent < 127 && std::ldexp(1.0, exponent + 1 + emax) <= largest) ++exponent;
  const double x = std::ldexp(1.0, exponent);
  std::vector<double> result;
  for (const float value : block) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < element_values.size(); ++i) {
      const double gain = std::abs(value / x - element_values[best]) - std::abs(value / x - element_values[i]);
      if (gain > 0 || (gain == 0 && i % 2 == 0)) best = i;  // values are in the order of codes: even ones win ties
    }
    result.push_back(element_values[best] * x);
  }
  return result;
}

TEST(Microscaling, BlocksAreThoseOfTheSpecification) {
  struct Row {
    const char* format;
    int emax;
    int positive_codes;  // that are numbers
  };
  for (const Row& row : {Row{"mxfp8", 8, 127}, Row{"mxfp8e5m2", 15, 124}, Row{"mxfp6", 4, 32}, Row{"mxfp6e2m3", 2, 32},
                         Row{"mxfp4", 2, 8}, Row{"mxint8", 0, 128}, Row{"bfp4@16", 0, 8}, Row{"bfp6@9", 0, 32}}) {
    const Format format = Format::parse(row.format);
    const bool integer = format.kind == Format::Kind::integer;
    std::vector<double> values;  // of MX integers: fixed point with width - 2 bits after it
    for (int code = 0; code < row.positive_codes; ++code) {
      const int mantissa = format.width_bits - 1 - format.exponent_bits;
      const int exponent = code >> mantissa, rest = code % (1 << mantissa), bias = (1 << format.exponent_bits) / 2 - 1;
      values.push_back(integer         ? std::ldexp(code, 2 - format.width_bits)
                       : exponent == 0 ? std::ldexp(rest, 1 - bias - mantissa)
                                       : std::ldexp((1 << mantissa) + rest, exponent - bias - mantissa));
    }
    Rng rng(51);
    for (int trial = 0; trial < 60; ++trial) {
      const int magnitude = trial < 20 ? trial * 14 - 149 : static_cast<int>(rng.below(20)) - 10;
      std::vector<float> block(format.group_size);
      for (float& value : block) {
        const double number = rng.chance(0.3) ? static_cast<double>(rng.below(64)) / 16 : std::abs(rng.normal());
        value = static_cast<float>(std::ldexp(number, std::min(magnitude, 124)));
      }
      const std::vector<double> expected = by_ocp(block, values, row.emax);
      std::vector<float> found = quantized(block, block.size(), {format});
      for (std::size_t i = 0; i < block.size(); ++i) ASSERT_EQ(double{found[i]}, expected[i]) << row.format << " " << i;
      for (float& value : block) value = -value;
      found = quantized(block, block.size(), {format});
      for (std::size_t i = 0; i < block.size(); ++i) ASSERT_EQ(double{found[i]}, -expected[i]) << row.format;
    }
  }
}

TEST(Microscaling, BlocksDoNotReachAcrossRowsAndIgnoreRanges) {
  std::vector<float> values(2 * 40, 1.0F);
  values[39] = 1e6F;
  const Quantizer quantizer = quantizer_of("mxint8", {{-1e9F, 1e9F}});
  const std::vector<float> found = quantized(values, 40, quantizer);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool beside_the_large = i >= 32 && i < 39;
    EXPECT_EQ(found[i], beside_the_large ? 0.0F : i == 39 ? found[39] : 1.0F) << i;
  }
  EXPECT_NEAR(found[39], 1e6F, 1e6F / 64);
}

TEST(Microscaling, InfinityAndNanLeaveTheirBlockAlone) {
  const std::vector<float> values{1.0F, infinity, not_a_number, -infinity, 0.75F, 0.0F};
  const std::vector<float> fp4 = quantized(values, 6, quantizer_of("mxfp4"));  // X = 2^-2
  EXPECT_EQ(fp4, (std::vector<float>{1.0F, 1.5F, 0.0F, -1.5F, 0.75F, 0.0F}));
  const std::vector<float> fp8 = quantized(values, 6, quantizer_of("mxfp8"));
  EXPECT_EQ(fp8[0], 1.0F);
  EXPECT_EQ(fp8[1], 1.75F);
  EXPECT_TRUE(std::isnan(fp8[2]));
  const std::vector<float> e5m2 = quantized(values, 6, quantizer_of("mxfp8e5m2"));
  EXPECT_EQ(e5m2[1], infinity);
  EXPECT_EQ(e5m2[3], -infinity);
  EXPECT_EQ(e5m2[4], 0.75F);
  EXPECT_EQ(quantized(std::vector<float>(40, 0.0F), 40, quantizer_of("mxfp4")), std::vector<float>(40, 0.0F));
}

TEST(BinaryAndTernary, ScalesByTheirPapers) {
  Rng rng(61);
  for (const std::size_t count : {1U, 7U, 8U, 100U, 1000U}) {
    std::vector<float> row(count);
    double sum = 0;
    for (float& value : row) sum += std::abs(value = static_cast<float>(rng.normal()));
    const double mean = sum / static_cast<double>(count);
    double kept_sum = 0, kept = 0;
    for (const float value : row) {
      if (std::abs(value) <= 0.7 * mean) continue;
      kept_sum += std::abs(value);
      kept += 1;
    }
    const std::vector<float> binary = quantized(row, count, quantizer_of("binary@channel"));
    const std::vector<float> ternary = quantized(row, count, quantizer_of("ternary@channel"));
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_NEAR(binary[i], row[i] < 0 ? -mean : mean, 1e-6 * mean);
      const double expected = std::abs(row[i]) > 0.7 * mean ? kept_sum / kept : 0.0;
      EXPECT_NEAR(ternary[i], row[i] < 0 ? -expected : expected, 1e-6 * mean);
    }
  }
  const std::vector<float> odd{2.0F, infinity, not_a_number, -4.0F, 0.0F};  // mean 2, threshold 1.4
  EXPECT_EQ(quantized(odd, 5, quantizer_of("binary")), (std::vector<float>{2, 2, 2, -2, 2}));
  EXPECT_EQ(quantized(odd, 5, quantizer_of("ternary")), (std::vector<float>{3, 3, 0, -3, 0}));
  EXPECT_EQ(quantized(odd, 5, quantizer_of("ternary", {{-3, 1}})), (std::vector<float>{3, 3, 0, -3, 0}));
  EXPECT_EQ(quantized(std::vector{1.5F, 1.6F}, 2, quantizer_of("ternary", {{-3, 1}})), (std::vector<float>{0, 3}));
}

TEST(FakeQuantize, RangesOfTheFirstRowsRepeat) {
  Rng rng(71);
  std::vector<float> images(std::size_t{4} * 3 * 50);  // four images of three channels
  for (float& value : images) value = static_cast<float>(rng.normal());
  const std::vector<Range> ranges{{-1, 1}, {0, 2}, {-3, 0.5F}};
  const std::vector<float> found = quantized(images, 50, quantizer_of("uint4@channel", ranges));
  for (std::size_t row = 0; row < 12; ++row) {
    const std::vector<float> alone =
        quantized(std::span(images).subspan(row * 50, 50), 50, quantizer_of("uint4", {ranges[row % 3]}));
    for (std::size_t i = 0; i < 50; ++i) ASSERT_EQ(found[row * 50 + i], alone[i]);
  }
}

TEST(FakeQuantize, MayWorkInPlace) {
  Rng rng(72);
  const std::vector<float> values = awkward_numbers(rng, 999, 0.25F);
  for (const char* format : {"f32", "bf16", "int8", "uint4@channel", "e4m3@group32", "mxfp4", "ternary", "binary"}) {
    std::vector<float> in_place = values;
    fake_quantize(in_place, in_place, 333, quantizer_of(format));
    expect_equal_bits(in_place, quantized(values, 333, quantizer_of(format)), values, format);
  }
}

TEST(FakeQuantize, AlongAnAxisIsEveryLineOfIt) {
  Rng rng(73);
  constexpr QuantizedAxis axis{3, 20, 7};
  std::vector<float> values(axis.outer * axis.length * axis.inner);
  for (float& value : values) value = static_cast<float>(rng.normal());
  const auto at = [&](std::size_t o, std::size_t l, std::size_t i) { return (o * axis.length + l) * axis.inner + i; };
  const auto along = [&](const Quantizer& quantizer, std::span<const float> in, const QuantizedAxis& shape) {
    std::vector<float> result(in.size());
    fake_quantize_along(in, result, shape, quantizer);
    return result;
  };
  const std::vector<Range> ranges{{-1, 1}, {0, 2}, {-3, 0.5F}};
  for (const Quantizer& quantizer :
       {quantizer_of("mxfp4"), quantizer_of("int4@group8"), quantizer_of("uint4@group8", ranges)}) {
    const std::vector<float> found = along(quantizer, values, axis);
    for (std::size_t o = 0; o < axis.outer; ++o) {
      for (std::size_t i = 0; i < axis.inner; ++i) {
        std::vector<float> line;
        for (std::size_t l = 0; l < axis.length; ++l) line.push_back(values[at(o, l, i)]);
        line = quantized(line, axis.length, quantizer);
        for (std::size_t l = 0; l < axis.length; ++l) ASSERT_EQ(found[at(o, l, i)], line[l]);
      }
    }
  }
  std::vector<Range> twenty;
  for (int i = 0; i < 20; ++i) twenty.push_back({-0.1F * static_cast<float>(i), 1});
  for (const Quantizer& quantizer : {quantizer_of("int4@channel"), quantizer_of("uint4@channel", twenty)}) {
    const std::vector<float> found = along(quantizer, values, axis);
    for (std::size_t l = 0; l < axis.length; ++l) {
      std::vector<float> slice;
      for (std::size_t k = 0; k < axis.outer * axis.inner; ++k)
        slice.push_back(values[at(k / axis.inner, l, k % axis.inner)]);
      const std::vector<Range> range(quantizer.ranges.empty() ? 0U : 1U,
                                     quantizer.ranges.empty() ? Range{} : twenty[l]);
      slice = quantized(slice, slice.size(), {quantizer.format, range});
      for (std::size_t k = 0; k < slice.size(); ++k) ASSERT_EQ(found[at(k / axis.inner, l, k % axis.inner)], slice[k]);
    }
  }
  const Quantizer whole = quantizer_of("e4m3");
  EXPECT_EQ(along(whole, values, axis), quantized(values, values.size(), whole));
  EXPECT_EQ(along(quantizer_of("mxfp8"), values, {21, 20, 1}), quantized(values, 20, quantizer_of("mxfp8")));
  EXPECT_TRUE(along(whole, {}, {0, 20, 7}).empty());
}

TEST(FakeQuantize, StochasticRoundingIsRightInTheMeanAndRepeats) {
  std::vector<float> values(200000, 0.3F);
  const auto mean_of = [&](const std::string& format, std::uint64_t seed) {
    double sum = 0;
    for (const float value : quantized(values, 1000, quantizer_of(format, {{-7, 7}}, Rounding::stochastic, seed))) {
      sum += value;
    }
    return sum / static_cast<double>(values.size());
  };
  EXPECT_NEAR(mean_of("int4", 1), 0.3, 0.005);  // four standard deviations of the mean
  EXPECT_NEAR(mean_of("uint6", 2), 0.3, 0.005);
  EXPECT_NEAR(mean_of("e2m1", 3), 0.3, 0.005);
  EXPECT_NEAR(mean_of("binary", 4), 0.3, 0.07);
  EXPECT_EQ(mean_of("int4", 5), mean_of("int4", 5));
  EXPECT_NE(mean_of("int4", 5), mean_of("int4", 6));
}

TEST(FakeQuantize, RefusesWhatDoesNotFit) {
  std::vector<float> values(12), out(12);
  const auto run = [&](const char* format, std::vector<Range> ranges, std::size_t row_length) {
    fake_quantize(values, out, row_length, quantizer_of(format, std::move(ranges)));
  };
  EXPECT_NO_THROW(run("int8@channel", {{0, 1}, {0, 1}, {0, 1}}, 4));
  EXPECT_THROW(run("int8@channel", {{0, 1}, {0, 1}}, 4), std::invalid_argument);
  EXPECT_THROW(run("int8", {{0, 1}, {0, 1}}, 4), std::invalid_argument);
  EXPECT_THROW(run("int8@channel", {}, 5), std::invalid_argument);
  EXPECT_THROW(run("int8@channel", {}, 0), std::invalid_argument);
  EXPECT_THROW(run("int8", {{1, 0}}, 4), std::invalid_argument);
  EXPECT_THROW(fake_quantize(values, std::span(out).first(11), 4, quantizer_of("int8")), std::invalid_argument);
  EXPECT_THROW(fake_quantize_along(values, out, {2, 2, 2}, quantizer_of("int8")), std::invalid_argument);
  EXPECT_NO_THROW(fake_quantize({}, {}, 4, quantizer_of("int8@channel")));
  EXPECT_NO_THROW(fake_quantize({}, {}, 0, quantizer_of("mxfp4")));
}

}  // namespace
}  // namespace ridgeline::testing
