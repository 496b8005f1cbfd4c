// The element types of number formats: what every code means, and which code a number becomes. Written for reading;
// fake_quantize is the same for whole arrays, bit for bit.
//
// Values here are those of the element alone, before any scale. What is stored:
//
//   intN     two's complement, symmetric: saturates at +-(2^(N-1) - 1); the code of -2^(N-1) has that value, but no
//            number becomes it.
//   uintN    the code minus the zero point, 0 <= zero point < 2^N.
//   eXmY     sign, X exponent bits, Y mantissa bits, bias 2^(X-1) - 1, subnormals. All codes are numbers, but for:
//            e5m2, as IEEE 754: exponent 31 is infinity and NaN; e4m3: S.1111.111 is NaN, no infinity (OCP 8-bit
//            Floating Point Specification 1.0, 2023); X = 8: as f32, exponent 255 is infinity and NaN (without
//            mantissa: infinity). With X = 1 the bias is 0 by the same formula, and the values are the evenly spaced k
//            * 2^(1-Y). Without mantissa the exponent 0 is the number 0 alone.
//   potN     as eXm0 with X = N - 1 and the bias 2^X - 1: the largest value is 1.
//   binary   0 is 1 and 1 is -1: a sign bit. There is no 0: it becomes 1, and so does NaN.
//   ternary  two's complement of 2 bits; the code of -2 has the value 0, but no number becomes it.
//   f32, f16, bf16: IEEE 754.
//
// Rounding is of the magnitude, so it is the same on both sides of 0. Finite numbers over the largest finite value
// become that, in every mode (the saturating conversion of the OCP specifications), but for f16 and bf16, which
// overflow as IEEE 754 has it: to infinity, or, towards zero, to the largest finite value. Infinity stays infinity
// where the element has one, else it saturates. NaN stays NaN (a quiet, positive one) where the element has it, else it
// becomes 0. The sign of 0 is kept by floats and lost by integers.
#pragma once

#include <cstdint>

#include "spaces/format.hpp"

namespace ridgeline {

enum class Rounding : std::uint8_t {
  // Ties to the value whose last digit is even; without mantissa digits to the larger magnitude, as IEEE 754-2019
  // (4.3.1) says of one-digit precision. Ties of uintN are decided before the zero point is added, as in ONNX.
  nearest_even,
  nearest_away,  // ties to the larger magnitude
  toward_zero,
  // To the larger magnitude where `random` is less than the fraction of the step that the number lies above the
  // smaller one: right in the mean. Binary: 1 where `random` is less than (x + 1) / 2.
  stochastic
};

// Immutable; thread-safe.
class ElementCodec {
 public:
  // The granularity of the format does not matter. zero_point: of uintN, else 0. Throws std::invalid_argument on a zero
  // point that is no code.
  explicit ElementCodec(const Format& format, int zero_point = 0);

  float value_of(std::uint32_t code) const;  // code < 2^width_bits
  // random in [0, 1): read by Rounding::stochastic alone.
  std::uint32_t encode(float value, Rounding rounding = Rounding::nearest_even, float random = 0) const;
  float round_to(float value, Rounding rounding = Rounding::nearest_even, float random = 0) const {
    return value_of(encode(value, rounding, random));
  }

  float largest() const { return largest_; }    // finite
  float smallest() const { return smallest_; }  // above 0
  bool has_infinity() const { return ieee_; }
  bool has_nan() const { return ieee_ ? mantissa_bits_ > 0 : one_nan_; }
  bool overflows() const { return cast_; }  // to infinity, where others saturate

  bool is_float() const { return exponent_bits_ > 0; }  // and powers of two
  int exponent_bits() const { return exponent_bits_; }
  int mantissa_bits() const { return mantissa_bits_; }
  int bias() const { return bias_; }
  // Of integers, ternary too: the smallest and the largest value that a number becomes.
  int lowest_step() const { return lowest_; }
  int highest_step() const { return highest_; }

 private:
  std::uint32_t encode_float(float value, Rounding rounding, float random) const;
  std::uint32_t encode_step(float value, Rounding rounding, float random) const;

  Format::Kind kind_;
  int width_bits_;
  int zero_point_;
  int exponent_bits_ = 0, mantissa_bits_ = 0, bias_ = 0;  // of floats
  bool ieee_ = false, one_nan_ = false, cast_ = false;
  int lowest_ = 0, highest_ = 0;
  std::uint32_t largest_code_ = 0;
  float largest_ = 1, smallest_ = 1;
};

}  // namespace ridgeline
