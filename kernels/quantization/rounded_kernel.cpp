#include "kernels/quantization/rounded_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/quantization/gptq.hpp"
#include "kernels/quantization/learned_rounding.hpp"
#include "kernels/quantization/partition.hpp"

namespace ridgeline {
namespace {

constexpr int candidates = 100;  // shares of the whole range that are tried
constexpr double least_share = 0.05;

Range shrunk(const Range& range, double share) {
  const auto bound = static_cast<float>(share * static_cast<double>(range.magnitude()));
  return {std::max(range.low, -bound), std::min(range.high, bound)};
}

void check(std::span<const float> kernel, std::size_t channels, const LayerMoments& moments,
           const RoundingOptions& options) {
  if (channels == 0 || kernel.size() % channels != 0) {
    throw std::invalid_argument("a kernel to round must have as many taps in every channel");
  }
  if (!std::ranges::all_of(kernel, [](float weight) { return std::isfinite(weight); })) {
    throw std::invalid_argument("a kernel to round must be finite");
  }
  if (options.rounding == WeightRounding::nearest) return;
  if (moments.taps != kernel.size() / channels || channels % moments.groups != 0 ||
      moments.gram.size() != moments.groups * moments.taps * moments.taps) {
    throw std::invalid_argument("moments of another layer than the kernel to round");
  }
}

}  // namespace

std::vector<Range> clipped_ranges(std::span<const float> kernel, std::size_t row_length, const Format& format,
                                  std::span<const float> importance) {
  if (!importance.empty() && importance.size() != kernel.size()) {
    throw std::invalid_argument("every number of a kernel must have an importance, or none");
  }
  const std::vector<Range> whole = ranges_of(kernel, row_length, format);
  if (whole.empty()) return {};
  const Partition partition(format, kernel.size(), row_length);
  std::vector<Range> best = whole;
  std::vector<double> least(whole.size(), std::numeric_limits<double>::infinity());
  std::vector<float> rounded(kernel.size());
  Quantizer quantizer{.format = format, .ranges = whole};
  for (int i = 0; i < candidates; ++i) {
    const double share = 1 - (1 - least_share) * i / candidates;
    std::ranges::transform(whole, quantizer.ranges.begin(), [&](const Range& range) { return shrunk(range, share); });
    fake_quantize(kernel, rounded, row_length, quantizer);
    partition.for_each_run([&](std::size_t run, std::size_t first, std::size_t count) {
      double sum = 0;
      for (std::size_t j = first; j < first + count; ++j) {
        const double error = static_cast<double>(rounded[j]) - static_cast<double>(kernel[j]);
        sum += error * error * (importance.empty() ? 1.0 : static_cast<double>(importance[j]));
      }
      if (sum >= least[run]) return;
      least[run] = sum;
      best[run] = quantizer.ranges[run];
    });
  }
  return best;
}

RoundedKernel round_kernel(std::span<const float> kernel, std::size_t channels, const Format& format,
                           const LayerMoments& moments, const RoundingOptions& options) {
  check(kernel, channels, moments, options);
  const std::size_t taps = kernel.size() / channels;
  RoundedKernel made{std::vector<float>(kernel.size()), {}};
  if (kernel.empty()) return made;
  made.ranges = options.clip ? clipped_ranges(kernel, taps, format) : ranges_of(kernel, taps, format);
  fake_quantize(kernel, made.kernel, taps, {.format = format, .ranges = made.ranges});
  if (options.rounding == WeightRounding::nearest || !format.is_quantized()) return made;
  const ValueGrid grid(format);
  const KernelScales scales(kernel, taps, format, made.ranges);
  const RoundingProblem problem{kernel, channels, moments, {&grid, 1}, scales};
  const std::size_t block = format.granularity == Format::Granularity::mx ? format.group_size : 0U;
  made.kernel = options.rounding == WeightRounding::learned ? learned_kernel(problem, made.kernel)
                                                            : fed_back_kernel(problem, made.kernel, block);
  return made;
}

}  // namespace ridgeline
