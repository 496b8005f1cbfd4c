#include "kernels/quantize.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "nets.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

TEST(Quantize, KernelByHand) {
  const std::array<float, 6> kernel{1.0F, -2.0F, 0.5F, 0.0F, 0.0F, 0.0F};
  const QuantizedKernel channel = quantize_kernel(kernel, 2, Format::Granularity::channel);
  EXPECT_EQ(channel.values,
            (std::vector<std::int8_t>{64, -127, 32, 0, 0, 0}));  // 63.5 and 31.75 round to even / nearest
  EXPECT_FLOAT_EQ(channel.scales[0], 2.0F / 127.0F);
  EXPECT_GT(channel.scales[1], 0.0F) << "a channel of zeros still needs a usable scale";
}

TEST(Quantize, LargestMagnitudeWhereverItLies) {
  EXPECT_EQ(largest_magnitude({}), 0.0F);
  for (const std::size_t size : {1U, 15U, 16U, 17U, 50U}) {
    for (std::size_t at = 0; at < size; ++at) {
      std::vector<float> values(size, 0.5F);
      values[at] = -3.0F;
      EXPECT_EQ(largest_magnitude(values), 3.0F) << at << " of " << size;
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

TEST(Quantize, SignsFollowFromTheNetworkAlone) {
  NetBuilder net({1, 4, 4, 4});
  const NodeId conv = net.conv(4, 1);
  const NodeId relu = net.apply(OpKind::relu);
  const NodeId pool = net.apply(OpKind::global_avg_pool);
  const NodeId gate = net.apply(OpKind::sigmoid);
  const NodeId product = net.add(NetBuilder::op_of(OpKind::mul), {relu, gate});
  const NodeId swish = net.apply(OpKind::hard_swish);
  const Network network = net.finish();
  const std::vector<bool> positive = never_negative(network);
  EXPECT_FALSE(positive[0]);
  EXPECT_FALSE(positive[conv]);
  EXPECT_TRUE(positive[relu] && positive[pool] && positive[gate] && positive[product]);
  EXPECT_FALSE(positive[swish]) << "hard-swish dips below zero";
}

TEST(Quantize, CopiedTensorsShareOneScale) {
  NetBuilder net({1, 4, 4, 4});
  const NodeId a = net.conv(4, 1);
  net.last = 0;
  net.conv(4, 3);
  const NodeId b = net.apply(OpKind::relu);
  const NodeId both = net.add(NetBuilder::op_of(OpKind::concat), {a, b});
  const NodeId pooled = net.add(NetBuilder::op_of(OpKind::max_pool), {both});
  net.conv(3, 1);
  const Design design = untrained(net.finish(), int8);
  std::vector<float> ranges(design.network.size(), 1.0F);
  ranges[a] = 5.0F;
  ranges[b] = 2.0F;
  const std::vector<TensorScale> scales = plan_scales(design.network, lower(design), ranges);
  for (const NodeId node : {a, b, both, pooled}) {
    EXPECT_FLOAT_EQ(scales[node].scale, 5.0F / 127.0F);
    EXPECT_FALSE(scales[node].is_unsigned) << "one part is signed, so all are";
  }
}

}  // namespace
}  // namespace ridgeline::testing
