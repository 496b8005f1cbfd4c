#include "kernels/quantization/folded_norms.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/reference.hpp"
#include "nets.hpp"

namespace ridgeline::testing {
namespace {

TEST(FoldedNorms, TheFunctionIsTheSame) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (const bool residual : {false, true}) {
      const Design design = trained(residual ? resnet18_like(32, 10, 8) : mobilenet_v3_like(32), f32, seed);
      const Design folded = with_folded_norms(design);
      std::size_t norms = 0;
      for (NodeId node = 0; node < folded.network.size(); ++node) {
        norms += folded.network.op(node).kind == OpKind::batch_norm ? 1U : 0U;
      }
      EXPECT_EQ(norms, 0U);
      const std::vector<float> input = seeded_input(design.network.shape(0), seed);
      const std::vector<float> expected = run_reference(design, input)[design.network.outputs()[0]].values;
      const std::vector<float> found = run_reference(folded, input)[folded.network.outputs()[0]].values;
      ASSERT_EQ(found.size(), expected.size());
      const float most = range_of(expected).magnitude();
      for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4F * most);
    }
  }
}

TEST(FoldedNorms, ANormThatAnotherOperatorReadsStays) {
  NetBuilder net({1, 4, 3, 3});
  const NodeId conv = net.conv(4, 1);
  const NodeId norm = net.norm();
  net.add_to(conv);  // the convolution is read twice
  const Design folded = with_folded_norms(trained(net.finish()));
  EXPECT_EQ(folded.network.op(norm).kind, OpKind::batch_norm);
}

}  // namespace
}  // namespace ridgeline::testing
