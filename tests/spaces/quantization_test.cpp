#include "spaces/quantization.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "spaces/rng.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::make;

TEST(Quantize, KernelByHand) {
  const std::array<float, 6> kernel{1.0F, -2.0F, 0.5F, 0.0F, 0.0F, 0.0F};
  const QuantizedKernel channel = quantize_kernel(kernel, 2, Format::Granularity::channel);
  EXPECT_EQ(channel.values,
            (std::vector<std::int8_t>{64, -127, 32, 0, 0, 0}));  // 63.5 and 31.75 round to even / nearest
  EXPECT_FLOAT_EQ(channel.scales[0], 2.0F / 127.0F);
  EXPECT_GT(channel.scales[1], 0.0F) << "a channel of zeros still needs a usable scale";
}

TEST(Quantize, LargestMagnitudeWhereverItLies) {
  EXPECT_EQ(range_of({}), Range{});
  for (const std::size_t size : {1U, 15U, 16U, 17U, 50U}) {
    for (std::size_t at = 0; at < size; ++at) {
      std::vector<float> values(size, 0.5F);
      values[at] = -3.0F;
      EXPECT_EQ(range_of(values).magnitude(), 3.0F) << at << " of " << size;
    }
  }
}

TEST(Quantize, KernelErrorIsAtMostHalfAStep) {
  Rng rng(1);
  std::vector<float> kernel(std::size_t{7} * 33);
  for (float& value : kernel) value = static_cast<float>(rng.normal());
  for (const auto granularity : {Format::Granularity::tensor, Format::Granularity::channel}) {
    const QuantizedKernel quantized = quantize_kernel(kernel, 7, granularity);
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      const float scale = quantized.scales[i / 33];
      EXPECT_LE(std::abs(scale * static_cast<float>(quantized.values[i]) - kernel[i]), scale * 0.5001F);
    }
    if (granularity == Format::Granularity::tensor) {
      for (const float scale : quantized.scales) EXPECT_EQ(scale, quantized.scales[0]);
    }
  }
}

TEST(Quantize, RangesThatAreGivenDecide) {
  const std::array<float, 4> kernel{1.0F, -2.0F, 0.25F, 0.5F};
  const std::array<Range, 2> ranges{Range{-1.27F, 0.5F}, Range{0.0F, 0.127F}};
  const QuantizedKernel quantized = quantize_kernel(kernel, 2, Format::Granularity::channel, ranges);
  EXPECT_FLOAT_EQ(quantized.scales[0], 0.01F);
  EXPECT_EQ(quantized.values, (std::vector<std::int8_t>{100, -127, 127, 127}));
}

TEST(Quantize, SignsFollowFromTheNetworkAlone) {
  Network network;
  const NodeId input = network.add_input({1, 4, 4, 4});
  const NodeId conv = network.add(test::conv(4, 1), {input});
  const NodeId relu = network.add(make(OpKind::relu), {conv});
  const NodeId pool = network.add(make(OpKind::global_avg_pool), {relu});
  const NodeId gate = network.add(make(OpKind::sigmoid), {pool});
  const NodeId product = network.add(make(OpKind::mul), {relu, gate});
  const NodeId swish = network.add(make(OpKind::hard_swish), {product});
  const std::vector<bool> positive = never_negative(network);
  EXPECT_FALSE(positive[input]);
  EXPECT_FALSE(positive[conv]);
  EXPECT_TRUE(positive[relu] && positive[pool] && positive[gate] && positive[product]);
  EXPECT_FALSE(positive[swish]) << "hard-swish dips below zero";
}

TEST(Quantize, CopiedTensorsShareOneScale) {
  Network network;
  const NodeId input = network.add_input({1, 4, 4, 4});
  const NodeId a = network.add(test::conv(4, 1), {input});
  const NodeId b = network.add(make(OpKind::relu), {network.add(test::conv(4, 3), {input})});
  const NodeId both = network.add(make(OpKind::concat), {a, b});
  const NodeId pooled = network.add(test::pool(OpKind::max_pool, 1, 1), {both});
  network.mark_output(network.add(test::conv(3, 1), {pooled}));
  std::vector<Range> ranges(network.size(), {-1.0F, 1.0F});
  ranges[a] = {-5.0F, 1.0F};
  ranges[b] = {0.0F, 2.0F};
  const std::vector<TensorScale> scales = tensor_scales(network, ranges);
  for (const NodeId node : {a, b, both, pooled}) {
    EXPECT_FLOAT_EQ(scales[node].scale, 5.0F / 127.0F);
    EXPECT_FALSE(scales[node].is_unsigned) << "one part is signed, so all are";
  }
}

}  // namespace
}  // namespace ridgeline
