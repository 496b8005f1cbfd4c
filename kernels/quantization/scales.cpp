#include "kernels/quantization/scales.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "kernels/quantization/codec.hpp"
#include "kernels/quantization/instruction_set.hpp"
#include "kernels/quantization/partition.hpp"

namespace ridgeline {
namespace {

constexpr float smallest_scale = 0x1p-126F;
constexpr float largest_magnitude_of_range = 0x1p126F;  // so that the scale and its multiples stay finite
constexpr std::int32_t infinity_bits = 0x7f800000;
constexpr std::int32_t magnitude_mask = 0x7fffffff;

// Integers in the order of the floats; its own inverse.
[[gnu::always_inline]] inline std::int32_t ordered(std::int32_t bits) { return bits ^ ((bits >> 31) & magnitude_mask); }

[[gnu::always_inline]] inline bool is_finite(std::int32_t bits) { return (bits & magnitude_mask) < infinity_bits; }

// Of integers, because the maximum of floats is no vector instruction while NaN counts.
[[gnu::always_inline]] inline Range finite_range(const float* values, std::size_t count) {
  std::int32_t low = 0, high = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::int32_t>(values[i]);
    const std::int32_t key = is_finite(bits) ? ordered(bits) : 0;
    low = key < low ? key : low;
    high = key > high ? key : high;
  }
  return {std::bit_cast<float>(ordered(low)), std::bit_cast<float>(high)};
}

[[gnu::always_inline]] inline float finite_magnitude(const float* values, std::size_t count) {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t bits = std::bit_cast<std::int32_t>(values[i]) & magnitude_mask;
    const std::int32_t key = bits < infinity_bits ? bits : 0;
    largest = key > largest ? key : largest;
  }
  return std::bit_cast<float>(largest);
}

// All bits set where the magnitude of `value` is finite and over the one whose bits are `threshold`, else none: a mask,
// because of a branch no vector instructions are made. -1 as the threshold counts every finite number.
[[gnu::always_inline]] inline std::int32_t counted(float value, std::int32_t threshold) {
  const std::int32_t magnitude = std::bit_cast<std::int32_t>(value) & magnitude_mask;
  return -static_cast<std::int32_t>((magnitude > threshold) & (magnitude < infinity_bits));
}

// The mean of the counted magnitudes, 0 for none. Sums in double and in a fixed number of parts, so that it is the same
// for every instruction set.
[[gnu::always_inline]] inline double mean_magnitude(const float* values, std::size_t count, std::int32_t threshold) {
  constexpr std::size_t lanes = 16;
  std::array<double, lanes> sums{};
  const auto kept = [&](std::size_t i) __attribute__((always_inline)) {
    const std::int32_t bits = std::bit_cast<std::int32_t>(values[i]) & magnitude_mask & counted(values[i], threshold);
    return double{std::bit_cast<float>(bits)};
  };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += kept(i + lane);
  }
  double sum = 0;
  for (; i < count; ++i) sum += kept(i);
  for (const double part : sums) sum += part;
  std::int64_t found = 0;
  for (i = 0; i < count; ++i) found -= counted(values[i], threshold);
  return found > 0 ? sum / static_cast<double>(found) : 0.0;
}

}  // namespace

bool scales_by_numbers(const Format& format) {
  return format.granularity == Format::Granularity::mx || format.kind == Format::Kind::binary ||
         format.kind == Format::Kind::ternary;
}

ScaleRule::ScaleRule(const Format& format)
    : format_(format), largest_(ElementCodec(format).largest()), emax_(std::ilogb(largest_)) {}

ElementScale ScaleRule::of_magnitude(float magnitude) const {
  if (magnitude == 0) return {0, 0, 0};
  const float scale = std::max(std::min(magnitude, largest_magnitude_of_range) / largest_, smallest_scale);
  return {scale, 0, scale / 2};
}

ElementScale ScaleRule::of(const Range& range) const {
  if (!std::isfinite(range.low) || !std::isfinite(range.high) || range.low > range.high) {
    throw std::invalid_argument("a range to quantize over must be finite, its low not over its high");
  }
  if (format_.kind != Format::Kind::unsigned_integer) {
    return of_magnitude(std::max(std::abs(range.low), std::abs(range.high)));
  }
  const float low = std::clamp(range.low, -largest_magnitude_of_range, 0.0F);
  const float high = std::clamp(range.high, 0.0F, largest_magnitude_of_range);
  if (low == high) return {0, 0, 0};
  const float scale = std::max(static_cast<float>((double{high} - double{low}) / largest_), smallest_scale);
  const double zero_point = std::nearbyint(-double{low} / scale);
  return {scale, static_cast<int>(std::min<double>(zero_point, largest_)), 0};
}

std::vector<ElementScale> ScaleRule::of(std::span<const float> values, std::size_t row_length) const {
  if (!format_.is_quantized()) return {};
  const Partition partition(format_, values.size(), row_length);
  if (!scales_by_numbers(format_)) {
    std::vector<ElementScale> scales;
    scales.reserve(partition.runs());
    for (const Range& range : ranges_of(values, row_length, format_)) scales.push_back(of(range));
    return scales;
  }
  std::vector<ElementScale> scales(partition.runs());
  if (format_.granularity == Format::Granularity::mx) {
    const bool integer = format_.kind == Format::Kind::integer;
    const int emax = integer ? 0 : emax_;
    const float unit = integer ? std::ldexp(1.0F, 2 - format_.width_bits) : 1.0F;
    run_widest([&]() __attribute__((always_inline)) {
      partition.for_each_run([&](std::size_t run, std::size_t first, std::size_t count) __attribute__((always_inline)) {
        const auto bits = std::bit_cast<std::int32_t>(finite_magnitude(values.data() + first, count));
        const int exponent = std::clamp((bits >> 23) - 127 - emax, -127, 127);  // of subnormals it is -127 too
        scales[run].scale = (exponent > -127 ? std::bit_cast<float>((exponent + 127) << 23) : 0x1p-127F) * unit;
      });
    });
    return scales;
  }
  const bool ternary = format_.kind == Format::Kind::ternary;
  run_widest([&]() __attribute__((always_inline)) {
    partition.for_each_run([&](std::size_t run, std::size_t first, std::size_t count) __attribute__((always_inline)) {
      const double mean = mean_magnitude(values.data() + first, count, -1);
      const auto threshold = static_cast<float>(0.7 * mean);
      const auto bits = std::bit_cast<std::int32_t>(threshold);
      const double kept = ternary ? mean_magnitude(values.data() + first, count, bits) : mean;
      scales[run] = {static_cast<float>(kept), 0, ternary ? threshold : 0.0F};
    });
  });
  return scales;
}

std::vector<Range> ranges_of(std::span<const float> values, std::size_t row_length, const Format& format) {
  if (!format.is_quantized() || scales_by_numbers(format)) return {};
  const Partition partition(format, values.size(), row_length);
  std::vector<Range> ranges(partition.runs());
  run_widest([&]() __attribute__((always_inline)) {
    partition.for_each_run([&](std::size_t run, std::size_t first, std::size_t count) __attribute__((always_inline)) {
      ranges[run] = finite_range(values.data() + first, count);
    });
  });
  return ranges;
}

}  // namespace ridgeline
