// Mini-batches in an order that is a function of (seed, epoch), augmented from (seed, epoch, image): the same for any
// number of threads, any batch size and wherever training was interrupted.
//
// mixup (Zhang et al., 2018): an image becomes share * image + (1 - share) * other, where `other` is any image of the
// split, with its own augmentation, and share is drawn from Beta(alpha, alpha); the loss is mixed by the same share.
//
// Immutable; `fill` may be called from several threads with a batch each. `images` must outlive it.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/data/augmentation.hpp"
#include "experiments/data/dataset.hpp"

namespace ridgeline {

struct BatchOptions {
  std::size_t size = 64;
  std::uint64_t seed = 1;
  bool shuffle = true;     // off: the order of the split, for evaluation
  bool drop_last = false;  // leave out a last batch that is not full
  AugmentOptions augment{};
};

struct ImageBatch {
  std::size_t size = 0;              // N: the last batch may be smaller
  std::vector<float> images;         // [N, C, H, W], normalised
  std::vector<std::int32_t> labels;  // [N]
  std::vector<std::int32_t> others;  // [N] labels of the images mixed in; empty without mixup
  std::vector<float> shares;         // [N] of `labels`, the rest is that of `others`; empty without mixup
};

class ImageEpoch {
 public:
  std::size_t batches() const;
  const std::vector<std::uint32_t>& order() const& { return order_; }  // indices of images
  const std::vector<std::uint32_t>& order() const&& = delete;
  void fill(std::size_t batch, ImageBatch& out) const;  // reuses the memory of `out`

 private:
  friend class ImageBatches;
  ImageEpoch(const class ImageBatches& source, std::uint64_t number);
  void put(std::uint32_t image, std::span<float> out) const;
  void mix(std::uint32_t image, std::size_t row, ImageBatch& out) const;

  const class ImageBatches* source_;
  std::uint64_t stream_;  // of this epoch's augmentation
  std::vector<std::uint32_t> order_;
};

class ImageBatches {
 public:
  // Throws ConfigError for options that do not fit, std::logic_error for a normalisation of other channels.
  ImageBatches(const LabelledImages& images, Normalisation normalisation, const BatchOptions& options);
  ImageEpoch epoch(std::uint64_t number) const { return {*this, number}; }  // refers to this object

 private:
  friend class ImageEpoch;
  const LabelledImages* images_;
  Normalisation normalisation_;
  BatchOptions options_;
};

// In place: (pixel - mean) / standard deviation of its channel.
void normalise(std::span<float> image, const ImageShape& shape, const Normalisation& normalisation);

}  // namespace ridgeline
