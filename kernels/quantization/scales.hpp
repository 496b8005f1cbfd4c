// The scale of numbers that share one: from a range that is to be representable, or from the numbers themselves.
//
//   from a range [low, high], both finite, low <= high; magnitudes count up to 2^126:
//     symmetric   scale = max(|low|, |high|) / largest value of the element
//     uintN       low and high are moved to hold 0; scale = (high - low) / (2^N - 1), zero point = -low / scale rounded
//                 to nearest, ties to even: 0 is exact
//     ternary     scale = max(|low|, |high|), threshold = scale / 2
//     A scale is 0 for a range of nothing but 0 (everything becomes 0), else at least 2^-126, the smallest normal
//     float.
//   from the numbers, NaN and infinities passed over:
//     @mxN        2^E with E = floor(log2(max |x|)) - emax, kept within -127 ... 127, as OCP's MX 1.0 (section 6.3) has
//                 it; emax is the exponent of the element's largest value. Integers of M bits are fixed-point there,
//                 with M - 2 bits after the point: their emax is 0, and the scale of the integers is 2^E / 2^(M-2).
//                 E = -127 where there is nothing but 0.
//     binary      mean |x|, which minimises the squared error (Rastegari et al., XNOR-Net, 2016)
//     ternary     threshold = 0.7 mean |x|, scale = mean of the |x| above it (Li et al., Ternary Weight Networks, 2016)
//     others      as from the range of the numbers
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

struct ElementScale {
  float scale = 1;
  int zero_point = 0;
  float threshold = 0;  // of ternary: larger magnitudes become +-scale, the others 0
  friend bool operator==(const ElementScale&, const ElementScale&) = default;
};

// Does the scale follow from the numbers in a way that a range cannot tell?
bool scales_by_numbers(const Format& format);

// Immutable; thread-safe.
class ScaleRule {
 public:
  explicit ScaleRule(const Format& format);

  // Throws std::invalid_argument on a range that is not finite or whose low is over its high.
  ElementScale of(const Range& range) const;
  // `values` are rows of row_length; the result has scale_count() entries, row by row.
  std::vector<ElementScale> of(std::span<const float> values, std::size_t row_length) const;

 private:
  ElementScale of_magnitude(float magnitude) const;

  Format format_;
  float largest_;
  int emax_;
};

// The smallest ranges that hold 0 and the finite ones of the numbers that share a scale, in the order of scales.
// `values` are rows of row_length. Empty for formats without scales, and for mx, binary and ternary, whose scales come
// from the numbers.
std::vector<Range> ranges_of(std::span<const float> values, std::size_t row_length, const Format& format);

}  // namespace ridgeline
