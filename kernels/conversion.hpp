// Numbers of a tensor from one stored type to another, in loops of the project's own: the library's general reorder
// takes three to eight times as long where nothing changes place, and about three times for plain colour images, the
// first step of almost every image network.
//
// What is stored is value * scale: to bf16 rounded to nearest, ties to even (NaN stays NaN); to 8 bits the same way,
// and saturated. Vector instructions where the CPU has them; every path gives the same bits.
#pragma once

#include <cstdint>
#include <string>

namespace ridgeline {

enum class StoredType : std::uint8_t { single, bfloat, s8, u8 };

struct ConversionJob {
  StoredType from = StoredType::single, to = StoredType::single;
  std::int64_t count = 0;
  float scale = 1.0F;
  int threads = 1;
};
// `to` may not overlap `from`.
void convert_numbers(const ConversionJob& job, const void* from, void* to);

// [N, 3, H, W] in f32 to channels-last in f32, bf16 or s8.
struct InterleaveJob {
  std::int64_t images = 0, area = 0;  // area: H * W
  StoredType to = StoredType::single;
  float scale = 1.0F;
  int threads = 1;
};
void interleave(const InterleaveJob& job, const float* planes, void* pixels);

// "conversion:avx512": what() and the instructions that this CPU runs it with.
std::string conversion_name(const std::string& what);

}  // namespace ridgeline
