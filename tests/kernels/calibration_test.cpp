// Ranges held against published optima, quantiles and exhaustive search on the values themselves.
#include "kernels/quantization/calibration.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

std::vector<float> gaussian(std::size_t count, std::uint64_t seed = 1) {
  Rng rng(seed, "calibration");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

std::vector<float> laplace(std::size_t count) {
  Rng rng(2, "calibration");
  std::vector<float> values(count);
  for (float& value : values) {
    const double u = rng.uniform() - 0.5;
    value = static_cast<float>((u < 0 ? 1 : -1) * std::log(1 - 2 * std::abs(u)));
  }
  return values;
}

Histogram histogram_of(const std::vector<float>& values) {
  Histogram histogram(range_of(values));
  histogram.add(values);
  return histogram;
}

double squared_error(const std::vector<float>& values, const Format& format, const Range& range) {
  std::vector<float> rounded(values.size());
  fake_quantize(values, rounded, values.size(), {.format = format, .ranges = {range}});
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = static_cast<double>(rounded[i]) - static_cast<double>(values[i]);
    sum += error * error;
  }
  return sum / static_cast<double>(values.size());
}

TEST(Calibration, HistogramsCountEveryValueOnce) {
  Histogram histogram({-1.0F, 3.0F}, 4);
  histogram.add(std::vector<float>{-5.0F, -1.0F, -0.5F, 0.0F, 2.5F, 3.0F, 9.0F, NAN});
  EXPECT_EQ(histogram.total(), 7U);
  EXPECT_EQ(std::vector<std::uint64_t>(histogram.counts().begin(), histogram.counts().end()),
            (std::vector<std::uint64_t>{3, 1, 0, 3}));
  EXPECT_FLOAT_EQ(histogram.centre(0), -0.5F);
  Histogram twice = histogram;
  twice.add(histogram);
  EXPECT_EQ(twice.total(), 14U);
  EXPECT_THROW(twice.add(Histogram({-1.0F, 3.0F}, 5)), std::invalid_argument);
  EXPECT_THROW(Histogram({1.0F, -1.0F}), std::invalid_argument);
}

// Banner et al. (2019), table 1: the clipping that loses least, in standard deviations (Gaussian) and in b (Laplace).
// Their grids have 2^M values, ours one less, which moves the optimum in a little.
TEST(Calibration, SquaredErrorFindsThePublishedOptima) {
  const std::vector<float> normal = gaussian(400'000), two_sided = laplace(400'000);
  const Histogram narrow = histogram_of(normal), wide = histogram_of(two_sided);
  const auto found = [&](const Histogram& histogram, const char* format) {
    return static_cast<double>(calibrated_range(histogram, Format::parse(format), CalibrationMethod::mse).magnitude());
  };
  EXPECT_NEAR(found(narrow, "int4"), 2.55, 0.2);
  EXPECT_NEAR(found(narrow, "int3"), 2.15, 0.35);
  EXPECT_NEAR(found(wide, "int4"), 5.03, 0.45);
  EXPECT_GT(found(narrow, "int8"), 3.5);
}

TEST(Calibration, SquaredErrorIsThatOfTheBestRangeOfMany) {
  const std::vector<float> values = gaussian(20'000, 3);
  const Histogram histogram = histogram_of(values);
  for (const char* name : {"int4", "int6", "e2m1", "e4m3", "uint4", "pot4"}) {
    SCOPED_TRACE(name);
    const Format format = Format::parse(name);
    const double found = squared_error(values, format, calibrated_range(histogram, format, CalibrationMethod::mse));
    const Range whole = range_of(values);
    double least = 1e30;
    for (double share = 1; share > 0.05; share -= 0.005) {
      const auto bound = static_cast<float>(share) * whole.magnitude();
      least =
          std::min(least, squared_error(values, format, {std::max(whole.low, -bound), std::min(whole.high, bound)}));
    }
    EXPECT_LE(found, 1.02 * least);
    EXPECT_LE(found, squared_error(values, format, whole) * 1.001);
  }
}

TEST(Calibration, PercentilesCutTheOutermostValues) {
  std::vector<float> values = gaussian(100'000, 4);
  values[17] = 1000.0F;  // one of a hundred thousand
  std::vector<float> sorted = values;
  std::ranges::sort(sorted);
  const Histogram histogram(range_of(values), 1 << 20);
  Histogram filled = histogram;
  filled.add(values);
  const Range range = calibrated_range(filled, int8, CalibrationMethod::percentile);
  EXPECT_NEAR(range.high, sorted[sorted.size() - 6], 0.01F);  // 0.005 % of 100,000 are 5
  EXPECT_NEAR(range.low, sorted[5], 0.01F);
  std::vector<float> positive(values.size());
  std::ranges::transform(values, positive.begin(), [](float value) { return std::min(std::abs(value), 4.0F); });
  EXPECT_EQ(calibrated_range(histogram_of(positive), int8, CalibrationMethod::percentile).low, 0.0F);
}

TEST(Calibration, EntropyPassesOverRareOutliers) {
  std::vector<float> values = gaussian(100'000, 5);
  for (float& value : values) value = std::clamp(value, -4.0F, 4.0F);
  const Histogram without = histogram_of(values);
  values[3] = 40.0F;
  const Histogram with = histogram_of(values);
  const float plain = calibrated_range(without, int8, CalibrationMethod::entropy).magnitude();
  const float outlier = calibrated_range(with, int8, CalibrationMethod::entropy).magnitude();
  EXPECT_GT(plain, 3.0F);
  EXPECT_LT(outlier, 10.0F);
  EXPECT_EQ(calibrated_range(with, int8, CalibrationMethod::minmax).magnitude(), 40.0F);
}

// The definition in calibration.hpp, by maps: bins grouped by the value that the scalar codec gives them.
double plain_divergence(const Histogram& histogram, const Format& format, const Range& range) {
  const std::size_t bins = histogram.counts().size();
  std::vector<double> counts(histogram.counts().begin(), histogram.counts().end());
  const double width = (static_cast<double>(histogram.range().high) - static_cast<double>(histogram.range().low)) /
                       static_cast<double>(bins);
  const auto zero = static_cast<std::size_t>(-static_cast<double>(histogram.range().low) / width);
  const double left = zero == 0 ? counts[1] : counts[zero - 1];
  counts[zero] = std::min(counts[zero], (left + counts[zero + 1]) / 2);
  std::vector<float> centres(bins), values(bins);
  for (std::size_t bin = 0; bin < bins; ++bin) centres[bin] = histogram.centre(bin);
  fake_quantize_by_codec(centres, values, bins, {.format = format, .ranges = {range}});
  std::map<std::size_t, double> p, q;  // by bin
  double cut_below = 0, cut_above = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    if (centres[bin] < range.low) {
      cut_below += counts[bin];
    } else if (centres[bin] > range.high) {
      cut_above += counts[bin];
    } else {
      p[bin] = q[bin] = counts[bin];
    }
  }
  p.begin()->second += cut_below;
  p.rbegin()->second += cut_above;
  std::map<float, std::pair<double, double>> of_value;  // counts, filled bins
  for (const auto& [bin, mass] : p) {
    of_value[values[bin]].first += q[bin];
    of_value[values[bin]].second += mass > 0 ? 1 : 0;
  }
  double p_sum = 0, q_sum = 0, filled_bins = 0, filled_values = 0, sum = 0;
  for (auto& [value, group] : of_value) {
    if (group.second > 0 && group.first == 0) group.first = 0.5;
    q_sum += group.first;
    filled_bins += group.second;
    filled_values += group.second > 0 ? 1 : 0;
  }
  for (const auto& [bin, mass] : p) p_sum += mass;
  for (const auto& [bin, mass] : p) {
    const auto& [kept, filled] = of_value[values[bin]];
    if (mass > 0) sum += mass / p_sum * (std::log(mass / p_sum) - std::log(kept / filled / q_sum));
  }
  return sum - (filled_bins - filled_values) / (2 * p_sum);
}

// Values of the usual kinds: with a relu or without, with tails or without.
std::vector<std::pair<std::string, std::vector<float>>> usual_values(std::size_t count) {
  std::vector<float> mixture = gaussian(count, 10), narrow = gaussian(count, 11), tails = laplace(count);
  for (std::size_t i = 0; i < count; ++i) mixture[i] = i % 4 == 0 ? 3 * mixture[i] - 0.5F : mixture[i] - 0.5F;
  std::vector<std::pair<std::string, std::vector<float>>> made{
      {"gaussian", narrow}, {"laplace", tails}, {"mixture", mixture}};
  for (auto* values : {&narrow, &tails, &mixture}) {
    for (float& value : *values) value = std::max(value, 0.0F);
  }
  made.emplace_back("gaussian, relu", narrow);
  made.emplace_back("laplace, relu", tails);
  made.emplace_back("mixture, relu", mixture);
  return made;
}

TEST(Calibration, EntropyIsTheLeastDivergenceByDefinition) {
  for (const auto& [name, values] : usual_values(50'000)) {
    const Histogram histogram = histogram_of(values);
    const Range whole = histogram.range();
    for (const char* bits : {"int8", "int4"}) {
      SCOPED_TRACE(name + " " + bits);
      const Format format = Format::parse((whole.low < 0 ? "" : "u") + std::string(bits));
      const Range range = calibrated_range(histogram, format, CalibrationMethod::entropy);
      double least = 1e30;
      Range best = whole;
      for (int step = 0; step < 120; ++step) {  // from the whole range to 5 % of it
        const auto bound = static_cast<float>((1 - 0.95 * step / 119) * static_cast<double>(whole.magnitude()));
        if (whole.low < 0 && bound < 0.14F * whole.magnitude()) break;  // less than a bin a value of int8
        if (whole.low >= 0 && bound < 0.125F * whole.magnitude()) break;
        const Range other{std::max(whole.low, -bound), std::min(whole.high, bound)};
        const double divergence = plain_divergence(histogram, format, other);
        if (divergence < least) best = other;
        least = std::min(least, divergence);
      }
      EXPECT_FLOAT_EQ(range.high, best.high);
      EXPECT_FLOAT_EQ(range.low, best.low);
    }
  }
}

TEST(Calibration, EntropyLosesLittleMoreThanTheLeastSquaredError) {
  for (const std::size_t count : {20'000U, 200'000U}) {
    for (const auto& [name, values] : usual_values(count)) {
      const Histogram histogram = histogram_of(values);
      for (const char* bits : {"int8", "int4"}) {
        SCOPED_TRACE(name + " " + bits);
        const Format format = Format::parse((histogram.range().low < 0 ? "" : "u") + std::string(bits));
        const double least = squared_error(values, format, calibrated_range(histogram, format, CalibrationMethod::mse));
        const double found =
            squared_error(values, format, calibrated_range(histogram, format, CalibrationMethod::entropy));
        EXPECT_LE(found, (format.width_bits == 8 ? 3 : 2) * least);
      }
    }
  }
}

TEST(Calibration, EntropyDoesNotDependOnHowOftenAReluCuts) {
  const Format format = Format::parse("uint8");
  std::vector<float> values = gaussian(100'000, 12);
  std::erase_if(values, [](float value) { return value <= 0; });
  const Histogram none = histogram_of(values);
  const Range expected = calibrated_range(none, format, CalibrationMethod::entropy);
  for (const std::size_t zeros : {50'000U, 2'000'000U}) {
    Histogram some = none;
    some.add(std::vector<float>(zeros, 0.0F));
    EXPECT_NEAR(calibrated_range(some, format, CalibrationMethod::entropy).high, expected.high, 0.03F * expected.high);
  }
}

// 2048 bins say nothing of what 12 bits lose.
TEST(Calibration, EntropyCutsNothingThatBinsDoNotResolve) {
  const Histogram histogram = histogram_of(laplace(50'000));
  EXPECT_EQ(calibrated_range(histogram, Format::parse("int12"), CalibrationMethod::entropy), histogram.range());
  const Histogram few = histogram_of({0.0F, 0.0F, 0.0F, 1.0F});
  EXPECT_EQ(calibrated_range(few, Format::parse("uint8"), CalibrationMethod::entropy), few.range());
}

TEST(Calibration, WhatHasNoScaleKeepsItsRange) {
  const Histogram histogram = histogram_of(gaussian(1000, 6));
  for (const char* format : {"f32", "bf16", "mxfp4", "binary"}) {
    EXPECT_EQ(calibrated_range(histogram, Format::parse(format), CalibrationMethod::mse), histogram.range());
  }
  EXPECT_EQ(calibrated_range(Histogram({0.0F, 0.0F}), int8, CalibrationMethod::mse), (Range{}));
}

// Activations [N, T, C] behind a layer norm: some channels are far larger than the others, and every one has outliers.
TEST(Calibration, ChannelsWithRangesOfTheirOwnLoseLess) {
  const QuantizedAxis axis{400, 24, 1};
  std::vector<float> values = gaussian(axis.outer * axis.length, 7);
  const auto channel_of = [&](std::size_t i) { return i % axis.length; };
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 997 == 5) values[i] *= 6;
    values[i] *= channel_of(i) % 9 == 4 ? 40.0F : 1.0F;
  }
  std::vector<Range> whole(axis.length);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Range& range = whole[channel_of(i)];
    range = range.with({values[i], values[i]});
  }
  std::vector<Histogram> histograms = channel_histograms(values, axis, whole);
  for (const Histogram& histogram : histograms) EXPECT_EQ(histogram.total(), axis.outer);
  const auto error = [&](const char* format, const std::vector<Range>& ranges) {
    std::vector<float> rounded(values.size());
    fake_quantize_along(values, rounded, axis, {.format = Format::parse(format), .ranges = ranges});
    double sum = 0;  // of every channel, in units of its own size
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double size = channel_of(i) % 9 == 4 ? 40.0 : 1.0;
      sum += std::pow((static_cast<double>(rounded[i]) - static_cast<double>(values[i])) / size, 2);
    }
    return sum;
  };
  const Format format = Format::parse("int4@channel");
  const double tensor = error("int4", {range_of(values)});
  const double channels = error("int4@channel", calibrated_ranges(histograms, format, CalibrationMethod::minmax));
  const double clipped = error("int4@channel", calibrated_ranges(histograms, format, CalibrationMethod::mse));
  EXPECT_LT(channels, 0.5 * tensor);
  EXPECT_LT(clipped, 0.7 * channels);
}

TEST(Calibration, ChannelsAreClippedAtTheirOwnPercentiles) {
  const QuantizedAxis axis{2, 3, 30'000};  // [N, C, pixels]
  std::vector<float> values = gaussian(axis.outer * axis.length * axis.inner, 8);
  std::vector<std::vector<float>> sorted(axis.length);
  std::vector<Range> whole;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = i / axis.inner % axis.length;
    values[i] *= static_cast<float>(1 + 10 * channel);
    sorted[channel].push_back(values[i]);
  }
  for (std::vector<float>& channel : sorted) {
    std::ranges::sort(channel);
    whole.push_back({channel.front(), channel.back()});
  }
  const std::vector<Range> found =
      calibrated_ranges(channel_histograms(values, axis, whole), int8, CalibrationMethod::percentile);
  ASSERT_EQ(found.size(), axis.length);
  for (std::size_t channel = 0; channel < axis.length; ++channel) {
    const float bin = (whole[channel].high - whole[channel].low) / 2048;
    EXPECT_NEAR(found[channel].low, sorted[channel][3], bin);  // 0.005 % of 60,000 are 3
    EXPECT_NEAR(found[channel].high, sorted[channel][sorted[channel].size() - 4], bin);
  }
  EXPECT_THROW(channel_histograms(values, axis, std::vector<Range>(2)), std::invalid_argument);
  EXPECT_THROW(channel_histograms(std::span(values).first(9), axis, whole), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
