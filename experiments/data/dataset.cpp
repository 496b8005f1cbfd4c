#include "experiments/data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "experiments/data/split_reader.hpp"
#include "spaces/hash.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

std::vector<std::string> numbered(std::int32_t largest) {
  std::vector<std::string> names;
  for (std::int32_t i = 0; i <= largest; ++i) names.push_back(std::to_string(i));
  return names;
}

// What labels are checked against: what is described, the folders of the train split, or nothing.
std::vector<std::string> stated_classes(const DatasetDescription& description) {
  if (!description.classes.empty() || description.format != DataFormat::images) return description.classes;
  return class_folders(description.train.images.front());
}

void require_same_shape(const LabelledImages& split, const ImageShape& wanted, const SplitFiles& files) {
  if (split.shape() == wanted) return;
  throw ConfigError({files.images.front(), "", fmt::format("images of {}, as in train", shape_text(wanted)),
                     shape_text(split.shape()), "all splits must have one size"});
}

// Labels of a split that no list of classes bounds may not go far beyond the number of images: one wild label would
// make a network with as many outputs.
void require_plausible(std::int32_t largest, std::size_t images, const std::string& origin) {
  constexpr std::int32_t most = 65535;
  if (largest <= most && static_cast<std::size_t>(largest) < std::max<std::size_t>(images, 1000)) return;
  throw ConfigError({origin, "labels", fmt::format("numbers below the number of images ({})", images),
                     std::to_string(largest), "check the labels, or list \"classes\" in dataset.json"});
}

struct TrainSplit {
  LabelledImages images;
  std::vector<std::string> classes;
};

TrainSplit load_train(const DatasetDescription& description, const DataProgress& progress) {
  TrainSplit train;
  train.classes = stated_classes(description);
  train.images = read_split(description, description.train, train.classes, progress);
  if (train.classes.empty()) {
    const auto labels = train.images.labels();
    const std::int32_t largest = *std::max_element(labels.begin(), labels.end());
    require_plausible(largest, train.images.size(), description.train.labels);
    train.classes = numbered(largest);
  }
  return train;
}

void take_validation(const DatasetDescription& description, Dataset& dataset) {
  const std::size_t n = dataset.train.size();
  const auto count = static_cast<std::size_t>(std::llround(description.validation_share * static_cast<double>(n)));
  if (count < 1 || count >= n) {
    throw ConfigError({description.origin, "validation_share", "a share that leaves images in both parts",
                       fmt::format("{} of {} images", count, n), "give more images or another share"});
  }
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  Rng rng(description.validation_seed, "validation");
  rng.shuffle(std::span(order));
  const auto cut = order.begin() + static_cast<std::ptrdiff_t>(n - count);
  std::sort(order.begin(), cut);
  std::sort(cut, order.end());
  dataset.validation = dataset.train.subset({cut, order.end()});
  dataset.train = dataset.train.subset({order.begin(), cut});
}

// A channel whose spread is lost in float32's rounding of its mean, or below the smallest normal number (whose inverse
// would be infinite), carries nothing: it is shifted only.
float usable_deviation(double deviation, double mean) {
  using Limits = std::numeric_limits<float>;
  const double smallest = std::max<double>(Limits::min(), std::fabs(mean) * Limits::epsilon());
  return deviation >= smallest ? static_cast<float>(deviation) : 1.0F;
}

Normalisation of_bytes(const std::vector<std::uint8_t>& values, const ImageShape& shape) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  const std::size_t plane = shape.size() / channels;
  std::vector<std::uint64_t> sums(channels), squares(channels);
  for (std::size_t at = 0, c = 0; at < values.size(); at += plane, c = (c + 1) % channels) {
    for (std::size_t p = 0; p < plane; ++p) {
      const std::uint64_t v = values[at + p];
      sums[c] += v;
      squares[c] += v * v;
    }
  }
  Normalisation result;
  const double n = static_cast<double>(values.size()) / static_cast<double>(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sums[c]) / n;
    const double variance = std::max(0.0, static_cast<double>(squares[c]) / n - mean * mean);
    result.mean.push_back(static_cast<float>(mean / 255.0));
    result.stddev.push_back(usable_deviation(std::sqrt(variance) / 255.0, mean / 255.0));
  }
  return result;
}

Normalisation of_floats(const std::vector<float>& values, const ImageShape& shape) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  const std::size_t plane = shape.size() / channels;
  const double n = static_cast<double>(values.size()) / static_cast<double>(channels);
  Normalisation result;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto sum = [&](auto&& term) {
      double total = 0;
      for (std::size_t at = c * plane; at < values.size(); at += shape.size()) {
        for (std::size_t p = 0; p < plane; ++p) total += term(static_cast<double>(values[at + p]));
      }
      return total;
    };
    const double mean = sum([](double v) { return v; }) / n;
    const double variance = sum([&](double v) { return (v - mean) * (v - mean); }) / n;
    result.mean.push_back(static_cast<float>(mean));
    result.stddev.push_back(usable_deviation(std::sqrt(variance), mean));
  }
  return result;
}

Normalisation stated_normalisation(const DatasetDescription& description, const Dataset& dataset) {
  const auto channels = static_cast<std::size_t>(dataset.train.shape().channels);
  const auto spread = [&](const std::vector<double>& values, const char* key) {
    std::vector<float> result(values.begin(), values.end());
    if (result.size() == 1) result.assign(channels, result[0]);
    if (result.size() == channels) return result;
    throw ConfigError({description.origin, key, fmt::format("one number, or {}: one a channel", channels),
                       std::to_string(result.size()), ""});
  };
  return {spread(description.mean, "mean"), spread(description.stddev, "stddev")};
}

}  // namespace

LabelledImages::LabelledImages(PixelArray pixels, std::vector<std::int32_t> labels)
    : pixels_(std::move(pixels)), labels_(std::move(labels)) {
  const std::size_t held = std::visit([](const auto& values) { return values.size(); }, pixels_.values);
  if (pixels_.count != labels_.size() || held != pixels_.count * pixels_.shape.size()) {
    throw std::logic_error("LabelledImages: images and labels do not match");
  }
}

void LabelledImages::copy(std::size_t i, std::span<float> out) const {
  const std::size_t n = pixels_.shape.size();
  if (i >= size() || out.size() != n) throw std::logic_error("LabelledImages::copy: index or size");
  if (const auto* bytes = std::get_if<std::vector<std::uint8_t>>(&pixels_.values)) {
    for (std::size_t k = 0; k < n; ++k) out[k] = static_cast<float>((*bytes)[i * n + k]) / 255.0F;
  } else {
    std::memcpy(out.data(), std::get<std::vector<float>>(pixels_.values).data() + i * n, n * sizeof(float));
  }
}

LabelledImages LabelledImages::subset(std::span<const std::uint32_t> indices) const {
  PixelArray pixels;
  pixels.count = indices.size();
  pixels.shape = pixels_.shape;
  const std::size_t n = pixels_.shape.size();
  std::visit(
      [&](const auto& values) {
        std::remove_cvref_t<decltype(values)> taken(indices.size() * n);
        for (std::size_t k = 0; k < indices.size(); ++k)
          std::copy_n(values.data() + indices[k] * n, n, taken.data() + k * n);
        pixels.values = std::move(taken);
      },
      pixels_.values);
  std::vector<std::int32_t> labels;
  labels.reserve(indices.size());
  for (const std::uint32_t i : indices) labels.push_back(labels_[i]);
  return {std::move(pixels), std::move(labels)};
}

std::uint64_t LabelledImages::fingerprint() const {
  Hasher hasher;
  hasher.add(pixels_.shape.channels).add(pixels_.shape.height).add(pixels_.shape.width);
  const auto add = [&](const auto& values) {
    using Value = typename std::remove_cvref_t<decltype(values)>::value_type;
    hasher.add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)));
  };
  std::visit(add, pixels_.values);
  add(labels_);
  return hasher.value();
}

Normalisation normalisation_of(const LabelledImages& images) {
  if (images.size() == 0) throw std::logic_error("normalisation_of: no images");
  if (const auto* bytes = std::get_if<std::vector<std::uint8_t>>(&images.pixels().values)) {
    return of_bytes(*bytes, images.shape());
  }
  return of_floats(std::get<std::vector<float>>(images.pixels().values), images.shape());
}

std::vector<std::size_t> class_counts(const LabelledImages& images, std::size_t classes) {
  std::vector<std::size_t> counts(classes);
  for (const std::int32_t label : images.labels()) ++counts.at(static_cast<std::size_t>(label));
  return counts;
}

Dataset load_dataset(const std::filesystem::path& path, const DataProgress& progress) {
  const DatasetDescription description = read_description(path);
  TrainSplit train = load_train(description, progress);
  Dataset dataset;
  dataset.name = description.name;
  dataset.class_names = std::move(train.classes);
  dataset.train = std::move(train.images);
  if (description.validation) {
    dataset.validation = read_split(description, *description.validation, dataset.class_names, progress);
    require_same_shape(dataset.validation, dataset.train.shape(), *description.validation);
  } else {
    take_validation(description, dataset);
  }
  dataset.normalisation =
      description.mean.empty() ? normalisation_of(dataset.train) : stated_normalisation(description, dataset);
  dataset.fingerprint = Hasher().add(dataset.train.fingerprint()).add(dataset.validation.fingerprint()).value();
  return dataset;
}

LabelledImages load_test_split(const std::filesystem::path& path, const DataProgress& progress) {
  const DatasetDescription description = read_description(path);
  if (description.test.images.empty()) {
    throw ConfigError({description.origin, "", "a test split", "none", "describe its files in dataset.json"});
  }
  const TrainSplit train = load_train(description, progress);
  LabelledImages test = read_split(description, description.test, train.classes, progress);
  require_same_shape(test, train.images.shape(), description.test);
  return test;
}

}  // namespace ridgeline
