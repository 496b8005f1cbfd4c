// Every code of every format of up to 8 bits against definitions of its own: tables of the OCP specifications and plain
// formulas here, and rounding by a search through the whole table.
#include "kernels/quantization/codec.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr std::array modes{Rounding::nearest_even, Rounding::nearest_away, Rounding::toward_zero, Rounding::stochastic};

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

ElementCodec codec_of(const std::string& format, int zero_point = 0) {
  return ElementCodec(Format::parse(format), zero_point);
}

std::vector<std::string> minifloats_up_to_8_bits() {
  std::vector<std::string> formats;
  for (int exponent = 1; exponent <= 7; ++exponent) {
    for (int mantissa = 0; 1 + exponent + mantissa <= 8; ++mantissa) {
      formats.push_back(fmt::format("e{}m{}", exponent, mantissa));
    }
  }
  return formats;
}

// By the formula alone; nullopt for NaN.
std::optional<double> defined_minifloat(int exponent_bits, int mantissa_bits, std::uint32_t code) {
  const std::uint32_t mantissa = code % (1U << mantissa_bits);
  const std::uint32_t exponent = (code >> mantissa_bits) % (1U << exponent_bits);
  const bool negative = (code >> (exponent_bits + mantissa_bits)) == 1;
  const int bias = (1 << exponent_bits) / 2 - 1;
  double value = exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                               : std::ldexp(1 + mantissa / std::ldexp(1.0, mantissa_bits), int(exponent) - bias);
  if (exponent_bits == 4 && mantissa_bits == 3 && exponent == 15 && mantissa == 7) return std::nullopt;
  if (exponent_bits == 5 && mantissa_bits == 2 && exponent == 31) {
    if (mantissa != 0) return std::nullopt;
    value = HUGE_VAL;
  }
  return negative ? -value : value;
}

TEST(Codec, EveryCodeOfEveryMinifloat) {
  int numbers = 0;
  for (const std::string& name : minifloats_up_to_8_bits()) {
    const Format format = Format::parse(name);
    const ElementCodec codec(format);
    const int mantissa_bits = format.width_bits - 1 - format.exponent_bits;
    for (std::uint32_t code = 0; code < 1U << format.width_bits; ++code) {
      const std::optional<double> expected = defined_minifloat(format.exponent_bits, mantissa_bits, code);
      const float value = codec.value_of(code);
      ASSERT_EQ(std::isnan(value), !expected) << name << " " << code;
      if (!expected) continue;
      ASSERT_EQ(double{value}, *expected) << name << " " << code;
      ASSERT_EQ(std::signbit(value), code >> (format.width_bits - 1) == 1) << name << " " << code;
      ASSERT_EQ(codec.encode(value), code) << name;
      ++numbers;
    }
    EXPECT_EQ(codec.has_nan(), name == "e4m3" || name == "e5m2");
    EXPECT_EQ(codec.has_infinity(), name == "e5m2");
  }
  EXPECT_GT(numbers, 2400);
}

// OCP 8-bit Floating Point Specification 1.0, table 2, and Microscaling Formats 1.0, tables 3 to 5.
TEST(Codec, TheFormatsOfOcp) {
  struct Row {
    const char* format;
    float largest, smallest_normal, largest_subnormal, smallest;
  };
  for (const Row& row :
       {Row{"e4m3", 448.0F, 0x1p-6F, 0.875F * 0x1p-6F, 0x1p-9F},
        Row{"e5m2", 57344.0F, 0x1p-14F, 0.75F * 0x1p-14F, 0x1p-16F}, Row{"e3m2", 28.0F, 0.25F, 0.1875F, 0.0625F},
        Row{"e2m3", 7.5F, 1.0F, 0.875F, 0.125F}, Row{"e2m1", 6.0F, 1.0F, 0.5F, 0.5F}}) {
    const Format format = Format::parse(row.format);
    const ElementCodec codec(format);
    const std::uint32_t first_normal = 1U << (format.width_bits - 1 - format.exponent_bits);
    EXPECT_EQ(codec.largest(), row.largest);
    EXPECT_EQ(codec.smallest(), row.smallest);
    EXPECT_EQ(codec.value_of(first_normal), row.smallest_normal) << row.format;
    EXPECT_EQ(codec.value_of(first_normal - 1), row.largest_subnormal) << row.format;
  }
  const ElementCodec e4m3 = codec_of("e4m3"), e5m2 = codec_of("e5m2"), e2m1 = codec_of("e2m1");
  EXPECT_EQ(e4m3.value_of(0x7e), 448.0F);
  EXPECT_TRUE(std::isnan(e4m3.value_of(0x7f)) && std::isnan(e4m3.value_of(0xff)));
  EXPECT_EQ(e5m2.value_of(0x7c), infinity);
  EXPECT_EQ(e5m2.value_of(0xfc), -infinity);
  for (const std::uint32_t code : {0x7dU, 0x7eU, 0x7fU, 0xfdU, 0xfeU, 0xffU})
    EXPECT_TRUE(std::isnan(e5m2.value_of(code)));
  const std::array<float, 8> fp4{0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};
  for (std::uint32_t code = 0; code < 8; ++code) {
    EXPECT_EQ(e2m1.value_of(code), fp4[code]);
    EXPECT_EQ(e2m1.value_of(code + 8), -fp4[code]);
  }
}

TEST(Codec, OneExponentBitIsEvenlySpaced) {
  for (int mantissa = 1; mantissa <= 6; ++mantissa) {
    const ElementCodec codec = codec_of(fmt::format("e1m{}", mantissa));
    for (std::uint32_t code = 0; code < 2U << mantissa; ++code) {
      EXPECT_EQ(codec.value_of(code), static_cast<float>(code) * std::ldexp(1.0F, 1 - mantissa));
    }
  }
}

TEST(Codec, EveryCodeOfEveryInteger) {
  for (int bits = 2; bits <= 8; ++bits) {
    const ElementCodec codec = codec_of(fmt::format("int{}", bits));
    const int half = 1 << (bits - 1);
    for (int value = -half; value < half; ++value) {
      const auto code = static_cast<std::uint32_t>(value < 0 ? value + 2 * half : value);
      EXPECT_EQ(codec.value_of(code), static_cast<float>(value));
      const std::uint32_t kept = value == -half ? static_cast<std::uint32_t>(half + 1) : code;  // symmetric
      EXPECT_EQ(codec.encode(static_cast<float>(value)), kept) << bits << " " << value;
    }
    EXPECT_EQ(codec.largest(), static_cast<float>(half - 1));
  }
}

TEST(Codec, EveryCodeOfEveryUnsignedIntegerAtEveryZeroPoint) {
  for (int bits = 1; bits <= 8; ++bits) {
    for (int zero_point = 0; zero_point < 1 << bits; ++zero_point) {
      const ElementCodec codec = codec_of(fmt::format("uint{}", bits), zero_point);
      for (int code = 0; code < 1 << bits; ++code) {
        const auto value = static_cast<float>(code - zero_point);
        ASSERT_EQ(codec.value_of(static_cast<std::uint32_t>(code)), value);
        ASSERT_EQ(codec.encode(value), static_cast<std::uint32_t>(code));
      }
      EXPECT_EQ(codec.encode(0.0F), static_cast<std::uint32_t>(zero_point)) << "0 is exact";
      EXPECT_EQ(codec.encode(-1e30F), 0U);
      EXPECT_EQ(codec.encode(infinity), (1U << bits) - 1);
    }
  }
  EXPECT_THROW(codec_of("uint4", 16), std::invalid_argument);
  EXPECT_THROW(codec_of("uint4", -1), std::invalid_argument);
  EXPECT_THROW(codec_of("int4", 1), std::invalid_argument);
}

TEST(Codec, EveryPowerOfTwo) {
  for (int bits = 2; bits <= 8; ++bits) {
    const ElementCodec codec = codec_of(fmt::format("pot{}", bits));
    const int half = 1 << (bits - 1);
    for (int code = 0; code < half; ++code) {
      const float value = code == 0 ? 0.0F : std::ldexp(1.0F, code - (half - 1));
      EXPECT_EQ(bits_of(codec.value_of(static_cast<std::uint32_t>(code))), bits_of(value));
      EXPECT_EQ(bits_of(codec.value_of(static_cast<std::uint32_t>(code + half))), bits_of(-value));
      EXPECT_EQ(codec.encode(-value), static_cast<std::uint32_t>(code + half));
    }
    EXPECT_EQ(codec.largest(), 1.0F);
    EXPECT_EQ(codec.smallest(), std::ldexp(1.0F, 2 - half));
  }
}

TEST(Codec, BinaryAndTernary) {
  const ElementCodec binary = codec_of("binary"), ternary = codec_of("ternary");
  EXPECT_EQ(binary.value_of(0), 1.0F);
  EXPECT_EQ(binary.value_of(1), -1.0F);
  for (const Rounding mode : {Rounding::nearest_even, Rounding::nearest_away, Rounding::toward_zero}) {
    for (const float value : {0.0F, -0.0F, 1e-45F, 0.3F, 7.0F, infinity, not_a_number}) {
      EXPECT_EQ(binary.round_to(value, mode), 1.0F) << value;
    }
    for (const float value : {-1e-45F, -0.3F, -7.0F, -infinity})
      EXPECT_EQ(binary.round_to(value, mode), -1.0F) << value;
  }
  const std::array<float, 4> values{0.0F, 1.0F, 0.0F, -1.0F};
  for (std::uint32_t code = 0; code < 4; ++code) EXPECT_EQ(ternary.value_of(code), values[code]);
  EXPECT_EQ(ternary.encode(-3.0F), 3U);
  EXPECT_EQ(ternary.encode(0.5F), 0U);
  EXPECT_EQ(ternary.encode(std::nextafter(0.5F, 1.0F)), 1U);
}

// What numbers become, by a search through all that can be: independent of how the codec finds it.
class Table {
 public:
  Table(const std::string& name, int zero_point) : name_(name), codec_(codec_of(name, zero_point)) {
    const Format format = Format::parse(name);
    for (std::uint32_t code = 0; code < 1U << format.width_bits; ++code) {
      const float value = codec_.value_of(code);
      const bool unused = format.kind == Format::Kind::integer && value < -codec_.largest();
      if (std::isfinite(value) && !unused) values_.push_back(value);
    }
    std::sort(values_.begin(), values_.end());
    values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
  }

  // The neighbours of x on either side (equal where x is one or beyond the ends).
  std::pair<float, float> around(double x) const {
    const auto above = std::lower_bound(values_.begin(), values_.end(), x, [](float a, double b) { return a < b; });
    if (above == values_.begin()) return {values_.front(), values_.front()};
    if (above == values_.end()) return {values_.back(), values_.back()};
    return {*above == x ? *above : *(above - 1), *above};
  }

  void check(float x) const {
    const auto [below, above] = around(x);
    const double down = double{x} - below, up = double{above} - x;
    const float smaller = std::abs(below) < std::abs(above) ? below : above;
    const float larger = smaller == below ? above : below;
    const float even = last_digit_even(smaller) ? smaller : larger;
    const float nearest = down < up ? below : above;
    expect(x, Rounding::nearest_even, below == above || down != up ? nearest : even);
    expect(x, Rounding::nearest_away, below == above || down != up ? nearest : larger);
    expect(x, Rounding::toward_zero, smaller);
  }

  const std::vector<float>& values() const { return values_; }
  const ElementCodec& codec() const { return codec_; }

 private:
  // 0, and numbers whose spacing to what lies below and above is the same on a multiple of twice that spacing.
  bool last_digit_even(float smaller) const {
    const auto next = std::upper_bound(values_.begin(), values_.end(), std::abs(smaller));
    const double step = next == values_.end() ? 0.0 : double{*next} - std::abs(smaller);
    if (smaller == 0 || step == 0) return true;
    return std::fmod(std::abs(double{smaller}), 2 * step) == 0;
  }

  void expect(float x, Rounding mode, float expected) const {
    const float found = codec_.round_to(x, mode);
    ASSERT_EQ(found, expected) << name_ << ", mode " << static_cast<int>(mode) << ": " << fmt::format("{:a}", x);
    const bool keeps_sign = codec_.is_float() || expected != 0;
    ASSERT_EQ(std::signbit(found), keeps_sign && std::signbit(x)) << name_ << " " << x;
  }

  std::string name_;
  ElementCodec codec_;
  std::vector<float> values_;  // rising
};

std::vector<Table> tables_up_to_8_bits() {
  std::vector<Table> tables;
  for (const std::string& name : minifloats_up_to_8_bits()) tables.emplace_back(name, 0);
  for (int bits = 2; bits <= 8; ++bits) {
    tables.emplace_back(fmt::format("int{}", bits), 0);
    tables.emplace_back(fmt::format("pot{}", bits), 0);
    tables.emplace_back(fmt::format("uint{}", bits), 0);
    tables.emplace_back(fmt::format("uint{}", bits), (1 << bits) / 3);
  }
  tables.emplace_back("ternary", 0);
  return tables;
}

TEST(Codec, EncodesTheNearestOfTheWholeTable) {
  for (const Table& table : tables_up_to_8_bits()) {
    const std::vector<float>& values = table.values();
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
      const float middle = 0.5F * values[i] + 0.5F * values[i + 1];  // exact: the values have few digits
      for (const float x : {values[i], std::nextafter(values[i], infinity), std::nextafter(middle, -infinity), middle,
                            std::nextafter(middle, infinity), std::nextafter(values[i + 1], -infinity)}) {
        ASSERT_NO_FATAL_FAILURE(table.check(x));
      }
    }
    for (const float beyond : {1.0001F, 1.25F, 2.0F, 1e6F}) {
      ASSERT_NO_FATAL_FAILURE(table.check(values.front() * beyond));
      ASSERT_NO_FATAL_FAILURE(table.check(values.back() * beyond));
    }
    Rng rng(11);
    for (int i = 0; i < 2000; ++i) {
      const double wide = std::exp(6 * rng.normal()), close = rng.uniform() * values.back();
      ASSERT_NO_FATAL_FAILURE(table.check(static_cast<float>((rng.chance(0.5) ? wide : close) * rng.normal())));
    }
  }
}

TEST(Codec, TowardZeroNeverGrows) {
  Rng rng(5);
  for (const Table& table : tables_up_to_8_bits()) {
    for (int i = 0; i < 1000; ++i) {
      const auto x = static_cast<float>(std::exp(4 * rng.normal()) * rng.normal());
      ASSERT_LE(std::abs(table.codec().round_to(x, Rounding::toward_zero)), std::abs(x));
    }
  }
}

TEST(Codec, StochasticRoundingPicksANeighbourAndIsRightInTheMean) {
  Rng rng(7);
  std::vector<Table> tables = tables_up_to_8_bits();
  tables.emplace_back("binary", 0);
  for (const Table& table : tables) {
    for (int i = 0; i < 6; ++i) {
      const double low = table.values().front(), high = table.values().back();
      const auto x = static_cast<float>(low + (high - low) * rng.uniform());
      const auto [below, above] = table.around(x);
      constexpr int draws = 2048;  // evenly spread over [0, 1): the mean is off by a draw at most
      double sum = 0;
      for (int k = 0; k < draws; ++k) {
        const float found = table.codec().round_to(x, Rounding::stochastic, (static_cast<float>(k) + 0.5F) / draws);
        ASSERT_TRUE(found == below || found == above) << x << " to " << found;
        sum += found;
      }
      EXPECT_NEAR(sum / draws, x, (double{above} - below) / draws);
    }
    const float exact = table.values()[table.values().size() / 2];
    for (const float random : {0.0F, 0.5F, 0x1.fffffep-1F}) {
      EXPECT_EQ(table.codec().round_to(exact, Rounding::stochastic, random), exact) << "what is exact stays";
    }
  }
}

TEST(Codec, SaturationInfinityAndNan) {
  for (const Table& table : tables_up_to_8_bits()) {
    const ElementCodec& codec = table.codec();
    for (const Rounding mode : modes) {
      for (const float most : {1.0F, -1.0F}) {
        const float end = most > 0 ? table.values().back() : table.values().front();
        EXPECT_EQ(codec.round_to(most * std::numeric_limits<float>::max(), mode), end);
        EXPECT_EQ(codec.round_to(most * infinity, mode), codec.has_infinity() ? most * infinity : end);
      }
      const float found = codec.round_to(not_a_number, mode);
      EXPECT_EQ(bits_of(found), codec.has_nan() ? bits_of(not_a_number) : bits_of(0.0F));
      EXPECT_EQ(bits_of(codec.round_to(0.0F, mode)), bits_of(0.0F)) << "0 is exact";
      EXPECT_EQ(bits_of(codec.round_to(-0.0F, mode)), bits_of(codec.is_float() ? -0.0F : 0.0F));
    }
  }
  EXPECT_EQ(codec_of("e5m2").encode(not_a_number), 0x7eU);
  EXPECT_EQ(codec_of("e4m3").encode(not_a_number), 0x7fU);
  EXPECT_EQ(codec_of("e4m3").encode(-infinity), 0xfeU);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"  // clang's intrinsics are macros with compound literals
[[gnu::target("f16c")]] float by_processor(std::uint16_t code) { return _cvtsh_ss(code); }

[[gnu::target("f16c")]] std::uint16_t by_processor(float value) { return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT); }

[[gnu::target("f16c")]] std::uint16_t cut_by_processor(float value) { return _cvtss_sh(value, _MM_FROUND_TO_ZERO); }
#pragma GCC diagnostic pop

TEST(Codec, EveryCodeOfHalfPrecisionIsTheProcessors) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this CPU has no half precision";
  const ElementCodec codec = codec_of("f16");
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const float value = by_processor(static_cast<std::uint16_t>(code));
    const float found = codec.value_of(code);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(found)) << code;
      continue;
    }
    ASSERT_EQ(bits_of(found), bits_of(value)) << code;
    ASSERT_EQ(codec.encode(value), code);
    const float next = by_processor(static_cast<std::uint16_t>(code + 1));
    const float middle = 0.5F * value + 0.5F * next;
    for (const float x : {std::nextafter(value, infinity), std::nextafter(value, -infinity), middle,
                          std::nextafter(middle, infinity), std::nextafter(middle, -infinity)}) {
      if (std::isnan(x)) continue;
      ASSERT_EQ(codec.encode(x), std::uint32_t{by_processor(x)}) << x;
      ASSERT_EQ(codec.encode(x, Rounding::toward_zero), std::uint32_t{cut_by_processor(x)}) << x;
    }
  }
}

TEST(Codec, HalfPrecisionOverflows) {
  const ElementCodec codec = codec_of("f16");
  EXPECT_EQ(codec.largest(), 65504.0F);
  EXPECT_EQ(codec.round_to(65519.99F), 65504.0F);
  EXPECT_EQ(codec.round_to(65520.0F), infinity);
  EXPECT_EQ(codec.round_to(-1e30F), -infinity);
  EXPECT_EQ(codec.round_to(1e30F, Rounding::toward_zero), 65504.0F);
  EXPECT_EQ(codec.round_to(infinity, Rounding::toward_zero), infinity);
}

TEST(Codec, EveryCodeOfBfloat16) {
  const ElementCodec codec = codec_of("bf16");
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const auto value = std::bit_cast<float>(code << 16);
    const float found = codec.value_of(code);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(found)) << code;
      continue;
    }
    ASSERT_EQ(bits_of(found), bits_of(value)) << code;
    if (std::isinf(value)) continue;
    // What is cut off decides: under a half down, over a half up, a half to the even code. All of it is tried here.
    for (const std::uint32_t rest : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      const auto x = std::bit_cast<float>(code << 16 | rest);
      ASSERT_EQ(codec.encode(x), rest > 0x8000 || (rest == 0x8000 && code % 2 == 1) ? code + 1 : code) << x;
      ASSERT_EQ(codec.encode(x, Rounding::nearest_away), rest >= 0x8000 ? code + 1 : code) << x;
      ASSERT_EQ(codec.encode(x, Rounding::toward_zero), code) << x;
    }
  }
  EXPECT_EQ(codec.round_to(std::numeric_limits<float>::max()), infinity);
}

TEST(Codec, EightExponentBitsEndAsF32Does) {
  const ElementCodec e8m3 = codec_of("e8m3");
  EXPECT_EQ(e8m3.largest(), 1.875F * 0x1p127F);
  EXPECT_EQ(e8m3.round_to(std::numeric_limits<float>::max()), e8m3.largest()) << "minifloats saturate";
  EXPECT_EQ(e8m3.round_to(infinity), infinity);
  EXPECT_TRUE(std::isnan(e8m3.round_to(not_a_number)));
  const ElementCodec f32_codec = codec_of("f32");
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const auto bits = static_cast<std::uint32_t>(rng.next() >> 32);
    const float value = f32_codec.round_to(std::bit_cast<float>(bits));
    EXPECT_TRUE(std::isnan(value) ? std::isnan(std::bit_cast<float>(bits)) : bits_of(value) == bits) << bits;
  }
}

}  // namespace
}  // namespace ridgeline::testing
