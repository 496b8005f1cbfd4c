// Internal: what one number becomes, element type by element type, in operations that compilers make vector
// instructions of. ElementCodec says the same in plain words; every one of these equals it, bit for bit.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/quantization/codec.hpp"

namespace ridgeline::element_arithmetic {

inline constexpr std::uint32_t sign_mask = 0x80000000U, magnitude_mask = 0x7fffffffU, exponent_mask = 0x7f800000U;

// What the numbers that share a scale have in common.
struct SharedScale {
  float scale, divisor, threshold;
  float below, above;  // of integers: the largest steps on either side of 0
  int zero_point;
};

[[gnu::always_inline]] inline float magnitude_of(float value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & magnitude_mask);
}

[[gnu::always_inline]] inline float with_sign_of(float magnitude, float value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) |
                              (std::bit_cast<std::uint32_t>(value) & sign_mask));
}

// 0 <= steps <= 2^22 to a whole number.
template <Rounding rounding>
[[gnu::always_inline]] inline float whole_steps(float steps, float random) {
  if constexpr (rounding == Rounding::nearest_even) {
    return (steps + 0x1p23F) - 0x1p23F;  // the spacing of floats is 1 there
  } else {
    const auto whole = static_cast<float>(static_cast<std::int32_t>(steps));
    if constexpr (rounding == Rounding::toward_zero) return whole;
    const float fraction = steps - whole;
    if constexpr (rounding == Rounding::nearest_away) return whole + (fraction >= 0.5F ? 1.0F : 0.0F);
    return whole + (random < fraction ? 1.0F : 0.0F);
  }
}

struct Integer {
  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const SharedScale& shared, float random) const {
    const float quotient = value / shared.divisor;
    const float limit = quotient < 0 ? shared.below : shared.above;
    const float magnitude = magnitude_of(quotient);
    const float steps = whole_steps<rounding>(magnitude < limit ? magnitude : limit, random);
    const float signed_steps = (quotient < 0 ? -steps : steps) + 0.0F;  // integers have no -0
    return value == value ? signed_steps * shared.scale : 0.0F;
  }
};

// Floats of fewer exponents than f32: a value is a whole number of steps of 2^(exponent - mantissa bits), where the
// exponent is the value's own, but not below that of subnormals.
struct NarrowFloat {
  explicit NarrowFloat(const ElementCodec& codec)
      : largest(codec.largest()),
        limit(codec.overflows() ? std::ldexp(1.0F, std::ilogb(codec.largest()) + 1) : codec.largest()),
        overflow(codec.overflows() ? std::numeric_limits<float>::infinity() : codec.largest()),
        nan(codec.has_nan() ? std::numeric_limits<float>::quiet_NaN() : 0.0F),
        infinite(codec.has_infinity() ? std::numeric_limits<float>::infinity()
                                      : std::numeric_limits<float>::quiet_NaN()),
        lowest_exponent(static_cast<std::int32_t>(128 - codec.bias()) << 23),
        mantissa(static_cast<std::int32_t>(codec.mantissa_bits()) << 23) {}

  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const SharedScale& shared, float random) const {
    const float quotient = magnitude_of(value / shared.divisor);
    const float magnitude = quotient < limit ? quotient : limit;
    const auto own = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(magnitude) & exponent_mask);
    const std::int32_t exponent = own > lowest_exponent ? own : lowest_exponent;
    const auto steps_of_one = std::bit_cast<float>((254 << 23) - exponent + mantissa);
    const auto step = std::bit_cast<float>(exponent - mantissa);
    const float near = whole_steps<rounding>(magnitude * steps_of_one, random) * step;
    const float held = near > largest ? (rounding == Rounding::toward_zero ? largest : overflow) : near;
    const float result = with_sign_of(held, value) * shared.scale;
    const float finite_result = magnitude_of(value) == infinite ? value : result;
    return value == value ? finite_result : nan;
  }

  float largest, limit, overflow, nan;
  float infinite;  // infinity, or what nothing equals
  std::int32_t lowest_exponent, mantissa;
};

// Floats with the exponents of f32: their codes are the upper bits of one.
struct WideFloat {
  explicit WideFloat(const ElementCodec& codec)
      : unit(std::int32_t{1} << (23 - codec.mantissa_bits())),
        limit(std::bit_cast<std::int32_t>(codec.largest()) + (codec.overflows() ? unit : 0)),
        odd(codec.mantissa_bits() > 0 ? unit : static_cast<std::int32_t>(exponent_mask)),
        fraction_of_one(std::ldexp(1.0F, codec.mantissa_bits() - 23)),
        nan(codec.has_nan() ? std::numeric_limits<float>::quiet_NaN() : 0.0F) {}

  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const SharedScale& shared, float random) const {
    const auto quotient = std::bit_cast<std::int32_t>(magnitude_of(value / shared.divisor));
    const std::int32_t magnitude = quotient < limit ? quotient : limit;
    const std::int32_t fraction = magnitude & (unit - 1);
    const std::int32_t whole = magnitude - fraction;
    std::int32_t up = 0;
    if constexpr (rounding == Rounding::nearest_even) {
      up = 2 * fraction + ((whole & odd) != 0 ? 1 : 0) > unit ? unit : 0;
    } else if constexpr (rounding == Rounding::nearest_away) {
      up = 2 * fraction >= unit ? unit : 0;
    } else if constexpr (rounding == Rounding::stochastic) {
      up = random < static_cast<float>(fraction) * fraction_of_one ? unit : 0;
    }
    const float result = with_sign_of(std::bit_cast<float>(whole + up), value) * shared.scale;
    const float finite_result = magnitude_of(value) == std::numeric_limits<float>::infinity() ? value : result;
    return value == value ? finite_result : nan;
  }

  std::int32_t unit;   // the lowest digit of a code
  std::int32_t limit;  // the largest finite value, or the infinity that comes after it
  std::int32_t odd;    // the digits of which one is set in a code that ties do not round to
  float fraction_of_one, nan;
};

struct Binary {
  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const SharedScale& shared, float random) const {
    bool negative = value < 0;
    if constexpr (rounding == Rounding::stochastic) {
      const float quotient = value / shared.divisor;
      const float over = quotient > -1.0F ? quotient : -1.0F;
      negative = random >= ((over < 1.0F ? over : 1.0F) + 1.0F) * 0.5F && value == value;
    }
    return negative ? -shared.scale : shared.scale;
  }
};

struct Ternary {
  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const SharedScale& shared, float /*random*/) const {
    return magnitude_of(value) > shared.threshold ? with_sign_of(shared.scale, value) : 0.0F;
  }
};

}  // namespace ridgeline::element_arithmetic
