#include "kernels/lower.hpp"

#include <gtest/gtest.h>

#include "compare.hpp"
#include "nets.hpp"

namespace ridgeline::testing {
namespace {

TEST(Lower, FoldsNormsAndFusesAdditionAndActivation) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId first = net.conv(8, 1);
  net.conv(16, 1);
  const NodeId conv = net.conv(8, 3);
  const NodeId norm = net.norm();
  const NodeId sum = net.add_to(first);
  const NodeId relu = net.apply(OpKind::relu);
  const Lowered lowered = lower(untrained(net.finish()));
  ASSERT_EQ(lowered.groups.size(), 3U);
  EXPECT_EQ(lowered.groups[2].anchor, conv);
  EXPECT_EQ(lowered.groups[2].result, relu);
  EXPECT_EQ(lowered.groups[2].fused(), (std::vector<NodeId>{norm, sum, relu}));
}

TEST(Lower, DoesNotAddIntoItsOwnInput) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId first = net.conv(8, 1);
  net.conv(8, 3);
  const NodeId sum = net.add_to(first);
  const NodeId relu = net.apply(OpKind::relu);
  const Lowered lowered = lower(untrained(net.finish()));
  ASSERT_EQ(lowered.groups.size(), 3U);
  EXPECT_EQ(lowered.groups[2].anchor, sum);
  EXPECT_EQ(lowered.groups[2].result, relu);
}

TEST(Lower, AddsIntoABlockInputReadEarlier) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId start = net.conv(8, 1);
  net.conv(16, 1);
  net.apply(OpKind::relu6);
  const NodeId project = net.conv(8, 1);
  const NodeId sum = net.add_to(start);
  net.conv(4, 1);
  const Lowered lowered = lower(untrained(net.finish()));
  ASSERT_EQ(lowered.groups.size(), 4U);
  EXPECT_EQ(lowered.groups[2].anchor, project);
  EXPECT_EQ(lowered.groups[2].result, sum);
  ASSERT_EQ(lowered.groups[2].posts.size(), 1U);
  EXPECT_EQ(lowered.groups[2].posts[0].operand, start);
}

TEST(Lower, DoesNotOverwriteWhatIsReadLater) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId start = net.conv(8, 1);
  net.conv(8, 3);
  net.conv(8, 3);
  const NodeId sum = net.add_to(start);
  net.conv(8, 1);
  net.add_to(start);  // reads `start` after the first addition
  const Lowered lowered = lower(untrained(net.finish()));
  const auto group =
      std::find_if(lowered.groups.begin(), lowered.groups.end(), [&](const Group& g) { return g.result == sum; });
  ASSERT_NE(group, lowered.groups.end());
  EXPECT_EQ(group->anchor, sum) << "the first addition must not be in place";
  EXPECT_EQ(lowered.groups.back().posts.size(), 1U) << "the last one may";
}

TEST(Lower, DoesNotFuseWhatAnotherNodeReads) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId conv = net.conv(8, 3);
  const NodeId relu = net.apply(OpKind::relu);
  Op concat = NetBuilder::op_of(OpKind::concat);
  net.add(concat, {conv, relu});
  const Lowered lowered = lower(untrained(net.finish()));
  ASSERT_EQ(lowered.groups.size(), 3U);
  EXPECT_TRUE(lowered.groups[0].posts.empty());
}

TEST(Lower, DropsIdentitiesZerosAndDeadNodes) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId conv = net.conv(8, 3);
  net.conv(16, 3);  // dead
  net.last = net.add(NetBuilder::op_of(OpKind::identity), {conv});
  const NodeId x = net.last;
  const NodeId zero = net.apply(OpKind::zero);
  const NodeId sum = net.add(NetBuilder::op_of(OpKind::add), {zero, x});
  const Lowered lowered = lower(untrained(net.finish()));
  EXPECT_EQ(lowered.stands_for[sum], conv);
  ASSERT_EQ(lowered.groups.size(), 2U);  // the convolution and the (unread) constant
}

TEST(Lower, ComputesTheSameThingOnce) {
  NetBuilder net({1, 8, 4, 4});
  const NodeId stem = net.conv(8, 3);
  const NodeId first = net.apply(OpKind::relu);
  const NodeId a = net.conv(8, 3);
  net.last = stem;
  const NodeId second = net.apply(OpKind::relu);
  net.conv(8, 1);
  const NodeId sum = net.add_to(a);
  const Lowered lowered = lower(untrained(net.finish()));
  EXPECT_EQ(lowered.stands_for[second], first);
  ASSERT_EQ(lowered.groups.size(), 3U);
  EXPECT_EQ(lowered.groups[0].result, first) << "the relu, now the only reader, is fused into the stem";
  EXPECT_EQ(lowered.groups[2].result, sum);
}

TEST(Lower, WithoutFusionEveryOperatorIsAGroup) {
  const Design design = untrained(resnet18_like(32, 10, 8));
  const Lowered lowered = lower(design, false);
  EXPECT_EQ(lowered.groups.size(), design.network.live_nodes().size() - 1);
  for (const Group& group : lowered.groups) EXPECT_EQ(group.anchor, group.result);
}

TEST(Lower, GroupsReadOnlyWhatIsThere) {
  for (const bool fuse : {false, true}) {
    const Design design = untrained(mobilenet_v3_like(64));
    const Lowered lowered = lower(design, fuse);
    std::vector<bool> made(design.network.size(), false);
    made[input_of(design.network)] = true;
    for (const Group& group : lowered.groups) {
      for (const NodeId tensor : group.reads()) EXPECT_TRUE(made[tensor]) << tensor;
      made[group.result] = true;
    }
  }
}

TEST(Lower, FoldedWeightsComputeConvolutionThenNorm) {
  NetBuilder net({1, 3, 5, 5});
  const NodeId conv = net.conv(7, 3, 1, 1, true);
  const NodeId norm = net.norm();
  const Design design = trained(net.finish());
  const Weights& weights = *design.weights;
  const Group group = lower(design).groups.at(0);
  const FoldedWeights folded = fold(design.network, group, weights[conv], weights[norm]);
  NodeWeights both;
  both.kernel = folded.kernel;
  both.bias = folded.bias;
  const Tensor input{{1, 3, 5, 5}, seeded_input({1, 3, 5, 5}, 1)};
  const Tensor* inputs[] = {&input};
  const Tensor found = reference_op(design.network.op(conv), inputs, both);
  EXPECT_LT(relative_error(found.values, run_reference(design, input.values)[norm].values), 1e-6);
}

}  // namespace
}  // namespace ridgeline::testing
