#include "experiments/data/image_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "experiments/data/image_codec.hpp"
#include "experiments/data/split_reader.hpp"
#include "experiments/whole_file.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

// Full paths of what is in a folder, sorted, as far as `wanted` says.
template <typename Wanted>
std::vector<fs::path> entries(const fs::path& folder, const Wanted& wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with(".") && wanted(*it)) found.push_back(it->path());
  }
  if (error) {
    throw ConfigError({folder.string(), "", "a folder that can be read", error.message(), "check the path"});
  }
  std::sort(found.begin(), found.end());
  return found;
}

struct ImageFile {
  std::string path;
  std::int32_t label;
};

std::vector<ImageFile> image_files(const std::string& folder, const std::vector<std::string>& classes) {
  std::vector<ImageFile> files;
  for (const std::string& name : class_folders(folder)) {
    const auto it = std::find(classes.begin(), classes.end(), name);
    if (it == classes.end()) {
      throw ConfigError({(fs::path(folder) / name).string(), "", "a folder of a known class", fmt::format("'{}'", name),
                         known_words(name, classes)});
    }
    const auto images =
        entries(fs::path(folder) / name, [](const fs::directory_entry& e) { return is_image(e.path()); });
    if (images.empty()) {
      throw ConfigError(
          {(fs::path(folder) / name).string(), "", "PNG or JPEG files", "none", "add images or remove the folder"});
    }
    const auto label = static_cast<std::int32_t>(it - classes.begin());
    for (const fs::path& path : images) files.push_back({path.string(), label});
  }
  return files;
}

// Gray planes three times over where others are in colour.
void append(std::vector<std::uint8_t>& values, const PixelArray& image, bool colour) {
  const auto& bytes = std::get<std::vector<std::uint8_t>>(image.values);
  const int copies = colour && image.shape.channels == 1 ? 3 : 1;
  for (int i = 0; i < copies; ++i) values.insert(values.end(), bytes.begin(), bytes.end());
}

}  // namespace

std::vector<std::string> class_folders(const std::string& folder) {
  std::vector<std::string> names;
  for (const fs::path& path : entries(folder, [](const fs::directory_entry& e) { return e.is_directory(); })) {
    names.push_back(path.filename().string());
  }
  if (names.empty())
    throw ConfigError({folder, "", "one folder a class", "none", "put the images of a class into one"});
  return names;
}

LabelledImages read_image_folder(const std::string& folder, const std::vector<std::string>& classes,
                                 const DataProgress& progress) {
  const std::vector<ImageFile> files = image_files(folder, classes);
  std::vector<PixelArray> images;
  std::vector<std::int32_t> labels;
  bool colour = false;
  for (const ImageFile& file : files) {
    if (progress) progress("reading " + folder, images.size(), files.size());
    images.push_back(decode_image(read_whole_file(file.path, {.kind = "image"}), file.path));
    labels.push_back(file.label);
    colour = colour || images.back().shape.channels == 3;
    const ImageShape &first = images.front().shape, &shape = images.back().shape;
    if (shape.height != first.height || shape.width != first.width) {
      throw ConfigError({file.path, "",
                         fmt::format("{}x{} pixels, as {}", first.height, first.width, files.front().path),
                         fmt::format("{}x{}", shape.height, shape.width), "bring all images to one size first"});
    }
  }
  PixelArray pixels;
  pixels.count = images.size();
  pixels.shape = images.front().shape;
  pixels.shape.channels = colour ? 3 : 1;
  std::vector<std::uint8_t> values;
  values.reserve(pixels.count * pixels.shape.size());
  for (const PixelArray& image : images) append(values, image, colour);
  pixels.values = std::move(values);
  return {std::move(pixels), std::move(labels)};
}

}  // namespace ridgeline
