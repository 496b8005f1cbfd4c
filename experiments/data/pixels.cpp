#include "experiments/data/pixels.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t longest_side = 1 << 14;

[[noreturn]] void refuse(const std::string& origin, std::string expected, std::string found, std::string remedy) {
  throw ConfigError({origin, "", std::move(expected), std::move(found), std::move(remedy)});
}

bool may_be_channels(std::size_t n) { return n == 1 || n == 3; }

PixelLayout decided(const std::vector<std::size_t>& dims, PixelLayout layout, const std::string& origin) {
  if (layout != PixelLayout::unstated) return layout;
  const bool first = may_be_channels(dims[1]);
  const bool last = may_be_channels(dims[3]);
  if (first != last) return first ? PixelLayout::nchw : PixelLayout::nhwc;
  refuse(origin, "an axis of 1 or 3 channels, the second or the last", fmt::format("[{}]", fmt::join(dims, ", ")),
         "write a dataset.json that states \"layout\": \"nchw\" or \"nhwc\"");
}

template <typename T>
void deinterleave(std::vector<T>& values, std::size_t count, const ImageShape& shape) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  const std::size_t plane = shape.size() / channels;
  std::vector<T> one(shape.size());
  for (std::size_t i = 0; i < count; ++i) {
    T* image = values.data() + i * shape.size();
    for (std::size_t p = 0; p < plane; ++p) {
      for (std::size_t c = 0; c < channels; ++c) one[c * plane + p] = image[p * channels + c];
    }
    std::copy(one.begin(), one.end(), image);
  }
}

void require_finite(const std::vector<float>& values, std::size_t image_size, const std::string& origin) {
  const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return;
  const auto at = static_cast<std::size_t>(bad - values.begin());
  refuse(origin, "finite pixels", fmt::format("{} in image {}, value {}", *bad, at / image_size, at % image_size),
         "replace or leave out such images");
}

}  // namespace

std::string shape_text(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

bool product_of(std::span<const std::size_t> dims, std::size_t& product) {
  constexpr std::size_t most = std::size_t{1} << 48;
  product = 1;
  for (const std::size_t n : dims) {
    if (n != 0 && product > most / n) return false;
    product *= n;
  }
  return true;
}

PixelArray from_interleaved(PixelArray images) {
  if (images.shape.channels > 1) {
    std::visit([&](auto& values) { deinterleave(values, images.count, images.shape); }, images.values);
  }
  return images;
}

PixelArray to_pixels(NumberArray array, PixelLayout layout, const std::string& origin) {
  const std::vector<std::size_t>& dims = array.dims;
  const std::string found = fmt::format("[{}]", fmt::join(dims, ", "));
  if (dims.size() != 3 && dims.size() != 4) {
    refuse(origin, "images: [N, H, W], [N, H, W, C] or [N, C, H, W]", found, "is this the file of the labels?");
  }
  std::size_t h = dims[1], w = dims[2], c = 1;
  bool interleaved = false;
  if (dims.size() == 4) {
    interleaved = decided(dims, layout, origin) == PixelLayout::nhwc;
    h = interleaved ? dims[1] : dims[2];
    w = interleaved ? dims[2] : dims[3];
    c = interleaved ? dims[3] : dims[1];
  }
  if (dims[0] == 0) refuse(origin, "at least one image", found, "");
  for (const std::size_t side : {c, h, w}) {
    if (side < 1 || side > longest_side) refuse(origin, fmt::format("axes from 1 to {}", longest_side), found, "");
  }
  PixelArray images;
  images.count = dims[0];
  images.shape = {static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)};
  if (auto* bytes = std::get_if<std::vector<std::uint8_t>>(&array.values)) {
    images.values = std::move(*bytes);
  } else if (auto* floats = std::get_if<std::vector<float>>(&array.values)) {
    require_finite(*floats, images.shape.size(), origin);
    images.values = std::move(*floats);
  } else {
    refuse(origin, "pixels of 8 bits without sign, or of floating point", "other integers", "convert them to uint8");
  }
  return interleaved ? from_interleaved(std::move(images)) : images;
}

std::vector<std::int32_t> to_labels(const NumberArray& array, const std::string& origin) {
  const std::vector<std::size_t>& dims = array.dims;
  const bool column = dims.size() == 2 && dims[1] == 1;
  if (dims.size() != 1 && !column) {
    refuse(origin, "labels: [N] or [N, 1]", fmt::format("[{}]", fmt::join(dims, ", ")),
           "is this the file of the images, or one-hot?");
  }
  std::vector<std::int32_t> labels;
  labels.reserve(dims[0]);
  const auto take = [&](const auto& values) {
    for (const auto value : values) {
      const auto number = static_cast<double>(value);
      if (!(number >= 0 && number <= std::numeric_limits<std::int32_t>::max()) || number != std::floor(number)) {
        refuse(origin, "labels that are whole numbers from 0 on", fmt::format("{} for image {}", value, labels.size()),
               "");
      }
      labels.push_back(static_cast<std::int32_t>(value));
    }
  };
  std::visit(take, array.values);
  return labels;
}

}  // namespace ridgeline
