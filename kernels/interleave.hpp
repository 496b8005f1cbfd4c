// Plain colour images to pixels: [N, 3, H, W] in f32 to channels-last in f32, bf16 or s8. This is the first step of
// almost every image network, and the library's general reorder takes about three times as long for it.
#pragma once

#include <cstdint>
#include <string>

namespace ridgeline {

enum class PixelType : std::uint8_t { single, bfloat, byte };

struct InterleaveJob {
  const float* planes = nullptr;
  void* pixels = nullptr;
  std::int64_t images = 0, area = 0;  // area: H * W
  PixelType type = PixelType::single;
  float scale = 1.0F;  // byte: stored = value * scale, to nearest (ties to even), saturated
  int threads = 1;
};

void interleave(const InterleaveJob& job);

// "interleave:avx512": the instructions that interleave() uses here.
std::string interleave_name();

}  // namespace ridgeline
