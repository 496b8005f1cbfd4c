// Internal: the values that a scaled number format has, and the two that a number lies between.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "kernels/quantization/scales.hpp"
#include "spaces/format.hpp"

namespace ridgeline {

struct Neighbours {
  float below, above;  // equal at the ends of the grid
};

// Immutable; thread-safe. Every value it returns is what fake_quantize makes of that value over the same scale.
class ValueGrid {
 public:
  explicit ValueGrid(const Format& format);

  // The largest value up to `value`, and the next above it. `value` is finite.
  Neighbours around(float value, const ElementScale& scale) const;
  float nearest(float value, const ElementScale& scale) const;
  // The smallest magnitude whose exponent is that of the largest value: a block of @mxN that keeps one such number
  // keeps its scale.
  float top_binade(const ElementScale& scale) const { return top_ * scale.scale; }

 private:
  std::vector<float> elements_;  // ascending; of unsigned integers with the zero point 0
  float top_;
};

// The scale of each number of a kernel [rows, row_length].
class KernelScales {
 public:
  // Over `ranges`, or from the numbers where there are none.
  KernelScales(std::span<const float> kernel, std::size_t row_length, const Format& format,
               std::span<const Range> ranges);
  // `group` numbers of a row share one of `scales`, row by row.
  KernelScales(std::vector<ElementScale> scales, std::size_t rows, std::size_t group)
      : scales_(std::move(scales)), row_step_(scales_.size() / rows), group_(group) {}
  const ElementScale& at(std::size_t row, std::size_t column) const {
    return scales_[row * row_step_ + column / group_];
  }

 private:
  std::vector<ElementScale> scales_;
  std::size_t row_step_, group_;
};

}  // namespace ridgeline
