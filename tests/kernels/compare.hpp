// How far an executor's output is from what it should be.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "kernels/environment.hpp"
#include "kernels/executable.hpp"
#include "kernels/reference.hpp"

namespace ridgeline::testing {

inline float largest(std::span<const float> values) {
  float most = 0.0F;
  for (const float value : values) most = std::max(most, std::abs(value));
  return most;
}

// The largest difference, in units of the largest expected value. NaN and infinity count as infinite.
inline double relative_error(std::span<const float> found, std::span<const float> expected) {
  EXPECT_EQ(found.size(), expected.size());
  double most = 0.0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    const double difference = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (!(difference < 1e30)) return INFINITY;
    most = std::max(most, difference);
  }
  return most / std::max(static_cast<double>(largest(expected)), 1e-30);
}

// Root of the mean squared difference over the root of the mean square.
inline double rms_error(std::span<const float> found, std::span<const float> expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0.0, power = 1e-30;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    power += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / power);
}

// The formats this machine executes; bf16 needs a CPU that has it. Tests run over these.
inline std::vector<Format> executed_formats() {
  std::vector<Format> formats{f32};
  Design design;
  Op conv;
  conv.kind = OpKind::conv2d;
  conv.channels = 1;
  const NodeId input = design.network.add_input({1, 1, 1, 1});
  design.network.mark_output(design.network.add(conv, {input}));
  for (const Format& format : {bf16, int8}) {
    design.precision = PrecisionPlan::uniform(design.network, format, format);
    try {
      Executable executable(design);
      formats.push_back(format);
    } catch (const Unsupported&) {
    }
  }
  return formats;
}
// False where 8-bit sums are kept in 16 bits: kernels then have 7 bits, and results differ from 8-bit arithmetic.
inline bool has_exact_int8() {
  const std::string isa = this_environment().isa;
  return isa.find("vnni") != std::string::npos || isa.find("bf16") != std::string::npos ||
         isa.find("amx") != std::string::npos;
}

inline NodeId input_of(const Network& network) {
  NodeId node = 0;
  while (network.op(node).kind != OpKind::input) ++node;
  return node;
}

// Fills the input, runs, and returns the first output.
inline std::vector<float> run_once(Executable& executable, std::span<const float> input) {
  std::copy(input.begin(), input.end(), executable.input().begin());
  executable.run();
  return {executable.output().begin(), executable.output().end()};
}

}  // namespace ridgeline::testing
