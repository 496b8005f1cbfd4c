#include "kernels/quantization/activation_quantizer.hpp"

#include <cmath>

namespace ridgeline {

Quantizer activation_quantizer(const Format& format, const TensorScale& scale, const std::optional<Range>& range) {
  Quantizer quantizer{.format = format};
  const float magnitude = scale.scale * (scale.is_unsigned ? 255.0F : 127.0F);
  if (format.granularity != Format::Granularity::tensor || scales_by_numbers(format) || !format.is_quantized()) {
    return quantizer;
  }
  if (format.kind == Format::Kind::integer && scale.is_unsigned) {
    quantizer.format.kind = Format::Kind::unsigned_integer;
    quantizer.ranges = {{0.0F, magnitude}};
  } else if (format.kind == Format::Kind::unsigned_integer && range && std::isfinite(range->low) &&
             std::isfinite(range->high)) {
    quantizer.ranges = {*range};
  } else {
    quantizer.ranges = {{-magnitude, magnitude}};
  }
  return quantizer;
}

QuantizedAxis channel_axis(const Shape& shape, bool channels_last) {
  const auto extent = [&](std::size_t axis) { return static_cast<std::size_t>(shape[axis]); };
  const auto count = static_cast<std::size_t>(elements(shape));
  if (shape.size() == 4 && !channels_last) return {extent(0), extent(1), extent(2) * extent(3)};
  const std::size_t channels = shape.size() == 4 ? extent(1) : extent(shape.size() - 1);
  return {count / channels, channels, 1};
}

}  // namespace ridgeline
