#include "experiments/data/description.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "experiments/data/array_files.hpp"
#include "experiments/whole_file.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t version = 1;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}
bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

SplitFiles read_split(JsonReader& split, DataFormat format, const fs::path& folder) {
  const auto located = [&](const std::string& name) { return (folder / name).string(); };
  SplitFiles files;
  switch (format) {
    case DataFormat::idx:
    case DataFormat::npy:
    case DataFormat::raw:
      files.images = {located(split.string("images"))};
      files.labels = located(split.string("labels"));
      break;
    case DataFormat::cifar10:
    case DataFormat::cifar100:
      for (const std::string& name : split.strings("files")) files.images.push_back(located(name));
      if (files.images.empty()) split.note("files", "at least one file", "none");
      break;
    case DataFormat::npz:
      files.images = {located(split.string("file"))};
      files.images_key = split.string("images");
      files.labels_key = split.string("labels");
      break;
    case DataFormat::images:
      files.images = {located(split.string("folder"))};
      break;
  }
  split.finish();
  return files;
}

void read_classes(JsonReader& root, DatasetDescription& description) {
  description.classes = root.strings("classes", false);
  std::set<std::string> seen;
  for (const std::string& name : description.classes) {
    if (!seen.insert(name).second) root.note("classes", "names that differ", fmt::format("'{}' twice", name));
  }
}

void read_raw(JsonReader& root, DatasetDescription& description) {
  static const std::vector<std::string> types{"u8", "i8", "f32"};  // in the order of RawType
  const std::string type = root.word("type", types, "u8");
  description.raw_type = static_cast<RawType>(std::ranges::find(types, type) - types.begin());
  const std::vector<double> shape = root.numbers("shape");
  for (const double n : shape) {
    if (n < 1 || n > 65536 || n != static_cast<double>(static_cast<std::size_t>(n))) {
      root.note("shape", "whole numbers from 1 to 65536", fmt::format("{}", n));
      return;
    }
    description.shape.push_back(static_cast<std::size_t>(n));
  }
  if (shape.size() != 3) root.note("shape", "the three axes of one image", fmt::format("{}", shape.size()));
  if (description.layout == PixelLayout::unstated) description.layout = PixelLayout::nchw;
}

void read_normalisation(JsonReader& root, DatasetDescription& description) {
  if (root.has("scale")) description.scale = root.number("scale", {.least = 1e-12, .most = 1e12});
  description.mean = root.numbers("mean", false);
  description.stddev = root.numbers("stddev", false);
  if (description.mean.size() != description.stddev.size()) {
    root.note("stddev", "as many numbers as \"mean\"", fmt::format("{}", description.stddev.size()));
  }
  // What float32 holds: a deviation of 1e-60 would become nought, a mean of 1e300 infinite.
  constexpr double least = 1e-12, most = 1e12;
  for (const double value : description.mean) {
    if (!(std::fabs(value) <= most)) root.note("mean", "numbers from -1e12 to 1e12", fmt::format("{}", value));
  }
  for (const double value : description.stddev) {
    if (!(value >= least && value <= most))
      root.note("stddev", "positive numbers (1e-12 to 1e12)", fmt::format("{}", value));
  }
}

DatasetDescription of_json_file(const fs::path& file) {
  return parse_description(JsonDocument::load(file.string()), file.parent_path());
}

// Files of MNIST's naming, plain or gzip.
std::optional<std::string> idx_file(const fs::path& folder, const std::string& split, const std::string& what) {
  for (const char* rank : {"1", "2", "3", "4"}) {
    if ((what == "labels") != (rank[0] == '1')) continue;
    for (const char* dash : {"-", "."}) {
      for (const char* zip : {"", ".gz"}) {
        const fs::path path = folder / fmt::format("{}-{}{}idx{}-ubyte{}", split, what, dash, rank, zip);
        if (is_file(path)) return path.string();
      }
    }
  }
  return std::nullopt;
}

std::optional<SplitFiles> idx_split(const fs::path& folder, std::span<const char* const> names) {
  for (const char* name : names) {
    const auto images = idx_file(folder, name, "images");
    const auto labels = idx_file(folder, name, "labels");
    if (images && labels) return SplitFiles{{*images}, *labels, "", ""};
  }
  return std::nullopt;
}

constexpr std::array<const char*, 1> train_names{"train"};
constexpr std::array<const char*, 3> validation_names{"val", "validation", "valid"};
constexpr std::array<const char*, 2> test_names{"test", "t10k"};

std::optional<DatasetDescription> of_idx_folder(const fs::path& folder) {
  const auto train = idx_split(folder, train_names);
  if (!train) return std::nullopt;
  DatasetDescription description;
  description.train = *train;
  description.validation = idx_split(folder, validation_names);
  description.test = idx_split(folder, test_names).value_or(SplitFiles{});
  return description;
}

std::optional<DatasetDescription> of_cifar_folder(const fs::path& folder) {
  DatasetDescription description;
  for (int i = 1; i <= 5; ++i) {
    const fs::path batch = folder / fmt::format("data_batch_{}.bin", i);
    if (is_file(batch)) description.train.images.push_back(batch.string());
  }
  description.format = DataFormat::cifar10;
  std::string test = "test_batch.bin", names = "batches.meta.txt";
  if (description.train.images.empty() && is_file(folder / "train.bin")) {
    description.format = DataFormat::cifar100;
    description.train.images = {(folder / "train.bin").string()};
    test = "test.bin";
    names = "fine_label_names.txt";
  }
  if (description.train.images.empty()) return std::nullopt;
  if (is_file(folder / test)) description.test.images = {(folder / test).string()};
  if (is_file(folder / names)) {
    const std::string text =
        read_whole_file((folder / names).string(), {.kind = "list of names", .most_bytes = 1 << 20});
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (end > at) description.classes.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  return description;
}

std::optional<DatasetDescription> of_image_folder(const fs::path& folder) {
  if (!is_folder(folder / "train")) return std::nullopt;
  DatasetDescription description;
  description.format = DataFormat::images;
  description.train.images = {(folder / "train").string()};
  for (const char* name : validation_names) {
    if (!description.validation && is_folder(folder / name)) {
      description.validation = SplitFiles{{(folder / name).string()}, "", "", ""};
    }
  }
  if (is_folder(folder / "test")) description.test.images = {(folder / "test").string()};
  return description;
}

// The names under which Keras and MedMNIST store their splits.
DatasetDescription of_npz_file(const fs::path& file) {
  const std::vector<std::string> names = npz_names(read_whole_file(file.string(), {.kind = "NPZ file"}), file.string());
  const auto has = [&](const std::string& name) { return std::binary_search(names.begin(), names.end(), name); };
  const auto find = [&](const std::vector<std::string>& splits) -> std::optional<SplitFiles> {
    for (const std::string& split : splits) {
      for (const auto& [x, y] : {std::pair{"x_" + split, "y_" + split}, {split + "_images", split + "_labels"}}) {
        if (has(x) && has(y)) return SplitFiles{{file.string()}, "", x, y};
      }
    }
    return std::nullopt;
  };
  const auto train = find({"train"});
  if (!train) {
    throw ConfigError({file.string(), "", "arrays x_train and y_train, or train_images and train_labels",
                       known_words("x_train", names), "or name the arrays in a dataset.json"});
  }
  DatasetDescription description;
  description.format = DataFormat::npz;
  description.train = *train;
  description.validation = find({"val", "validation", "valid"});
  description.test = find({"test"}).value_or(SplitFiles{});
  return description;
}

}  // namespace

const std::vector<std::string>& data_format_names() {
  static const std::vector<std::string> names{"idx", "cifar10", "cifar100", "npy", "npz", "images", "raw"};
  return names;
}

DatasetDescription parse_description(JsonDocument document, const fs::path& folder) {
  static const std::vector<std::string> layouts{"unstated", "nchw", "nhwc"};
  JsonReader root = document.root();
  DatasetDescription description;
  description.origin = document.origin();
  const std::int64_t found = root.integer("ridgeline_dataset");
  if (document.problems().empty() && found != version) {
    root.note("ridgeline_dataset", std::to_string(version), std::to_string(found),
              "the file was written for another version of ridgeline");
  }
  description.name = root.string("name");
  root.string("about", "");
  const std::vector<std::string>& formats = data_format_names();
  const std::string format = root.word("format", formats);
  description.format = static_cast<DataFormat>(std::find(formats.begin(), formats.end(), format) - formats.begin());
  const std::string layout = root.word("layout", layouts, "unstated");
  description.layout = static_cast<PixelLayout>(std::find(layouts.begin(), layouts.end(), layout) - layouts.begin());
  read_classes(root, description);
  if (description.format == DataFormat::raw) read_raw(root, description);
  read_normalisation(root, description);
  if (auto split = root.object("train")) description.train = read_split(*split, description.format, folder);
  if (auto split = root.object("validation", false)) {
    description.validation = read_split(*split, description.format, folder);
  }
  if (auto split = root.object("test", false)) description.test = read_split(*split, description.format, folder);
  description.validation_share = root.number("validation_share", {.fallback = 0.1, .least = 0.001, .most = 0.9});
  description.validation_seed =
      static_cast<std::uint64_t>(root.integer("validation_seed", {.fallback = 0, .least = 0}));
  root.finish();
  document.raise();
  return description;
}

DatasetDescription read_description(const fs::path& path) {
  if (is_file(path) && path.extension() != ".npz") return of_json_file(path);
  if (is_file(path / "dataset.json")) return of_json_file(path / "dataset.json");
  std::optional<DatasetDescription> description;
  if (is_file(path)) {
    description = of_npz_file(path);
  } else if (is_folder(path)) {
    description = of_idx_folder(path);
    if (!description) description = of_cifar_folder(path);
    if (!description) description = of_image_folder(path);
    if (!description) {
      throw ConfigError({path.string(), "",
                         "dataset.json, train-images-idx3-ubyte[.gz], data_batch_1.bin, train.bin or train/CLASS/*.png",
                         "none of them", "write a dataset.json: see experiments/data/README.md"});
    }
  } else {
    throw ConfigError({path.string(), "", "a folder of a data set, its dataset.json or an .npz file",
                       "no such file or folder", "'ridgeline data make glyphs --out glyphs' makes one"});
  }
  const fs::path shown = path.has_filename() ? path : path.parent_path();
  description->name = shown.stem().string();
  description->origin = path.string();
  return *description;
}

}  // namespace ridgeline
