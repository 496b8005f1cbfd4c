// Resizing, by closed forms and beside a matrix of weights made without its shortcuts.
#include "experiments/data/resize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

std::vector<float> resize_one(const std::vector<float>& image, const ImageShape& from, int height, int width) {
  return resized(image, from, {from.channels, height, width});
}

std::vector<float> noise(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(rng.below(1000)) / 999.0F;
  return values;
}

// to x from, every entry written down, rows divided by their sums.
std::vector<std::vector<double>> dense_weights(int from, int to) {
  const double scale = static_cast<double>(from) / to, reach = scale > 1 ? scale : 1;
  std::vector<std::vector<double>> rows(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    double sum = 0;
    std::vector<double>& row = rows[static_cast<std::size_t>(i)];
    for (int j = 0; j < from; ++j) {
      row.push_back(std::max(0.0, 1 - std::abs((j + 0.5) - (i + 0.5) * scale) / reach));
      sum += row.back();
    }
    for (double& weight : row) weight /= sum;
  }
  return rows;
}

std::vector<float> dense_resize(const std::vector<float>& image, const ImageShape& from, int height, int width) {
  const auto down = dense_weights(from.height, height), across = dense_weights(from.width, width);
  std::vector<float> made;
  for (int c = 0; c < from.channels; ++c) {
    for (const auto& rows : down) {
      for (const auto& columns : across) {
        double sum = 0;
        for (std::size_t y = 0; y < rows.size(); ++y) {
          for (std::size_t x = 0; x < columns.size(); ++x) {
            const std::size_t at = (static_cast<std::size_t>(c) * rows.size() + y) * columns.size() + x;
            sum += rows[y] * columns[x] * static_cast<double>(image[at]);
          }
        }
        made.push_back(static_cast<float>(sum));
      }
    }
  }
  return made;
}

TEST(Resize, EqualsTheDenseWeights) {
  const ImageShape from{3, 9, 14};
  const std::vector<float> images = noise(2 * from.size(), 1);
  for (const auto& [height, width] :
       std::vector<std::pair<int, int>>{{9, 14}, {18, 28}, {3, 7}, {5, 40}, {20, 3}, {1, 1}, {9, 13}}) {
    const std::vector<float> made = resized(images, from, {3, height, width});
    const auto half = static_cast<std::ptrdiff_t>(from.size());
    std::vector<float> expected = dense_resize({images.begin(), images.begin() + half}, from, height, width);
    const std::vector<float> second = dense_resize({images.begin() + half, images.end()}, from, height, width);
    expected.insert(expected.end(), second.begin(), second.end());
    EXPECT_THAT(made, Pointwise(FloatNear(1e-6F), expected)) << height << "x" << width;
  }
}

TEST(Resize, OneSizeIsTheSameBits) {
  const std::vector<float> image = noise(3 * 5 * 4, 2);
  EXPECT_EQ(resize_one(image, {3, 5, 4}, 5, 4), image);
}

TEST(Resize, ConstantsStay) {
  const std::vector<float> image(12 * 12, 0.7F);
  for (const int side : {1, 5, 7, 12, 13, 31}) {
    for (const float v : resize_one(image, {1, 12, 12}, side, 25 - side % 25)) EXPECT_NEAR(v, 0.7F, 2e-7F);
  }
}

// Pixel i's centre is at (i + 0.5) / n of the image: away from the border a ramp keeps its values there. Exactly where
// the image grows or the factor is whole; a triangle that is sampled elsewhere is off by less than a tenth of a pixel.
TEST(Resize, RampsStayLinear) {
  constexpr int from = 24;
  std::vector<float> image;
  for (int y = 0; y < from; ++y) {
    for (int x = 0; x < from; ++x) image.push_back((static_cast<float>(x) + 0.5F) / from);
  }
  for (const int to : {8, 11, 16, 23, 24, 37, 48}) {
    const std::vector<float> made = resize_one(image, {1, from, from}, to, to);
    const int margin = 1 + to / from;
    for (int x = margin; x < to - margin; ++x) {
      const float expected = (static_cast<float>(x) + 0.5F) / static_cast<float>(to);
      const float tolerance = to >= from || from % to == 0 ? 1e-6F : 0.1F / from;
      EXPECT_NEAR(made[static_cast<std::size_t>(3 * to + x)], expected, tolerance) << to << " " << x;
    }
  }
}

// Half the size: 1/8, 3/8, 3/8, 1/8 in the interior; at the border what lies outside is left out. Twice the size: 1/4
// and 3/4.
TEST(Resize, HalvesAndDoublesByHand) {
  const auto near = [](float v) { return FloatNear(v, 1e-6F); };
  EXPECT_THAT(resize_one({0, 0, 8, 0, 0, 0}, {1, 1, 6}, 1, 3), ElementsAre(near(8.0F / 7), near(3), near(0)));
  EXPECT_THAT(resize_one({0, 4, 0}, {1, 1, 3}, 1, 6),
              ElementsAre(near(0), near(1), near(3), near(3), near(1), near(0)));
}

// Each interior source pixel has the same weight in all: with a dark border, the mean stays.
TEST(Resize, ShrinkingKeepsTheMeanOfTheInterior) {
  std::vector<float> image = noise(32 * 32, 3);
  for (std::size_t i = 0; i < image.size(); ++i) {
    const std::size_t y = i / 32, x = i % 32;
    if (std::min(x, y) < 8 || std::max(x, y) > 23) image[i] = 0;
  }
  const auto mean = [](const std::vector<float>& values) {
    double sum = 0;
    for (const float v : values) sum += static_cast<double>(v);
    return sum / static_cast<double>(values.size());
  };
  EXPECT_NEAR(mean(resize_one(image, {1, 32, 32}, 16, 16)), mean(image), 1e-7);
  EXPECT_NEAR(mean(resize_one(image, {1, 32, 32}, 8, 16)), mean(image), 1e-7);
}

TEST(Resize, SizesThatDoNotFitAreRefused) {
  std::vector<float> to(4);
  EXPECT_THROW(resize_images(std::vector<float>(9), {1, 3, 3}, to, {1, 2, 1}), std::logic_error);
  EXPECT_THROW(resize_images(std::vector<float>(8), {1, 3, 3}, to, {1, 2, 2}), std::logic_error);
  EXPECT_THROW(resize_images(std::vector<float>(9), {1, 3, 3}, to, {4, 1, 1}), std::logic_error);
  EXPECT_THROW(resized(std::vector<float>(9), {1, 3, 3}, {1, 0, 2}), std::logic_error);
}

}  // namespace
}  // namespace ridgeline::testing
