#include "kernels/quantization/group_bits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/quantization/gptq.hpp"
#include "kernels/quantization/learned_rounding.hpp"
#include "kernels/quantization/matrix_product.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t usual = 1;  // of the three widths: the one in the middle

// The kernel with b - 1, b or b + 1 bits everywhere.
struct Width {
  Format format;
  std::vector<Range> ranges;
  std::vector<float> rounded;
};

class Search {
 public:
  Search(std::span<const float> kernel, std::size_t channels, const Format& format, const LayerMoments& moments)
      : kernel_(kernel),
        channels_(channels),
        rows_(channels / moments.groups),
        taps_(moments.taps),
        group_(std::min<std::size_t>(format.group_size, taps_)),
        blocks_((taps_ + group_ - 1) / group_),
        moments_(moments),
        width_of_(moments.groups * blocks_, static_cast<std::uint8_t>(usual)),
        change_(kernel.size()),
        seen_(kernel.size()) {
    importance_.reserve(kernel.size());
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      const std::size_t group = i / taps_ / rows_;
      importance_.push_back(moments.gram[(group * taps_ + i % taps_) * taps_ + i % taps_]);
    }
  }

  void round(const Format& format, bool weighted) {
    for (std::size_t width = 0; width < widths_.size(); ++width) {
      Width& own = widths_[width];
      own.format = format;
      own.format.width_bits = static_cast<std::uint8_t>(format.width_bits + width - usual);
      own.ranges =
          weighted ? clipped_ranges(kernel_, taps_, own.format, importance_) : ranges_of(kernel_, taps_, own.format);
      own.rounded.resize(kernel_.size());
      fake_quantize(kernel_, own.rounded, taps_, {.format = own.format, .ranges = own.ranges});
    }
    for (std::size_t i = 0; i < change_.size(); ++i) change_[i] = widths_[usual].rounded[i] - kernel_[i];
    for (std::size_t group = 0; group < moments_.groups; ++group) {
      const std::size_t first = group * rows_ * taps_;
      multiply({change_.data() + first, taps_}, {moments_.gram.data() + group * taps_ * taps_, taps_}, taps_,
               {seen_.data() + first, taps_, rows_, taps_});
    }
  }

  // Finds the widths of least error, and returns the error with b bits everywhere.
  double assign() {
    const std::vector<std::size_t> order = by_salience();
    const double before = error();
    double least = before;
    std::size_t best = 0;
    for (std::size_t k = 1; 2 * k <= order.size(); ++k) {
      set_width(order[k - 1], usual - 1);
      set_width(order[order.size() - k], usual + 1);
      if (const double now = error(); now < least) {
        least = now;
        best = k;
      }
    }
    std::ranges::fill(width_of_, static_cast<std::uint8_t>(usual));
    for (std::size_t k = 0; k < best; ++k) {
      width_of_[order[k]] = static_cast<std::uint8_t>(usual - 1);
      width_of_[order[order.size() - 1 - k]] = static_cast<std::uint8_t>(usual + 1);
    }
    return before;
  }

  GroupBits result(WeightRounding rounding) const {
    GroupBits made;
    made.kernel.resize(kernel_.size());
    std::vector<ElementScale> scales;
    std::vector<std::uint8_t> grid_of(moments_.groups * taps_);
    for (std::size_t block = 0; block < width_of_.size(); ++block) {
      made.bits.push_back(widths_[width_of_[block]].format.width_bits);
      for_columns(block, [&](std::size_t tap) { grid_of[block / blocks_ * taps_ + tap] = width_of_[block]; });
    }
    for (std::size_t run = 0; run < channels_ * blocks_; ++run) {
      const Width& width = widths_[width_of_[block_of(run / blocks_, run % blocks_)]];
      made.ranges.push_back(width.ranges[run]);
      scales.push_back(ScaleRule(width.format).of(width.ranges[run]));
    }
    for (std::size_t i = 0; i < kernel_.size(); ++i) {
      made.kernel[i] = widths_[width_of_[block_of(i / taps_, i % taps_ / group_)]].rounded[i];
    }
    if (rounding != WeightRounding::nearest) {
      const std::array<ValueGrid, 3> grids{ValueGrid(widths_[0].format), ValueGrid(widths_[1].format),
                                           ValueGrid(widths_[2].format)};
      const KernelScales own(std::move(scales), channels_, group_);
      const RoundingProblem problem{kernel_, channels_, moments_, grids, own, grid_of};
      made.kernel = rounding == WeightRounding::learned ? learned_kernel(problem, made.kernel)
                                                        : fed_back_kernel(problem, made.kernel, 0);
    }
    count_bits(made);
    return made;
  }

 private:
  std::size_t block_of(std::size_t channel, std::size_t column) const { return channel / rows_ * blocks_ + column; }
  std::size_t length_of(std::size_t block) const { return std::min(group_, taps_ - block % blocks_ * group_); }
  template <typename Visit>
  void for_columns(std::size_t block, const Visit& visit) const {
    const std::size_t first = block % blocks_ * group_;
    for (std::size_t tap = first; tap < first + length_of(block); ++tap) visit(tap);
  }

  // Ascending; only blocks of the usual length, so that one bit more here is one less there.
  std::vector<std::size_t> by_salience() const {
    std::vector<double> salience(width_of_.size());
    for (std::size_t i = 0; i < change_.size(); ++i) {
      salience[block_of(i / taps_, i % taps_ / group_)] +=
          static_cast<double>(importance_[i]) * static_cast<double>(change_[i]) * static_cast<double>(change_[i]);
    }
    std::vector<std::size_t> order;
    for (std::size_t block = 0; block < salience.size(); ++block) {
      if (length_of(block) == group_) order.push_back(block);
    }
    std::ranges::stable_sort(order, {}, [&](std::size_t block) { return salience[block]; });
    return order;
  }

  // Another width for one block: D and D G follow.
  void set_width(std::size_t block, std::size_t width) {
    const std::size_t group = block / blocks_, first = block % blocks_ * group_, length = length_of(block);
    std::vector<float> moved(rows_ * length);
    for (std::size_t row = 0; row < rows_; ++row) {
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t at = (group * rows_ + row) * taps_ + first + i;
        const float now = widths_[width].rounded[at] - kernel_[at];
        moved[row * length + i] = now - change_[at];
        change_[at] = now;
      }
    }
    multiply({moved.data(), length}, {moments_.gram.data() + (group * taps_ + first) * taps_, taps_}, length,
             {seen_.data() + group * rows_ * taps_, taps_, rows_, taps_, 1, 1});
  }

  double error() const {
    double sum = 0;
    for (std::size_t i = 0; i < change_.size(); ++i) {
      sum += static_cast<double>(change_[i]) * static_cast<double>(seen_[i]);
    }
    return std::max(sum, 0.0) / static_cast<double>(channels_);
  }

  void count_bits(GroupBits& made) const {
    double bits = 0, zero_points = 0;
    for (std::size_t block = 0; block < made.bits.size(); ++block) {
      bits += static_cast<double>(made.bits[block]) * static_cast<double>(length_of(block) * rows_);
      if (widths_[usual].format.kind == Format::Kind::unsigned_integer) {
        zero_points += static_cast<double>(made.bits[block]) * static_cast<double>(rows_);
      }
    }
    const auto weights = static_cast<double>(kernel_.size());
    made.mean_bits = bits / weights;
    made.stored_bits = (bits + zero_points + 32 * static_cast<double>(made.ranges.size()) +
                        2 * static_cast<double>(made.bits.size())) /
                       weights;
  }

  std::span<const float> kernel_;
  std::size_t channels_, rows_, taps_, group_, blocks_;
  const LayerMoments& moments_;
  std::array<Width, 3> widths_;
  std::vector<std::uint8_t> width_of_;             // [groups, blocks]
  std::vector<float> importance_, change_, seen_;  // [channels, taps]: G_jj, D and D G
};

}  // namespace

GroupBits group_bits(std::span<const float> kernel, std::size_t channels, const Format& format,
                     const LayerMoments& moments, const GroupBitsOptions& options) {
  const bool is_signed = format.kind == Format::Kind::integer;
  if ((!is_signed && format.kind != Format::Kind::unsigned_integer) ||
      format.granularity != Format::Granularity::group || format.width_bits < (is_signed ? 3 : 2) ||
      format.width_bits > 15) {
    throw std::invalid_argument(
        "bits of groups are those of int3@groupN to int15@groupN or of uint2@groupN to "
        "uint15@groupN, not of " +
        format.text());
  }
  if (channels == 0 || kernel.empty() || channels % moments.groups != 0 || kernel.size() != channels * moments.taps ||
      moments.gram.size() != moments.groups * moments.taps * moments.taps) {
    throw std::invalid_argument("moments of another layer than the kernel to round");
  }
  if (!std::ranges::all_of(kernel, [](float weight) { return std::isfinite(weight); })) {
    throw std::invalid_argument("a kernel to round must be finite");
  }
  Search search(kernel, channels, format, moments);
  search.round(format, options.weighted_scales);
  const double uniform_error = search.assign();
  GroupBits made = search.result(options.rounding);
  made.uniform_error = uniform_error;
  std::vector<float> change(kernel.size());
  for (std::size_t i = 0; i < change.size(); ++i) change[i] = made.kernel[i] - kernel[i];
  made.output_error = output_power(moments, change, channels);
  return made;
}

}  // namespace ridgeline
