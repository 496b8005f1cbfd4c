// Networks in 8 bits as ONNX models: held against ONNX's checker, run by plain loops that round where the file says so,
// and read back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/executable.hpp"
#include "kernels/reference.hpp"
#include "spaces/onnx/check.hpp"
#include "spaces/onnx/export.hpp"
#include "spaces/onnx/import.hpp"
#include "tests/spaces/onnx_interpreter.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;

// A residual block, a depthwise one, a squeeze-excite, two pools and a classifier; no batch norms, which are folded
// before a network is quantized.
Network network_of_kinds() {
  Network network;
  const NodeId x = network.add_input({1, 3, 12, 12});
  const NodeId stem = network.add(make(OpKind::relu), {network.add(conv(8, 3, 1, 1, true), {x})});
  const NodeId branch = network.add(make(OpKind::relu), {network.add(conv(8, 3, 1, 1, true), {stem})});
  const NodeId second = network.add(conv(8, 3, 1, 1, true), {branch});
  const NodeId sum = network.add(make(OpKind::relu), {network.add(make(OpKind::add), {second, stem})});
  const NodeId depth = network.add(make(OpKind::relu6), {network.add(conv(8, 3, 2, 8, true), {sum})});
  const NodeId point = network.add(make(OpKind::hard_swish), {network.add(conv(16, 1, 1, 1, true), {depth})});
  const NodeId pooled = network.add(test::pool(OpKind::max_pool, 2, 2), {point});
  const NodeId mean = network.add(make(OpKind::global_avg_pool), {pooled});
  network.mark_output(network.add(test::linear(10), {network.add(make(OpKind::flatten), {mean})}));
  return network;
}

Design quantized(Network network, std::span<const float> input, std::uint64_t seed) {
  auto weights = std::make_shared<Weights>(random_weights(network, seed));
  Rng rng(seed, "bias");
  for (NodeWeights& one : *weights) {
    for (float& value : one.bias) value = 0.3F * static_cast<float>(rng.normal());
  }
  Design design{std::move(network), {}, std::move(weights)};
  design.precision = PrecisionPlan::uniform(design.network, Format::parse("int8"));
  design.quantization = std::make_shared<const Quantization>(Quantization{activation_ranges(design, input)});
  return design;
}

std::vector<float> executed(const Design& design, std::span<const float> input) {
  Executable executable(design);
  std::ranges::copy(input, executable.input().begin());
  executable.run();
  const std::span<const float> output = executable.output();
  return {output.begin(), output.end()};
}

double largest_difference(const std::vector<float>& a, const auto& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

TEST(OnnxQuantized, TheFileComputesWhatIsExecuted) {
  double sum = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<float> input = seeded_input({1, 3, 12, 12}, seed);
    const Design design = quantized(network_of_kinds(), input, seed);
    const std::string bytes = onnx_model(design);
    EXPECT_NO_THROW(check_onnx_model(bytes, onnx_tensors(design.network)));
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(bytes));
    const test::OnnxArray found =
        test::run_onnx(model, {{"input", {{1, 3, 12, 12}, {input.begin(), input.end()}}}}).at("output");
    const std::vector<float> expected = executed(design, input);
    // The file rounds the branch in front of the sum once more; a sixteenth of the range is four steps of it.
    EXPECT_LT(largest_difference(expected, found.values), largest(expected) / 16);
    sum += largest_difference(expected, found.values) / largest(expected);
    // And it is a quantized network: rounding shows.
    const Design exact{design.network, {}, design.weights};
    EXPECT_GT(largest_difference(executed(exact, input), found.values), 0);
  }
  EXPECT_LT(sum / 20, 0.02);
}

TEST(OnnxQuantized, WithoutSumsNothingIsRoundedTwice) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Network network;
    const NodeId x = network.add_input({1, 3, 9, 9});
    const NodeId stem = network.add(make(OpKind::relu), {network.add(conv(8, 3, 1, 1, true), {x})});
    const NodeId depth = network.add(make(OpKind::relu), {network.add(conv(8, 3, 1, 8, true), {stem})});
    network.mark_output(network.add(conv(4, 1, 1, 1, true), {depth}));
    const std::vector<float> input = seeded_input({1, 3, 9, 9}, seed);
    const Design design = quantized(network, input, seed);
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(onnx_model(design)));
    const test::OnnxArray found =
        test::run_onnx(model, {{"input", {{1, 3, 9, 9}, {input.begin(), input.end()}}}}).at("output");
    const std::vector<float> expected = executed(design, input);
    EXPECT_LT(largest_difference(expected, found.values), largest(expected) / 64);
  }
}

TEST(OnnxQuantized, WhatIsReadBackRunsInTheSameFormats) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<float> input = seeded_input({1, 3, 12, 12}, seed);
    const Design design = quantized(network_of_kinds(), input, seed);
    const Design back = import_onnx(parse_onnx(onnx_model(design), "a.onnx")).design;
    EXPECT_EQ(structural_hash(back.network, back.precision), structural_hash(design.network, design.precision));
    const std::vector<float> expected = executed(design, input);
    EXPECT_LT(largest_difference(executed(back, input), expected), largest(expected) / 64);
  }
}

TEST(OnnxQuantized, APlanMayMix) {
  const std::vector<float> input = seeded_input({1, 3, 12, 12}, 1);
  Design design = quantized(network_of_kinds(), input, 1);
  std::size_t kept = 0;
  for (NodeId node = 0; node < design.network.size(); ++node) {
    OperatorFormats& formats = design.precision.operators[node];
    if (formats.weights == f32 || node % 2 == 0) continue;
    formats = kept++ % 2 == 0 ? OperatorFormats{f32, f32} : OperatorFormats{bf16, bf16};
  }
  ASSERT_GT(kept, 1U);
  const std::string bytes = onnx_model(design);
  EXPECT_NO_THROW(check_onnx_model(bytes, onnx_tensors(design.network)));
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(bytes));
  const test::OnnxArray found =
      test::run_onnx(model, {{"input", {{1, 3, 12, 12}, {input.begin(), input.end()}}}}).at("output");
  for (NodeId node = 0; node < design.network.size(); ++node) {  // bf16 is f32 in a file
    OperatorFormats& formats = design.precision.operators[node];
    if (formats.weights == bf16) formats = {f32, f32};
  }
  const std::vector<float> expected = executed(design, input);
  EXPECT_LT(largest_difference(expected, found.values), largest(expected) / 16);
}

}  // namespace
}  // namespace ridgeline
