#include "hwmodels/layers.hpp"

#include <gtest/gtest.h>

#include <set>

#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::simple;

std::vector<ExecutedLayer> layers(const Design& design) {
  return executed_layers(design.network, design.precision, stored_formats(design.network, design.precision),
                         design.network.live_nodes());
}

TEST(Layers, NormsActivationsAndResidualsAreFused) {
  const std::vector<ExecutedLayer> found = layers(test::mobile_block(f32));
  ASSERT_EQ(found.size(), 6U);  // stem, expand, depthwise, project + add, pool, classifier
  EXPECT_EQ(found[0].key.text(), "conv2d relu6 entry n1 3x32x32 -> 16x16x16 k3x3 s2x2 d1x1 g1 f32*f32 f32->f32");
  EXPECT_TRUE(found[2].key.depthwise());
  EXPECT_TRUE(found[3].key.add);
  EXPECT_EQ(found[3].key.activation, OpKind::identity);
  EXPECT_EQ(found[4].key.kind, OpKind::global_avg_pool);
  EXPECT_TRUE(found[5].key.exit);
  // The residual layer reads the block's input too: 96*256 + 16*256 values in, 16*256 out.
  EXPECT_EQ(found[3].input_bytes, 4 * (96 + 16) * 256);
  EXPECT_EQ(found[3].output_bytes, 4 * 16 * 256);
}

TEST(Layers, WorkAndWeightsAddUpToTheNetworks) {
  for (const Format& format : {f32, int8}) {
    const Design design = test::mobile_block(format);
    std::int64_t work = 0, weights = 0;
    for (const ExecutedLayer& layer : layers(design)) {
      work += layer.macs;
      weights += layer.weight_bytes;
    }
    EXPECT_EQ(work, macs(design.network));
    // Batch norms are folded into the kernels: their own bytes are not moved.
    std::int64_t norms = 0;
    for (const NodeId node : design.network.live_nodes()) {
      if (design.network.op(node).kind == OpKind::batch_norm)
        norms += weight_bytes(design.network, node, design.precision);
    }
    EXPECT_EQ(weights, weight_bytes(design.network, design.precision) - norms);
  }
}

TEST(Layers, WhatIsReadTwiceIsNotFused) {
  Design design;
  Network& n = design.network;
  const NodeId first = n.add(conv(8, 3), {n.add_input({1, 8, 8, 8})});
  const NodeId relu = n.add(simple(OpKind::relu), {first});
  n.mark_output(n.add(simple(OpKind::add), {first, relu}));  // the convolution's result has two readers
  const std::vector<ExecutedLayer> found = layers(design);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].key.activation, OpKind::identity);
  EXPECT_EQ(found[1].key.kind, OpKind::relu);
  EXPECT_EQ(found[2].key.kind, OpKind::add);
}

TEST(Layers, IdentityReshapeAndFlattenCostNothing) {
  Design design;
  Network& n = design.network;
  NodeId x = n.add(conv(8, 1), {n.add_input({1, 8, 4, 4})});
  x = n.add(simple(OpKind::identity), {x});
  x = n.add(simple(OpKind::relu), {x});
  n.mark_output(n.add(simple(OpKind::flatten), {x}));
  const std::vector<ExecutedLayer> found = layers(design);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].key.activation, OpKind::relu);
  EXPECT_TRUE(found[0].key.exit);
}

TEST(Layers, TextIsReadBack) {
  std::set<std::uint64_t> hashes;
  for (const Format& format : {f32, bf16, int8, Format::parse("int4@group32")}) {
    for (const ExecutedLayer& layer : layers(test::mobile_block(format))) {
      EXPECT_EQ(LayerKey::parse(layer.key.text()), layer.key) << layer.key.text();
      EXPECT_EQ(LayerKey::parse(layer.key.text()).hash(), layer.key.hash());
      hashes.insert(layer.key.hash());
    }
  }
  // int8 and int4 differ in every layer, too; only layers whose formats agree may share a key.
  EXPECT_GE(hashes.size(), 20U);
}

TEST(Layers, EveryFieldChangesTheHash) {
  const LayerKey key = layers(test::mobile_block(int8))[3].key;
  std::vector<LayerKey> others(14, key);
  others[0].activation = OpKind::relu;
  others[1].add = false;
  others[2].in[0] += 1;
  others[3].in[1] += 1;
  others[4].out[0] += 1;
  others[5].out[2] += 1;
  others[6].kernel[0] += 1;
  others[7].stride[1] += 1;
  others[8].dilation[0] += 1;
  others[9].groups += 1;
  others[10].weights = bf16;
  others[11].stored_in = f32;
  others[12].batch += 1;
  others[13].exit = true;
  std::set<std::uint64_t> hashes{key.hash()};
  for (const LayerKey& other : others) hashes.insert(other.hash());
  EXPECT_EQ(hashes.size(), 15U);
}

TEST(Layers, BadTextIsRefused) {
  for (const char* text : {"", "conv3d n1 1x1x1 -> 1x1x1 k1x1 s1x1 d1x1 g1 f32*f32 f32->f32", "conv2d n1 1x1 -> 1x1x1",
                           "conv2d n0 1x1x1 -> 1x1x1 k1x1 s1x1 d1x1 g1 f32*f32 f32->f32",
                           "conv2d n1 1x1x1 -> 1x1x1 k1x1 s1x1 d1x1 g1 f32*f33 f32->f32",
                           "conv2d n1 1x1x1 -> 1x1x1 k1x1 s1x1 d1x1 g1 f32*f32 f32->f32 more"}) {
    EXPECT_THROW(LayerKey::parse(text), ConfigError) << text;
  }
}

}  // namespace
}  // namespace ridgeline
