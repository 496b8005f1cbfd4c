#include "hwmodels/arithmetic.hpp"

#include <array>
#include <vector>

namespace ridgeline {

std::span<const std::string> arithmetic_names() {
  static const std::vector<std::string> names{"f32", "f16", "bf16", "int16", "int8", "int4", "fp8", "fp4"};
  return names;
}

int bits_of(Arithmetic arithmetic) {
  static constexpr std::array<int, arithmetic_count> bits{32, 16, 16, 16, 8, 4, 8, 4};
  return bits[static_cast<std::size_t>(arithmetic)];
}

Arithmetic arithmetic_of(const Format& format) {
  switch (format.kind) {
    case Format::Kind::f32:
      return Arithmetic::float32;
    case Format::Kind::f16:
      return Arithmetic::float16;
    case Format::Kind::bf16:
      return Arithmetic::bfloat16;
    case Format::Kind::minifloat:
      return format.width_bits <= 4   ? Arithmetic::float4
             : format.width_bits <= 8 ? Arithmetic::float8
                                      : Arithmetic::float16;
    case Format::Kind::power_of_two:  // their exponents reach down to -2, -14 and -126
      return format.width_bits <= 3   ? Arithmetic::float4
             : format.width_bits <= 5 ? Arithmetic::float8
                                      : Arithmetic::bfloat16;
    default:
      return format.width_bits <= 4   ? Arithmetic::integer4
             : format.width_bits <= 8 ? Arithmetic::integer8
                                      : Arithmetic::integer16;
  }
}

}  // namespace ridgeline
