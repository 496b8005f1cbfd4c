#include "spaces/counts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "spaces/network.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/published_networks.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;

// Parameters as torchvision states them for its weights, multiply-accumulates of convolutions and linear layers.
TEST(Counts, PublishedNetworks) {
  const Network resnet18 = test::resnet({2, 2, 2, 2}, false);
  EXPECT_EQ(parameters(resnet18), 11'689'512);
  EXPECT_EQ(macs(resnet18), 1'814'073'344);
  const Network resnet34 = test::resnet({3, 4, 6, 3}, false);
  EXPECT_EQ(parameters(resnet34), 21'797'672);
  EXPECT_EQ(macs(resnet34), 3'663'761'408);
  const Network resnet50 = test::resnet({3, 4, 6, 3}, true);
  EXPECT_EQ(parameters(resnet50), 25'557'032);
  EXPECT_EQ(macs(resnet50), 4'089'184'256);
  const Network mobilenet = test::mobilenet_v2();
  EXPECT_EQ(parameters(mobilenet), 3'504'872);
  EXPECT_EQ(macs(mobilenet), 300'774'272);
}

TEST(Counts, OperatorsByHand) {
  Network network;
  const NodeId x = network.add_input({2, 6, 10, 8});
  const NodeId c = network.add(conv(9, 3, 2, 3, true), {x});  // [2,9,5,4], 2 input channels a group
  const NodeId norm = network.add(make(OpKind::batch_norm), {c});
  const NodeId act = network.add(make(OpKind::hard_swish), {norm});
  const NodeId max = network.add(test::pool(OpKind::max_pool, 2, 1), {act});  // [2,9,4,3]
  const NodeId sum = network.add(make(OpKind::add), {max, max});
  const NodeId mean = network.add(make(OpKind::global_avg_pool), {sum});
  const NodeId flat = network.add(make(OpKind::flatten), {mean});
  const NodeId fc = network.add(test::linear(7), {flat});
  const NodeId layer = network.add(make(OpKind::layer_norm), {fc});
  Op by_transpose = make(OpKind::matmul);
  by_transpose.transpose_b = true;
  const NodeId product = network.add(by_transpose, {layer, layer});  // [2,7]·[7,2]
  const NodeId dead = network.add(test::linear(7, false), {flat});
  network.mark_output(product);

  EXPECT_EQ(parameters(network, c), 9 * 2 * 9 + 9);
  EXPECT_EQ(parameters(network, norm), 18);
  EXPECT_EQ(parameters(network, fc), 9 * 7 + 7);
  EXPECT_EQ(parameters(network, layer), 14);
  EXPECT_EQ(parameters(network, dead), 63);
  EXPECT_EQ(parameters(network), 171 + 18 + 70 + 14);
  CountRule rule;
  rule.bias_parameters = false;
  rule.norm_parameters = false;
  EXPECT_EQ(parameters(network, rule), 162 + 63);
  rule.live_only = false;
  EXPECT_EQ(parameters(network, rule), 162 + 63 + 63);

  EXPECT_EQ(macs(network), 360 * 18 + 14 * 9 + 4 * 7);
  rule = {};
  rule.bias_macs = true;
  EXPECT_EQ(macs(network, c, rule), 360 * 19);
  EXPECT_EQ(macs(network, fc, rule), 14 * 10);
  rule.norm_macs = rule.activation_macs = rule.pool_macs = rule.elementwise_macs = true;
  EXPECT_EQ(macs(network, norm, rule), 360);
  EXPECT_EQ(macs(network, act, rule), 360);
  EXPECT_EQ(macs(network, max, rule), 216 * 4);
  EXPECT_EQ(macs(network, sum, rule), 216);
  EXPECT_EQ(macs(network, mean, rule), 216);
  EXPECT_EQ(macs(network, layer, rule), 14);
  EXPECT_EQ(macs(network, rule), 360 * 19 + 140 + 28 + 360 + 360 + 864 + 216 + 216 + 14);
}

TEST(WeightBytes, ByHand) {
  Network network;
  const NodeId x = network.add_input({1, 10, 6, 6});
  const NodeId c = network.add(conv(6, 3, 1, 2, true), {x});  // kernel [6,5,3,3] = 270 values
  const NodeId norm = network.add(make(OpKind::batch_norm), {c});
  const NodeId fc = network.add(test::linear(3, false), {network.add(make(OpKind::flatten), {norm})});  // [3,216]
  network.mark_output(fc);
  PrecisionPlan plan = PrecisionPlan::uniform(network, f32, f32);
  const auto conv_bytes = [&](const char* format) {
    plan.operators[c].weights = Format::parse(format);
    return weight_bytes(network, c, plan);
  };
  EXPECT_EQ(conv_bytes("f32"), 270 * 4 + 24);
  EXPECT_EQ(conv_bytes("bf16"), 270 * 2 + 24);
  EXPECT_EQ(conv_bytes("int8"), 270 + 4 + 24);
  EXPECT_EQ(conv_bytes("int8@channel"), 270 + 6 * 4 + 24);
  EXPECT_EQ(conv_bytes("int3@channel"), 102 + 6 * 4 + 24);      // 810 bits
  EXPECT_EQ(conv_bytes("e2m1@group2"), 135 + 6 * 23 * 4 + 24);  // rows of 45: the last group is of one
  EXPECT_EQ(conv_bytes("int4@group64"), 135 + 6 * 4 + 24);
  EXPECT_EQ(conv_bytes("mxfp4"), 135 + 6 * 2 + 24);
  EXPECT_EQ(conv_bytes("uint4@channel"), 135 + 6 * 4 + 3 + 24);  // and six zero points of 4 bits
  EXPECT_EQ(conv_bytes("uint2"), 68 + 4 + 24);                   // 540 + 32 + 2 bits
  EXPECT_EQ(conv_bytes("binary@channel"), 34 + 6 * 4 + 24);
  EXPECT_EQ(weight_bytes(network, norm, plan), 2 * 6 * 4);
  plan.operators[fc].weights = Format::parse("int4@group32");
  EXPECT_EQ(weight_bytes(network, fc, plan), 324 + 3 * 7 * 4);
  plan.operators[c].weights = int8;
  EXPECT_EQ(weight_bytes(network, plan), 298 + 48 + 408);
  EXPECT_EQ(weight_bytes(network, PrecisionPlan{}), 4 * parameters(network));
}

TEST(ActivationBytes, RoundBitsUp) {
  Network network;
  const NodeId x = network.add_input({1, 3, 1, 1});
  EXPECT_EQ(activation_bytes(network, x, f32), 12);
  EXPECT_EQ(activation_bytes(network, x, bf16), 6);
  EXPECT_EQ(activation_bytes(network, x, int8), 3);
  EXPECT_EQ(activation_bytes(network, x, Format::parse("int4")), 2);
  EXPECT_EQ(activation_bytes(network, x, Format::parse("int3")), 2);
}

TEST(LiveRanges, AResidualBlockByHand) {
  Network network;
  const NodeId x = network.add_input({1, 4, 8, 8});               // step 0, 1024 bytes
  const NodeId a = network.add(conv(8, 1), {x});                  // step 1, 2048
  network.add(conv(4, 1), {a});                                   // dead
  const NodeId same = network.add(make(OpKind::identity), {a});   // step 2, shares a
  const NodeId b = network.add(conv(4, 1), {same});               // step 3, 1024
  const NodeId sum = network.add(make(OpKind::add), {b, x});      // step 4, 1024
  const NodeId flat = network.add(make(OpKind::flatten), {sum});  // step 5, shares the sum
  network.mark_output(flat);
  const auto ranges = live_ranges(network, {});
  ASSERT_EQ(ranges.size(), 4u);
  const auto expect = [&](std::size_t i, NodeId tensor, std::size_t first, std::size_t last, std::int64_t bytes) {
    EXPECT_EQ(ranges[i].tensor, tensor);
    EXPECT_EQ(ranges[i].first_step, first);
    EXPECT_EQ(ranges[i].last_step, last);
    EXPECT_EQ(ranges[i].bytes, bytes);
  };
  expect(0, x, 0, 4, 1024);
  expect(1, a, 1, 3, 2048);
  expect(2, b, 3, 4, 1024);
  expect(3, sum, 4, 5, 1024);
  EXPECT_EQ(peak_activation_bytes(network, {}), 1024 + 2048 + 1024);
  const PrecisionPlan plan = PrecisionPlan::uniform(network, int8, int8);
  EXPECT_EQ(live_ranges(network, plan)[0].bytes, 1024);  // the sum leaves the network in f32, so x is stored so
  EXPECT_EQ(live_ranges(network, plan)[1].bytes, 512);
  EXPECT_EQ(peak_activation_bytes(network, plan), 3 * 1024);  // x, b and the sum, all f32
}

TEST(LiveRanges, OutputsStayToTheEnd) {
  Network network;
  const NodeId x = network.add_input({1, 16});
  const NodeId early = network.add(make(OpKind::relu), {x});
  const NodeId late = network.add(make(OpKind::gelu), {network.add(make(OpKind::gelu), {early})});
  network.mark_output(late);
  network.mark_output(early);
  const auto ranges = live_ranges(network, {});
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[1].tensor, early);
  EXPECT_EQ(ranges[1].last_step, 3u);
  EXPECT_TRUE(live_ranges(Network(), {}).empty());
  EXPECT_EQ(peak_activation_bytes(Network(), {}), 0);
}

// Asks for every step and every tensor by the definition alone: made at or before the step, and read (through nodes
// that share memory) or leaving the network at or after it.
TEST(LiveRanges, MatchBruteForceOnRandomNetworks) {
  for (std::uint64_t trial = 0; trial < 300; ++trial) {
    Rng rng(5, "ranges", trial);
    const Network network = test::random_blueprint(rng, 3 + rng.below(16)).build();
    const PrecisionPlan plan = PrecisionPlan::uniform(network, int8, int8);
    const std::vector<Format> stored = stored_formats(network, plan);
    const std::vector<NodeId> live = network.live_nodes();
    const auto shares = [&](NodeId node) { return network.op(node).kind == OpKind::identity; };
    const auto memory_of = [&](NodeId node) {
      while (shares(node)) node = network.inputs(node)[0];
      return node;
    };
    std::int64_t peak = 0;
    std::vector<std::set<NodeId>> alive(live.size());
    for (std::size_t step = 0; step < live.size(); ++step) {
      for (std::size_t reading = step; reading < live.size(); ++reading) {
        for (const NodeId input : network.inputs(live[reading])) alive[step].insert(memory_of(input));
      }
      for (const NodeId output : network.outputs()) alive[step].insert(memory_of(output));
      alive[step].insert(memory_of(live[step]));
      std::erase_if(alive[step], [&](NodeId tensor) { return tensor > live[step]; });  // not made yet
      std::int64_t bytes = 0;
      for (const NodeId tensor : alive[step]) bytes += activation_bytes(network, tensor, stored[tensor]);
      peak = std::max(peak, bytes);
    }
    std::vector<std::set<NodeId>> from_ranges(live.size());
    for (const LiveRange& range : live_ranges(network, plan)) {
      ASSERT_EQ(range.bytes, activation_bytes(network, range.tensor, stored[range.tensor]));
      for (std::size_t step = range.first_step; step <= range.last_step; ++step) from_ranges[step].insert(range.tensor);
    }
    ASSERT_EQ(from_ranges, alive) << "trial " << trial;
    ASSERT_EQ(peak_activation_bytes(network, plan), peak) << "trial " << trial;
  }
}

}  // namespace
}  // namespace ridgeline
