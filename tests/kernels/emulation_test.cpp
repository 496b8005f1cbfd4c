// Formats without primitives: held against layers computed by the reference loops on numbers rounded by the scalar
// codec, and against what is executed where both can be had.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/executable.hpp"
#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/reference.hpp"
#include "nets.hpp"

namespace ridgeline::testing {
namespace {

std::vector<float> run_with(const Design& design, std::span<const float> input, Emulation emulation) {
  ExecutableOptions options;
  options.emulation = emulation;
  Executable executable(design, options);
  std::ranges::copy(input, executable.input().begin());
  executable.run();
  return {executable.output().begin(), executable.output().end()};
}

float magnitude(const std::vector<float>& values) { return range_of(values).magnitude(); }

float difference(const std::vector<float>& a, const std::vector<float>& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

std::vector<float> rounded(std::vector<float> values, std::size_t row_length, const Quantizer& quantizer) {
  fake_quantize_by_codec(values, values, row_length, quantizer);
  return values;
}

// A convolution, a relu, a convolution and a linear layer.
Network small_network() {
  NetBuilder net({1, 6, 5, 5});
  net.conv(8, 3, 1, 1, true);
  net.apply(OpKind::relu);
  net.conv(4, 3, 1, 2, true);
  net.apply(OpKind::flatten);
  net.linear(3);
  return net.finish();
}

// What the network computes in `format`, layer by layer. Behind the relu, integers have no sign.
std::vector<float> by_layers(const Design& design, const std::vector<float>& input, const Format& format) {
  const Network& network = design.network;
  auto weights = std::make_shared<Weights>(*design.weights);
  std::vector<Tensor> tensors(network.size());
  tensors[0] = {network.shape(0), input};
  for (NodeId node = 1; node < network.size(); ++node) {
    Tensor read = tensors[network.inputs(node)[0]];
    if (has_weights(network.op(node).kind)) {
      NodeWeights& own = (*weights)[node];
      const std::size_t taps = own.kernel.size() / static_cast<std::size_t>(network.op(node).channels);
      own.kernel = rounded(own.kernel, taps, {.format = format});
      Quantizer quantizer{.format = format};
      if (format.is_quantized() && !scales_by_numbers(format)) {
        const float most = design.quantization->tensors[network.inputs(node)[0]].magnitude();
        const bool relu = node == 3;
        if (relu && format.kind == Format::Kind::integer) quantizer.format.kind = Format::Kind::unsigned_integer;
        quantizer.ranges = {relu && format.kind == Format::Kind::integer ? Range{0, most} : Range{-most, most}};
        if (format.kind == Format::Kind::unsigned_integer) {
          quantizer.ranges = {design.quantization->tensors[network.inputs(node)[0]]};
        }
      }
      read.values = rounded(read.values, read.values.size(), quantizer);
    }
    Network one;
    one.mark_output(one.add(network.op(node), {one.add_input(read.shape)}));
    auto own = std::make_shared<Weights>(2);
    (*own)[1] = (*weights)[node];
    tensors[node] = run_reference(Design{one, {}, own}, read.values)[1];
  }
  return tensors.back().values;
}

TEST(Emulation, EveryFormatIsTheReferenceOnRoundedNumbers) {
  for (const char* name : {"int2", "int4", "int7", "uint3", "uint8", "e4m3", "e5m2", "e2m1", "e3m2", "pot4", "f16",
                           "bf16", "int8", "ternary", "binary"}) {
    SCOPED_TRACE(name);
    const Format format = Format::parse(name);
    Design design = trained(small_network());
    const std::vector<float> input = seeded_input(design.network.shape(0), 3);
    calibrate(design, input);
    design.precision = PrecisionPlan::uniform(design.network, format, format);
    const std::vector<float> expected = by_layers(design, input, format);
    // What lies on the border between two values may be rounded to either, so one step of the coarsest is allowed.
    EXPECT_LT(difference(run_with(design, input, Emulation::all), expected), 0.03F * magnitude(expected));
    const std::vector<float> exact = run_with({design.network, {}, design.weights}, input, Emulation::none);
    EXPECT_GT(difference(run_with(design, input, Emulation::all), exact), 0.0F);
  }
}

TEST(Emulation, WeightsMayHaveScalesOfChannelsAndBlocks) {
  for (const char* name : {"int4@channel", "int3@group8", "mxfp4", "mxint8", "bfp5@16", "e2m1@channel"}) {
    SCOPED_TRACE(name);
    const Format format = Format::parse(name);
    Design design = trained(small_network());
    const std::vector<float> input = seeded_input(design.network.shape(0), 3);
    calibrate(design, input);
    design.precision = PrecisionPlan::uniform(design.network, format, f32);
    auto weights = std::make_shared<Weights>(*design.weights);
    for (NodeId node = 1; node < design.network.size(); ++node) {
      std::vector<float>& kernel = (*weights)[node].kernel;
      if (kernel.empty()) continue;
      kernel = rounded(kernel, kernel.size() / static_cast<std::size_t>(design.network.op(node).channels),
                       {.format = format});
    }
    const std::vector<float> expected = run_with({design.network, {}, weights}, input, Emulation::none);
    EXPECT_LE(difference(run_with(design, input, Emulation::missing), expected), 1e-6F * magnitude(expected));
  }
}

TEST(Emulation, ActivationsInBlocksAreRoundedAlongTheChannels) {
  for (const char* name : {"mxfp8", "int4@channel", "int4@group4"}) {
    SCOPED_TRACE(name);
    NetBuilder net({1, 6, 3, 3});
    net.conv(5, 1);
    Design design = trained(net.finish());
    const std::vector<float> input = seeded_input(design.network.shape(0), 3);
    calibrate(design, input);
    const Format format = Format::parse(name);
    design.precision = PrecisionPlan::uniform(design.network, f32, format);
    std::vector<float> read(input.size());
    fake_quantize_along(input, read, {1, 6, 9}, {.format = format});
    const Design plain{design.network, {}, design.weights};
    EXPECT_LE(difference(run_with(design, input, Emulation::missing), run_with(plain, read, Emulation::none)), 1e-5F);
  }
}

TEST(Emulation, WhatIsExecutedIsEmulatedAlike) {
  for (const bool residual : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(seed);
      Design design = trained(residual ? resnet18_like(32, 10, 8) : mobilenet_v3_like(32), int8, seed);
      const std::vector<float> input = seeded_input(design.network.shape(0), seed);
      calibrate(design, input);
      const std::vector<float> executed = run_with(design, input, Emulation::none);
      const std::vector<float> emulated = run_with(design, input, Emulation::all);
      EXPECT_LT(difference(executed, emulated), 0.03F * magnitude(executed));
    }
  }
}

TEST(Emulation, OnlyWhatIsMissingIsEmulated) {
  Design design = trained(small_network(), int8);
  design.precision.operators[3] = {Format::parse("int4@channel"), int8};  // the second convolution
  const std::vector<float> input = seeded_input(design.network.shape(0), 3);
  calibrate(design, input);
  EXPECT_THROW(Executable{design}, Unsupported);
  ExecutableOptions options;
  options.emulation = Emulation::missing;
  const Executable executable(design, options);
  std::vector<std::string> formats;
  for (const StepInfo& step : executable.steps()) {
    if (step.macs > 0) formats.push_back(step.format);
  }
  EXPECT_EQ(formats, (std::vector<std::string>{"int8", "f32", "int8"}));
}

}  // namespace
}  // namespace ridgeline::testing
