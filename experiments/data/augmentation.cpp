#include "experiments/data/augmentation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

template <typename Row>
void for_each_row(std::span<float> image, const ImageShape& shape, const Row& row) {
  const auto width = static_cast<std::size_t>(shape.width);
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 0; y < shape.height; ++y) {
      row(image.subspan(static_cast<std::size_t>(c * shape.height + y) * width, width), y);
    }
  }
}

// Gamma(shape, 1). Below 1 by the variate of shape + 1 and a power of a uniform one.
double gamma_variate(double shape, Rng& rng) {
  if (shape < 1) {
    const double u = 1.0 - rng.uniform();
    return gamma_variate(shape + 1, rng) * std::pow(u, 1.0 / shape);
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = rng.normal();
    const double v = std::pow(1.0 + c * x, 3);
    if (v <= 0) continue;
    const double u = 1.0 - rng.uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

void check_augmentation(const AugmentOptions& options, const ImageShape& shape, const std::string& origin) {
  const int side = std::min(shape.height, shape.width);
  std::vector<Problem> problems;
  const auto within = [&](const char* name, int value, int most) {
    if (value < 0 || value > most) {
      problems.push_back(
          {origin, name, fmt::format("0 to {} for images of {}", most, shape_text(shape)), std::to_string(value), ""});
    }
  };
  within("crop_padding", options.crop_padding, side - 1);
  within("cutout", options.cutout, side);
  if (!(options.mixup_alpha >= 0 && options.mixup_alpha <= 100)) {
    problems.push_back({origin, "mixup_alpha", "0 to 100", fmt::format("{}", options.mixup_alpha), ""});
  }
  if (!problems.empty()) throw ConfigError(problems);
}

void shift_image(std::span<float> image, const ImageShape& shape, int dx, int dy) {
  const std::vector<float> before(image.begin(), image.end());
  std::fill(image.begin(), image.end(), 0.0F);
  const auto width = static_cast<std::size_t>(shape.width);
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = std::max(0, dy); y < std::min(shape.height, shape.height + dy); ++y) {
      const std::size_t to = static_cast<std::size_t>(c * shape.height + y) * width;
      const std::size_t from = static_cast<std::size_t>(c * shape.height + y - dy) * width;
      const int begin = std::max(0, dx), end = std::min(shape.width, shape.width + dx);
      for (int x = begin; x < end; ++x) {
        image[to + static_cast<std::size_t>(x)] = before[from + static_cast<std::size_t>(x - dx)];
      }
    }
  }
}

void flip_image(std::span<float> image, const ImageShape& shape) {
  for_each_row(image, shape, [](std::span<float> row, int) { std::reverse(row.begin(), row.end()); });
}

void cut_out(std::span<float> image, const ImageShape& shape, std::span<const int, 3> square) {
  const int left = std::max(0, square[0] - square[2] / 2), top = std::max(0, square[1] - square[2] / 2);
  const int right = std::min(shape.width, square[0] - square[2] / 2 + square[2]);
  const int bottom = std::min(shape.height, square[1] - square[2] / 2 + square[2]);
  if (left >= right) return;
  for_each_row(image, shape, [&](std::span<float> row, int y) {
    if (y >= top && y < bottom) std::fill(row.begin() + left, row.begin() + right, 0.0F);
  });
}

void augment(std::span<float> image, const ImageShape& shape, const AugmentOptions& options, Rng& rng) {
  const auto range = 2 * static_cast<std::uint64_t>(options.crop_padding) + 1;
  const int dx = static_cast<int>(rng.below(range)) - options.crop_padding;
  const int dy = static_cast<int>(rng.below(range)) - options.crop_padding;
  const bool mirrored = rng.chance(0.5);
  const std::array<int, 3> square{static_cast<int>(rng.below(static_cast<std::uint64_t>(shape.width))),
                                  static_cast<int>(rng.below(static_cast<std::uint64_t>(shape.height))),
                                  options.cutout};
  if (dx != 0 || dy != 0) shift_image(image, shape, dx, dy);
  if (options.flip && mirrored) flip_image(image, shape);
  if (options.cutout > 0) cut_out(image, shape, square);
}

double symmetric_beta(double alpha, Rng& rng) {
  const double a = gamma_variate(alpha, rng), b = gamma_variate(alpha, rng);
  // Both underflow for a very small alpha, whose mass is at the two ends.
  return a + b > 0 ? a / (a + b) : (rng.chance(0.5) ? 1.0 : 0.0);
}

}  // namespace ridgeline
