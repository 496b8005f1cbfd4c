// Any bytes are a data file or a ConfigError; what parses keeps the promises of its type. The first byte chooses the
// format: i IDX, n NPY, z NPZ, c CIFAR-10, C CIFAR-100, p an image, j a description.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "experiments/data/array_files.hpp"
#include "experiments/data/image_codec.hpp"
#include "experiments/data/split_reader.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void use_array(const ridgeline::NumberArray& array) {
  std::size_t count = 0;
  require(ridgeline::product_of(array.dims, count));
  require(std::visit([](const auto& values) { return values.size(); }, array.values) == count);
  try {
    require(ridgeline::to_labels(array, "labels").size() == array.dims[0]);
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  const ridgeline::PixelArray pixels = ridgeline::to_pixels(array, ridgeline::PixelLayout::nhwc, "images");
  const ridgeline::LabelledImages images(pixels, std::vector<std::int32_t>(pixels.count));
  const ridgeline::Normalisation normalisation = ridgeline::normalisation_of(images);
  for (const float deviation : normalisation.stddev) require(deviation > 0);
}

void use_images(const ridgeline::LabelledImages& images, std::size_t classes) {
  require(images.size() > 0);
  std::size_t sum = 0;
  for (const std::size_t n : ridgeline::class_counts(images, classes)) sum += n;
  require(sum == images.size());
  std::vector<float> values(images.shape().size());
  images.copy(images.size() - 1, values);
  for (const float v : values) require(v >= 0 && v <= 1);
}

void use_description(std::string_view text) {
  const ridgeline::DatasetDescription description =
      ridgeline::parse_description(ridgeline::JsonDocument::parse(text, "dataset.json"), "/nonexistent");
  require(!description.train.images.empty());
  require(description.validation_share > 0 && description.validation_share < 1);
  // Nothing is there to be read.
  ridgeline::read_split(description, description.train, description.classes, {});
  std::abort();
}

void read(char format, std::string_view bytes) {
  switch (format) {
    case 'i':
      return use_array(ridgeline::parse_idx(bytes, "x"));
    case 'n':
      return use_array(ridgeline::parse_npy(bytes, "x"));
    case 'z':
      for (const std::string& name : ridgeline::npz_names(bytes, "x")) {
        use_array(ridgeline::parse_npz(bytes, name, "x"));
      }
      return;
    case 'c':
      return use_images(ridgeline::parse_cifar(bytes, {1, 10}, "x"), 10);
    case 'C':
      return use_images(ridgeline::parse_cifar(bytes, {2, 100}, "x"), 100);
    case 'p':
      return use_images({ridgeline::decode_image(bytes, "x"), {0}}, 1);
    case 'j':
      return use_description(bytes);
    default:
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    read(static_cast<char>(data[0]), {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  return 0;
}
