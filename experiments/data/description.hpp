// What a data set consists of: the written description dataset.json (see README.md of this folder), or one put together
// for a folder of a known layout. It names files and formats; nothing of the pixels is read here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/data/pixels.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

enum class DataFormat : std::uint8_t { idx, cifar10, cifar100, npy, npz, images, raw };
const std::vector<std::string>& data_format_names();  // indexed by DataFormat

enum class RawType : std::uint8_t { unsigned_bytes, signed_bytes, floats };

// Paths are complete. Which members are set depends on the format.
struct SplitFiles {
  std::vector<std::string> images;     // the file or files; for `images` the folder with one folder a class
  std::string labels;                  // empty for cifar, npz and images
  std::string images_key, labels_key;  // the arrays' names in an NPZ file
};

struct DatasetDescription {
  std::string name;
  std::string origin;  // the file or folder that was named, for messages
  DataFormat format = DataFormat::idx;
  PixelLayout layout = PixelLayout::unstated;
  std::vector<std::string> classes;            // empty: numbered, or named by the folders of `images`
  std::vector<std::size_t> shape;              // raw: of one image, in the order of `layout`
  RawType raw_type = RawType::unsigned_bytes;  // raw: of one number
  std::optional<double> scale;       // what stored numbers are multiplied by; without it, bytes stand for value/255
  std::vector<double> mean, stddev;  // of the scaled values, one or one a channel; empty: measured on train
  SplitFiles train, test;
  std::optional<SplitFiles> validation;
  // Without a validation split: the share of train that becomes one, and the seed that chooses which.
  double validation_share = 0.1;
  std::uint64_t validation_seed = 0;
};

// A folder with dataset.json, the path of such a file or of an .npz file, or a folder of a known layout: IDX files
// named as those of MNIST, CIFAR-10 or CIFAR-100 binary files, train/CLASS/*.png. Throws ConfigError.
DatasetDescription read_description(const std::filesystem::path& path);
// The written form; `folder` is what file names are relative to. Throws ConfigError with every problem.
DatasetDescription parse_description(JsonDocument document, const std::filesystem::path& folder);

}  // namespace ridgeline
