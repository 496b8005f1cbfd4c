// Equalized networks held against the originals, by the reference loops and as executed, and their ranges against
// closed forms.
#include "kernels/quantization/equalization.hpp"

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

std::vector<float> executed_output(const Design& design, const std::vector<float>& input,
                                   Emulation emulation = Emulation::none) {
  ExecutableOptions options;
  options.emulation = emulation;
  Executable executable(design, options);
  return run_once(executable, input);
}

// The largest magnitudes of runs of `taps` numbers.
std::vector<double> row_ranges(const std::vector<float>& kernel, std::size_t rows) {
  std::vector<double> ranges(rows);
  const std::size_t taps = kernel.size() / rows;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    ranges[i / taps] = std::max(ranges[i / taps], std::abs(static_cast<double>(kernel[i])));
  }
  return ranges;
}

// Of the columns of a pointwise or linear kernel.
std::vector<double> column_ranges(const std::vector<float>& kernel, std::size_t columns, std::size_t inner = 1) {
  std::vector<double> ranges(columns);
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    double& range = ranges[i / inner % columns];
    range = std::max(range, std::abs(static_cast<double>(kernel[i])));
  }
  return ranges;
}

// Pointwise, depthwise and pointwise convolutions with relu between, pooled and classified.
struct Separable {
  Network network;
  NodeId expand, depthwise, project, classify;
};

Separable separable(bool classified = true) {
  NetBuilder net({1, 4, 8, 8});
  Separable made;
  made.expand = net.conv(12, 1, 1, 1, true);
  net.apply(OpKind::relu);
  made.depthwise = net.conv(12, 3, 2, 12, true);
  net.apply(OpKind::relu);
  made.project = net.conv(6, 1, 1, 1, true);
  Op pool = NetBuilder::op_of(OpKind::max_pool);
  pool.kernel = pool.stride = {2, 2};
  net.add(pool, {net.last});
  net.apply(OpKind::flatten);
  made.classify = classified ? net.linear(5) : 0;
  made.network = net.finish();
  return made;
}

// With channels of very different sizes, as batch norms leave them: those that a layer makes are scaled, and scaled
// back where the next one reads them.
Design uneven(const Separable& net) {
  Design design = trained(net.network);
  auto weights = std::make_shared<Weights>(*design.weights);
  const auto scale = [&](NodeId node, std::size_t channel, float factor) {
    NodeWeights& own = (*weights)[node];
    const std::size_t taps = own.kernel.size() / own.bias.size();
    for (std::size_t tap = 0; tap < taps; ++tap) own.kernel[channel * taps + tap] *= factor;
    own.bias[channel] *= factor;
  };
  for (std::size_t channel = 0; channel < 12; ++channel) {
    const float first = std::exp2(static_cast<float>(channel * 5 % 7) - 3.0F);
    const float second = std::exp2(static_cast<float>(channel * 3 % 5) - 2.0F);
    scale(net.expand, channel, first);
    scale(net.depthwise, channel, second / first);
    (*weights)[net.depthwise].bias[channel] *= first;
    for (std::size_t output = 0; output < 6; ++output) (*weights)[net.project].kernel[output * 12 + channel] /= second;
  }
  design.weights = weights;
  return design;
}

TEST(Equalization, TheFunctionIsTheSame) {
  const std::vector<Design> designs{uneven(separable()), with_folded_norms(trained(resnet18_like(32, 10, 8))),
                                    with_folded_norms(trained(mobilenet_v3_like(32)))};
  for (const Design& design : designs) {
    const std::vector<float> input = seeded_input(design.network.shape(0), 1);
    const Design equal = with_equalized_layers(design);
    EXPECT_EQ(equal.network.size(), design.network.size());
    EXPECT_LT(relative_error(reference_output(equal, input), reference_output(design, input)), 1e-5);
    EXPECT_LT(relative_error(executed_output(equal, input), executed_output(design, input)), 1e-5);
    std::size_t changed = 0;
    for (NodeId node = 0; node < design.network.size(); ++node) {
      changed += (*equal.weights)[node].kernel != (*design.weights)[node].kernel ? 1U : 0U;
    }
    EXPECT_GT(changed, 3U);
  }
}

TEST(Equalization, TwoLayersGetTheSameRanges) {
  NetBuilder net({1, 3, 6, 6});
  const NodeId first = net.conv(8, 3, 1, 1, true);
  net.apply(OpKind::relu);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  const NodeId second = net.linear(5);
  const Design design = trained(net.finish());
  const Design equal = with_equalized_layers(design);
  const Weights &before = *design.weights, &after = *equal.weights;
  const std::vector<double> r1 = row_ranges(before[first].kernel, 8), r2 = column_ranges(before[second].kernel, 8);
  const std::vector<double> made = row_ranges(after[first].kernel, 8), read = column_ranges(after[second].kernel, 8);
  for (std::size_t channel = 0; channel < 8; ++channel) {
    EXPECT_NEAR(made[channel], std::sqrt(r1[channel] * r2[channel]), 1e-5);
    EXPECT_NEAR(read[channel], std::sqrt(r1[channel] * r2[channel]), 1e-5);
    const double factor = std::sqrt(r1[channel] / r2[channel]);
    EXPECT_NEAR(static_cast<double>(after[first].bias[channel]),
                static_cast<double>(before[first].bias[channel]) / factor, 1e-5);
  }
}

TEST(Equalization, ADepthwiseLayerBetweenTwoOthersSharesTheirRange) {
  for (const bool classified : {false, true}) {
    const Separable net = separable(classified);
    const Design design = uneven(net);
    const Design equal = with_equalized_layers(design);
    const auto ranges = [&](const Design& of) {
      const Weights& weights = *of.weights;
      return std::vector<std::vector<double>>{row_ranges(weights[net.expand].kernel, 12),
                                              row_ranges(weights[net.depthwise].kernel, 12),
                                              column_ranges(weights[net.project].kernel, 12)};
    };
    const auto before = ranges(design), after = ranges(equal);
    for (std::size_t channel = 0; channel < 12; ++channel) {
      // A layer behind changes what the projection's columns are, too.
      const double mean =
          classified ? after[0][channel] : std::cbrt(before[0][channel] * before[1][channel] * before[2][channel]);
      for (const std::vector<double>& layer : after) EXPECT_NEAR(layer[channel], mean, 1e-3 * mean);
    }
    if (!classified) continue;
    const std::vector<double> made = row_ranges((*equal.weights)[net.project].kernel, 6);
    const std::vector<double> read = column_ranges((*equal.weights)[net.classify].kernel, 6, 4);  // 2x2 features each
    for (std::size_t channel = 0; channel < 6; ++channel) {
      EXPECT_NEAR(made[channel], read[channel], 1e-3 * made[channel]);
    }
  }
}

TEST(Equalization, KernelsWithOneScaleLoseLess) {
  const Separable net = separable();
  const Design design = uneven(net);
  const std::vector<float> input = seeded_input(design.network.shape(0), 2);
  const std::vector<float> expected = reference_output(design, input);
  for (const char* name : {"int8", "int4"}) {
    const auto error = [&](Design quantized) {
      calibrate(quantized, input);
      quantized.precision = PrecisionPlan::uniform(quantized.network, Format::parse(name), int8);
      return rms_error(executed_output(quantized, input, Emulation::all), expected);
    };
    EXPECT_LT(error(with_equalized_layers(design)), 0.6 * error(design)) << name;
  }
}

// Two layers with `between` taking the first one's output to what the second reads.
void expect_untouched(const std::string& name, const std::function<void(NetBuilder&)>& between) {
  NetBuilder net({1, 8, 6, 6});
  net.conv(8, 1, 1, 1, true);
  between(net);
  net.conv(8, 1, 1, 1, true);
  const Design design = trained(net.finish());
  const Design equal = with_equalized_layers(design);
  for (NodeId node = 0; node < design.network.size(); ++node) {
    EXPECT_EQ((*equal.weights)[node].kernel, (*design.weights)[node].kernel) << name;
    EXPECT_EQ((*equal.weights)[node].bias, (*design.weights)[node].bias) << name;
  }
}

TEST(Equalization, WhatDoesNotCommuteWithAScaleIsLeftAlone) {
  for (const OpKind kind : {OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid, OpKind::sigmoid, OpKind::swish,
                            OpKind::gelu, OpKind::softmax, OpKind::batch_norm}) {
    expect_untouched(std::string(name_of(kind)), [&](NetBuilder& net) { net.apply(kind); });
  }
  expect_untouched("a residual addition", [](NetBuilder& net) { net.add_to(net.last - 1); });
  expect_untouched("a product", [](NetBuilder& net) {
    net.add(NetBuilder::op_of(OpKind::mul), {net.last, net.last - 1});
  });
  expect_untouched("a concatenation", [](NetBuilder& net) {
    net.add(NetBuilder::op_of(OpKind::concat), {net.last, net.last - 1});
  });
  expect_untouched("an output", [](NetBuilder& net) { net.network.mark_output(net.last); });
  expect_untouched("a second reader", [](NetBuilder& net) {
    const NodeId first = net.last;
    net.network.mark_output(net.conv(3, 1));
    net.last = first;
  });
}

TEST(Equalization, ChannelsOfNothingAreLeftAloneAndFactorsAreBounded) {
  NetBuilder net({1, 4, 3, 3});
  const NodeId first = net.conv(4, 1, 1, 1, true);
  const NodeId second = net.conv(4, 1, 1, 1, true);
  Design design = trained(net.finish());
  auto weights = std::make_shared<Weights>(*design.weights);
  std::fill_n((*weights)[first].kernel.begin(), 4, 0.0F);                    // nothing is made
  for (std::size_t i = 1; i < 16; i += 4) (*weights)[second].kernel[i] = 0;  // nothing is read
  for (std::size_t i = 8; i < 12; ++i) (*weights)[first].kernel[i] *= 1e-9F;
  design.weights = weights;
  const Weights after = *with_equalized_layers(design).weights;
  EXPECT_EQ(after[first].bias[0], (*weights)[first].bias[0]);
  EXPECT_EQ(after[first].bias[1], (*weights)[first].bias[1]);
  EXPECT_FLOAT_EQ(after[first].bias[2], 64 * (*weights)[first].bias[2]);
  EXPECT_NE(after[first].bias[3], (*weights)[first].bias[3]);
  design.weights = nullptr;
  EXPECT_THROW(with_equalized_layers(design), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
