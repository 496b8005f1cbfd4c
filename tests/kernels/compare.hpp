// How far an executor's output is from what it should be.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

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
