// The kinds of arithmetic that devices are described by.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "spaces/format.hpp"

namespace ridgeline {

// What formats are distinguished by when it comes to arithmetic; in files f32, f16, bf16, int16, int8, int4, fp8, fp4.
enum class Arithmetic : std::uint8_t { float32, float16, bfloat16, integer16, integer8, integer4, float8, float4 };
inline constexpr std::size_t arithmetic_count = 8;
std::span<const std::string> arithmetic_names();
Arithmetic arithmetic_of(const Format& format);  // the narrowest that holds the format's values
int bits_of(Arithmetic arithmetic);

}  // namespace ridgeline
