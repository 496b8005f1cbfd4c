#include "kernels/quantization/fake_quantize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/quantization/elements.hpp"
#include "kernels/quantization/instruction_set.hpp"
#include "kernels/quantization/partition.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

struct Job {
  std::span<const float> in;
  std::span<float> out;
  Partition partition;
  std::vector<element_arithmetic::SharedScale> scales;  // repeat from run to run
  std::uint64_t random_key;
};

// In [0, 1), in steps of 2^-24: the output of SplitMix64 at position `index`.
[[gnu::always_inline]] inline float random_at(std::uint64_t key, std::size_t index) {
  return static_cast<float>(static_cast<std::int32_t>(mix64(key + index * 0x9e3779b97f4a7c15ULL) >> 40)) * 0x1p-24F;
}

template <Rounding rounding, typename Element>
void run_job(const Job& job, const Element& element) {
  run_widest([&]() __attribute__((always_inline)) {
    const Element local = element;  // so that the compiler knows that `out` is not part of it
    const std::uint64_t key = job.random_key;
    const std::size_t known = job.scales.size();
    std::size_t next = 0;
    job.partition.for_each_run([&](std::size_t, std::size_t first, std::size_t count) __attribute__((always_inline)) {
      const element_arithmetic::SharedScale shared = job.scales[next];
      next = next + 1 == known ? 0 : next + 1;
      const float* const from = job.in.data() + first;
      float* const to = job.out.data() + first;
#pragma omp simd
      for (std::size_t i = 0; i < count; ++i) {
        const float random = rounding == Rounding::stochastic ? random_at(key, first + i) : 0.0F;
        to[i] = local.template round<rounding>(from[i], shared, random);
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
    job.scales.push_back({1, 1, 0, 0, 0, 0});
    return job;
  }
  const std::vector<ElementScale> scales = scales_for(in, row_length, quantizer);
  if (job.partition.runs() > 0 && (scales.empty() || job.partition.runs() % scales.size() != 0)) {
    throw std::invalid_argument("there are not as many ranges to quantize over as scales of " + format.text());
  }
  const ElementCodec codec(format);
  job.scales.reserve(scales.size());
  for (const ElementScale& scale : scales) {
    job.scales.push_back({scale.scale, scale.scale > 0 ? scale.scale : 1.0F, scale.threshold,
                          static_cast<float>(scale.zero_point - codec.lowest_step()),
                          static_cast<float>(codec.highest_step() - scale.zero_point), scale.zero_point});
  }
  return job;
}

// One number by the codec.
float by_codec(float value, const element_arithmetic::SharedScale& shared, const ElementCodec& codec,
               const Quantizer& quantizer, float random) {
  const Format::Kind kind = quantizer.format.kind;
  if (kind == Format::Kind::f32) return value;
  float quotient = value;
  if (kind == Format::Kind::ternary) {
    quotient = std::abs(value) > shared.threshold ? std::copysign(1.0F, value) : 0.0F;
  } else if (kind == Format::Kind::binary && quantizer.rounding != Rounding::stochastic) {
    quotient = value;  // its sign, which the quotient could lose to 0
  } else if (std::isfinite(value)) {
    constexpr float most = std::numeric_limits<float>::max();
    quotient = std::clamp(value / shared.divisor, -most, most);
  }
  const float rounded = codec.round_to(quotient, quantizer.rounding, random);
  return std::isinf(rounded) ? rounded : rounded * shared.scale;
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
      return run_job(job, quantizer.rounding, element_arithmetic::Integer{});
    case Format::Kind::binary:
      return run_job(job, quantizer.rounding, element_arithmetic::Binary{});
    case Format::Kind::ternary:
      return run_job(job, quantizer.rounding, element_arithmetic::Ternary{});
    default:
      if (codec.exponent_bits() == 8) return run_job(job, quantizer.rounding, element_arithmetic::WideFloat(codec));
      return run_job(job, quantizer.rounding, element_arithmetic::NarrowFloat(codec));
  }
}

void fake_quantize_by_codec(std::span<const float> in, std::span<float> out, std::size_t row_length,
                            const Quantizer& quantizer) {
  const Job job = job_for(in, out, row_length, quantizer);
  job.partition.for_each_run([&](std::size_t number, std::size_t first, std::size_t count) {
    const element_arithmetic::SharedScale& shared = job.scales[number % job.scales.size()];
    const ElementCodec codec(quantizer.format, shared.zero_point);
    for (std::size_t i = first; i < first + count; ++i) {
      out[i] = by_codec(in[i], shared, codec, quantizer, random_at(job.random_key, i));
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
