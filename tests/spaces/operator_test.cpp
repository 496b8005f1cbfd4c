#include "spaces/operator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::linear;
using test::make;
using test::pool;
using testing::AllOf;
using testing::HasSubstr;

Shape infer(const Op& op, const std::vector<Shape>& inputs) { return infer_shape(op, std::span<const Shape>(inputs)); }

std::string refusal(const Op& op, const std::vector<Shape>& inputs) {
  try {
    return "accepted as " + shape_text(infer(op, inputs));
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(Operator, HasANameForEveryKind) {
  ASSERT_EQ(op_names().size(), static_cast<std::size_t>(OpKind::zero) + 1);
  EXPECT_EQ(name_of(OpKind::input), "input");
  EXPECT_EQ(name_of(OpKind::layer_norm), "layer_norm");
  EXPECT_EQ(name_of(OpKind::gelu), "gelu");
  EXPECT_EQ(name_of(OpKind::softmax), "softmax");
  EXPECT_EQ(name_of(OpKind::global_avg_pool), "global_avg_pool");
  EXPECT_EQ(name_of(OpKind::flatten), "flatten");
  EXPECT_EQ(name_of(OpKind::zero), "zero");
}

TEST(Operator, SortsItsKinds) {
  int activations = 0;
  int weighted = 0;
  for (int i = 0; i <= static_cast<int>(OpKind::zero); ++i) {
    activations += is_activation(static_cast<OpKind>(i)) ? 1 : 0;
    weighted += has_weights(static_cast<OpKind>(i)) ? 1 : 0;
  }
  EXPECT_EQ(activations, 7);  // relu, relu6, hard_swish, hard_sigmoid, sigmoid, swish, gelu
  EXPECT_EQ(weighted, 4);
  EXPECT_FALSE(is_activation(OpKind::softmax));
  EXPECT_FALSE(has_weights(OpKind::matmul));
}

TEST(Operator, WritesShapes) {
  EXPECT_EQ(shape_text({1, 3, 224, 224}), "1x3x224x224");
  EXPECT_EQ(shape_text({}), "scalar");
  EXPECT_EQ(elements({2, 3, 4}), 24);
}

TEST(ShapeInference, PublishedLayers) {
  Op stem = conv(64, 7, 2);
  EXPECT_EQ(infer(stem, {{1, 3, 224, 224}}), (Shape{1, 64, 112, 112}));
  EXPECT_EQ(infer(pool(OpKind::max_pool, 3, 2, 1), {{1, 64, 112, 112}}), (Shape{1, 64, 56, 56}));
  EXPECT_EQ(infer(conv(96, 3, 2, 96), {{4, 96, 112, 112}}), (Shape{4, 96, 56, 56}));
  Op alexnet = conv(96, 11, 4);
  alexnet.padding = {0, 0, 0, 0};
  EXPECT_EQ(infer(alexnet, {{1, 3, 227, 227}}), (Shape{1, 96, 55, 55}));
  Op atrous = conv(256, 3);
  atrous.dilation = {12, 12};
  atrous.padding = {12, 12, 12, 12};
  EXPECT_EQ(infer(atrous, {{1, 2048, 33, 33}}), (Shape{1, 256, 33, 33}));
  Op tall = conv(8, 1);
  tall.kernel = {10, 4};
  tall.stride = {2, 2};
  tall.padding = {4, 1, 5, 1};
  EXPECT_EQ(infer(tall, {{1, 1, 49, 10}}), (Shape{1, 8, 25, 5}));  // the keyword-spotting DS-CNN's first layer
}

TEST(ShapeInference, EveryOtherKind) {
  EXPECT_EQ(infer(linear(10), {{2, 7}}), (Shape{2, 10}));
  EXPECT_EQ(infer(linear(10), {{2, 5, 7}}), (Shape{2, 5, 10}));
  EXPECT_EQ(infer(make(OpKind::matmul), {{2, 8, 5, 7}, {2, 8, 7, 3}}), (Shape{2, 8, 5, 3}));
  Op op = make(OpKind::matmul);
  op.transpose_b = true;
  EXPECT_EQ(infer(op, {{2, 5, 7}, {2, 3, 7}}), (Shape{2, 5, 3}));
  for (const OpKind kind :
       {OpKind::batch_norm, OpKind::layer_norm, OpKind::relu, OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid,
        OpKind::sigmoid, OpKind::swish, OpKind::gelu, OpKind::softmax, OpKind::identity, OpKind::zero}) {
    EXPECT_EQ(infer(make(kind), {{2, 5, 7}}), (Shape{2, 5, 7})) << name_of(kind);
  }
  EXPECT_EQ(infer(make(OpKind::add), {{2, 5, 7}, {2, 5, 7}}), (Shape{2, 5, 7}));
  EXPECT_EQ(infer(make(OpKind::mul), {{2, 5, 7, 7}, {2, 5, 1, 1}}), (Shape{2, 5, 7, 7}));
  EXPECT_EQ(infer(make(OpKind::concat), {{2, 5, 7, 7}, {2, 1, 7, 7}, {2, 3, 7, 7}}), (Shape{2, 9, 7, 7}));
  op = make(OpKind::concat);
  op.axis = -1;
  EXPECT_EQ(infer(op, {{2, 5, 7}, {2, 5, 1}}), (Shape{2, 5, 8}));
  EXPECT_EQ(infer(make(OpKind::global_avg_pool), {{2, 5, 7, 9}}), (Shape{2, 5, 1, 1}));
  EXPECT_EQ(infer(make(OpKind::flatten), {{2, 5, 7, 9}}), (Shape{2, 315}));
  op = make(OpKind::reshape);
  op.shape = {7, -1};
  EXPECT_EQ(infer(op, {{2, 5, 7, 9}}), (Shape{2, 7, 45}));
  op.shape = {315};
  EXPECT_EQ(infer(op, {{2, 5, 7, 9}}), (Shape{2, 315}));
  op = make(OpKind::transpose);
  op.shape = {0, 2, 3, 1};
  EXPECT_EQ(infer(op, {{2, 5, 7, 9}}), (Shape{2, 7, 9, 5}));
  op = make(OpKind::input);
  op.shape = {1, 3, 8, 8};
  EXPECT_EQ(infer(op, {}), (Shape{1, 3, 8, 8}));
}

// Counts the positions one by one: a window fits while it ends inside the padded extent.
std::int64_t positions(std::int64_t extent, int before, int after, int kernel, int stride, int dilation) {
  std::int64_t count = 0;
  for (std::int64_t start = -before; start + std::int64_t{dilation} * (kernel - 1) < extent + after; start += stride) {
    ++count;
  }
  return count;
}

TEST(ShapeInference, WindowsMatchACountOfPositions) {
  Rng rng(11);
  int accepted = 0;
  for (int trial = 0; trial < 5000; ++trial) {
    const bool is_conv = rng.chance(0.5);
    Op op = make(is_conv ? OpKind::conv2d : rng.chance(0.5) ? OpKind::max_pool : OpKind::avg_pool);
    op.channels = 6;
    for (std::size_t side = 0; side < 2; ++side) {
      op.kernel[side] = 1 + static_cast<int>(rng.below(7));
      op.stride[side] = 1 + static_cast<int>(rng.below(4));
      op.dilation[side] = is_conv ? 1 + static_cast<int>(rng.below(3)) : 1;
      op.padding[side] = static_cast<int>(rng.below(static_cast<std::uint64_t>(op.kernel[side])));
      op.padding[side + 2] = static_cast<int>(rng.below(static_cast<std::uint64_t>(op.kernel[side])));
    }
    const Shape in{2, 6, 1 + static_cast<std::int64_t>(rng.below(15)), 1 + static_cast<std::int64_t>(rng.below(15))};
    const std::int64_t height =
        positions(in[2], op.padding[0], op.padding[2], op.kernel[0], op.stride[0], op.dilation[0]);
    const std::int64_t width =
        positions(in[3], op.padding[1], op.padding[3], op.kernel[1], op.stride[1], op.dilation[1]);
    if (height > 0 && width > 0) {
      ASSERT_EQ(infer(op, {in}), (Shape{2, 6, height, width})) << "trial " << trial;
      ++accepted;
    } else {
      ASSERT_THROW(infer(op, {in}), ConfigError) << "trial " << trial;
    }
  }
  EXPECT_GT(accepted, 3000);
}

TEST(ShapeInference, ZeroTakesEveryStrideThPosition) {
  for (int stride = 1; stride <= 4; ++stride) {
    for (std::int64_t extent = 1; extent < 12; ++extent) {
      Op op = make(OpKind::zero);
      op.stride = {stride, 1};
      std::int64_t taken = 0;
      for (std::int64_t i = 0; i < extent; i += stride) ++taken;
      EXPECT_EQ(infer(op, {{1, 2, extent, 5}}), (Shape{1, 2, taken, 5}));
    }
  }
}

TEST(ShapeInference, RandomReshapesKeepTheElements) {
  Rng rng(12);
  for (int trial = 0; trial < 500; ++trial) {
    Shape in{1 + static_cast<std::int64_t>(rng.below(3))};
    for (std::size_t i = 1 + rng.below(4); i-- > 0;) in.push_back(1 + static_cast<std::int64_t>(rng.below(6)));
    Op op = make(OpKind::reshape);
    op.shape.assign(in.begin() + 1, in.end());
    rng.shuffle(std::span<std::int64_t>(op.shape));
    Shape expected = op.shape;
    expected.insert(expected.begin(), in[0]);
    if (rng.chance(0.5)) op.shape[rng.below(op.shape.size())] = -1;
    ASSERT_EQ(infer(op, {in}), expected);
    Op permute = make(OpKind::transpose);
    permute.shape.resize(in.size());
    std::iota(permute.shape.begin(), permute.shape.end(), std::int64_t{0});
    rng.shuffle(std::span<std::int64_t>(permute.shape));
    const Shape out = infer(permute, {in});
    for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[static_cast<std::size_t>(permute.shape[i])]);
  }
}

TEST(ShapeErrors, NameTheBrokenRuleAndTheShapes) {
  EXPECT_EQ(refusal(conv(8, 3, 1, 3), {{1, 4, 9, 9}}),
            "conv2d: expected groups that divide 4 input and 8 output channels, found 3 groups on input 1x4x9x9");
  EXPECT_EQ(refusal(conv(8, 3), {{1, 4}}),
            "conv2d: expected an image [N,C,H,W], found 1x4; put a reshape in front of it");
  EXPECT_EQ(refusal(make(OpKind::add), {{1, 4}, {1, 5}}),
            "add: expected equal shapes, or the second [N,C,1,1] of the first, found 1x4 and 1x5");
  EXPECT_EQ(refusal(make(OpKind::add), {{1, 4}}), "add: expected 2 inputs, found 1 (1x4)");
  EXPECT_EQ(refusal(make(OpKind::relu), {}), "relu: expected 1 input, found 0 (no input)");
  EXPECT_EQ(refusal(make(OpKind::concat), {}), "concat: expected at least 1 input, found 0 (no input)");
}

TEST(ShapeErrors, ConvolutionsAndPools) {
  EXPECT_THAT(refusal(conv(0, 3), {{1, 4, 9, 9}}), HasSubstr("at least 1 output channel, found 0"));
  EXPECT_THAT(refusal(conv(8, 0), {{1, 4, 9, 9}}), HasSubstr("a positive kernel, found 0x0"));
  EXPECT_THAT(refusal(conv(8, 3, 0), {{1, 4, 9, 9}}), HasSubstr("a positive stride, found 0x0"));
  EXPECT_THAT(refusal(conv(8, 3, 1, 0), {{1, 4, 9, 9}}), HasSubstr("found 0 groups"));
  EXPECT_THAT(refusal(conv(9, 3, 1, 4), {{1, 4, 9, 9}}), HasSubstr("4 input and 9 output channels"));
  Op op = conv(8, 3);
  op.padding[2] = -1;
  EXPECT_THAT(refusal(op, {{1, 4, 9, 9}}), HasSubstr("padding of 0 or more, found 1, 1, -1, 1"));
  op = conv(8, 3);
  op.dilation = {1, 0};
  EXPECT_THAT(refusal(op, {{1, 4, 9, 9}}), HasSubstr("a positive dilation, found 1x0"));
  op = conv(8, 7);
  op.padding = {0, 0, 0, 0};
  EXPECT_THAT(refusal(op, {{1, 4, 6, 9}}),
              AllOf(HasSubstr("at most 6 (the padded height)"), HasSubstr("7 on input 1x4x6x9")));
  EXPECT_THAT(refusal(op, {{1, 4, 9, 6}}), HasSubstr("the padded width"));
  EXPECT_THAT(refusal(pool(OpKind::max_pool, 2, 2, 2), {{1, 4, 9, 9}}),
              HasSubstr("padding below the kernel's 2, found 2"));
  EXPECT_THAT(refusal(pool(OpKind::avg_pool, 3, 1), {{1, 4, 2, 9}}),
              HasSubstr("avg_pool: expected a window of at most 2"));
  EXPECT_THAT(refusal(make(OpKind::global_avg_pool), {{1, 4, 9}}), HasSubstr("an image"));
  op = make(OpKind::zero);
  op.stride = {2, 2};
  EXPECT_THAT(refusal(op, {{1, 4, 9}}), HasSubstr("zero: expected an image"));
  op.stride = {-2, 2};
  EXPECT_THAT(refusal(op, {{1, 4, 9, 9}}), HasSubstr("a positive stride"));
}

TEST(ShapeErrors, MatricesAndJoins) {
  EXPECT_THAT(refusal(linear(0), {{1, 4}}), HasSubstr("at least 1 output feature"));
  EXPECT_THAT(refusal(linear(3), {{4}}), HasSubstr("a batch and features"));
  EXPECT_THAT(refusal(make(OpKind::matmul), {{2, 3}, {1, 3, 2}}), HasSubstr("equal rank"));
  EXPECT_THAT(refusal(make(OpKind::matmul), {{3}, {3}}), HasSubstr("equal rank, 2 or more"));
  EXPECT_THAT(refusal(make(OpKind::matmul), {{2, 3, 4}, {1, 4, 3}}), HasSubstr("equal leading axes"));
  EXPECT_THAT(refusal(make(OpKind::matmul), {{3, 4}, {3, 4}}),
              HasSubstr("last axis equal to the second's last but one"));
  Op op = make(OpKind::matmul);
  op.transpose_b = true;
  EXPECT_THAT(refusal(op, {{3, 4}, {4, 3}}), HasSubstr("equal last axes (transpose_b), found 3x4 and 4x3"));
  EXPECT_THAT(refusal(make(OpKind::mul), {{1, 4, 1, 1}, {1, 4, 9, 9}}), HasSubstr("1x4x1x1 and 1x4x9x9"));
  EXPECT_THAT(refusal(make(OpKind::concat), {{1, 4, 9, 9}, {1, 4, 9, 8}}), HasSubstr("shapes equal but for axis 1"));
  EXPECT_THAT(refusal(make(OpKind::concat), {{1, 4, 9}, {1, 4}}), HasSubstr("shapes equal but for axis 1"));
  op = make(OpKind::concat);
  op.axis = 3;
  EXPECT_THAT(refusal(op, {{1, 4, 9}}), HasSubstr("an axis from -3 to 2, found 3 on input 1x4x9"));
  op = make(OpKind::softmax);
  op.axis = -3;
  EXPECT_THAT(refusal(op, {{1, 4}}), HasSubstr("an axis from -2 to 1"));
}

TEST(ShapeErrors, ReshapesInputsAndNorms) {
  Op op = make(OpKind::reshape);
  for (const Shape& target : {Shape{}, Shape{5}, Shape{-1, -1}, Shape{0, 12}, Shape{-2, 6}, Shape{5, -1}, Shape{24}}) {
    op.shape = target;
    EXPECT_THAT(refusal(op, {{2, 3, 4}}), HasSubstr("reshape: expected a target (without the batch) of 12 elements"));
  }
  op = make(OpKind::transpose);
  for (const Shape& permutation : {Shape{}, Shape{0, 1}, Shape{0, 1, 1}, Shape{0, 1, 3}, Shape{-1, 0, 1}}) {
    op.shape = permutation;
    EXPECT_THAT(refusal(op, {{2, 3, 4}}), HasSubstr("transpose: expected a permutation of the 3 axes"));
  }
  op = make(OpKind::input);
  EXPECT_THAT(refusal(op, {}), HasSubstr("a shape with the batch first, found none"));
  op.shape = {1, 0, 3};
  EXPECT_THAT(refusal(op, {}), HasSubstr("positive extents of the input, found 1x0x3"));
  op.shape = {1, 2};
  EXPECT_THAT(refusal(op, {{1, 2}}), HasSubstr("0 inputs, found 1"));
  op = make(OpKind::batch_norm);
  EXPECT_THAT(refusal(op, {{4}}), HasSubstr("a batch and channels"));
  for (const double epsilon :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    op.epsilon = epsilon;
    EXPECT_THAT(refusal(op, {{1, 4}}), HasSubstr("a positive epsilon"));
  }
}

TEST(ShapeErrors, SizesThatWouldOverflow) {
  Op op = make(OpKind::input);
  op.shape = {1, std::int64_t{1} << 31, std::int64_t{1} << 33};
  EXPECT_THAT(refusal(op, {}), HasSubstr("at most 2^40 elements in the input"));
  EXPECT_THAT(refusal(conv(std::int64_t{1} << 62, 3), {{1, 4, 9, 9}}),
              HasSubstr("at most 2^40 elements in the kernel"));
  EXPECT_THAT(refusal(linear(std::int64_t{1} << 30), {{1, 1 << 20}}), HasSubstr("at most 2^40 elements in the kernel"));
  EXPECT_THAT(refusal(linear(std::int64_t{1} << 20), {{1 << 21, 1}}), HasSubstr("at most 2^40 elements in the output"));
  EXPECT_THAT(refusal(linear(1 << 20), {{1 << 20, 1 << 9}}), HasSubstr("at most 2^48 multiply-accumulates"));
  EXPECT_THAT(refusal(make(OpKind::matmul), {{1 << 20, 1 << 10}, {1 << 10, 1 << 20}}), HasSubstr("2^48"));
  Shape half{1, std::int64_t{1} << 39};
  EXPECT_THAT(refusal(make(OpKind::concat), {half, half, half}), HasSubstr("at most 2^40 elements in the output"));
  op = conv(1, 1);
  op.kernel = {std::numeric_limits<int>::max(), 1};
  op.dilation = {std::numeric_limits<int>::max(), 1};
  op.padding = {std::numeric_limits<int>::max(), 0, std::numeric_limits<int>::max(), 0};
  EXPECT_THAT(refusal(op, {{1, 1, 4, 4}}), HasSubstr("a window of at most"));
}

}  // namespace
}  // namespace ridgeline
