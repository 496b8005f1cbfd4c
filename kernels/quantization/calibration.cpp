#include "kernels/quantization/calibration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace ridgeline {
namespace {

constexpr double percentile_share = 1e-4;  // of the values, cut off in all
constexpr int candidates = 120;            // ranges that are tried
constexpr double least_share = 0.05;       // of the whole range

// What the format makes of every bin's centre over `range`.
std::vector<float> rounded_centres(const Histogram& histogram, const Format& format, const Range& range) {
  std::vector<float> values(histogram.counts().size());
  for (std::size_t bin = 0; bin < values.size(); ++bin) values[bin] = histogram.centre(bin);
  Quantizer quantizer{.format = format, .ranges = {range}};
  quantizer.format.granularity = Format::Granularity::tensor;
  quantizer.format.group_size = 0;
  fake_quantize(values, values, values.size(), quantizer);
  return values;
}

double squared_error(const Histogram& histogram, const std::vector<float>& rounded) {
  double sum = 0;
  for (std::size_t bin = 0; bin < rounded.size(); ++bin) {
    const double error = static_cast<double>(rounded[bin]) - static_cast<double>(histogram.centre(bin));
    sum += static_cast<double>(histogram.counts()[bin]) * error * error;
  }
  return sum;
}

// The histogram without the values that are 0 behind a relu: the bin of 0 has no more than its neighbours on average.
std::vector<double> counts_without_zeros(const Histogram& histogram) {
  std::vector<double> counts(histogram.counts().begin(), histogram.counts().end());
  const Range range = histogram.range();
  if (counts.size() < 2 || range.low > 0 || range.high < 0) return counts;
  const double span = static_cast<double>(range.high) - static_cast<double>(range.low);
  const double place = -static_cast<double>(range.low) / span * static_cast<double>(counts.size());
  const std::size_t zero = std::min(static_cast<std::size_t>(place), counts.size() - 1);
  const double below = counts[zero > 0 ? zero - 1 : zero + 1];
  const double above = counts[zero + 1 < counts.size() ? zero + 1 : zero - 1];
  counts[zero] = std::min(counts[zero], (below + above) / 2);
  return counts;
}

// Has every value of the format a bin of its own, or more, over `range`? With fewer there is nothing to be lost.
bool resolves(const Histogram& histogram, const Format& format, const Range& range) {
  const auto extent = [&](const Range& one) { return static_cast<double>(one.high) - static_cast<double>(one.low); };
  const bool affine = format.kind == Format::Kind::unsigned_integer;
  const double grid = affine ? extent(range) : 2.0 * static_cast<double>(range.magnitude());
  const double bins = grid / extent(histogram.range()) * static_cast<double>(histogram.counts().size());
  return bins * (1 + 1e-6) >= std::ldexp(1.0, format.width_bits);
}

// The divergence that calibration.hpp states, of `counts` within `range`; `rounded` is what becomes of every bin.
double divergence(const Histogram& histogram, std::span<const double> counts, const std::vector<float>& rounded,
                  const Range& range) {
  std::size_t first = 0, last = counts.size() - 1;
  while (first < last && histogram.centre(first) < range.low) ++first;
  while (last > first && histogram.centre(last) > range.high) --last;
  std::vector<double> reference(counts.begin() + static_cast<std::ptrdiff_t>(first),
                                counts.begin() + static_cast<std::ptrdiff_t>(last) + 1);
  std::vector<double> kept = reference;
  for (std::size_t bin = 0; bin < first; ++bin) reference.front() += counts[bin];
  for (std::size_t bin = last + 1; bin < counts.size(); ++bin) reference.back() += counts[bin];
  double total = 0, kept_total = 0, spare_bins = 0;    // bins beyond one a value
  for (std::size_t begin = 0; begin < kept.size();) {  // bins of one value lie together
    std::size_t end = begin;
    double mass = 0, filled = 0;
    for (; end < kept.size() && rounded[first + end] == rounded[first + begin]; ++end) {
      mass += kept[end];
      total += reference[end];
      filled += reference[end] > 0 ? 1 : 0;
    }
    if (filled > 0 && mass == 0) mass = 0.5;  // nothing but what was cut off
    for (std::size_t i = begin; i < end; ++i) kept[i] = reference[i] > 0 ? mass / filled : 0;
    kept_total += mass;
    spare_bins += std::max(0.0, filled - 1);
    begin = end;
  }
  if (total == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (reference[i] > 0) sum += reference[i] / total * std::log(reference[i] / total / (kept[i] / kept_total));
  }
  return sum - spare_bins / (2 * total);
}

Range percentile_range(const Histogram& histogram) {
  const bool both = histogram.range().low < 0 && histogram.range().high > 0;
  const double cut = static_cast<double>(histogram.total()) * percentile_share / (both ? 2 : 1);
  const auto edge = [&](bool upper) {
    const std::span<const std::uint64_t> counts = histogram.counts();
    double seen = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const std::size_t bin = upper ? counts.size() - 1 - i : i;
      seen += static_cast<double>(counts[bin]);
      if (seen > cut) return histogram.centre(bin);
    }
    return 0.0F;
  };
  const float low = histogram.range().low < 0 ? edge(false) : 0.0F;
  const float high = histogram.range().high > 0 ? edge(true) : 0.0F;
  return {std::min(low, 0.0F), std::max(high, 0.0F)};
}

// A part of the range: the farther end is cut first, as symmetric formats have one bound for both.
Range shrunk(const Range& range, double share) {
  const auto bound = static_cast<float>(share * static_cast<double>(range.magnitude()));
  return {std::max(range.low, -bound), std::min(range.high, bound)};
}

}  // namespace

Histogram::Histogram(const Range& range, std::size_t bins) : range_(range), counts_(bins) {
  if (bins < 1 || !(range.low <= range.high) || !std::isfinite(range.low) || !std::isfinite(range.high)) {
    throw std::invalid_argument("a histogram needs bins and a finite range");
  }
}

float Histogram::centre(std::size_t bin) const {
  const double width =
      (static_cast<double>(range_.high) - static_cast<double>(range_.low)) / static_cast<double>(counts_.size());
  return static_cast<float>(static_cast<double>(range_.low) + (static_cast<double>(bin) + 0.5) * width);
}

void Histogram::add(std::span<const float> values) {
  const double span = static_cast<double>(range_.high) - static_cast<double>(range_.low);
  const double bins = static_cast<double>(counts_.size()), to_bin = span > 0 ? bins / span : 0;
  for (const float value : values) {
    if (std::isnan(value)) continue;
    const double place = (static_cast<double>(value) - static_cast<double>(range_.low)) * to_bin;
    ++counts_[static_cast<std::size_t>(std::clamp(place, 0.0, bins - 1))];
    ++total_;
  }
}

void Histogram::add(const Histogram& other) {
  if (other.range_ != range_ || other.counts_.size() != counts_.size()) {
    throw std::invalid_argument("histograms of different ranges");
  }
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) counts_[bin] += other.counts_[bin];
  total_ += other.total_;
}

std::span<const std::string> calibration_method_names() {
  static const std::array<std::string, 4> names{"minmax", "percentile", "mse", "entropy"};
  return names;
}

Range calibrated_range(const Histogram& histogram, const Format& format, CalibrationMethod method) {
  const Range whole = histogram.range();
  const bool has_choice = format.is_quantized() && !scales_by_numbers(format) && histogram.total() > 0;
  if (method == CalibrationMethod::minmax || !has_choice || whole.magnitude() == 0) return whole;
  if (method == CalibrationMethod::percentile) return percentile_range(histogram);
  const bool entropy = method == CalibrationMethod::entropy;
  const std::vector<double> counts = entropy ? counts_without_zeros(histogram) : std::vector<double>{};
  Range best = whole;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < candidates; ++i) {
    const double share = 1.0 - (1.0 - least_share) * i / (candidates - 1);
    const Range range = shrunk(whole, share);
    if (entropy && !resolves(histogram, format, range)) break;
    const std::vector<float> rounded = rounded_centres(histogram, format, range);
    const double loss = entropy ? divergence(histogram, counts, rounded, range) : squared_error(histogram, rounded);
    if (loss < least) {
      least = loss;
      best = range;
    }
  }
  return best;
}

std::vector<Histogram> channel_histograms(std::span<const float> values, const QuantizedAxis& axis,
                                          std::span<const Range> ranges) {
  if (ranges.size() != axis.length || values.size() != axis.outer * axis.length * axis.inner) {
    throw std::invalid_argument("the numbers to count have another shape than the axis or its ranges say");
  }
  std::vector<Histogram> made(ranges.begin(), ranges.end());
  for (std::size_t run = 0; run < axis.outer * axis.length; ++run) {
    made[run % axis.length].add(values.subspan(run * axis.inner, axis.inner));
  }
  return made;
}

std::vector<Range> calibrated_ranges(std::span<const Histogram> channels, const Format& format,
                                     CalibrationMethod method) {
  std::vector<Range> made;
  made.reserve(channels.size());
  for (const Histogram& channel : channels) made.push_back(calibrated_range(channel, format, method));
  return made;
}

}  // namespace ridgeline
