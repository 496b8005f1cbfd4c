#include "experiments/data/split_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "experiments/data/array_files.hpp"
#include "experiments/data/image_folder.hpp"
#include "experiments/whole_file.hpp"

namespace ridgeline {
namespace {

std::string bytes_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw ConfigError({path, "", "a data file", "no such file", "check the name in dataset.json, or fetch the data"});
  }
  return read_whole_file(path, {.kind = "data file"});
}

LabelledImages paired(PixelArray images, std::vector<std::int32_t> labels, const std::string& image_file,
                      const std::string& label_file) {
  if (images.count != labels.size()) {
    throw ConfigError({label_file, "", fmt::format("{} labels, one for each image of {}", images.count, image_file),
                       std::to_string(labels.size()), "take the two files of one split"});
  }
  return {std::move(images), std::move(labels)};
}

LabelledImages read_arrays(const DatasetDescription& description, const SplitFiles& files) {
  if (description.format == DataFormat::npz) {
    const std::string& file = files.images.front();
    const std::string bytes = bytes_of(file);
    const std::string x = file + ":" + files.images_key, y = file + ":" + files.labels_key;
    PixelArray images = to_pixels(parse_npz(bytes, files.images_key, file), description.layout, x);
    return paired(std::move(images), to_labels(parse_npz(bytes, files.labels_key, file), y), x, y);
  }
  const auto parse = description.format == DataFormat::idx ? parse_idx : parse_npy;
  const auto array = [&](const std::string& path) { return parse(bytes_of(path), path); };
  const std::string& file = files.images.front();
  PixelArray images = to_pixels(array(file), description.layout, file);
  return paired(std::move(images), to_labels(array(files.labels), files.labels), file, files.labels);
}

// A table with a header row and a column "label", or one number a line.
std::vector<std::int32_t> csv_labels(std::string_view text, const std::string& file) {
  std::vector<std::int32_t> labels;
  std::size_t column = 0;
  for (std::size_t row = 0; !text.empty(); ++row) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    std::vector<std::string_view> cells;
    for (std::size_t from = 0; from <= line.size(); from += cells.back().size() + 1) {
      cells.push_back(line.substr(from, line.find(',', from) - from));
    }
    if (const auto named = std::ranges::find(cells, "label"); row == 0 && named != cells.end()) {
      column = static_cast<std::size_t>(named - cells.begin());
      continue;
    }
    const std::string_view cell = column < cells.size() ? cells[column] : std::string_view();
    std::int32_t label = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), label);
    if (error != std::errc{} || end != cell.data() + cell.size() || label < 0) {
      throw ConfigError({file, fmt::format("line {}", row + 1), "a label: a whole number of 0 or more",
                         fmt::format("'{}'", cell), "the column is named \"label\" in the first line"});
    }
    labels.push_back(label);
  }
  return labels;
}

std::vector<std::int32_t> raw_labels(const std::string& file) {
  const std::string bytes = bytes_of(file);
  if (file.ends_with(".csv") || file.ends_with(".csv.gz")) return csv_labels(bytes, file);
  NumberArray labels;
  labels.dims = {bytes.size()};
  labels.values = std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  return to_labels(labels, file);
}

LabelledImages read_raw(const DatasetDescription& description, const SplitFiles& files) {
  const std::string& file = files.images.front();
  const std::string bytes = bytes_of(file);
  NumberArray array;
  std::size_t image_bytes = 0;
  product_of(description.shape, image_bytes);  // three axes of at most 65536 each fit
  image_bytes *= description.raw_type == RawType::floats ? sizeof(float) : 1;
  if (bytes.empty() || bytes.size() % image_bytes != 0) {
    throw ConfigError(
        {file, "length",
         fmt::format("a multiple of {} bytes, one image of [{}]", image_bytes, fmt::join(description.shape, ", ")),
         std::to_string(bytes.size()), "check \"shape\" and \"type\" in the description"});
  }
  array.dims = description.shape;
  array.dims.insert(array.dims.begin(), bytes.size() / image_bytes);
  if (description.raw_type == RawType::floats) {
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    array.values = std::move(values);
  } else if (description.raw_type == RawType::signed_bytes) {
    std::vector<float> values;
    values.reserve(bytes.size());
    for (const char byte : bytes) values.push_back(static_cast<float>(static_cast<std::int8_t>(byte)));
    array.values = std::move(values);
  } else {
    array.values = std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  }
  PixelArray images = to_pixels(std::move(array), description.layout, file);
  return paired(std::move(images), raw_labels(files.labels), file, files.labels);
}

LabelledImages scaled(const LabelledImages& images, double scale) {
  PixelArray pixels{images.size(), images.shape(), std::vector<float>()};
  auto& values = std::get<std::vector<float>>(pixels.values);
  const auto add = [&](const auto& stored) {
    values.reserve(stored.size());
    for (const auto value : stored) values.push_back(static_cast<float>(static_cast<double>(value) * scale));
  };
  std::visit(add, images.pixels().values);
  return {std::move(pixels), {images.labels().begin(), images.labels().end()}};
}

LabelledImages joined(std::vector<LabelledImages> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  PixelArray pixels;
  pixels.shape = parts.front().shape();
  std::vector<std::uint8_t> values;
  std::vector<std::int32_t> labels;
  for (const LabelledImages& part : parts) {
    const auto& bytes = std::get<std::vector<std::uint8_t>>(part.pixels().values);
    values.insert(values.end(), bytes.begin(), bytes.end());
    labels.insert(labels.end(), part.labels().begin(), part.labels().end());
    pixels.count += part.size();
  }
  pixels.values = std::move(values);
  return {std::move(pixels), std::move(labels)};
}

LabelledImages read_cifar(const DatasetDescription& description, const SplitFiles& files,
                          const DataProgress& progress) {
  const CifarRule rule = description.format == DataFormat::cifar10 ? CifarRule{1, 10} : CifarRule{2, 100};
  std::vector<LabelledImages> parts;
  for (const std::string& file : files.images) {
    if (progress) progress("reading " + file, parts.size(), files.images.size());
    parts.push_back(parse_cifar(bytes_of(file), rule, file));
  }
  return joined(std::move(parts));
}

void check_labels(const LabelledImages& split, const std::vector<std::string>& classes, const std::string& file) {
  for (std::size_t i = 0; i < split.size(); ++i) {
    if (static_cast<std::size_t>(split.label(i)) < classes.size()) continue;
    throw ConfigError({file, fmt::format("label {}", i), fmt::format("0 to {}", classes.size() - 1),
                       std::to_string(split.label(i)), "check the labels, or \"classes\" in dataset.json"});
  }
}

}  // namespace

LabelledImages parse_cifar(std::string_view bytes, const CifarRule& rule, const std::string& origin) {
  const ImageShape shape{3, 32, 32};
  const std::size_t record = rule.label_bytes + shape.size();
  if (bytes.empty() || bytes.size() % record != 0) {
    throw ConfigError({origin, "length", fmt::format("a multiple of {} bytes, one record", record),
                       std::to_string(bytes.size()), "is it the binary version of CIFAR? fetch the file again"});
  }
  PixelArray pixels;
  pixels.count = bytes.size() / record;
  pixels.shape = shape;
  std::vector<std::uint8_t> values(pixels.count * shape.size());
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < pixels.count; ++i) {
    const char* at = bytes.data() + i * record;
    labels.push_back(static_cast<unsigned char>(at[rule.label_bytes - 1]));
    if (static_cast<std::size_t>(labels.back()) >= rule.classes) {
      throw ConfigError({origin, fmt::format("label of record {}", i), fmt::format("0 to {}", rule.classes - 1),
                         std::to_string(labels.back()), "is it the other CIFAR? fetch the file again"});
    }
    std::memcpy(values.data() + i * shape.size(), at + rule.label_bytes, shape.size());
  }
  pixels.values = std::move(values);
  return {std::move(pixels), std::move(labels)};
}

LabelledImages read_split(const DatasetDescription& description, const SplitFiles& files,
                          const std::vector<std::string>& classes, const DataProgress& progress) {
  if (files.images.empty()) {
    throw ConfigError({description.origin, "", "this split", "no files for it", "describe it in dataset.json"});
  }
  LabelledImages split;
  switch (description.format) {
    case DataFormat::images:
      split = read_image_folder(files.images.front(), classes, progress);
      break;
    case DataFormat::cifar10:
    case DataFormat::cifar100:
      split = read_cifar(description, files, progress);
      break;
    case DataFormat::raw:
      split = read_raw(description, files);
      break;
    default:
      split = read_arrays(description, files);
  }
  if (!classes.empty()) check_labels(split, classes, files.labels.empty() ? files.images.front() : files.labels);
  return description.scale ? scaled(split, *description.scale) : split;
}

}  // namespace ridgeline
