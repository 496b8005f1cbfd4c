#include "kernels/quantization/fake_quantize.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "kernels/quantization/instruction_set.hpp"
#include "kernels/quantization/partition.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

constexpr std::uint32_t sign_mask = 0x80000000U, magnitude_mask = 0x7fffffffU, exponent_mask = 0x7f800000U;
constexpr float infinity = std::numeric_limits<float>::infinity();

// What the numbers of a run share.
struct Run {
  float scale, divisor, threshold;
  float below, above;  // of integers: the largest steps on either side of 0
  int zero_point;
};

struct Job {
  std::span<const float> in;
  std::span<float> out;
  Partition partition;
  std::vector<Run> runs;  // repeat
  std::uint64_t random_key;
};

// In [0, 1), in steps of 2^-24: the output of SplitMix64 at position `index`.
[[gnu::always_inline]] inline float random_at(std::uint64_t key, std::size_t index) {
  return static_cast<float>(static_cast<std::int32_t>(mix64(key + index * 0x9e3779b97f4a7c15ULL) >> 40)) * 0x1p-24F;
}

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

struct IntegerElement {
  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const Run& run, float random) const {
    const float quotient = value / run.divisor;
    const float limit = quotient < 0 ? run.below : run.above;
    const float magnitude = magnitude_of(quotient);
    const float steps = whole_steps<rounding>(magnitude < limit ? magnitude : limit, random);
    const float signed_steps = (quotient < 0 ? -steps : steps) + 0.0F;  // integers have no -0
    return value == value ? signed_steps * run.scale : 0.0F;
  }
};

// Floats of fewer exponents than f32: a value is a whole number of steps of 2^(exponent - mantissa bits), where the
// exponent is the value's own, but not below that of subnormals.
struct NarrowFloatElement {
  explicit NarrowFloatElement(const ElementCodec& codec)
      : largest(codec.largest()),
        limit(codec.overflows() ? std::ldexp(1.0F, std::ilogb(codec.largest()) + 1) : codec.largest()),
        overflow(codec.overflows() ? infinity : codec.largest()),
        nan(codec.has_nan() ? std::numeric_limits<float>::quiet_NaN() : 0.0F),
        infinite(codec.has_infinity() ? infinity : std::numeric_limits<float>::quiet_NaN()),
        lowest_exponent(static_cast<std::int32_t>(128 - codec.bias()) << 23),
        mantissa(static_cast<std::int32_t>(codec.mantissa_bits()) << 23) {}

  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const Run& run, float random) const {
    const float quotient = magnitude_of(value / run.divisor);
    const float magnitude = quotient < limit ? quotient : limit;
    const auto own = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(magnitude) & exponent_mask);
    const std::int32_t exponent = own > lowest_exponent ? own : lowest_exponent;
    const auto steps_of_one = std::bit_cast<float>((254 << 23) - exponent + mantissa);
    const auto step = std::bit_cast<float>(exponent - mantissa);
    const float near = whole_steps<rounding>(magnitude * steps_of_one, random) * step;
    const float held = near > largest ? (rounding == Rounding::toward_zero ? largest : overflow) : near;
    const float result = with_sign_of(held, value) * run.scale;
    const float finite_result = magnitude_of(value) == infinite ? value : result;
    return value == value ? finite_result : nan;
  }

  float largest, limit, overflow, nan;
  float infinite;  // infinity, or what nothing equals
  std::int32_t lowest_exponent, mantissa;
};

// Floats with the exponents of f32: their codes are the upper bits of one.
struct WideFloatElement {
  explicit WideFloatElement(const ElementCodec& codec)
      : limit(std::bit_cast<std::int32_t>(codec.overflows() ? infinity : codec.largest())),
        unit(std::int32_t{1} << (23 - codec.mantissa_bits())),
        odd(codec.mantissa_bits() > 0 ? unit : static_cast<std::int32_t>(exponent_mask)),
        fraction_of_one(std::ldexp(1.0F, codec.mantissa_bits() - 23)),
        nan(codec.has_nan() ? std::numeric_limits<float>::quiet_NaN() : 0.0F) {}

  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const Run& run, float random) const {
    const auto quotient = std::bit_cast<std::int32_t>(magnitude_of(value / run.divisor));
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
    const float result = with_sign_of(std::bit_cast<float>(whole + up), value) * run.scale;
    const float finite_result = magnitude_of(value) == infinity ? value : result;
    return value == value ? finite_result : nan;
  }

  std::int32_t limit;
  std::int32_t unit;  // the lowest digit of a code
  std::int32_t odd;   // the digits of which one is set in a code that ties do not round to
  float fraction_of_one, nan;
};

struct BinaryElement {
  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const Run& run, float random) const {
    bool negative = value < 0;
    if constexpr (rounding == Rounding::stochastic) {
      const float quotient = value / run.divisor;
      const float over = quotient > -1.0F ? quotient : -1.0F;
      negative = random >= ((over < 1.0F ? over : 1.0F) + 1.0F) * 0.5F && value == value;
    }
    return negative ? -run.scale : run.scale;
  }
};

struct TernaryElement {
  template <Rounding rounding>
  [[gnu::always_inline]] float round(float value, const Run& run, float /*random*/) const {
    return magnitude_of(value) > run.threshold ? with_sign_of(run.scale, value) : 0.0F;
  }
};

template <Rounding rounding, typename Element>
void run_job(const Job& job, const Element& element) {
  run_widest([&]() __attribute__((always_inline)) {
    const Element local = element;  // so that the compiler knows that `out` is not part of it
    const std::uint64_t key = job.random_key;
    const std::size_t known = job.runs.size();
    std::size_t next = 0;
    job.partition.for_each_run([&](std::size_t, std::size_t first, std::size_t count) __attribute__((always_inline)) {
      const Run run = job.runs[next];
      next = next + 1 == known ? 0 : next + 1;
      const float* const from = job.in.data() + first;
      float* const to = job.out.data() + first;
#pragma omp simd
      for (std::size_t i = 0; i < count; ++i) {
        const float random = rounding == Rounding::stochastic ? random_at(key, first + i) : 0.0F;
        to[i] = local.template round<rounding>(from[i], run, random);
      }
    });
  });
}

template <typename Element>
void run_job(const Job& job, Rounding rounding, const Element& element) {
  switch (rounding) {
    case Rounding::nearest_even:
      return run_job<Rounding::nearest_even>(job, element);
    case Rounding::nearest_away:
      return run_job<Rounding::nearest_away>(job, element);
    case Rounding::toward_zero:
      return run_job<Rounding::toward_zero>(job, element);
    case Rounding::stochastic:
      return run_job<Rounding::stochastic>(job, element);
  }
}

std::vector<ElementScale> scales_for(std::span<const float> in, std::size_t row_length, const Quantizer& quantizer) {
  const ScaleRule rule(quantizer.format);
  if (quantizer.ranges.empty() || quantizer.format.granularity == Format::Granularity::mx) {
    return rule.of(in, row_length);
  }
  std::vector<ElementScale> scales;
  scales.reserve(quantizer.ranges.size());
  for (const Range& range : quantizer.ranges) scales.push_back(rule.of(range));
  return scales;
}

Job job_for(std::span<const float> in, std::span<float> out, std::size_t row_length, const Quantizer& quantizer) {
  if (in.size() != out.size()) throw std::invalid_argument("numbers to quantize and their place differ in count");
  const Format& format = quantizer.format;
  Job job{in, out, Partition(format, in.size(), row_length), {}, Rng::derive(quantizer.seed, "stochastic rounding", 0)};
  if (!format.is_quantized()) {
    job.runs.push_back({1, 1, 0, 0, 0, 0});
    return job;
  }
  const std::vector<ElementScale> scales = scales_for(in, row_length, quantizer);
  if (job.partition.runs() > 0 && (scales.empty() || job.partition.runs() % scales.size() != 0)) {
    throw std::invalid_argument("there are not as many ranges to quantize over as scales of " + format.text());
  }
  const ElementCodec codec(format);
  job.runs.reserve(scales.size());
  for (const ElementScale& scale : scales) {
    job.runs.push_back({scale.scale, scale.scale > 0 ? scale.scale : 1.0F, scale.threshold,
                        static_cast<float>(scale.zero_point - codec.lowest_step()),
                        static_cast<float>(codec.highest_step() - scale.zero_point), scale.zero_point});
  }
  return job;
}

// One number by the codec.
float by_codec(float value, const Run& run, const Quantizer& quantizer, float random) {
  const ElementCodec codec(quantizer.format, run.zero_point);
  float quotient = value;
  if (quantizer.format.kind == Format::Kind::ternary) {
    quotient = std::abs(value) > run.threshold ? std::copysign(1.0F, value) : 0.0F;
  } else if (std::isfinite(value)) {
    constexpr float most = std::numeric_limits<float>::max();
    quotient = std::clamp(value / run.divisor, -most, most);
  }
  const float rounded = codec.round_to(quotient, quantizer.rounding, random);
  return std::isinf(rounded) ? rounded : rounded * run.scale;
}

// [rows, columns] to [columns, rows].
void transpose(std::span<const float> from, std::size_t rows, std::span<float> to) {
  const std::size_t columns = from.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) to[column * rows + row] = from[row * columns + column];
  }
}

}  // namespace

void fake_quantize(std::span<const float> in, std::span<float> out, std::size_t row_length,
                   const Quantizer& quantizer) {
  const Job job = job_for(in, out, row_length, quantizer);
  if (in.empty()) return;
  const ElementCodec codec(quantizer.format);
  switch (quantizer.format.kind) {
    case Format::Kind::f32:
      std::copy(in.begin(), in.end(), out.begin());
      return;
    case Format::Kind::integer:
    case Format::Kind::unsigned_integer:
      return run_job(job, quantizer.rounding, IntegerElement{});
    case Format::Kind::binary:
      return run_job(job, quantizer.rounding, BinaryElement{});
    case Format::Kind::ternary:
      return run_job(job, quantizer.rounding, TernaryElement{});
    default:
      if (codec.exponent_bits() == 8) return run_job(job, quantizer.rounding, WideFloatElement(codec));
      return run_job(job, quantizer.rounding, NarrowFloatElement(codec));
  }
}

void fake_quantize_by_codec(std::span<const float> in, std::span<float> out, std::size_t row_length,
                            const Quantizer& quantizer) {
  const Job job = job_for(in, out, row_length, quantizer);
  job.partition.for_each_run([&](std::size_t number, std::size_t first, std::size_t count) {
    const Run& run = job.runs[number % job.runs.size()];
    for (std::size_t i = first; i < first + count; ++i) {
      out[i] = by_codec(in[i], run, quantizer, random_at(job.random_key, i));
    }
  });
}

void fake_quantize_along(std::span<const float> in, std::span<float> out, const QuantizedAxis& axis,
                         const Quantizer& quantizer) {
  const Format& format = quantizer.format;
  if (in.size() != axis.outer * axis.length * axis.inner || in.size() != out.size()) {
    throw std::invalid_argument("the numbers to quantize have another shape than the axis says");
  }
  if (in.empty()) return;
  const bool by_channel = format.granularity == Format::Granularity::channel;
  if (!by_channel && !format.has_groups()) return fake_quantize(in, out, in.size(), quantizer);
  if (by_channel && axis.outer == 1) return fake_quantize(in, out, axis.inner, quantizer);
  if (!by_channel && axis.inner == 1) return fake_quantize(in, out, axis.length, quantizer);
  // Rows of what shares a scale: [outer, inner, length] for groups, and its transpose for channels.
  std::vector<float> rows(in.size()), columns(by_channel ? in.size() : 0);
  const std::size_t plane = axis.length * axis.inner;
  for (std::size_t i = 0; i < axis.outer; ++i) {
    transpose(in.subspan(i * plane, plane), axis.length, std::span(rows).subspan(i * plane, plane));
  }
  if (by_channel) {
    transpose(rows, axis.outer * axis.inner, columns);
    fake_quantize(columns, columns, axis.outer * axis.inner, quantizer);
    transpose(columns, axis.length, rows);
  } else {
    fake_quantize(rows, rows, axis.length, quantizer);
  }
  for (std::size_t i = 0; i < axis.outer; ++i) {
    transpose(std::span<const float>(rows).subspan(i * plane, plane), axis.inner, out.subspan(i * plane, plane));
  }
}

}  // namespace ridgeline
