// Order, augmentation and normalisation of training batches, by hand cases and by what must not depend on what.
#include "experiments/data/batches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ImageShape small{1, 2, 3};

std::vector<float> six() { return {1, 2, 3, 4, 5, 6}; }

TEST(Augmentation, StepsByHand) {
  std::vector<float> image = six();
  shift_image(image, small, 1, 0);
  EXPECT_THAT(image, ElementsAre(0, 1, 2, 0, 4, 5));
  image = six();
  shift_image(image, small, -2, 1);
  EXPECT_THAT(image, ElementsAre(0, 0, 0, 3, 0, 0));
  image = six();
  flip_image(image, small);
  EXPECT_THAT(image, ElementsAre(3, 2, 1, 6, 5, 4));
  image = six();
  cut_out(image, small, std::array{2, 0, 2});  // the square's corner is at column 1, row -1
  EXPECT_THAT(image, ElementsAre(1, 0, 0, 4, 5, 6));
  std::vector<float> two = six();
  flip_image(two, {2, 1, 3});
  EXPECT_THAT(two, ElementsAre(3, 2, 1, 6, 5, 4));
  shift_image(two, {2, 1, 3}, -1, 0);
  EXPECT_THAT(two, ElementsAre(2, 1, 0, 5, 4, 0));
}

TEST(Augmentation, EveryShiftOfTheRangeComesAsOftenAsAnyOther) {
  AugmentOptions options;
  options.crop_padding = 1;
  std::map<std::vector<float>, int> seen;
  for (std::uint64_t i = 0; i < 9000; ++i) {
    std::vector<float> image(9, 0.0F);
    image[4] = 1;
    Rng rng(3, "test", i);
    augment(image, {1, 3, 3}, options, rng);
    ++seen[image];
  }
  ASSERT_EQ(seen.size(), 9U);
  for (const auto& [image, n] : seen) EXPECT_NEAR(n, 1000, 150);  // five standard deviations
}

TEST(Augmentation, BetaHasItsMoments) {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    Rng rng(5);
    double sum = 0, squares = 0;
    constexpr int n = 40000;
    for (int i = 0; i < n; ++i) {
      const double x = symmetric_beta(alpha, rng);
      ASSERT_TRUE(x >= 0 && x <= 1);
      sum += x;
      squares += x * x;
    }
    const double variance = squares / n - sum / n * sum / n;
    EXPECT_NEAR(sum / n, 0.5, 0.01);
    EXPECT_NEAR(variance, 1.0 / (4 * (2 * alpha + 1)), 0.005) << alpha;
  }
}

TEST(Augmentation, OptionsThatDoNotFitAreAllNamed) {
  const std::string message = what_of([] { check_augmentation({32, false, -1, 0.0}, {1, 32, 32}, "study.json"); });
  EXPECT_THAT(message, AllOf(HasSubstr("study.json: crop_padding: expected 0 to 31"), HasSubstr("cutout")));
}

LabelledImages counted(std::size_t n, const ImageShape& shape) {
  PixelArray pixels;
  pixels.count = n;
  pixels.shape = shape;
  std::vector<std::uint8_t> values(n * shape.size());
  Rng rng(9);
  for (auto& v : values) v = static_cast<std::uint8_t>(rng.below(256));
  pixels.values = std::move(values);
  std::vector<std::int32_t> labels(n);
  std::iota(labels.begin(), labels.end(), 0);
  return {std::move(pixels), std::move(labels)};
}

TEST(ImageBatches, NormalisedTrainHasMeanNoughtAndDeviationOne) {
  for (const bool floats : {false, true}) {
    LabelledImages images = counted(300, {3, 4, 4});
    if (floats) {
      PixelArray pixels;
      pixels.count = images.size();
      pixels.shape = images.shape();
      std::vector<float> values(images.size() * 48);
      for (std::size_t i = 0; i < images.size(); ++i) images.copy(i, std::span(values).subspan(i * 48, 48));
      for (float& v : values) v = 100 * v - 7;
      pixels.values = std::move(values);
      images = {std::move(pixels), {images.labels().begin(), images.labels().end()}};
    }
    const ImageBatches source(images, normalisation_of(images), {.size = 300});
    ImageBatch batch;
    source.epoch(0).fill(0, batch);
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < 300; ++i) {
        for (std::size_t p = 0; p < 16; ++p) {
          const double v = batch.images[(i * 3 + c) * 16 + p];
          sum += v;
          squares += v * v;
        }
      }
      EXPECT_NEAR(sum / 4800, 0, 1e-5);
      EXPECT_NEAR(squares / 4800, 1, 1e-5);
    }
  }
}

TEST(ImageBatches, AnEpochIsEveryImageOnceAndAnotherOrderEachTime) {
  const LabelledImages images = counted(103, {1, 2, 2});
  const ImageBatches source(images, normalisation_of(images), {.size = 10, .seed = 4});
  const ImageEpoch first = source.epoch(0);
  EXPECT_EQ(first.batches(), 11U);
  std::multiset<std::int32_t> seen;
  ImageBatch batch;
  for (std::size_t b = 0; b < first.batches(); ++b) {
    first.fill(b, batch);
    EXPECT_EQ(batch.size, b < 10 ? 10U : 3U);
    seen.insert(batch.labels.begin(), batch.labels.end());
  }
  EXPECT_EQ(seen.size(), 103U);
  EXPECT_EQ(std::set<std::int32_t>(seen.begin(), seen.end()).size(), 103U);
  const ImageEpoch second = source.epoch(1), again = source.epoch(0);
  EXPECT_NE(first.order(), second.order());
  EXPECT_EQ(first.order(), again.order());
  const ImageBatches other(images, normalisation_of(images), {.size = 10, .seed = 5, .drop_last = true});
  const ImageEpoch shorter = other.epoch(0);
  EXPECT_NE(first.order(), shorter.order());
  EXPECT_EQ(shorter.batches(), 10U);
  const ImageBatches plain(images, normalisation_of(images), {.size = 10, .shuffle = false});
  const ImageEpoch seventh = plain.epoch(7);
  EXPECT_TRUE(std::is_sorted(seventh.order().begin(), seventh.order().end()));
}

BatchOptions everything(std::size_t size) {
  BatchOptions options{.size = size, .seed = 11};
  options.augment = {2, true, 3, 0.4};
  return options;
}

TEST(ImageBatches, AugmentationDoesNotDependOnBatchSizeOrThread) {
  const LabelledImages images = counted(64, {3, 8, 8});
  const Normalisation normalisation = normalisation_of(images);
  const ImageBatches large(images, normalisation, everything(64)), small_ones(images, normalisation, everything(16));
  ImageBatch whole;
  large.epoch(3).fill(0, whole);
  std::vector<ImageBatch> parts(4);
  const ImageEpoch epoch = small_ones.epoch(3);
  std::vector<std::thread> threads;
  for (std::size_t b = 4; b-- > 0;) threads.emplace_back([&, b] { epoch.fill(b, parts[b]); });
  for (std::thread& thread : threads) thread.join();
  std::vector<float> joined, shares;
  for (const ImageBatch& part : parts) {
    joined.insert(joined.end(), part.images.begin(), part.images.end());
    shares.insert(shares.end(), part.shares.begin(), part.shares.end());
  }
  EXPECT_EQ(joined, whole.images);
  EXPECT_EQ(shares, whole.shares);
  ImageBatch later;
  large.epoch(4).fill(0, later);
  EXPECT_NE(later.images, whole.images);
}

TEST(ImageBatches, MixupMixesImagesByTheShareThatItStates) {
  const LabelledImages images = counted(50, {1, 1, 5});
  const Normalisation none{{0.0F}, {1.0F}};
  BatchOptions options{.size = 50, .seed = 2};
  options.augment.mixup_alpha = 1.0;
  ImageBatch batch;
  ImageBatches(images, none, options).epoch(0).fill(0, batch);
  ASSERT_EQ(batch.shares.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) {
    std::array<float, 5> mine{}, other{};
    images.copy(static_cast<std::size_t>(batch.labels[i]), mine);
    images.copy(static_cast<std::size_t>(batch.others[i]), other);
    for (std::size_t k = 0; k < 5; ++k) {
      const float s = batch.shares[i];
      EXPECT_NEAR(batch.images[i * 5 + k], s * mine[k] + (1 - s) * other[k], 1e-6);
    }
  }
  options.augment.mixup_alpha = 0;
  ImageBatches(images, none, options).epoch(0).fill(0, batch);
  EXPECT_TRUE(batch.others.empty());
}

TEST(ImageBatches, AConstantChannelStaysFinite) {
  PixelArray pixels;
  pixels.count = 2;
  pixels.shape = {1, 1, 2};
  pixels.values = std::vector<std::uint8_t>(4, 51);
  const LabelledImages images(std::move(pixels), {0, 0});
  const Normalisation normalisation = normalisation_of(images);
  EXPECT_FLOAT_EQ(normalisation.mean[0], 0.2F);
  EXPECT_EQ(normalisation.stddev[0], 1.0F);
  ImageBatch batch;
  ImageBatches(images, normalisation, {.size = 2}).epoch(0).fill(0, batch);
  EXPECT_THAT(batch.images, Each(0.0F));
}

// A deviation that float32 rounds to nought, one whose inverse overflows, and one that is only rounding of the mean.
TEST(ImageBatches, AChannelWithoutAUsableDeviationStaysFinite) {
  constexpr float denormal = std::numeric_limits<float>::denorm_min();
  for (const auto& [low, high] : {std::pair{0.0F, denormal}, {0.0F, 1e-39F}, {1e20F, std::nextafter(1e20F, 2e20F)}}) {
    PixelArray pixels;
    pixels.count = 2;
    pixels.shape = {1, 1, 1};
    pixels.values = std::vector{low, high};
    const LabelledImages images(std::move(pixels), {0, 0});
    const Normalisation normalisation = normalisation_of(images);
    EXPECT_EQ(normalisation.stddev[0], 1.0F) << high;
    ImageBatch batch;
    ImageBatches(images, normalisation, {.size = 2}).epoch(0).fill(0, batch);
    for (const float value : batch.images) EXPECT_TRUE(std::isfinite(value)) << high;
  }
}

}  // namespace
}  // namespace ridgeline::testing
