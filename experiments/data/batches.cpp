#include "experiments/data/batches.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace ridgeline {

void normalise(std::span<float> image, const ImageShape& shape, const Normalisation& normalisation) {
  const std::size_t plane = shape.size() / static_cast<std::size_t>(shape.channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(shape.channels); ++c) {
    for (float& value : image.subspan(c * plane, plane)) {
      value = (value - normalisation.mean[c]) / normalisation.stddev[c];
    }
  }
}

ImageBatches::ImageBatches(const LabelledImages& images, Normalisation normalisation, const BatchOptions& options)
    : images_(&images), normalisation_(std::move(normalisation)), options_(options) {
  const auto channels = static_cast<std::size_t>(images.shape().channels);
  if (normalisation_.mean.size() != channels || normalisation_.stddev.size() != channels) {
    throw std::logic_error("ImageBatches: a normalisation of other channels");
  }
  if (options.size < 1) throw ConfigError({"", "batch", "at least 1 image", "0", ""});
  check_augmentation(options.augment, images.shape(), "augmentation");
}

ImageEpoch::ImageEpoch(const ImageBatches& source, std::uint64_t number)
    : source_(&source),
      stream_(Rng::derive(source.options_.seed, "augmentation", number)),
      order_(source.images_->size()) {
  std::iota(order_.begin(), order_.end(), 0U);
  if (!source.options_.shuffle) return;
  Rng rng(source.options_.seed, "batches", number);
  rng.shuffle(std::span(order_));
}

std::size_t ImageEpoch::batches() const {
  const std::size_t size = source_->options_.size;
  return source_->options_.drop_last ? order_.size() / size : (order_.size() + size - 1) / size;
}

void ImageEpoch::put(std::uint32_t image, std::span<float> out) const {
  const ImageShape& shape = source_->images_->shape();
  source_->images_->copy(image, out);
  normalise(out, shape, source_->normalisation_);
  Rng rng(stream_, "image", image);
  augment(out, shape, source_->options_.augment, rng);
}

void ImageEpoch::mix(std::uint32_t image, std::size_t row, ImageBatch& out) const {
  const LabelledImages& images = *source_->images_;
  const std::size_t n = images.shape().size();
  Rng rng(stream_, "mixup", image);
  const auto other = static_cast<std::uint32_t>(rng.below(images.size()));
  const auto share = static_cast<float>(symmetric_beta(source_->options_.augment.mixup_alpha, rng));
  std::vector<float> pixels(n);
  put(other, pixels);
  float* mixed = out.images.data() + row * n;
  for (std::size_t i = 0; i < n; ++i) mixed[i] = share * mixed[i] + (1.0F - share) * pixels[i];
  out.others[row] = images.label(other);
  out.shares[row] = share;
}

void ImageEpoch::fill(std::size_t batch, ImageBatch& out) const {
  if (batch >= batches()) throw std::logic_error("ImageEpoch::fill: no such batch");
  const LabelledImages& images = *source_->images_;
  const std::size_t first = batch * source_->options_.size;
  const std::size_t n = images.shape().size();
  const bool mixes = source_->options_.augment.mixup_alpha > 0;
  out.size = std::min(source_->options_.size, order_.size() - first);
  out.images.resize(out.size * n);
  out.labels.resize(out.size);
  out.others.resize(mixes ? out.size : 0);
  out.shares.resize(mixes ? out.size : 0);
  for (std::size_t row = 0; row < out.size; ++row) {
    const std::uint32_t image = order_[first + row];
    put(image, std::span(out.images).subspan(row * n, n));
    out.labels[row] = images.label(image);
    if (mixes) mix(image, row, out);
  }
}

}  // namespace ridgeline
