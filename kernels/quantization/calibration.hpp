// Which range a tensor should be quantized over, from a histogram of its values: what is cut off, against how fine the
// rest becomes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/format.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

// Values counted in bins of equal width over a range that is known beforehand; those outside count in the outermost.
class Histogram {
 public:
  static constexpr std::size_t usual_bins = 2048;
  explicit Histogram(const Range& range, std::size_t bins = usual_bins);

  void add(std::span<const float> values);  // NaN is passed over
  void add(const Histogram& other);         // of the same range and bins; throws std::invalid_argument otherwise
  const Range& range() const { return range_; }
  std::span<const std::uint64_t> counts() const { return counts_; }
  float centre(std::size_t bin) const;
  std::uint64_t total() const { return total_; }

 private:
  Range range_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
};

//  minmax      the whole range
//  percentile  without the outermost 0.01 % of the values, half of them at each end where there are two
//  mse         the least squared error of what is rounded and cut off (Banner et al., Post training 4-bit quantization
//              of convolutional networks, 2019, find the same optimum in closed form for Gaussian and Laplace)
//  entropy     the least divergence of the quantized distribution from the one that is cut (Migacz, 8-bit inference
//              with TensorRT, 2017), for any format
//
// The divergence of a range is KL(P || Q) over the bins within it. P: their counts, those outside it added to its
// outermost bins. Q: their counts alone, those of bins that are rounded to one value spread evenly over the filled ones
// (where only what was cut off is rounded to a value, half a count). Both are divided by their sums.
//  - Zeros behind a relu are left out, as they are usually: the bin of 0 counts no more than its neighbours on average.
//    A 0 is exact in any range, but spread over the other bins of its value it would cost more than anything else.
//  - Ranges over which the format's 2^bits values have less than a bin each are not tried: nothing would be spread.
//  - What chance alone makes of it is taken off: (filled bins - values that have some) / (2 * total), Miller (1955).
//    Otherwise few counts a bin favour narrow ranges.
enum class CalibrationMethod : std::uint8_t { minmax, percentile, mse, entropy };
std::span<const std::string> calibration_method_names();  // in the order of CalibrationMethod

// Of formats with a scale; the whole range for others, and where there are no values.
Range calibrated_range(const Histogram& histogram, const Format& format, CalibrationMethod method);

// Clipped channel-wise quantization (LRP-QViT, Ranjan and Savakis, 2024): each channel of an activation has a range of
// its own, without its own outliers.
//
// One histogram a channel over `ranges`, also one a channel, of the channels along `axis`. Those of several batches are
// added up. Throws std::invalid_argument where sizes do not fit.
std::vector<Histogram> channel_histograms(std::span<const float> values, const QuantizedAxis& axis,
                                          std::span<const Range> ranges);
// As formats @channel take them.
std::vector<Range> calibrated_ranges(std::span<const Histogram> channels, const Format& format,
                                     CalibrationMethod method);

}  // namespace ridgeline
