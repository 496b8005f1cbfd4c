// Whole networks through the executor, against the reference loops.
#include "kernels/executable.hpp"

#include <gtest/gtest.h>

#include "compare.hpp"
#include "nets.hpp"

namespace ridgeline::testing {
namespace {

std::vector<float> expected_output(const Design& design, std::span<const float> input) {
  return run_reference(design, input)[design.network.outputs()[0]].values;
}

double f32_error(const Design& design, const ExecutableOptions& options = {}) {
  const std::vector<float> input = seeded_input(design.network.shape(input_of(design.network)), 3);
  Executable executable(design, options);
  return relative_error(run_once(executable, input), expected_output(design, input));
}

TEST(Executable, RunsMobileNetV2) { EXPECT_LT(f32_error(trained(mobilenet_v2(64, 10))), 2e-5); }
TEST(Executable, RunsMobileNetV2OnABatch) { EXPECT_LT(f32_error(trained(mobilenet_v2(32, 10, 3, 0.5))), 2e-5); }
TEST(Executable, RunsMobileNetV3Like) { EXPECT_LT(f32_error(trained(mobilenet_v3_like(64))), 2e-5); }
TEST(Executable, RunsMobileNetV3LikeOnABatch) { EXPECT_LT(f32_error(trained(mobilenet_v3_like(32, 3))), 2e-5); }
TEST(Executable, RunsResNet50Like) { EXPECT_LT(f32_error(trained(resnet50_like(32, 7))), 2e-5); }
TEST(Executable, RunsResNet18Like) { EXPECT_LT(f32_error(trained(resnet18_like(33, 7, 13))), 2e-5); }
TEST(Executable, RunsWithoutFusion) {
  ExecutableOptions options;
  options.fuse = false;
  EXPECT_LT(f32_error(trained(mobilenet_v3_like(32)), options), 2e-5);
  EXPECT_LT(f32_error(trained(resnet18_like(32, 7, 8)), options), 2e-5);
}
TEST(Executable, RunsUntrainedDesigns) { EXPECT_LT(f32_error(untrained(mobilenet_v2(32, 10))), 2e-5); }

}  // namespace
}  // namespace ridgeline::testing
