// Labelled images for training: what a search may see (train and validation), and the test split behind a call of its
// own, so that nothing a search does can have looked at it.
//
// A `LabelledImages` is immutable once built; everything here may be read from several threads. Loaders throw
// ConfigError: every message names the file, the place in it, what was expected, what was found and the remedy.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/data/description.hpp"
#include "experiments/data/pixels.hpp"

namespace ridgeline {

class LabelledImages {
 public:
  LabelledImages() = default;
  // As many labels as images; throws std::logic_error otherwise.
  LabelledImages(PixelArray pixels, std::vector<std::int32_t> labels);

  std::size_t size() const { return labels_.size(); }
  const ImageShape& shape() const { return pixels_.shape; }
  std::int32_t label(std::size_t i) const { return labels_[i]; }
  std::span<const std::int32_t> labels() const { return labels_; }
  const PixelArray& pixels() const { return pixels_; }
  // Image i, [C, H, W], into shape().size() floats: 8-bit pixels scaled to 0..1, floats as stored.
  void copy(std::size_t i, std::span<float> out) const;
  LabelledImages subset(std::span<const std::uint32_t> indices) const;
  std::uint64_t fingerprint() const;  // of shape, pixels and labels

 private:
  PixelArray pixels_;
  std::vector<std::int32_t> labels_;
};

// Of the scaled values as LabelledImages::copy gives them; population standard deviation, 1 where a channel is
// constant.
struct Normalisation {
  std::vector<float> mean, stddev;  // one a channel
};
Normalisation normalisation_of(const LabelledImages& images);

// Images of each class.
std::vector<std::size_t> class_counts(const LabelledImages& images, std::size_t classes);

struct Dataset {
  std::string name;
  std::vector<std::string> class_names;
  LabelledImages train, validation;
  Normalisation normalisation;    // of train, or what its description states
  std::uint64_t fingerprint = 0;  // of train and validation
};

// Called with a phase ("train") and how much of it is done.
using DataProgress = std::function<void(const std::string& phase, std::size_t done, std::size_t total)>;

// `path`: see read_description. Without a validation split, one is taken off train: the images at the last
// round(share * N) places of an order shuffled by (validation_seed, "validation"); both parts keep the files' order.
Dataset load_dataset(const std::filesystem::path& path, const DataProgress& progress = {});
// The only way to see test. Labels and sizes are checked against those of the train split.
LabelledImages load_test_split(const std::filesystem::path& path, const DataProgress& progress = {});

}  // namespace ridgeline
