// Images and labels as a reader hands them over: pixels in the order [N, C, H, W], 8-bit or float.
//
// Readers of array formats (IDX, NPY) return a `NumberArray` first, which says only what the file holds;
// `to_pixels` and `to_labels` turn it into images and labels and say what does not fit. Everything throws ConfigError
// with the file (`origin`), what was expected, what was found and a remedy. Values; thread-safe to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace ridgeline {

struct ImageShape {
  int channels = 0, height = 0, width = 0;

  std::size_t size() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
  bool operator==(const ImageShape&) const = default;
};

std::string shape_text(const ImageShape& shape);  // "3x32x32"

// [N, C, H, W], row by row. 8-bit values stand for value/255; floats are as stored, and finite.
struct PixelArray {
  std::size_t count = 0;
  ImageShape shape;
  std::variant<std::vector<std::uint8_t>, std::vector<float>> values;
};

// How the file orders the axes of one image. `unstated`: the axis of length 1 or 3 is the channel.
enum class PixelLayout : std::uint8_t { unstated, nchw, nhwc };

struct NumberArray {
  std::vector<std::size_t> dims;
  std::variant<std::vector<std::uint8_t>, std::vector<float>, std::vector<std::int64_t>> values;
};

// [N, H, W] or a four-dimensional array. Refuses: other numbers of dimensions, empty axes, integers other than 8-bit,
// numbers that are not finite, an `unstated` layout that both orders fit.
PixelArray to_pixels(NumberArray array, PixelLayout layout, const std::string& origin);
// One label an image: [N] or [N, 1], whole numbers from 0 on.
std::vector<std::int32_t> to_labels(const NumberArray& array, const std::string& origin);
// Images in the order [N, H, W, C] brought to [N, C, H, W].
PixelArray from_interleaved(PixelArray images);

// The product, or nothing where it does not fit into 48 bits: no file is as long, and it may be multiplied once more.
bool product_of(std::span<const std::size_t> dims, std::size_t& product);

}  // namespace ridgeline
