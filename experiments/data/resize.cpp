#include "experiments/data/resize.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ridgeline {
namespace {

// The source pixels of one output pixel: `count` from `first` on, with weights that sum to 1.
struct Taps {
  std::size_t first = 0, count = 0, weights_at = 0;
};

struct Filter {
  std::vector<Taps> taps;  // one an output pixel
  std::vector<float> weights;
};

Filter filter_of(int from, int to) {
  const double scale = static_cast<double>(from) / to, reach = std::max(scale, 1.0);
  Filter filter;
  std::vector<double> row;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const int low = std::max(0, static_cast<int>(std::floor(centre - reach - 0.5)));
    const int high = std::min(from - 1, static_cast<int>(std::ceil(centre + reach - 0.5)));
    row.clear();
    int first = low;
    double sum = 0;
    for (int j = low; j <= high; ++j) {
      const double weight = 1.0 - std::abs(j + 0.5 - centre) / reach;
      if (weight > 0) {
        row.push_back(weight);
        sum += weight;
      } else if (row.empty()) {
        first = j + 1;
      }
    }
    filter.taps.push_back({static_cast<std::size_t>(first), row.size(), filter.weights.size()});
    for (const double weight : row) filter.weights.push_back(static_cast<float>(weight / sum));
  }
  return filter;
}

// Resizes planes of one shape; keeps what does not depend on the plane.
class PlaneResizer {
 public:
  PlaneResizer(const ImageShape& from, const ImageShape& to)
      : height_(static_cast<std::size_t>(from.height)),
        width_(static_cast<std::size_t>(from.width)),
        across_(filter_of(from.width, to.width)),
        down_(filter_of(from.height, to.height)),
        narrow_(height_ * across_.taps.size()) {}

  void operator()(const float* from, float* to) {
    const std::size_t columns = across_.taps.size();
    for (std::size_t y = 0; y < height_; ++y) {
      for (std::size_t x = 0; x < columns; ++x) {
        const Taps& taps = across_.taps[x];
        const float* source = from + y * width_ + taps.first;
        const float* weights = across_.weights.data() + taps.weights_at;
        float sum = 0;
        for (std::size_t k = 0; k < taps.count; ++k) sum += weights[k] * source[k];
        narrow_[y * columns + x] = sum;
      }
    }
    for (std::size_t y = 0; y < down_.taps.size(); ++y) {
      const Taps& taps = down_.taps[y];
      float* row = to + y * columns;
      std::fill_n(row, columns, 0.0F);
      for (std::size_t k = 0; k < taps.count; ++k) {
        const float weight = down_.weights[taps.weights_at + k];
        const float* source = narrow_.data() + (taps.first + k) * columns;
        for (std::size_t x = 0; x < columns; ++x) row[x] += weight * source[x];
      }
    }
  }

 private:
  std::size_t height_, width_;
  Filter across_, down_;
  std::vector<float> narrow_;  // a plane of the new width and the old height
};

void require_sizes(const ImageShape& from, const ImageShape& to) {
  const bool positive = std::min({from.channels, from.height, from.width, to.height, to.width}) > 0;
  if (!positive || from.channels != to.channels) throw std::logic_error("resize: shapes that do not fit");
}

}  // namespace

void resize_images(std::span<const float> from, const ImageShape& from_shape, std::span<float> to,
                   const ImageShape& to_shape) {
  require_sizes(from_shape, to_shape);
  const std::size_t count = from.size() / from_shape.size();
  if (from.size() != count * from_shape.size() || to.size() != count * to_shape.size()) {
    throw std::logic_error("resize: not as many images on both sides");
  }
  if (from_shape == to_shape) {
    std::copy(from.begin(), from.end(), to.begin());
    return;
  }
  const auto channels = static_cast<std::size_t>(from_shape.channels);
  const std::size_t from_plane = from_shape.size() / channels, to_plane = to_shape.size() / channels;
  PlaneResizer resize(from_shape, to_shape);
  for (std::size_t p = 0; p < count * channels; ++p) resize(from.data() + p * from_plane, to.data() + p * to_plane);
}

std::vector<float> resized(std::vector<float> images, const ImageShape& from, const ImageShape& to) {
  if (from == to) return images;
  require_sizes(from, to);
  std::vector<float> made(images.size() / from.size() * to.size());
  resize_images(images, from, made, to);
  return made;
}

}  // namespace ridgeline
