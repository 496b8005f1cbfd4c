#include "spaces/proxies.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "tests/spaces/published_networks.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;

// The formulas over an explicit list of stages, each with its layers' widths.
struct Stage {
  double pixels, channels;
  std::vector<double> widths;
};

ProxyScore by_formula(const std::vector<Stage>& stages) {
  ProxyScore score;
  double log_product = 0;
  double depth = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    for (const double width : stages[i].widths) log_product += std::log(width);
    depth += static_cast<double>(stages[i].widths.size());
    const double alpha = i + 1 == stages.size() ? 8 : 1;
    score.entropy += alpha * std::log(stages[i].pixels * stages[i].channels) * log_product;
  }
  score.effectiveness = depth / std::exp(log_product / depth);
  return score;
}

void expect_equal(const ProxyScore& score, const ProxyScore& expected) {
  EXPECT_NEAR(score.entropy, expected.entropy, 1e-9 * expected.entropy);
  EXPECT_NEAR(score.effectiveness, expected.effectiveness, 1e-12);
}

TEST(DeepMad, AChainByHand) {
  Network network;
  NodeId x = network.add_input({1, 3, 32, 32});
  x = test::conv_norm_act(network, conv(16, 3), x, OpKind::relu);         // width 27
  x = test::conv_norm_act(network, conv(32, 3, 2), x, OpKind::relu);      // width 144
  x = test::conv_norm_act(network, conv(32, 3, 1, 32), x, OpKind::relu);  // depthwise: width 9
  x = test::conv_norm_act(network, conv(64, 1), x, OpKind::relu);         // width 32
  test::classify(network, x, 10);
  // ln 27 = 3.295836866, ln(27*144*9*32) = 13.92851...; ln(1024*16) = ln(256*64) = 9.704060528.
  const double first = 3.295836866004329 * 9.704060527839234;
  const double all = std::log(27.0 * 144 * 9 * 32);
  EXPECT_NEAR(score(network).entropy, first + 8 * 9.704060527839234 * all, 1e-9);
  EXPECT_NEAR(score(network).effectiveness, 4 / std::pow(27.0 * 144 * 9 * 32, 0.25), 1e-12);
}

// As the authors see it: a list of blocks, a stage up to each block with stride 2, every convolution of a block a
// layer.
TEST(DeepMad, MobileNetV2BlockByBlock) {
  std::vector<Stage> stages{{112.0 * 112, 0, {27}}};
  double in = 32;
  double side = 112;
  const std::vector<std::array<double, 4>> groups{{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  for (const auto& [expansion, channels, blocks, stride] : groups) {
    for (int block = 0; block < static_cast<int>(blocks); ++block) {
      if (block == 0 && stride > 1) {
        side /= 2;
        stages.push_back({side * side, 0, {}});
      }
      Stage& stage = stages.back();
      if (expansion > 1) stage.widths.push_back(in);
      stage.widths.push_back(9);
      stage.widths.push_back(in * expansion);
      stage.channels = in = channels;
    }
  }
  stages.back().widths.push_back(320);
  stages.back().channels = 1280;
  ASSERT_EQ(stages.size(), 5u);
  expect_equal(score(test::mobilenet_v2()), by_formula(stages));
}

TEST(DeepMad, ResNet50FollowsBlocksNotProjections) {
  std::vector<Stage> stages{{112.0 * 112, 64, {3 * 49}}};
  double in = 64;
  for (int i = 0; i < 4; ++i) {
    const double width = 64 << i;
    const double side = 56 >> i;
    Stage stage{side * side, 4 * width, {}};
    for (int block = 0; block < std::vector<int>{3, 4, 6, 3}[static_cast<std::size_t>(i)]; ++block) {
      stage.widths.insert(stage.widths.end(), {in, width * 9, width});
      in = 4 * width;
    }
    stages.push_back(stage);
  }
  expect_equal(score(test::resnet({3, 4, 6, 3}, true)), by_formula(stages));
}

// A 1x1 convolution behind a depthwise one ends its block even when a strided convolution follows (MobileNetV1).
TEST(DeepMad, SeparablePairsStayTogether) {
  Network network;
  NodeId x = network.add_input({1, 3, 16, 16});
  x = network.add(conv(8, 3), {x});
  x = network.add(conv(8, 3, 1, 8), {x});
  x = network.add(conv(16, 1), {x});
  x = network.add(conv(16, 3, 2, 16), {x});
  x = network.add(conv(32, 1), {x});
  network.mark_output(x);
  expect_equal(score(network), by_formula({{256, 16, {27, 9, 8}}, {64, 32, {9, 16}}}));
}

TEST(DeepMad, GatesAreNoDepth) {
  const auto build = [](bool gated) {
    Network network;
    const NodeId x = network.add(conv(16, 3), {network.add_input({1, 3, 8, 8})});
    NodeId y = x;
    if (gated) {
      const NodeId squeezed = network.add(conv(4, 1), {network.add(make(OpKind::global_avg_pool), {x})});
      const NodeId gate = network.add(make(OpKind::hard_sigmoid), {network.add(conv(16, 1), {squeezed})});
      y = network.add(make(OpKind::mul), {x, gate});
    }
    test::classify(network, network.add(conv(16, 3), {y}), 10);
    return network;
  };
  expect_equal(score(build(true)), score(build(false)));
  expect_equal(score(build(false)), by_formula({{64, 16, {27, 144}}}));
}

TEST(DeepMad, TakesTheLongestBranch) {
  const auto build = [](bool swapped) {
    Network network;
    const NodeId x = network.add_input({1, 8, 8, 8});
    const NodeId lateral = network.add(conv(8, 7), {x});  // one wide layer against two
    const NodeId deep = network.add(conv(8, 1), {network.add(conv(8, 3), {x})});
    const NodeId dead_end = network.add(make(OpKind::zero), {network.add(conv(8, 1), {deep})});
    const NodeId sum = network.add(make(OpKind::add), {lateral, dead_end});
    const std::array<NodeId, 2> terms = swapped ? std::array<NodeId, 2>{deep, sum} : std::array<NodeId, 2>{sum, deep};
    network.mark_output(network.add(make(OpKind::concat), terms));
    return network;
  };
  const ProxyScore expected = by_formula({{64, 16, {72, 8}}});  // the output has the channels of both
  expect_equal(score(build(false)), expected);
  expect_equal(score(build(true)), expected);
}

TEST(DeepMad, LinearLayersOfVectorsAndTokens) {
  Network vectors;  // an MLP on flattened images: the leading flatten does not end it
  NodeId x = vectors.add(make(OpKind::flatten), {vectors.add_input({2, 1, 28, 28})});
  x = vectors.add(make(OpKind::relu), {vectors.add(test::linear(100), {x})});
  vectors.mark_output(vectors.add(test::linear(10), {x}));
  expect_equal(score(vectors), by_formula({{1, 10, {784, 100}}}));
  Network tokens;
  x = tokens.add(test::linear(256), {tokens.add_input({1, 49, 64})});
  tokens.mark_output(tokens.add(test::linear(64), {x}));
  expect_equal(score(tokens), by_formula({{49, 64, {64, 256}}}));
}

TEST(DeepMad, GrowsWithDepthWidthAndResolution) {
  const ProxyScore small = score(test::resnet({2, 2, 2, 2}, false));
  const ProxyScore deep = score(test::resnet({3, 4, 6, 3}, false));
  const ProxyScore fine = score(test::resnet({2, 2, 2, 2}, false, 288));
  EXPECT_GT(deep.entropy, small.entropy);
  EXPECT_GT(deep.effectiveness, small.effectiveness);
  EXPECT_GT(fine.entropy, small.entropy);
  EXPECT_EQ(fine.effectiveness, small.effectiveness);
}

// The figures that the header states.
TEST(DeepMad, EffectivenessOfKnownNetworks) {
  EXPECT_NEAR(score(test::resnet({2, 2, 2, 2}, false)).effectiveness, 0.014, 0.0005);
  EXPECT_NEAR(score(test::resnet({3, 4, 6, 3}, true)).effectiveness, 0.087, 0.0005);
  EXPECT_NEAR(score(test::mobilenet_v2()).effectiveness, 0.94, 0.005);
}

TEST(DeepMad, NothingToScoreIsZero) {
  Network network;
  network.mark_output(network.add(make(OpKind::relu), {network.add_input({1, 3, 8, 8})}));
  EXPECT_EQ(score(network).entropy, 0);
  EXPECT_EQ(score(network).effectiveness, 0);
  EXPECT_EQ(score(Network()).entropy, 0);
}

}  // namespace
}  // namespace ridgeline
