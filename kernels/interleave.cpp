#include "kernels/interleave.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace ridgeline {
namespace {

constexpr std::int64_t block = 256;  // pixels converted at once: three planes of them stay in the first-level cache

std::uint16_t to_bf16(float value) {  // nearest, ties to even
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

std::int8_t to_s8(float value) {
  return static_cast<std::int8_t>(static_cast<int>(std::nearbyint(std::min(std::max(value, -128.0F), 127.0F))));
}

// Pixels `from` to `from + count` of one image. Written in loops that a compiler turns into vector instructions, and
// compiled once for each instruction set below.
template <typename Number, typename Convert>
__attribute__((always_inline)) inline void convert_block(const float* planes, std::int64_t area, std::int64_t count,
                                                         Number* __restrict pixels, const Convert& convert) {
  std::array<std::array<Number, block>, 3> converted;
  for (std::size_t c = 0; c < 3; ++c) {
    const float* plane = planes + static_cast<std::int64_t>(c) * area;
    for (std::int64_t i = 0; i < count; ++i) converted[c][static_cast<std::size_t>(i)] = convert(plane[i]);
  }
  const Number* __restrict a = converted[0].data();
  const Number* __restrict b = converted[1].data();
  const Number* __restrict c = converted[2].data();
  for (std::int64_t i = 0; i < count; ++i) {
    pixels[3 * i] = a[i];
    pixels[3 * i + 1] = b[i];
    pixels[3 * i + 2] = c[i];
  }
}

__attribute__((always_inline)) inline void convert_pixels(const InterleaveJob& job, std::int64_t image,
                                                          std::int64_t from) {
  const std::int64_t count = std::min(block, job.area - from);
  const float* planes = job.planes + image * 3 * job.area + from;
  const std::int64_t to = (image * job.area + from) * 3;
  if (job.type == PixelType::single) {
    convert_block(planes, job.area, count, static_cast<float*>(job.pixels) + to, [](float value) { return value; });
  } else if (job.type == PixelType::bfloat) {
    convert_block(planes, job.area, count, static_cast<std::uint16_t*>(job.pixels) + to, to_bf16);
  } else {
    const float scale = job.scale;
    convert_block(planes, job.area, count, static_cast<std::int8_t*>(job.pixels) + to,
                  [scale](float value) { return to_s8(value * scale); });
  }
}

using Convert = void (*)(const InterleaveJob&, std::int64_t image, std::int64_t from);

void convert_generic(const InterleaveJob& job, std::int64_t image, std::int64_t from) {
  convert_pixels(job, image, from);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void convert_avx2(const InterleaveJob& job, std::int64_t image, std::int64_t from) {
  convert_pixels(job, image, from);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,prefer-vector-width=512"))) void convert_avx512(
    const InterleaveJob& job, std::int64_t image, std::int64_t from) {
  convert_pixels(job, image, from);
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi");
}

Convert best() {
  if (has_avx512()) return convert_avx512;
  return __builtin_cpu_supports("avx2") ? convert_avx2 : convert_generic;
}
#else
Convert best() { return convert_generic; }
#endif

}  // namespace

void interleave(const InterleaveJob& job) {
  static const Convert convert = best();
  const std::int64_t blocks = (job.area + block - 1) / block;
#pragma omp parallel for num_threads(job.threads) if (job.threads > 1)
  for (std::int64_t i = 0; i < job.images * blocks; ++i) convert(job, i / blocks, i % blocks * block);
}

std::string interleave_name() {
#if defined(__x86_64__)
  if (has_avx512()) return "interleave:avx512";
  if (__builtin_cpu_supports("avx2")) return "interleave:avx2";
#endif
  return "interleave:generic";
}

}  // namespace ridgeline
