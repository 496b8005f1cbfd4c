// Internal: one layer whose weights are to be rounded, and how much a choice changes its output.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/quantization/layer_moments.hpp"
#include "kernels/quantization/value_grid.hpp"

namespace ridgeline {

struct RoundingProblem {
  std::span<const float> kernel;  // [channels, taps]
  std::size_t channels;
  const LayerMoments& moments;
  std::span<const ValueGrid> grids;
  const KernelScales& scales;
  std::span<const std::uint8_t> grid_of = {};  // [groups, taps], which grid a weight has; empty: the first

  std::size_t rows() const { return channels / moments.groups; }  // of one group of channels
  std::size_t taps() const { return moments.taps; }
  const ValueGrid& grid(std::size_t channel, std::size_t tap) const {
    return grids[grid_of.empty() ? 0 : grid_of[channel / rows() * taps() + tap]];
  }
  const float* gram(std::size_t group) const { return moments.gram.data() + group * taps() * taps(); }
};

// d G d^T of every channel, d = candidate - kernel.
std::vector<double> channel_errors(const RoundingProblem& problem, std::span<const float> candidate);
// The channels of `fallback` where they change the output less than those of `candidate`.
void keep_better(const RoundingProblem& problem, std::span<const float> fallback, std::span<float> candidate);

}  // namespace ridgeline
