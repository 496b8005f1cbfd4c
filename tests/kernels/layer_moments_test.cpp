// Moments held against what the reference loops make of the same activations: the mean and the power of a layer's
// output say the same as E[D x] and tr(D G D^T).
#include "kernels/quantization/layer_moments.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/reference.hpp"
#include "nets.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

constexpr std::size_t everywhere = 1'000'000;

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, "moments");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal()) + 0.3F;
  return values;
}

struct Layer {
  std::string name;
  Op op;
  Shape input;
};

Op conv(std::int64_t channels, std::array<int, 2> kernel, int groups = 1) {
  Op op = NetBuilder::op_of(OpKind::conv2d);
  op.channels = channels;
  op.kernel = kernel;
  op.groups = groups;
  return op;
}

std::vector<Layer> layers() {
  Op linear = NetBuilder::op_of(OpKind::linear);
  linear.channels = 5;
  Op padded = conv(6, {3, 3}), strided = conv(6, {3, 2}), dilated = conv(4, {3, 3}), grouped = conv(8, {3, 3}, 2),
     depthwise = conv(4, {3, 3}, 4), doubled = conv(8, {5, 5}, 4), wide = conv(3, {3, 3});
  padded.padding = {1, 1, 1, 1};
  strided.stride = {2, 3};
  strided.padding = {0, 1, 2, 0};
  dilated.dilation = {2, 1};
  dilated.padding = {2, 1, 2, 1};
  grouped.padding = wide.padding = depthwise.padding = {1, 1, 1, 1};
  doubled.padding = {2, 2, 2, 2};
  doubled.stride = {2, 2};
  return {{"pointwise", conv(7, {1, 1}), {3, 4, 5, 6}},
          {"padded", padded, {2, 4, 5, 6}},
          {"strided, padded on two sides", strided, {2, 3, 9, 8}},
          {"dilated", dilated, {2, 3, 7, 8}},
          {"grouped", grouped, {2, 12, 5, 4}},
          {"depthwise", depthwise, {3, 4, 6, 5}},
          {"depthwise with two outputs", doubled, {2, 4, 6, 5}},
          {"more taps than a block", wide, {2, 40, 5, 5}},
          {"linear of vectors", linear, {6, 9}},
          {"linear of tokens", linear, {3, 4, 40}},
          {"linear of four axes", linear, {2, 3, 4, 5}}};
}

std::vector<float> channels_last(const std::vector<float>& values, const Shape& shape) {
  const auto channels = static_cast<std::size_t>(shape[1]), area = static_cast<std::size_t>(shape[2] * shape[3]);
  std::vector<float> moved(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t image = i / (channels * area), channel = i / area % channels, pixel = i % area;
    moved[(image * area + pixel) * channels + channel] = values[i];
  }
  return moved;
}

Network network_of(const Layer& layer) {
  Network network;
  network.mark_output(network.add(layer.op, {network.add_input(layer.input)}));
  return network;
}

std::size_t size_of(const Shape& shape) { return static_cast<std::size_t>(elements(shape)); }

// The output of the layer with `kernel`, by the reference loops.
Tensor output_of(const Layer& layer, const std::vector<float>& input, const std::vector<float>& kernel) {
  const Tensor read{layer.input, input};
  const Tensor* const inputs[] = {&read};
  return reference_op(layer.op, inputs, {.kernel = kernel});
}

// The mean of every output channel.
std::vector<double> means_of(const Op& op, const Tensor& output) {
  const auto channels = static_cast<std::size_t>(op.channels);
  const std::size_t inner =
      op.kind == OpKind::conv2d ? size_of(output.shape) / channels / static_cast<std::size_t>(output.shape[0]) : 1;
  std::vector<double> means(channels);
  for (std::size_t i = 0; i < output.values.size(); ++i) {
    means[i / inner % channels] += static_cast<double>(output.values[i]);
  }
  for (double& mean : means) mean /= static_cast<double>(output.values.size() / channels);
  return means;
}

double power_of(const Tensor& output) {
  double sum = 0;
  for (const float value : output.values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum / static_cast<double>(output.values.size());
}

LayerMoments moments_of(const Layer& layer, const std::vector<float>& input, std::size_t patches, bool last = false) {
  MomentCounter counter(network_of(layer), 1, patches);
  const std::vector<float> moved = last ? channels_last(input, layer.input) : input;
  counter.add({0, moved, last}, layer.input);
  return counter.moments();
}

std::size_t kernel_size(const Layer& layer) {
  const LayerMoments moments = MomentCounter(network_of(layer), 1).moments();
  return moments.taps * static_cast<std::size_t>(layer.op.channels);
}

TEST(LayerMoments, MeanAndPowerOfTheOutputAreThoseOfTheReference) {
  for (const Layer& layer : layers()) {
    for (const bool last : {false, true}) {
      if (last && layer.input.size() != 4) continue;
      SCOPED_TRACE(layer.name + (last ? ", channels last" : ""));
      const std::vector<float> input = normals(size_of(layer.input), 1), change = normals(kernel_size(layer), 2);
      const LayerMoments moments = moments_of(layer, input, everywhere, last);
      const Tensor output = output_of(layer, input, change);
      const auto channels = static_cast<std::size_t>(layer.op.channels);
      EXPECT_EQ(moments.patches * layer.op.channels, elements(output.shape));
      EXPECT_NEAR(output_power(moments, change, channels), power_of(output), 1e-5 * power_of(output));
      const std::vector<float> found = mean_output(moments, change, channels);
      const std::vector<double> expected = means_of(layer.op, output);
      for (std::size_t c = 0; c < channels; ++c) {
        EXPECT_NEAR(static_cast<double>(found[c]), expected[c], 1e-5 * std::sqrt(power_of(output)));
      }
    }
  }
}

TEST(LayerMoments, TheGramMatrixIsThatOfItsDefinition) {
  // Two outputs of a 1x2 kernel over one row of three numbers, padded by one in front: patches (0 1), (1 2), (2 4).
  Op op = conv(1, {1, 2});
  op.padding = {0, 1, 0, 0};
  const LayerMoments moments = moments_of({"", op, {1, 1, 1, 3}}, {1, 2, 4}, everywhere);
  EXPECT_EQ(moments.patches, 3);
  EXPECT_EQ(moments.taps, 2U);
  EXPECT_DOUBLE_EQ(moments.mean[0], 1.0);
  EXPECT_DOUBLE_EQ(moments.mean[1], 7.0 / 3.0);
  EXPECT_FLOAT_EQ(moments.gram[0], 5.0F / 3.0F);
  EXPECT_FLOAT_EQ(moments.gram[1], 10.0F / 3.0F);
  EXPECT_FLOAT_EQ(moments.gram[2], 10.0F / 3.0F);
  EXPECT_FLOAT_EQ(moments.gram[3], 21.0F / 3.0F);
}

TEST(LayerMoments, BatchesAndPartsAddUp) {
  const Layer layer = layers()[1];
  const std::vector<float> input = normals(size_of(layer.input), 3);
  const std::size_t half = input.size() / 2;
  const Shape one{1, layer.input[1], layer.input[2], layer.input[3]};
  MomentCounter first(network_of(layer), 1), second(network_of(layer), 1);
  first.add({0, std::span(input).first(half), false}, one);
  second.add({0, std::span(input).subspan(half), false}, one);
  first.add(second);
  const LayerMoments whole = moments_of(layer, input, MomentCounter::usual_patches), parts = first.moments();
  EXPECT_EQ(parts.patches, whole.patches);
  for (std::size_t i = 0; i < whole.gram.size(); ++i) EXPECT_NEAR(parts.gram[i], whole.gram[i], 1e-5F);
  for (std::size_t i = 0; i < whole.mean.size(); ++i) EXPECT_NEAR(parts.mean[i], whole.mean[i], 1e-6);
}

TEST(LayerMoments, PositionsAreSpreadOverRowsAndColumns) {
  // The image holds each pixel's row and column, so that the moments tell which were looked at.
  const std::size_t extent = 32;
  std::vector<float> input(2 * extent * extent);
  for (std::size_t pixel = 0; pixel < extent * extent; ++pixel) {
    input[pixel] = static_cast<float>(pixel / extent);
    input[extent * extent + pixel] = static_cast<float>(pixel % extent);
  }
  const Layer layer{"", conv(1, {1, 1}), {1, 2, 32, 32}};
  const LayerMoments some = moments_of(layer, input, 64), all = moments_of(layer, input, everywhere);
  EXPECT_EQ(some.patches, 64);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    EXPECT_NEAR(some.mean[axis], all.mean[axis], 1.0);
    EXPECT_NEAR(some.gram[3 * axis], all.gram[3 * axis], 0.1 * static_cast<double>(all.gram[3 * axis]));
  }
  EXPECT_NEAR(some.gram[1], all.gram[1], 0.1F * all.gram[1]);
}

TEST(LayerMoments, ThreadsDoNotMatter) {
  const Layer layer = layers()[7];
  const std::vector<float> input = normals(size_of(layer.input), 4);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const LayerMoments one = moments_of(layer, input, everywhere);
  omp_set_num_threads(3);
  const LayerMoments three = moments_of(layer, input, everywhere);
  omp_set_num_threads(before);
  EXPECT_EQ(one.gram, three.gram);
  EXPECT_EQ(one.mean, three.mean);
}

TEST(LayerMoments, TheBiasRestoresTheMeanOutput) {
  for (const Layer& layer : layers()) {
    SCOPED_TRACE(layer.name);
    const std::vector<float> input = normals(size_of(layer.input), 5), kernel = normals(kernel_size(layer), 6);
    std::vector<float> rounded(kernel.size());
    fake_quantize(kernel, rounded, kernel.size(), {.format = Format::parse("int3")});
    const LayerMoments moments = moments_of(layer, input, everywhere);
    const auto channels = static_cast<std::size_t>(layer.op.channels);
    const std::vector<float> added = bias_correction(moments, kernel, rounded, channels);
    const Tensor exact = output_of(layer, input, kernel);
    const std::vector<double> before = means_of(layer.op, exact);
    const std::vector<double> after = means_of(layer.op, output_of(layer, input, rounded));
    double changed = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      EXPECT_NEAR(after[c] + static_cast<double>(added[c]), before[c], 1e-5 * std::sqrt(power_of(exact)));
      changed += std::abs(after[c] - before[c]);
    }
    EXPECT_GT(changed, 1e-3 * std::sqrt(power_of(exact)));
  }
}

TEST(LayerMoments, WhatDoesNotFitIsRefused) {
  const Layer layer = layers()[1];
  const Network network = network_of(layer);
  EXPECT_THROW(MomentCounter(network, 0), std::invalid_argument);
  MomentCounter counter(network, 1);
  const LayerMoments none = counter.moments();
  EXPECT_EQ(none.patches, 0);
  EXPECT_EQ(output_power(none, std::vector<float>(kernel_size(layer), 1.0F), 6), 0.0);
  std::vector<float> input = normals(size_of(layer.input), 7);
  EXPECT_THROW(counter.add({0, std::span(input).first(10), false}, layer.input), std::invalid_argument);
  EXPECT_THROW(counter.add({0, input, false}, {2, 2, 10, 6}), std::invalid_argument);
  EXPECT_THROW(counter.add(MomentCounter(network_of(layers()[0]), 1)), std::invalid_argument);
  EXPECT_THROW(output_power(none, std::vector<float>(7), 6), std::invalid_argument);
  input[3] = INFINITY;
  EXPECT_THROW(counter.add({0, input, false}, layer.input), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
