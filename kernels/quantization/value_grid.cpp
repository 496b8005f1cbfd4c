#include "kernels/quantization/value_grid.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "kernels/quantization/codec.hpp"

namespace ridgeline {

ValueGrid::ValueGrid(const Format& format) {
  const ElementCodec codec(format);
  for (std::uint32_t code = 0; code < (std::uint32_t{1} << format.width_bits); ++code) {
    const float value = codec.value_of(code);
    if (std::isfinite(value) && codec.round_to(value) == value) elements_.push_back(value + 0.0F);  // without -0
  }
  std::ranges::sort(elements_);
  elements_.erase(std::unique(elements_.begin(), elements_.end()), elements_.end());
  top_ = std::ldexp(1.0F, std::ilogb(codec.largest()));
}

Neighbours ValueGrid::around(float value, const ElementScale& scale) const {
  if (scale.scale == 0) return {0, 0};
  const auto zero_point = static_cast<float>(scale.zero_point);
  const auto value_of = [&](float element) { return (element - zero_point) * scale.scale; };
  // By the values themselves: a quotient may be rounded over one of them.
  const auto above = std::ranges::upper_bound(elements_, value, {}, value_of);
  if (above == elements_.begin()) return {value_of(*above), value_of(*above)};
  const float below = value_of(*(above - 1));
  return {below, above == elements_.end() ? below : value_of(*above)};
}

float ValueGrid::nearest(float value, const ElementScale& scale) const {
  const Neighbours near = around(value, scale);
  return value - near.below < near.above - value ? near.below : near.above;
}

KernelScales::KernelScales(std::span<const float> kernel, std::size_t row_length, const Format& format,
                           std::span<const Range> ranges)
    : row_step_(0), group_(std::numeric_limits<std::size_t>::max()) {
  const ScaleRule rule(format);
  if (ranges.empty()) {
    scales_ = rule.of(kernel, row_length);
  } else {
    for (const Range& range : ranges) scales_.push_back(rule.of(range));
  }
  const auto rows = static_cast<std::int64_t>(kernel.size() / row_length);
  const auto length = static_cast<std::int64_t>(row_length);
  if (static_cast<std::int64_t>(scales_.size()) != scale_count(format, rows, length)) {
    throw std::invalid_argument("there are not as many ranges to round over as scales of " + format.text());
  }
  if (format.has_groups()) group_ = format.group_size;
  if (format.granularity != Format::Granularity::tensor) row_step_ = scales_.size() / static_cast<std::size_t>(rows);
}

}  // namespace ridgeline
