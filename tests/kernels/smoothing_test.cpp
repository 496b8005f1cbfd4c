// Smoothed networks held against the originals, by the reference loops and as executed, and their activations against
// what SmoothQuant's equation says they become.
#include "kernels/quantization/smoothing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "compare.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "nets.hpp"

namespace ridgeline::testing {
namespace {

std::vector<float> reference_output(const Design& design, const std::vector<float>& input) {
  return run_reference(design, input)[design.network.outputs()[0]].values;
}

ChannelRanges channel_ranges(const Design& design, const std::vector<float>& input) {
  ChannelRanges ranges;
  visit_activations(design, input, 1, [&](const Activation& made) { widen(ranges, design.network, made); });
  ranges.resize(design.network.size());
  return ranges;
}

Op op_of(OpKind kind, std::int64_t channels = 0, bool bias = true) {
  Op op = NetBuilder::op_of(kind);
  op.channels = channels;
  op.bias = bias && kind == OpKind::linear;
  return op;
}

// A transformer's block on tokens: what layer norms make is read by three layers, and by one.
struct Tokens {
  Network network;
  NodeId norm, queries, keys, values, second_norm, wide;
};

Tokens tokens(bool bias = true) {
  NetBuilder net({2, 5, 8});
  Tokens made;
  const NodeId input = net.add(op_of(OpKind::linear, 8, bias), {0});
  made.norm = net.apply(OpKind::layer_norm);
  made.queries = net.add(op_of(OpKind::linear, 8, bias), {made.norm});
  made.keys = net.add(op_of(OpKind::linear, 8, bias), {made.norm});
  made.values = net.add(op_of(OpKind::linear, 8, bias), {made.norm});
  Op scores = op_of(OpKind::matmul);
  scores.transpose_b = true;
  net.add(scores, {made.queries, made.keys});
  Op softmax = op_of(OpKind::softmax);
  softmax.axis = -1;
  net.add(softmax, {net.last});
  net.add(op_of(OpKind::matmul), {net.last, made.values});
  net.add_to(input);
  made.second_norm = net.apply(OpKind::layer_norm);
  made.wide = net.add(op_of(OpKind::linear, 16, bias), {made.second_norm});
  net.apply(OpKind::gelu);
  net.add(op_of(OpKind::linear, 8, bias), {net.last});
  made.network = net.finish();
  return made;
}

// With layer norms that scale some channels up and move others far from 0.
Design with_outliers(const Tokens& net) {
  Design design = trained(net.network);
  auto weights = std::make_shared<Weights>(*design.weights);
  for (const NodeId norm : {net.norm, net.second_norm}) {
    (*weights)[norm].scale[2] *= 30;
    for (std::size_t channel = 0; channel < 8; ++channel) {
      (*weights)[norm].shift[channel] += channel % 2 == 0 ? 6.0F : -9.0F;
    }
  }
  design.weights = weights;
  return design;
}

TEST(Smoothing, TheFunctionIsTheSame) {
  std::vector<Design> designs{with_outliers(tokens()), with_outliers(tokens(false)),
                              with_folded_norms(trained(resnet18_like(32, 10, 8))),
                              with_folded_norms(trained(mobilenet_v3_like(32)))};
  for (const Design& design : designs) {
    const std::vector<float> input = seeded_input(design.network.shape(0), 1);
    const ChannelRanges ranges = channel_ranges(design, input);
    for (const bool shift : {false, true}) {
      for (const double migration : {0.0, 0.5, 0.8, 1.0}) {
        const Design smooth = with_smoothed_activations(design, ranges, {migration, shift});
        EXPECT_LT(relative_error(reference_output(smooth, input), reference_output(design, input)), 1e-5);
        Executable before(design), after(smooth);
        EXPECT_LT(relative_error(run_once(after, input), run_once(before, input)), 2e-5);
      }
    }
  }
}

std::vector<double> column_ranges(const std::vector<float>& kernel, std::size_t columns) {
  std::vector<double> ranges(columns);
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    ranges[i % columns] = std::max(ranges[i % columns], std::abs(static_cast<double>(kernel[i])));
  }
  return ranges;
}

TEST(Smoothing, TheDifficultyIsSharedAsTheEquationSays) {
  const Tokens net = tokens();
  const Design design = with_outliers(net);
  const std::vector<float> input = seeded_input(design.network.shape(0), 2);
  const ChannelRanges before = channel_ranges(design, input);
  for (const double migration : {0.25, 0.5}) {
    const Design smooth = with_smoothed_activations(design, before, {migration, false});
    const ChannelRanges after = channel_ranges(smooth, input);
    const auto largest_weights = [&](const Design& of) {
      std::vector<double> largest(8);
      for (const NodeId reader : {net.queries, net.keys, net.values}) {
        const std::vector<double> own = column_ranges((*of.weights)[reader].kernel, 8);
        for (std::size_t i = 0; i < 8; ++i) largest[i] = std::max(largest[i], own[i]);
      }
      return largest;
    };
    const std::vector<double> weights = largest_weights(design), scaled = largest_weights(smooth);
    for (std::size_t channel = 0; channel < 8; ++channel) {
      const auto x = static_cast<double>(before[net.norm][channel].magnitude());
      const double s = std::pow(x, migration) / std::pow(weights[channel], 1 - migration);
      EXPECT_NEAR(static_cast<double>(after[net.norm][channel].magnitude()), x / s, 1e-4 * x / s);
      EXPECT_NEAR(scaled[channel], weights[channel] * s, 1e-4 * weights[channel] * s);
    }
  }
}

TEST(Smoothing, AShiftCentresEveryChannel) {
  const Tokens net = tokens();
  const Design design = with_outliers(net);
  const std::vector<float> input = seeded_input(design.network.shape(0), 3);
  const Design smooth = with_smoothed_activations(design, channel_ranges(design, input), {0.5, true});
  const ChannelRanges after = channel_ranges(smooth, input);
  for (const NodeId norm : {net.norm, net.second_norm}) {
    for (const Range& range : after[norm]) {
      EXPECT_LT(std::abs(range.low + range.high), 1e-4F * (range.high - range.low));
    }
  }
}

TEST(Smoothing, AsymmetricActivationsWithOutliersLoseLess) {
  NetBuilder net({4, 16, 32});
  const NodeId norm = net.apply(OpKind::layer_norm);
  net.linear(24);
  Design design = trained(net.finish());
  auto weights = std::make_shared<Weights>(*design.weights);
  for (std::size_t channel = 0; channel < 32; ++channel) {
    if (channel % 11 == 3) (*weights)[norm].scale[channel] *= 20;
    (*weights)[norm].shift[channel] += (channel % 11 == 3 ? 20.0F : 1.0F) * (channel % 2 == 0 ? 3.0F : -5.0F);
  }
  design.weights = weights;
  const std::vector<float> input = seeded_input(design.network.shape(0), 4);
  const ChannelRanges ranges = channel_ranges(design, input);
  const std::vector<float> expected = reference_output(design, input);
  const auto error = [&](Design quantized) {
    calibrate(quantized, input);
    quantized.precision = PrecisionPlan::uniform(quantized.network, f32, Format::parse("int8"));
    ExecutableOptions options;
    options.emulation = Emulation::all;
    Executable executable(quantized, options);
    const std::vector<float> found = run_once(executable, input);
    double sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      sum += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    }
    return std::sqrt(sum);
  };
  const double plain = error(design), scaled = error(with_smoothed_activations(design, ranges)),
               shifted = error(with_smoothed_activations(design, ranges, {0.5, true}));
  EXPECT_LT(scaled, 0.7 * plain);
  EXPECT_LT(shifted, 0.7 * scaled);
}

struct Changed {
  Design before, scaled, shifted;
  bool is_scaled() const { return (*scaled.weights)[1].kernel != (*before.weights)[1].kernel; }
  bool is_shifted() const { return (*shifted.weights)[1].bias != (*scaled.weights)[1].bias; }
  double error() const {
    const std::vector<float> input = seeded_input(before.network.shape(0), 5);
    return relative_error(reference_output(shifted, input), reference_output(before, input));
  }
};

// A convolution, one with a kernel of `kernel` rows or, for 0, a linear layer, and what is between them.
Changed changed(int kernel, bool padded, const std::function<void(NetBuilder&)>& between) {
  NetBuilder net({1, 8, 8, 8});
  net.conv(8, 1, 1, 1, true);
  between(net);
  Op op = op_of(kernel > 0 ? OpKind::conv2d : OpKind::linear, 6, false);
  if (kernel > 0) op.kernel = {kernel, kernel};
  if (padded) op.padding = {1, 1, 1, 1};
  net.add(op, {net.last});
  Changed made;
  made.before = trained(net.finish());
  const ChannelRanges ranges = channel_ranges(made.before, seeded_input(made.before.network.shape(0), 5));
  made.scaled = with_smoothed_activations(made.before, ranges);
  made.shifted = with_smoothed_activations(made.before, ranges, {0.5, true});
  return made;
}

TEST(Smoothing, ChannelsAreMovedOnlyWhereThatIsExact) {
  Op pool = op_of(OpKind::max_pool);
  pool.kernel = {3, 3};
  pool.padding = {1, 1, 1, 1};
  Op average = pool;
  average.kind = OpKind::avg_pool;
  Op counting = average;
  counting.count_include_pad = true;
  struct Case {
    std::string name;
    int kernel;
    bool padded, moved;
    std::function<void(NetBuilder&)> between;
  };
  const std::vector<Case> cases{
      {"nothing", 3, false, true, [](NetBuilder&) {}},
      {"identity", 1, false, true, [](NetBuilder& net) { net.apply(OpKind::identity); }},
      {"flatten", 0, false, true, [](NetBuilder& net) { net.apply(OpKind::flatten); }},
      {"padded convolution", 3, true, false, [](NetBuilder&) {}},
      {"relu", 1, false, false, [](NetBuilder& net) { net.apply(OpKind::relu); }},
      {"max pool", 1, false, true, [&](NetBuilder& net) { net.add(pool, {net.last}); }},
      {"mean of what is there", 1, false, true, [&](NetBuilder& net) { net.add(average, {net.last}); }},
      {"mean with padding", 1, false, false, [&](NetBuilder& net) { net.add(counting, {net.last}); }},
      {"global mean", 1, false, true, [](NetBuilder& net) { net.apply(OpKind::global_avg_pool); }}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Changed found = changed(one.kernel, one.padded, one.between);
    EXPECT_TRUE(found.is_scaled());
    EXPECT_EQ(found.is_shifted(), one.moved);
    EXPECT_LT(found.error(), 1e-5);
    const NodeId last = found.before.network.outputs()[0];
    EXPECT_EQ(found.shifted.network.op(last).bias, one.moved);  // a layer without a bias gets one
    EXPECT_FALSE(found.scaled.network.op(last).bias);
  }
}

TEST(Smoothing, WhatDoesNotCommuteWithAScaleIsLeftAlone) {
  for (const OpKind kind : {OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid, OpKind::sigmoid, OpKind::swish,
                            OpKind::gelu, OpKind::softmax}) {
    const Changed found = changed(1, false, [&](NetBuilder& net) { net.apply(kind); });
    EXPECT_FALSE(found.is_scaled()) << name_of(kind);
    EXPECT_FALSE(found.is_shifted()) << name_of(kind);
  }
  const Changed residual = changed(1, false, [](NetBuilder& net) { net.add_to(net.last - 1); });
  EXPECT_FALSE(residual.is_scaled() || residual.is_shifted());
  const Changed output = changed(1, false, [](NetBuilder& net) { net.network.mark_output(net.last); });
  EXPECT_FALSE(output.is_scaled() || output.is_shifted());
}

TEST(Smoothing, ANormInFrontOfTwoLayersTakesTheScale) {
  NetBuilder net({1, 6, 5, 5});
  const NodeId norm = net.norm();
  net.apply(OpKind::relu);
  const NodeId read = net.last;
  const NodeId left = net.conv(4, 3), right = (net.last = read, net.conv(4, 1));
  net.add(op_of(OpKind::add), {left, right});
  const Design design = trained(net.finish());
  const std::vector<float> input = seeded_input(design.network.shape(0), 6);
  const Design smooth = with_smoothed_activations(design, channel_ranges(design, input), {0.5, true});
  EXPECT_NE((*smooth.weights)[norm].scale, (*design.weights)[norm].scale);
  EXPECT_LT(relative_error(reference_output(smooth, input), reference_output(design, input)), 1e-5);
}

TEST(Smoothing, RangesAreThoseOfEachChannel) {
  Network network;
  network.mark_output(network.add(op_of(OpKind::relu), {network.add_input({2, 2, 1, 3})}));
  const std::vector<float> plain{1, 2, 3, -4, 5, 6, 7, 8, 9, -1, 0, -2};
  const std::vector<float> last{1, -4, 2, 5, 3, 6, 7, -1, 8, 0, 9, -2};
  for (const bool channels_last : {false, true}) {
    ChannelRanges ranges;
    widen(ranges, network, {0, channels_last ? last : plain, channels_last});
    EXPECT_EQ(ranges[0], (std::vector<Range>{{1, 9}, {-4, 6}}));
    EXPECT_TRUE(ranges[1].empty());
    widen(ranges, network, {0, std::vector<float>(12, 10.0F), channels_last});
    EXPECT_EQ(ranges[0], (std::vector<Range>{{1, 10}, {-4, 10}}));
  }
  ChannelRanges ranges;
  EXPECT_THROW(widen(ranges, network, {0, std::vector<float>(5), false}), std::invalid_argument);
  EXPECT_THROW(widen(ranges, network, {0, std::vector<float>(12, NAN), false}), std::invalid_argument);
}

TEST(Smoothing, ChannelsThatAreAlwaysZeroAreNotScaled) {
  NetBuilder net({1, 2, 3, 3});
  net.conv(3, 1, 1, 1, true);
  net.conv(2, 1, 1, 1, true);
  Design design = trained(net.finish());
  auto weights = std::make_shared<Weights>(*design.weights);
  (*weights)[1].kernel[0] = (*weights)[1].kernel[1] = (*weights)[1].bias[0] = 0;  // never made
  (*weights)[2].kernel[1] = (*weights)[2].kernel[4] = 0;                          // never read
  design.weights = weights;
  const std::vector<float> input = seeded_input(design.network.shape(0), 7);
  const Weights after = *with_smoothed_activations(design, channel_ranges(design, input)).weights;
  for (const std::size_t i : {0U, 1U, 2U, 3U}) EXPECT_EQ(after[1].kernel[i], (*weights)[1].kernel[i]);
  EXPECT_NE(after[1].kernel[4], (*weights)[1].kernel[4]);
}

TEST(Smoothing, WhatDoesNotFitIsRefused) {
  Design design = with_outliers(tokens());
  const std::vector<float> input = seeded_input(design.network.shape(0), 8);
  ChannelRanges ranges = channel_ranges(design, input);
  EXPECT_THROW(with_smoothed_activations(design, ranges, {1.5, false}), std::invalid_argument);
  EXPECT_THROW(with_smoothed_activations(design, ranges, {NAN, false}), std::invalid_argument);
  EXPECT_THROW(with_smoothed_activations(design, {}), std::invalid_argument);
  ranges[2].pop_back();
  EXPECT_THROW(with_smoothed_activations(design, ranges), std::invalid_argument);
  ranges[2].clear();
  EXPECT_EQ((*with_smoothed_activations(design, ranges).weights)[2].scale, (*design.weights)[2].scale);
  design.weights = nullptr;
  EXPECT_THROW(with_smoothed_activations(design, ranges), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
