#include "kernels/training/range_rounding.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/conversion.hpp"
#include "kernels/quantization/activation_quantizer.hpp"
#include "kernels/quantization/codec.hpp"
#include "kernels/quantization/instruction_set.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t run_length = 8192;  // numbers of a tensor that one thread takes at once
constexpr std::size_t lanes = 16;         // independent sums, so that loops become vector instructions

struct Run {
  std::size_t number, first, count, range;
};

class Runs {
 public:
  explicit Runs(const RangeRounding& rounding)
      : by_row_(rounding.ranges() > 1),
        length_(by_row_ ? rounding.row_length : run_length),
        total_(rounding.rows * rounding.row_length),
        threads_(rounding.threads) {}

  std::size_t size() const { return (total_ + length_ - 1) / length_; }
  template <typename Work>
  void for_each(const Work& work) const {
    const auto count = static_cast<std::int64_t>(size());
    const auto one = [&](std::int64_t i) {
      const auto number = static_cast<std::size_t>(i);
      const std::size_t first = number * length_;
      work(Run{number, first, std::min(length_, total_ - first), by_row_ ? number : 0});
    };
    if (threads_ <= 1 || count <= 1) {
      for (std::int64_t i = 0; i < count; ++i) one(i);
      return;
    }
#pragma omp parallel for num_threads(threads_)
    for (std::int64_t i = 0; i < count; ++i) one(i);
  }

 private:
  bool by_row_;
  std::size_t length_, total_;
  int threads_;
};

// The numbers of a run as f32: where they are, or in `room`.
const float* read(const NumberMemory& array, const Run& run, std::vector<float>& room) {
  if (!array.is_bf16) return reinterpret_cast<const float*>(array.data) + run.first;
  room.resize(run.count);
  convert_numbers({StoredType::bfloat, StoredType::single, static_cast<std::int64_t>(run.count), 1.0F, 1},
                  array.data + run.first * sizeof(std::uint16_t), room.data());
  return room.data();
}

float* place(const NumberMemory& array, const Run& run, std::vector<float>& room) {
  if (!array.is_bf16) return reinterpret_cast<float*>(array.data) + run.first;
  room.resize(run.count);
  return room.data();
}

void write(const NumberMemory& array, const Run& run, const float* values) {
  if (!array.is_bf16) return;  // they are there
  convert_numbers({StoredType::single, StoredType::bfloat, static_cast<std::int64_t>(run.count), 1.0F, 1}, values,
                  array.data + run.first * sizeof(std::uint16_t));
}

Quantizer quantizer_over(const RangeRounding& rounding, float range) {
  const float steps = rounding.is_unsigned ? 255.0F : 127.0F;
  Format format = rounding.format;
  format.granularity = Format::Granularity::tensor;
  if (!rounding.activations || range == 0.0F) return {.format = format, .ranges = {{-range, range}}};
  return activation_quantizer(format, {range / steps, rounding.is_unsigned}, std::nullopt);
}

struct Magnitudes {
  double sum = 0;
  float most = 0;
};

void start_ranges(const RangeRounding& rounding, NumberMemory in, std::span<float> ranges) {
  if (std::none_of(ranges.begin(), ranges.end(), [](float range) { return range == 0.0F; })) return;
  const Runs runs(rounding);
  std::vector<Magnitudes> found(runs.size());
  runs.for_each([&](const Run& run) {
    std::vector<float> room;
    const float* const values = read(in, run, room);
    for (std::size_t i = 0; i < run.count; ++i) {
      const float magnitude = std::isfinite(values[i]) ? std::abs(values[i]) : 0.0F;
      found[run.number].sum += static_cast<double>(magnitude);
      found[run.number].most = std::max(found[run.number].most, magnitude);
    }
  });
  const bool by_row = ranges.size() > 1;
  for (std::size_t r = 0; r < ranges.size(); ++r) {
    if (ranges[r] != 0.0F) continue;
    Magnitudes all;
    for (std::size_t i = by_row ? r : 0; i < (by_row ? r + 1 : found.size()); ++i) {
      all.sum += found[i].sum;
      all.most = std::max(all.most, found[i].most);
    }
    const double count = static_cast<double>(by_row ? rounding.row_length : rounding.rows * rounding.row_length);
    const double by_mean = 2.0 * all.sum / count * std::sqrt(rounding.steps());
    ranges[r] = static_cast<float>(std::min(by_mean, static_cast<double>(all.most)));
  }
}

// The step of a format at every magnitude, in units of its scale.
struct StepRule {
  explicit StepRule(const Format& format) : codec(format), is_float(codec.is_float()) {}
  float at(float magnitude) const {
    if (!is_float) return 1.0F;
    const auto exponent = static_cast<int>(std::bit_cast<std::uint32_t>(magnitude) >> 23) - 127;
    return std::ldexp(1.0F, std::max(exponent, 1 - codec.bias()) - codec.mantissa_bits());
  }
  ElementCodec codec;
  bool is_float;
};

// Noise is read from a table, at another place for every run of a step: sums of products of a hash would cost more than
// rounding does.
class NoiseTable {
 public:
  static constexpr std::size_t size = std::size_t{1} << 16;

  // Every multiple of 1 / size in (-1/2, 1/2) between two others once, shuffled; the first ones again at the end.
  NoiseTable() : values_(size + run_length) {
    for (std::size_t i = 0; i < size; ++i) {
      values_[i] = (static_cast<float>(i) + 0.5F) / static_cast<float>(size) - 0.5F;
    }
    Rng rng(0, "table of noise");
    for (std::size_t i = size - 1; i > 0; --i) std::swap(values_[i], values_[rng.below(i + 1)]);
    std::copy_n(values_.begin(), run_length, values_.begin() + size);
  }
  // For at most run_length numbers, from `index` on.
  const float* at(std::uint64_t key, std::size_t index) const {
    return values_.data() + mix64(key + index * 0x9e3779b97f4a7c15ULL) % size;
  }

 private:
  std::vector<float> values_;
};

struct NoiseScale {
  float low, high;  // of the range
  float scale;      // of the format
  bool is_float;
  std::int32_t least_exponent;  // as the bits of f32 have it
  float mantissa_step;          // of numbers in [1, 2)

  // The format's step at x.
  [[gnu::always_inline]] float step_at(float x) const {
    if (!is_float) return scale;
    const auto bits = std::bit_cast<std::int32_t>(std::abs(x) / scale) >> 23;
    const float binade = std::bit_cast<float>(std::max(bits, least_exponent) << 23);
    return scale * (binade * mantissa_step);
  }
};

void add_noise(const RangeRounding& rounding, const StepRule& rule, std::span<const float> in, float* out, float range,
               const float* noise) {
  const NoiseScale to{rounding.is_unsigned ? 0.0F : -range,
                      range,
                      range / (rounding.is_unsigned ? static_cast<float>(rounding.steps()) : rule.codec.largest()),
                      rule.is_float,
                      rule.is_float ? 128 - rule.codec.bias() : 0,
                      rule.is_float ? std::ldexp(1.0F, -rule.codec.mantissa_bits()) : 0.0F};
  const auto one = [&](const NoiseScale& by) __attribute__((always_inline)) {
#pragma omp simd
    for (std::size_t i = 0; i < in.size(); ++i) {
      const float x = in[i], cut = std::min(std::max(x, by.low), by.high);
      const float noisy = x + by.step_at(x) * noise[i];
      out[i] = cut != x || x == 0.0F ? cut : noisy;
    }
  };
  run_widest([&]() __attribute__((always_inline)) {
    NoiseScale local = to;
    local.is_float = true;
    if (to.is_float) return one(local);
    local.is_float = false;
    one(local);
  });
}

// The part of a run's sum of gradient * e that one number adds, times the range; `passed` gets what goes through.
// `out`: what came out inside the range, or x itself where that does not count.
[[gnu::always_inline]] inline float pull_one(float x, float out, float gradient, float low, float range,
                                             float& passed) {
  const bool inside = x >= low && x <= range;
  passed = inside ? gradient : 0.0F;
  return gradient * (inside ? out - x : std::min(std::max(x, low), range));
}

// The sum of gradient * e over a run. `out` may be null: noise says nothing of the range.
double pull_run(bool is_unsigned, std::span<const float> in, const float* out, const float* gradient, float* passed,
                float range) {
  const float low = is_unsigned ? 0.0F : -range, unit = range > 0.0F ? 1.0F / range : 0.0F;
  std::array<float, lanes> sums{};
  const std::size_t whole = in.size() / lanes * lanes;
  const auto pull = [&](const float* made) __attribute__((always_inline)) {
    for (std::size_t i = 0; i < whole; i += lanes) {
#pragma omp simd
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t at = i + lane;
        sums[lane] += pull_one(in[at], made[at], gradient[at], low, range, passed[at]);
      }
    }
  };
  run_widest([&]() __attribute__((always_inline)) { pull(out == nullptr ? in.data() : out); });
  for (std::size_t i = whole; i < in.size(); ++i) {
    sums[0] += pull_one(in[i], out == nullptr ? in[i] : out[i], gradient[i], low, range, passed[i]);
  }
  double sum = 0;
  for (const float one : sums) sum += static_cast<double>(one);
  return sum * static_cast<double>(unit);
}

}  // namespace

double RangeRounding::steps() const {
  if (format.kind == Format::Kind::integer) {
    return std::ldexp(1.0, format.width_bits - (is_unsigned ? 0 : 1)) - 1.0;
  }
  const ElementCodec codec(format);
  const auto largest = static_cast<double>(codec.largest());
  return largest / static_cast<double>(StepRule(format).at(codec.largest()));
}

void round_over(const RangeRounding& rounding, NumberMemory in, NumberMemory out, std::span<float> ranges,
                std::uint64_t step) {
  start_ranges(rounding, in, ranges);
  const std::uint64_t key = Rng::derive(rounding.seed, "quantization noise", step);
  const StepRule rule(rounding.format);
  static const NoiseTable noise;
  Runs(rounding).for_each([&](const Run& run) {
    std::vector<float> room, made;
    const std::span<const float> from(read(in, run, room), run.count);
    float* const to = place(out, run, made);
    const float range = std::abs(ranges[run.range]);
    if (rounding.way == RoundingWay::noise && range > 0.0F) {
      for (std::size_t first = 0; first < run.count; first += run_length) {
        add_noise(rounding, rule, from.subspan(first, std::min(run_length, run.count - first)), to + first, range,
                  noise.at(key, run.first + first));
      }
    } else {
      fake_quantize(from, {to, run.count}, run.count, quantizer_over(rounding, range));
    }
    write(out, run, to);
  });
}

void pull_back(const RangeRounding& rounding, NumberMemory in, NumberMemory out, std::span<const float> ranges,
               NumberMemory gradient, NumberMemory passed, std::span<float> range_gradient, bool add) {
  const Runs runs(rounding);
  std::vector<double> sums(runs.size());
  runs.for_each([&](const Run& run) {
    std::vector<float> x_room, y_room, g_room, made;
    const std::span<const float> x(read(in, run, x_room), run.count);
    const float* const y = rounding.way == RoundingWay::noise ? nullptr : read(out, run, y_room);
    const float* const g = read(gradient, run, g_room);
    float* const to = place(passed, run, made);
    sums[run.number] = pull_run(rounding.is_unsigned, x, y, g, to, std::abs(ranges[run.range]));
    write(passed, run, to);
  });
  const bool by_row = ranges.size() > 1;
  const double total = static_cast<double>(rounding.rows * rounding.row_length);
  const double sharing =
      (by_row ? static_cast<double>(rounding.row_length) : total) / static_cast<double>(rounding.samples);
  const double unit = std::sqrt(std::pow(rounding.steps(), 3.0) / sharing);
  for (std::size_t r = 0; r < ranges.size(); ++r) {
    double sum = 0;
    for (std::size_t i = by_row ? r : 0; i < (by_row ? r + 1 : sums.size()); ++i) sum += sums[i];
    const auto found = static_cast<float>(std::copysign(sum * unit, static_cast<double>(ranges[r]) * sum));
    range_gradient[r] = add ? range_gradient[r] + found : found;
  }
}

}  // namespace ridgeline
