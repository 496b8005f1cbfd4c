#include "kernels/quantization/codec.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace ridgeline {
namespace {

// `steps` >= 0 to a whole number.
double rounded(double steps, Rounding rounding, float random) {
  const double whole = std::floor(steps);
  const double fraction = steps - whole;
  switch (rounding) {
    case Rounding::nearest_even:
      if (fraction == 0.5) return whole + std::fmod(whole, 2.0);
      return whole + (fraction > 0.5 ? 1 : 0);
    case Rounding::nearest_away:
      return whole + (fraction >= 0.5 ? 1 : 0);
    case Rounding::toward_zero:
      return whole;
    case Rounding::stochastic:
      return whole + (random < static_cast<float>(fraction) ? 1 : 0);
  }
  return whole;
}

std::uint32_t encode_binary(float value, Rounding rounding, float random) {
  if (std::isnan(value)) return 0;
  if (rounding != Rounding::stochastic) return value < 0 ? 1 : 0;
  const float chance = (std::clamp(value, -1.0F, 1.0F) + 1.0F) * 0.5F;
  return random < chance ? 0 : 1;
}

}  // namespace

ElementCodec::ElementCodec(const Format& format, int zero_point)
    : kind_(format.kind), width_bits_(format.width_bits), zero_point_(zero_point) {
  const bool asymmetric = kind_ == Format::Kind::unsigned_integer;
  if (zero_point < 0 || zero_point >= (asymmetric ? 1 << width_bits_ : 1)) {
    throw std::invalid_argument("the zero point is no code of " + format.text());
  }
  switch (kind_) {
    case Format::Kind::binary:
      return;
    case Format::Kind::unsigned_integer:
      lowest_ = -zero_point;
      highest_ = (1 << width_bits_) - 1 - zero_point;
      break;
    case Format::Kind::integer:
    case Format::Kind::ternary:
      highest_ = (1 << (width_bits_ - 1)) - 1;
      lowest_ = -highest_;
      break;
    case Format::Kind::power_of_two:
      exponent_bits_ = width_bits_ - 1;
      bias_ = (1 << exponent_bits_) - 1;
      break;
    default:
      exponent_bits_ = format.exponent_bits;
      mantissa_bits_ = width_bits_ - 1 - exponent_bits_;
      bias_ = (1 << (exponent_bits_ - 1)) - 1;
      cast_ = kind_ != Format::Kind::minifloat;
      ieee_ = cast_ || exponent_bits_ == 8 || (exponent_bits_ == 5 && mantissa_bits_ == 2);
      one_nan_ = exponent_bits_ == 4 && mantissa_bits_ == 3;
      break;
  }
  if (!is_float()) {
    largest_ = static_cast<float>(std::max(highest_, -lowest_));
    return;
  }
  const std::uint32_t positive_codes = 1U << (width_bits_ - 1);
  largest_code_ = positive_codes - 1 - (ieee_ ? 1U << mantissa_bits_ : one_nan_ ? 1U : 0U);
  largest_ = value_of(largest_code_);
  smallest_ = value_of(1);
}

float ElementCodec::value_of(std::uint32_t code) const {
  if (kind_ == Format::Kind::binary) return code == 0 ? 1.0F : -1.0F;
  if (!is_float()) {
    const auto whole = static_cast<int>(code);
    if (kind_ == Format::Kind::unsigned_integer) return static_cast<float>(whole - zero_point_);
    const int value = whole > highest_ ? whole - (1 << width_bits_) : whole;
    return kind_ == Format::Kind::ternary && value == -2 ? 0.0F : static_cast<float>(value);
  }
  const std::uint32_t magnitude = code & ((1U << (width_bits_ - 1)) - 1);
  const float sign = (code >> (width_bits_ - 1)) != 0 ? -1.0F : 1.0F;
  if (magnitude > largest_code_) {
    const bool infinite = ieee_ && magnitude == largest_code_ + 1;
    return infinite ? sign * std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  }
  const int exponent = static_cast<int>(magnitude >> mantissa_bits_);
  const auto mantissa = static_cast<double>(magnitude & ((1U << mantissa_bits_) - 1));
  const double digits = exponent == 0 ? mantissa : mantissa + std::ldexp(1.0, mantissa_bits_);
  return sign * static_cast<float>(std::ldexp(digits, std::max(exponent, 1) - bias_ - mantissa_bits_));
}

std::uint32_t ElementCodec::encode(float value, Rounding rounding, float random) const {
  if (kind_ == Format::Kind::binary) return encode_binary(value, rounding, random);
  return is_float() ? encode_float(value, rounding, random) : encode_step(value, rounding, random);
}

std::uint32_t ElementCodec::encode_step(float value, Rounding rounding, float random) const {
  const double clamped = std::isnan(value) ? 0.0 : std::clamp<double>(value, lowest_, highest_);
  const auto steps = static_cast<int>(rounded(std::abs(clamped), rounding, random));
  const int code = (clamped < 0 ? -steps : steps) + zero_point_;
  return static_cast<std::uint32_t>(code) & ((1U << width_bits_) - 1);
}

std::uint32_t ElementCodec::encode_float(float value, Rounding rounding, float random) const {
  if (std::isnan(value)) return has_nan() ? largest_code_ + (ieee_ ? 1U + (1U << (mantissa_bits_ - 1)) : 1U) : 0;
  const std::uint32_t sign = std::signbit(value) ? 1U << (width_bits_ - 1) : 0;
  if (std::isinf(value)) return sign | (largest_code_ + (ieee_ ? 1 : 0));
  double magnitude = std::abs(value);
  if (!cast_) magnitude = std::min<double>(magnitude, largest_);
  if (magnitude == 0) return sign;
  // The values of the same exponent are k * 2^(exponent - mantissa_bits). A k that rounds up to the next power of two
  // is carried into the exponent by the addition.
  const int lowest_exponent = 1 - bias_;
  const int exponent = std::max(std::ilogb(magnitude), lowest_exponent);
  const double k = rounded(std::ldexp(magnitude, mantissa_bits_ - exponent), rounding, random);
  const std::uint32_t code =
      (static_cast<std::uint32_t>(exponent - lowest_exponent) << mantissa_bits_) + static_cast<std::uint32_t>(k);
  if (code <= largest_code_) return sign | code;
  return sign | (rounding == Rounding::toward_zero ? largest_code_ : largest_code_ + 1);
}

}  // namespace ridgeline
