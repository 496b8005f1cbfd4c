// Whole networks through the executor, against the reference loops.
#include "kernels/executable.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "compare.hpp"
#include "kernels/arena.hpp"
#include "nets.hpp"
#include "simulate.hpp"
#include "spaces/counts.hpp"
#include "spaces/rng.hpp"

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

TEST(Executable, InterleavesColourImagesOfAnySize) {
  for (const Format& format : executed_formats()) {
    for (const std::int64_t width : {1, 7, 255, 256, 257}) {
      SCOPED_TRACE(format.text() + " " + std::to_string(width));
      NetBuilder net({2, 3, 3, width});
      net.conv(5, 1);
      Design design = trained(net.finish(), format);
      const std::vector<float> input = seeded_input(design.network.shape(0), 7);
      ExecutableOptions options;
      std::vector<Range> ranges = activation_ranges(design, input);
      ranges[0] = {-0.7F, 0.7F};  // some values saturate
      design.quantization = std::make_shared<const Quantization>(Quantization{ranges});
      Executable executable(design, options);
      EXPECT_TRUE(executable.steps()[0].implementation.starts_with("interleave")) << executable.steps()[0].signature;
      const double tolerance = format == int8 && !has_exact_int8() ? 0.05 : 1e-5;
      EXPECT_LT(relative_error(run_once(executable, input), simulate(design, input, options)), tolerance);
    }
  }
}

struct NamedNetwork {
  const char* name;
  Network network;
};

std::vector<NamedNetwork> small_networks() {
  return {{"MobileNetV2", mobilenet_v2(64, 10)},
          {"MobileNetV3", mobilenet_v3_like(64)},
          {"ResNet-18", resnet18_like(64, 10, 16)},
          {"ResNet-50", resnet50_like(32, 10)}};
}

// Rounding in another order moves a few stored values by one step; through a whole network that grows to the scale of
// the format's own error: two runs that round independently are sqrt(2) of it apart.
TEST(Executable, RunsWholeNetworksInBf16AndInt8) {
  for (const auto& [name, network] : small_networks()) {
    for (const Format& format : executed_formats()) {
      if (format == f32) continue;
      SCOPED_TRACE(std::string(name) + " " + format.text());
      Design design = trained(network, format);
      const std::vector<float> input = seeded_input(network.shape(input_of(network)), 5);
      ExecutableOptions options;
      calibrate(design, input);
      Executable executable(design, options);
      const std::vector<float> found = run_once(executable, input), exact = expected_output(design, input);
      const std::vector<float> simulated = simulate(design, input, options);
      const double own_error = rms_error(simulated, exact);
      const double slack = format == int8 && !has_exact_int8() ? 4.0 : 1.5;
      EXPECT_LE(rms_error(found, simulated), slack * own_error);
      EXPECT_LE(rms_error(found, exact), slack * own_error);
      EXPECT_LE(own_error, format == bf16 ? 0.05 : 0.3);
      for (const StepInfo& step : executable.steps())
        EXPECT_FALSE(step.implementation.starts_with("ref")) << step.signature;
    }
  }
}

TEST(Executable, ActivationRangesAreThoseOfTheReference) {
  const Design design = trained(mobilenet_v3_like(32));
  const std::vector<float> input = seeded_input(design.network.shape(0), 5);
  const std::vector<Range> ranges = activation_ranges(design, input);
  const std::vector<Tensor> outputs = run_reference(design, input);
  for (NodeId node = 0; node < design.network.size(); ++node) {
    const float magnitude = ranges[node].magnitude();
    EXPECT_NEAR(magnitude, largest(outputs[node].values), 1e-4F * magnitude) << node;
  }
}

TEST(Executable, MixedPlansConvertAtTheBoundaries) {
  const Network network = mobilenet_v3_like(32);
  const std::vector<Format> formats = executed_formats();
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed, "mixed");
    Design design = trained(network, f32);
    for (NodeId node = 0; node < network.size(); ++node) {
      const Format format = formats[rng.below(formats.size())];
      design.precision.operators[node] = {format, format};
    }
    const std::vector<float> input = seeded_input(network.shape(0), seed);
    ExecutableOptions options;
    calibrate(design, input);
    Executable executable(design, options);
    const std::vector<float> found = run_once(executable, input), exact = expected_output(design, input);
    const std::vector<float> simulated = simulate(design, input, options);
    EXPECT_LE(rms_error(found, simulated), (has_exact_int8() ? 1.0 : 4.0) * rms_error(simulated, exact));
    EXPECT_LE(rms_error(simulated, exact), 0.3);
  }
}

// ---- random graphs

Network random_network(std::uint64_t seed) {
  Rng rng(seed, "graph");
  const std::array<std::int64_t, 6> widths{3, 8, 13, 16, 24, 40};
  NetBuilder net({rng.chance(0.3) ? 2 : 1, 3, 9, 11});
  std::vector<NodeId> tensors{net.conv(8, 3)};
  for (int i = 0; i < 14; ++i) {
    net.last = tensors[rng.below(tensors.size())];
    const Shape shape = net.network.shape(net.last);
    const auto same = [&] {
      std::vector<NodeId> like;
      for (const NodeId tensor : tensors) {
        if (net.network.shape(tensor) == shape) like.push_back(tensor);
      }
      return like[rng.below(like.size())];
    };
    switch (rng.below(10)) {
      case 0:
      case 1:
        net.conv(widths[rng.below(widths.size())], rng.chance(0.5) ? 3 : 1);
        if (rng.chance(0.5)) net.norm();
        if (rng.chance(0.5)) net.apply(OpKind::relu6);
        break;
      case 2:
        net.conv(shape[1], 3, 1, static_cast<int>(shape[1]));
        net.norm();
        net.apply(OpKind::hard_swish);
        break;
      case 3:
      case 4:
        net.conv(shape[1], 1);
        net.norm();
        net.add_to(same());
        if (rng.chance(0.5)) net.apply(OpKind::relu);
        break;
      case 5:
        net.add(NetBuilder::op_of(OpKind::add), {net.last, same()});
        break;
      case 6:
        net.add(NetBuilder::op_of(OpKind::concat), {net.last, same()});
        break;
      case 7:
        net.squeeze_excite(5);
        break;
      case 8:
        net.apply(rng.chance(0.5) ? OpKind::identity : OpKind::gelu);
        break;
      default: {
        Op pool = NetBuilder::op_of(rng.chance(0.5) ? OpKind::max_pool : OpKind::avg_pool);
        pool.kernel = {3, 3};
        pool.padding = {1, 1, 1, 1};
        net.add(pool, {net.last});
      }
    }
    if (net.network.shape(net.last)[1] < 200) tensors.push_back(net.last);
  }
  net.last = tensors.back();
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(6);
  if (rng.chance(0.5) && tensors[tensors.size() / 2] != net.last) net.network.mark_output(tensors[tensors.size() / 2]);
  return net.finish();
}

void expect_disjoint(std::span<const Placement> placements, std::int64_t arena_bytes) {
  for (const Placement& a : placements) {
    EXPECT_LE(a.offset + a.bytes, arena_bytes);
    for (const Placement& b : placements) {
      if (&a == &b || a.last_step < b.first_step || b.last_step < a.first_step) continue;
      EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << a.node << " and " << b.node;
    }
  }
}

TEST(RandomGraphs, AgreeWithTheReferenceFusedAndNot) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    const Design design = trained(random_network(seed), f32, seed);
    const std::vector<float> input = seeded_input(design.network.shape(0), seed);
    const std::vector<Tensor> expected = run_reference(design, input);
    for (const bool fuse : {true, false}) {
      ExecutableOptions options;
      options.fuse = fuse;
      Executable executable(design, options);
      run_once(executable, input);
      run_once(executable, input);  // a second run must not read what the first left behind
      for (std::size_t i = 0; i < design.network.outputs().size(); ++i) {
        EXPECT_LT(relative_error(executable.output(i), expected[design.network.outputs()[i]].values), 2e-5) << fuse;
      }
      EXPECT_TRUE(std::equal(input.begin(), input.end(), executable.input().begin())) << "the input was overwritten";
      expect_disjoint(executable.placements(), executable.arena_bytes());
    }
  }
}

TEST(RandomGraphs, AgreeWithTheSimulationInBf16AndInt8) {
  for (const Format& format : executed_formats()) {
    for (std::uint64_t seed = 0; seed < 80; ++seed) {
      SCOPED_TRACE(format.text() + " seed " + std::to_string(seed));
      Design design = trained(random_network(seed), format, seed);
      const std::vector<float> input = seeded_input(design.network.shape(0), seed);
      ExecutableOptions options;
      calibrate(design, input);
      Executable executable(design, options);
      EXPECT_LE(rms_error(run_once(executable, input), simulate(design, input, options)), format == f32      ? 1e-5
                                                                                          : format == bf16   ? 5e-3
                                                                                          : has_exact_int8() ? 2e-2
                                                                                                             : 0.2);
      expect_disjoint(executable.placements(), executable.arena_bytes());
    }
  }
}

TEST(Arena, OfWholeNetworksIsNearTheSmallestPossible) {
  for (const auto& [name, network] : small_networks()) {
    SCOPED_TRACE(name);
    Executable executable(untrained(network));
    std::vector<ArenaRequest> requests;
    for (const Placement& p : executable.placements()) requests.push_back({p.first_step, p.last_step, p.bytes});
    expect_disjoint(executable.placements(), executable.arena_bytes());
    EXPECT_GE(executable.arena_bytes(), arena_lower_bound(requests));
    EXPECT_LE(static_cast<double>(executable.arena_bytes()), 1.15 * static_cast<double>(arena_lower_bound(requests)));
  }
}

// ---- the contract

TEST(Executable, SameSeedSameOutput) {
  const Design design = untrained(mobilenet_v3_like(32), int8);
  const std::vector<float> input = seeded_input(design.network.shape(0), 1);
  ExecutableOptions options;
  Executable first(design, options), second(design, options);
  EXPECT_EQ(run_once(first, input), run_once(second, input));
  EXPECT_EQ(run_once(first, input), run_once(first, input));
  options.seed = 2;
  Executable other(design, options);
  EXPECT_NE(run_once(first, input), run_once(other, input));
}

TEST(Executable, TwoThreadsComputeWhatOneDoes) {
  for (const Format& format : executed_formats()) {
    Design design = trained(mobilenet_v3_like(64), format);
    const std::vector<float> input = seeded_input(design.network.shape(0), 1);
    ExecutableOptions options;
    calibrate(design, input);
    Executable one(design, options);
    options.threads = 2;
    Executable two(design, options);
    EXPECT_LE(rms_error(run_once(two, input), run_once(one, input)), format == f32 ? 1e-5 : 0.05) << format.text();
    EXPECT_NE(one.steps()[1].signature, two.steps()[1].signature) << "times depend on the number of threads";
  }
}

TEST(Executable, SurvivesMoves) {
  const Design design = untrained(resnet18_like(32, 5, 8));
  const std::vector<float> input = seeded_input(design.network.shape(0), 1);
  Executable first(design);
  const std::vector<float> before = run_once(first, input);
  Executable moved = std::move(first);
  EXPECT_EQ(run_once(moved, input), before);
}

TEST(Executable, TimesEveryStepWhenAsked) {
  const Design design = untrained(resnet18_like(32, 5, 8));
  ExecutableOptions options;
  EXPECT_TRUE(Executable(design, options).step_times_s().empty());
  options.keep_op_times = true;
  Executable timed(design, options);
  timed.run();
  ASSERT_EQ(timed.step_times_s().size(), timed.steps().size());
  for (const double time : timed.step_times_s()) EXPECT_GT(time, 0.0);
}

TEST(Executable, StepsAccountForEveryOperatorOnce) {
  const Design design = untrained(mobilenet_v2(64, 10));
  Executable executable(design);
  std::vector<int> seen(design.network.size(), 0);
  std::int64_t macs_of_steps = 0;
  for (const StepInfo& step : executable.steps()) {
    if (step.kind != "reorder") ++seen[step.node];
    for (const NodeId node : step.fused) ++seen[node];
    macs_of_steps += step.macs;
  }
  EXPECT_EQ(macs_of_steps, macs(design.network));
  for (NodeId node = 1; node < design.network.size(); ++node) {
    EXPECT_EQ(seen[node], design.network.op(node).kind == OpKind::flatten ? 0 : 1) << node;
  }
}

TEST(Executable, EqualStepsHaveEqualSignatures) {
  Executable a(untrained(mobilenet_v2(64, 10))), b(trained(mobilenet_v2(64, 10), f32, 9));
  ASSERT_EQ(a.steps().size(), b.steps().size());
  for (std::size_t i = 0; i < a.steps().size(); ++i) EXPECT_EQ(a.steps()[i].signature, b.steps()[i].signature);
  Executable c(untrained(mobilenet_v2(96, 10)));
  EXPECT_NE(a.steps()[1].signature, c.steps()[1].signature);
}

TEST(Executable, AnOutputMayBeTheInputAReshapeOrAConstant) {
  NetBuilder net({1, 2, 3, 4});
  Op flat = NetBuilder::op_of(OpKind::reshape);
  flat.shape = {24};
  const NodeId reshaped = net.add(flat, {0});
  net.network.mark_output(reshaped);
  net.network.mark_output(0);
  net.last = net.add(NetBuilder::op_of(OpKind::zero), {0});
  const Design design = untrained(net.finish());
  Executable executable(design);
  const std::vector<float> input = seeded_input({1, 2, 3, 4}, 1);
  EXPECT_EQ(run_once(executable, input), input);
  EXPECT_TRUE(std::equal(input.begin(), input.end(), executable.output(1).begin()));
  EXPECT_EQ(largest(executable.output(2)), 0.0F);
  EXPECT_THROW(executable.output(3), std::out_of_range);
}

// ---- what is not executed

std::string why_unsupported(const Design& design) {
  try {
    Executable executable(design);
  } catch (const Unsupported& reason) {
    return reason.what();
  }
  return "executed";
}

TEST(Executable, SaysWhatItCannotExecuteAndWhy) {
  using ::testing::HasSubstr;
  Design design = untrained(resnet18_like(32, 5, 8), int8);
  OperatorFormats& stem = design.precision.operators.at(1);
  const OperatorFormats whole = stem;
  for (const char* weights : {"int4@group32", "e4m3", "f16", "int4@channel", "uint8", "int8@group32"}) {
    stem.weights = Format::parse(weights);
    EXPECT_THAT(why_unsupported(design), HasSubstr(std::string("conv2d (node 1")));
    EXPECT_THAT(why_unsupported(design), HasSubstr(stem.weights.text()));
  }
  stem = whole;
  stem.activations = Format::parse("int8@channel");
  EXPECT_THAT(why_unsupported(design), HasSubstr("activations in int8@channel"));
  stem = whole;
  stem.activations = bf16;
  EXPECT_THAT(why_unsupported(design), HasSubstr("with activations in bf16"));
  stem = whole;
  EXPECT_EQ(why_unsupported(design), "executed");
}

TEST(Executable, RefusesTwoInputs) {
  Design design;
  const NodeId a = design.network.add_input({1, 4}), b = design.network.add_input({1, 4});
  design.network.mark_output(design.network.add(NetBuilder::op_of(OpKind::add), {a, b}));
  EXPECT_THAT(why_unsupported(design), ::testing::HasSubstr("more than one input"));
}

}  // namespace
}  // namespace ridgeline::testing
