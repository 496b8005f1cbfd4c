#include "kernels/conversion.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#if defined(__x86_64__)
#include <immintrin.h>
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // of what GCC 12's own intrinsics leave open
#endif
#endif

namespace ridgeline {
namespace {

constexpr std::int64_t pixel_block = 256;    // three planes of so many stay in the first-level cache
constexpr std::int64_t number_block = 4096;  // that a thread converts at once

// ---- one number. Written so that a compiler turns loops over them into vector instructions.

[[gnu::always_inline]] inline float decoded(float value) { return value; }
[[gnu::always_inline]] inline float decoded(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}
[[gnu::always_inline]] inline float decoded(std::int8_t value) { return static_cast<float>(value); }
[[gnu::always_inline]] inline float decoded(std::uint8_t value) { return static_cast<float>(value); }

template <typename Number>
[[gnu::always_inline]] inline Number encoded(float value);

template <>
[[gnu::always_inline]] inline float encoded(float value) {
  return value;
}
template <>
[[gnu::always_inline]] inline std::uint16_t encoded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const std::uint32_t quiet = (bits >> 16) | 0x40U;
  return static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}
// A NaN becomes the lowest number.
template <>
[[gnu::always_inline]] inline std::int8_t encoded(float value) {
  return static_cast<std::int8_t>(static_cast<int>(std::nearbyint(std::min(std::max(-128.0F, value), 127.0F))));
}
template <>
[[gnu::always_inline]] inline std::uint8_t encoded(float value) {
  return static_cast<std::uint8_t>(static_cast<int>(std::nearbyint(std::min(std::max(0.0F, value), 255.0F))));
}

#if defined(__x86_64__)
// ---- sixteen numbers, by instructions that compilers do not find in the loops over one

#define RIDGELINE_AVX512 gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")

[[RIDGELINE_AVX512, gnu::always_inline]] inline __m512 decoded16(const float* at) { return _mm512_loadu_ps(at); }
[[RIDGELINE_AVX512, gnu::always_inline]] inline __m512 decoded16(const std::uint16_t* at) {
  const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16));
}
[[RIDGELINE_AVX512, gnu::always_inline]] inline __m512 decoded16(const std::int8_t* at) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
}
[[RIDGELINE_AVX512, gnu::always_inline]] inline __m512 decoded16(const std::uint8_t* at) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
}

[[RIDGELINE_AVX512, gnu::always_inline]] inline void encode16(__m512 values, float* at) {
  _mm512_storeu_ps(at, values);
}
[[RIDGELINE_AVX512, gnu::always_inline]] inline void encode16(__m512 values, std::uint16_t* at) {
  const __m512i bits = _mm512_castps_si512(values), high = _mm512_srli_epi32(bits, 16);
  const __m512i tie = _mm512_add_epi32(_mm512_and_si512(high, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, tie), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  const __m512i codes = _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtepi32_epi16(codes));
}
// Of a NaN, the maximum is its second operand.
[[RIDGELINE_AVX512, gnu::always_inline]] inline void encode16(__m512 values, float least, float most, void* at) {
  values = _mm512_min_ps(_mm512_max_ps(values, _mm512_set1_ps(least)), _mm512_set1_ps(most));
  _mm_storeu_si128(static_cast<__m128i*>(at), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(values)));
}
[[RIDGELINE_AVX512, gnu::always_inline]] inline void encode16(__m512 values, std::int8_t* at) {
  encode16(values, -128.0F, 127.0F, at);
}
[[RIDGELINE_AVX512, gnu::always_inline]] inline void encode16(__m512 values, std::uint8_t* at) {
  encode16(values, 0.0F, 255.0F, at);
}
#endif

// ---- rows of them, compiled for several instruction sets

template <typename From, typename To>
[[gnu::always_inline]] inline void convert_all(const From* __restrict in, To* __restrict out, std::int64_t count,
                                               float scale) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = encoded<To>(decoded(in[i]) * scale);
}

// Three rows to one, number by number.
template <typename Number>
[[gnu::always_inline]] inline void weave_all(const Number* __restrict rows, std::int64_t row_length,
                                             Number* __restrict out, std::int64_t count) {
  const Number* __restrict a = rows;
  const Number* __restrict b = rows + row_length;
  const Number* __restrict c = rows + 2 * row_length;
  for (std::int64_t i = 0; i < count; ++i) {
    out[3 * i] = a[i];
    out[3 * i + 1] = b[i];
    out[3 * i + 2] = c[i];
  }
}

template <typename From, typename To>
void convert_generic(const From* in, To* out, std::int64_t count, float scale) {
  convert_all(in, out, count, scale);
}
template <typename Number>
void weave_generic(const Number* rows, std::int64_t row_length, Number* out, std::int64_t count) {
  weave_all(rows, row_length, out, count);
}

#if defined(__x86_64__)
template <typename From, typename To>
[[gnu::target("avx2")]] void convert_avx2(const From* in, To* out, std::int64_t count, float scale) {
  convert_all(in, out, count, scale);
}
template <typename Number>
[[gnu::target("avx2")]] void weave_avx2(const Number* rows, std::int64_t row_length, Number* out, std::int64_t count) {
  weave_all(rows, row_length, out, count);
}

template <typename From, typename To>
[[RIDGELINE_AVX512]] void convert_avx512(const From* in, To* out, std::int64_t count, float scale) {
  const __m512 factor = _mm512_set1_ps(scale);
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) encode16(_mm512_mul_ps(decoded16(in + i), factor), out + i);
  convert_all(in + i, out + i, count - i, scale);
}
template <typename Number>
[[RIDGELINE_AVX512]] void weave_avx512(const Number* rows, std::int64_t row_length, Number* out, std::int64_t count) {
  weave_all(rows, row_length, out, count);
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi");
}

template <typename Function>
Function* widest(Function* generic, Function* avx2, Function* avx512) {
  return has_avx512() ? avx512 : __builtin_cpu_supports("avx2") ? avx2 : generic;
}
#define RIDGELINE_WIDEST(name, ...) \
  widest(name##_generic<__VA_ARGS__>, name##_avx2<__VA_ARGS__>, name##_avx512<__VA_ARGS__>)
#else
#define RIDGELINE_WIDEST(name, ...) name##_generic<__VA_ARGS__>
#endif

template <typename From, typename To>
void convert_row(const From* in, To* out, std::int64_t count, float scale) {
  static const auto convert = RIDGELINE_WIDEST(convert, From, To);
  convert(in, out, count, scale);
}

template <typename From>
void convert_from(const ConversionJob& job, const From* from, void* to, std::int64_t first) {
  const std::int64_t count = std::min(number_block, job.count - first);
  from += first;
  switch (job.to) {
    case StoredType::single:
      return convert_row(from, static_cast<float*>(to) + first, count, job.scale);
    case StoredType::bfloat:
      return convert_row(from, static_cast<std::uint16_t*>(to) + first, count, job.scale);
    case StoredType::s8:
      return convert_row(from, static_cast<std::int8_t*>(to) + first, count, job.scale);
    case StoredType::u8:
      return convert_row(from, static_cast<std::uint8_t*>(to) + first, count, job.scale);
  }
}

void convert_block(const ConversionJob& job, const void* from, void* to, std::int64_t first) {
  switch (job.from) {
    case StoredType::single:
      return convert_from(job, static_cast<const float*>(from), to, first);
    case StoredType::bfloat:
      return convert_from(job, static_cast<const std::uint16_t*>(from), to, first);
    case StoredType::s8:
      return convert_from(job, static_cast<const std::int8_t*>(from), to, first);
    case StoredType::u8:
      return convert_from(job, static_cast<const std::uint8_t*>(from), to, first);
  }
}

// `block` counts blocks of pixels through all images.
template <typename Number>
void interleave_block(const InterleaveJob& job, const float* planes, Number* pixels, std::int64_t block) {
  static const auto weave = RIDGELINE_WIDEST(weave, Number);
  const std::int64_t blocks = (job.area + pixel_block - 1) / pixel_block;
  const std::int64_t image = block / blocks, from = block % blocks * pixel_block;
  const std::int64_t count = std::min(pixel_block, job.area - from);
  std::array<Number, 3 * pixel_block> rows;
  for (std::int64_t c = 0; c < 3; ++c) {
    convert_row(planes + (image * 3 + c) * job.area + from, rows.data() + c * pixel_block, count, job.scale);
  }
  weave(rows.data(), pixel_block, pixels + (image * job.area + from) * 3, count);
}

// A team of one costs more than a small conversion: without one where there is nothing to share.
template <typename Work>
void share_out(std::int64_t blocks, int threads, const Work& work) {
  if (threads <= 1 || blocks <= 1) {
    for (std::int64_t block = 0; block < blocks; ++block) work(block);
    return;
  }
#pragma omp parallel for num_threads(threads)
  for (std::int64_t block = 0; block < blocks; ++block) work(block);
}

}  // namespace

void convert_numbers(const ConversionJob& job, const void* from, void* to) {
  const std::int64_t blocks = (job.count + number_block - 1) / number_block;
  share_out(blocks, job.threads, [&](std::int64_t block) { convert_block(job, from, to, block * number_block); });
}

void interleave(const InterleaveJob& job, const float* planes, void* pixels) {
  const std::int64_t blocks = job.images * ((job.area + pixel_block - 1) / pixel_block);
  share_out(blocks, job.threads, [&](std::int64_t block) {
    if (job.to == StoredType::single) return interleave_block(job, planes, static_cast<float*>(pixels), block);
    if (job.to == StoredType::bfloat) return interleave_block(job, planes, static_cast<std::uint16_t*>(pixels), block);
    interleave_block(job, planes, static_cast<std::int8_t*>(pixels), block);
  });
}

std::string conversion_name(const std::string& what) {
#if defined(__x86_64__)
  if (has_avx512()) return what + ":avx512";
  if (__builtin_cpu_supports("avx2")) return what + ":avx2";
#endif
  return what + ":generic";
}

}  // namespace ridgeline
