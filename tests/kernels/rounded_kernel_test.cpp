// Rounded kernels held against exhaustive search on small layers, the paper's algorithm written plainly, and the
// quantizer, to which every value must be a value of the format already.
#include "kernels/quantization/rounded_kernel.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

constexpr WeightRounding roundings[] = {WeightRounding::nearest, WeightRounding::learned, WeightRounding::gptq};

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, "rounded kernel");
  std::vector<float> values(count);
  for (float& value : values) value = 0.1F * static_cast<float>(rng.normal());
  return values;
}

// Of patches whose neighbouring numbers are correlated, as those of images are.
LayerMoments correlated(std::size_t groups, std::size_t taps, std::uint64_t seed, double correlation = 0.8) {
  LayerMoments moments{groups, taps, 0, std::vector<double>(groups * taps), std::vector<float>(groups * taps * taps)};
  Rng rng(seed, "correlated patches");
  const std::size_t patches = 4 * taps;
  for (std::size_t group = 0; group < groups; ++group) {
    for (std::size_t patch = 0; patch < patches; ++patch) {
      std::vector<double> x(taps);
      double state = rng.normal();
      for (double& value : x) {
        state = correlation * state + std::sqrt(1 - correlation * correlation) * rng.normal();
        value = state + 0.3;
      }
      for (std::size_t i = 0; i < taps; ++i) {
        moments.mean[group * taps + i] += x[i] / static_cast<double>(patches);
        for (std::size_t j = 0; j < taps; ++j) {
          moments.gram[(group * taps + i) * taps + j] += static_cast<float>(x[i] * x[j] / static_cast<double>(patches));
        }
      }
    }
  }
  moments.patches = static_cast<std::int64_t>(patches);
  return moments;
}

std::vector<float> difference(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> made(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) made[i] = a[i] - b[i];
  return made;
}

// Of one channel, in double.
double channel_error(const LayerMoments& moments, std::span<const float> change, std::size_t group = 0) {
  double sum = 0;
  for (std::size_t i = 0; i < moments.taps; ++i) {
    for (std::size_t j = 0; j < moments.taps; ++j) {
      sum += static_cast<double>(change[i]) * static_cast<double>(change[j]) *
             static_cast<double>(moments.gram[(group * moments.taps + i) * moments.taps + j]);
    }
  }
  return sum;
}

TEST(RoundedKernel, EveryValueIsOneOfTheFormat) {
  const std::size_t channels = 6, taps = 45;
  std::vector<float> kernel = normals(channels * taps, 1);
  std::fill_n(kernel.begin() + 2 * taps, taps, 0.0F);  // a pruned channel
  std::fill_n(kernel.begin() + 3 * taps, taps, 0.0F);  // one that selects an input: the next value to 0 may be 1e-20
  kernel[3 * taps + 7] = 0.25F;
  const LayerMoments moments = correlated(1, taps, 2);
  for (const char* name : {"int2",
                           "int4@channel",
                           "int3@group16",
                           "int8",
                           "int8@channel",
                           "int12@channel",
                           "int16",
                           "uint1@channel",
                           "uint4",
                           "uint8@group9",
                           "e4m3",
                           "e5m2@channel",
                           "e2m1@group16",
                           "e3m2@mx32",
                           "mxfp8",
                           "mxfp4",
                           "mxfp6e2m3",
                           "mxint8",
                           "bfp5@16",
                           "bfp2@8",
                           "e1m2@channel",
                           "e6m1@channel",
                           "e7m0@channel",
                           "e8m3",
                           "e4m0@channel",
                           "pot4@channel",
                           "pot8",
                           "binary",
                           "binary@channel",
                           "ternary",
                           "ternary@channel",
                           "ternary@group16",
                           "f32",
                           "bf16",
                           "f16"}) {
    for (const WeightRounding rounding : roundings) {
      for (const bool clip : {false, true}) {
        SCOPED_TRACE(std::string(name) + " " + std::to_string(static_cast<int>(rounding)) + (clip ? " clipped" : ""));
        const Format format = Format::parse(name);
        const RoundedKernel rounded = round_kernel(kernel, channels, format, moments, {rounding, clip});
        std::vector<float> again(kernel.size());
        fake_quantize(rounded.kernel, again, taps, {.format = format, .ranges = rounded.ranges});
        EXPECT_EQ(again, rounded.kernel);
        EXPECT_EQ(rounded.ranges.empty(), !format.is_quantized() || scales_by_numbers(format));
      }
    }
  }
}

TEST(RoundedKernel, ExecutedIntegersGetTheSameCodes) {
  const std::size_t channels = 5, taps = 27;
  const std::vector<float> kernel = normals(channels * taps, 3);
  const LayerMoments moments = correlated(1, taps, 4);
  for (const char* name : {"int8", "int8@channel"}) {
    const Format format = Format::parse(name);
    for (const WeightRounding rounding : roundings) {
      for (const bool clip : {false, true}) {
        const RoundedKernel rounded = round_kernel(kernel, channels, format, moments, {rounding, clip});
        const QuantizedKernel stored = quantize_kernel(rounded.kernel, channels, format.granularity, rounded.ranges);
        for (std::size_t i = 0; i < kernel.size(); ++i) {
          EXPECT_EQ(static_cast<float>(stored.values[i]) * stored.scales[i / taps], rounded.kernel[i]);
        }
      }
    }
  }
}

TEST(RoundedKernel, BlocksKeepTheirScale) {
  const std::size_t channels = 8, taps = 64;
  const std::vector<float> kernel = normals(channels * taps, 5);
  const LayerMoments moments = correlated(1, taps, 6, 0.99);
  for (const char* name : {"mxfp4", "mxfp8", "mxint8", "bfp4@8"}) {
    const Format format = Format::parse(name);
    for (const WeightRounding rounding : roundings) {
      const RoundedKernel rounded = round_kernel(kernel, channels, format, moments, {rounding, false});
      EXPECT_EQ(ScaleRule(format).of(rounded.kernel, taps), ScaleRule(format).of(kernel, taps)) << name;
    }
  }
}

TEST(RoundedKernel, NoChannelChangesMoreThanByRoundingToNearest) {
  const std::size_t channels = 16, taps = 100;
  const std::vector<float> kernel = normals(channels * taps, 7);
  for (const double correlation : {0.0, 0.5, 0.95}) {
    const LayerMoments moments = correlated(1, taps, 8, correlation);
    for (const char* name : {"int8@channel", "int4@channel", "int2", "e2m1@group20", "mxfp4", "ternary", "binary"}) {
      const Format format = Format::parse(name);
      const RoundedKernel nearest = round_kernel(kernel, channels, format, moments, {});
      for (const WeightRounding rounding : {WeightRounding::learned, WeightRounding::gptq}) {
        SCOPED_TRACE(std::string(name) + " " + std::to_string(static_cast<int>(rounding)));
        const RoundedKernel rounded = round_kernel(kernel, channels, format, moments, {rounding, false});
        double before = 0, after = 0;
        for (std::size_t c = 0; c < channels; ++c) {
          const std::vector<float> plain = difference(nearest.kernel, kernel);
          const std::vector<float> change = difference(rounded.kernel, kernel);
          const double own = channel_error(moments, std::span(change).subspan(c * taps, taps));
          const double other = channel_error(moments, std::span(plain).subspan(c * taps, taps));
          EXPECT_LE(own, other * (1 + 1e-5));
          before += other;
          after += own;
        }
        EXPECT_LT(after, (correlation > 0.9 ? 0.35 : 0.9) * before);  // the mean of inputs correlates them all
      }
    }
  }
}

TEST(RoundedKernel, LearnedRoundingIsNearTheBestOfAllChoices) {
  const std::size_t taps = 10;
  double found = 0, best = 0, nearest = 0;
  std::size_t exact = 0;
  const std::size_t layers = 40;
  for (std::uint64_t seed = 1; seed <= layers; ++seed) {
    const std::vector<float> kernel = normals(taps, seed);
    const LayerMoments moments = correlated(1, taps, 100 + seed);
    const Format format = Format::parse("int3@channel");
    const RoundedKernel plain = round_kernel(kernel, 1, format, moments, {});
    const RoundedKernel learned = round_kernel(kernel, 1, format, moments, {WeightRounding::learned, false});
    const float step = ScaleRule(format).of(plain.ranges[0]).scale;
    double least = std::numeric_limits<double>::infinity();
    for (std::uint32_t ups = 0; ups < (1U << taps); ++ups) {
      std::vector<float> change(taps);
      for (std::size_t i = 0; i < taps; ++i) {
        const float down = std::max(-3.0F, std::floor(kernel[i] / step));
        change[i] = step * std::min(3.0F, down + static_cast<float>(ups >> i & 1U)) - kernel[i];
      }
      least = std::min(least, channel_error(moments, change));
    }
    const double own = channel_error(moments, difference(learned.kernel, kernel));
    EXPECT_GE(own, least * (1 - 1e-4));
    exact += own <= least * (1 + 1e-4) ? 1U : 0U;
    found += own;
    best += least;
    nearest += channel_error(moments, difference(plain.kernel, kernel));
  }
  EXPECT_LT(found, 1.1 * best);
  EXPECT_GT(nearest, 1.8 * best);
  EXPECT_GE(exact, layers / 2);
}

using Matrix = std::vector<std::vector<double>>;

Matrix inverse(Matrix a) {
  const std::size_t n = a.size();
  Matrix made(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) made[i][i] = 1;
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = a[i][i];
    for (std::size_t j = 0; j < n; ++j) {
      a[i][j] /= pivot;
      made[i][j] /= pivot;
    }
    for (std::size_t row = 0; row < n; ++row) {
      const double factor = a[row][i];
      for (std::size_t j = 0; j < n && row != i; ++j) {
        a[row][j] -= factor * a[i][j];
        made[row][j] -= factor * made[i][j];
      }
    }
  }
  return made;
}

// The upper triangular U of a = U^T U.
Matrix upper_cholesky(const Matrix& a) {
  const std::size_t n = a.size();
  Matrix made(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i; j < n; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < i; ++k) sum -= made[k][i] * made[k][j];
      made[i][j] = i == j ? std::sqrt(sum) : sum / made[i][i];
    }
  }
  return made;
}

// Algorithm 1 of Frantar et al. (2023) with blocks of one column.
std::vector<float> by_the_paper(const std::vector<float>& row, const LayerMoments& moments, const Format& format,
                                const Range& range) {
  const std::size_t n = row.size();
  Matrix hessian(n, std::vector<double>(n));
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += static_cast<double>(moments.gram[i * n + i]) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) hessian[i][j] = static_cast<double>(moments.gram[i * n + j]);
    hessian[i][i] += 0.01 * mean;
  }
  const Matrix upper = upper_cholesky(inverse(hessian));
  std::vector<double> weights(row.begin(), row.end());
  std::vector<float> made(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto weight = static_cast<float>(weights[i]);
    fake_quantize({&weight, 1}, {&made[i], 1}, 1, {.format = format, .ranges = {range}});
    const double error = (weights[i] - static_cast<double>(made[i])) / upper[i][i];
    for (std::size_t j = i; j < n; ++j) weights[j] -= error * upper[i][j];
  }
  return made;
}

TEST(RoundedKernel, GptqIsThatOfThePaperWhereItHelps) {
  std::size_t equal = 0, compared = 0;
  for (const std::size_t taps : {12U, 130U}) {
    const std::size_t channels = 6;
    const std::vector<float> kernel = normals(channels * taps, 9);
    const LayerMoments moments = correlated(1, taps, 10);
    for (const char* name : {"int4@channel", "uint3@channel", "e2m1@channel"}) {
      SCOPED_TRACE(std::string(name) + " of " + std::to_string(taps));
      const Format format = Format::parse(name);
      const RoundedKernel found = round_kernel(kernel, channels, format, moments, {WeightRounding::gptq, false});
      const RoundedKernel plain = round_kernel(kernel, channels, format, moments, {});
      for (std::size_t c = 0; c < channels; ++c) {
        const auto channel = [&](const std::vector<float>& values) {
          const auto first = values.begin() + static_cast<std::ptrdiff_t>(c * taps);
          return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(taps));
        };
        const std::vector<float> exact = channel(kernel), own = channel(found.kernel), nearest = channel(plain.kernel);
        const std::vector<float> expected = by_the_paper(exact, moments, format, found.ranges[c]);
        ++compared;
        if (own == nearest) {
          EXPECT_LE(channel_error(moments, difference(nearest, exact)),
                    channel_error(moments, difference(expected, exact)));
          continue;
        }
        ++equal;
        for (std::size_t i = 0; i < taps; ++i) EXPECT_NEAR(own[i], expected[i], 1e-6F);
      }
    }
  }
  EXPECT_GT(4 * equal, 3 * compared);
}

TEST(RoundedKernel, InputsThatDoNotCorrelateAreRoundedToNearest) {
  const std::size_t channels = 3, taps = 50;
  const std::vector<float> kernel = normals(channels * taps, 11);
  LayerMoments moments{1, taps, 1, std::vector<double>(taps), std::vector<float>(taps * taps)};
  for (std::size_t i = 0; i < taps; ++i) moments.gram[i * taps + i] = 1.0F + static_cast<float>(i);
  for (const char* name : {"int4@channel", "uint4", "e2m1@group10", "mxfp4", "binary"}) {
    const Format format = Format::parse(name);
    const RoundedKernel nearest = round_kernel(kernel, channels, format, moments, {});
    for (const WeightRounding rounding : {WeightRounding::learned, WeightRounding::gptq}) {
      EXPECT_EQ(round_kernel(kernel, channels, format, moments, {rounding, false}).kernel, nearest.kernel) << name;
    }
  }
}

TEST(RoundedKernel, GroupsOfChannelsAreLayersOfTheirOwn) {
  const std::size_t groups = 5, rows = 2, taps = 9;
  const std::vector<float> kernel = normals(groups * rows * taps, 12);
  const LayerMoments moments = correlated(groups, taps, 13);
  const Format format = Format::parse("int3@channel");
  for (const WeightRounding rounding : {WeightRounding::learned, WeightRounding::gptq}) {
    const RoundedKernel whole = round_kernel(kernel, groups * rows, format, moments, {rounding, false});
    for (std::size_t group = 0; group < groups; ++group) {
      LayerMoments own{1, taps, moments.patches, {}, {}};
      const auto first = static_cast<std::ptrdiff_t>(group * taps * taps);
      own.gram.assign(moments.gram.begin() + first, moments.gram.begin() + first + taps * taps);
      const std::span<const float> part = std::span(kernel).subspan(group * rows * taps, rows * taps);
      const RoundedKernel alone = round_kernel(part, rows, format, own, {rounding, false});
      const auto begin = whole.kernel.begin() + static_cast<std::ptrdiff_t>(group * rows * taps);
      EXPECT_TRUE(std::equal(alone.kernel.begin(), alone.kernel.end(), begin));
    }
  }
}

double squared_error(std::span<const float> values, const Format& format, const Range& range) {
  std::vector<float> rounded(values.size());
  Quantizer quantizer{.format = format, .ranges = {range}};
  quantizer.format.granularity = Format::Granularity::tensor;
  quantizer.format.group_size = 0;
  fake_quantize(values, rounded, values.size(), quantizer);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum += std::pow(static_cast<double>(rounded[i]) - static_cast<double>(values[i]), 2);
  }
  return sum;
}

TEST(RoundedKernel, ClippedRangesHaveTheLeastSquaredError) {
  const std::size_t channels = 4, taps = 60;
  std::vector<float> kernel = normals(channels * taps, 14);
  kernel[taps + 7] = 1.0F;
  for (const char* name : {"int4", "int3@channel", "uint3@channel", "int4@group20", "e2m1@channel"}) {
    SCOPED_TRACE(name);
    const Format format = Format::parse(name);
    const std::vector<Range> whole = ranges_of(kernel, taps, format), found = clipped_ranges(kernel, taps, format);
    ASSERT_EQ(found.size(), whole.size());
    const std::size_t length = kernel.size() / whole.size();
    bool narrower = false;
    for (std::size_t run = 0; run < whole.size(); ++run) {
      const std::span<const float> values = std::span(kernel).subspan(run * length, length);
      double least = std::numeric_limits<double>::infinity();
      for (float share = 1.0F; share > 0.06F; share -= 0.003F) {
        const float bound = share * whole[run].magnitude();
        const Range range{std::max(whole[run].low, -bound), std::min(whole[run].high, bound)};
        least = std::min(least, squared_error(values, format, range));
      }
      EXPECT_LE(squared_error(values, format, found[run]), 1.05 * least);
      narrower = narrower || found[run].magnitude() < 0.9F * whole[run].magnitude();
    }
    EXPECT_TRUE(narrower || length < 60);  // in short rows the largest number counts for much
  }
}

TEST(RoundedKernel, ThreadsDoNotMatter) {
  const std::size_t channels = 150, taps = 72;
  const std::vector<float> kernel = normals(channels * taps, 15);
  const LayerMoments moments = correlated(1, taps, 16);
  const int before = omp_get_max_threads();
  for (const WeightRounding rounding : {WeightRounding::learned, WeightRounding::gptq}) {
    omp_set_num_threads(1);
    const RoundedKernel one = round_kernel(kernel, channels, Format::parse("int4@channel"), moments, {rounding, false});
    omp_set_num_threads(3);
    const RoundedKernel more =
        round_kernel(kernel, channels, Format::parse("int4@channel"), moments, {rounding, false});
    EXPECT_EQ(one.kernel, more.kernel);
  }
  omp_set_num_threads(before);
}

TEST(RoundedKernel, WhatDoesNotFitIsRefused) {
  const LayerMoments moments = correlated(1, 10, 17);
  std::vector<float> kernel = normals(30, 18);
  const RoundingOptions gptq{WeightRounding::gptq, false};
  EXPECT_NO_THROW(round_kernel(kernel, 3, int8, {}, {}));
  EXPECT_THROW(round_kernel(kernel, 3, int8, {}, gptq), std::invalid_argument);
  EXPECT_THROW(round_kernel(kernel, 6, int8, moments, gptq), std::invalid_argument);
  EXPECT_THROW(round_kernel(kernel, 0, int8, moments, gptq), std::invalid_argument);
  EXPECT_THROW(round_kernel(kernel, 7, int8, moments, {}), std::invalid_argument);
  kernel[3] = NAN;
  EXPECT_THROW(round_kernel(kernel, 3, int8, moments, {}), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
