#include "experiments/resources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Stems of a folder's files with this extension, sorted; empty where there is no folder.
std::vector<std::string> names_in(const fs::path& folder, const char* extension = ".json") {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == extension) names.push_back(it->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// A shipped name wins over a file of the same name in the current folder: what a stored study means must not depend on
// where it is resumed. "./name" says that the file is meant.
std::string locate(const std::string& wanted, const fs::path& folder, const char* kind, const char* extension = ".json",
                   const char* maker = nullptr) {
  const bool looks_like_path = wanted.find('/') != std::string::npos || wanted.ends_with(extension);
  if (!looks_like_path && !wanted.empty() && is_file(folder / (wanted + extension))) {
    return (folder / (wanted + extension)).string();
  }
  if (is_file(wanted)) return wanted;
  const std::vector<std::string> known = names_in(folder, extension);
  if (looks_like_path) {
    std::error_code error;
    const bool is_folder = fs::is_directory(wanted, error);
    const std::string stem = fs::path(wanted).stem().string();
    const bool shipped = std::find(known.begin(), known.end(), stem) != known.end();
    throw ConfigError({wanted, "", fmt::format("a {} file", kind), is_folder ? "a folder" : "no such file",
                       shipped            ? fmt::format("'{}' without folder and extension is a shipped {}", stem, kind)
                       : maker != nullptr ? fmt::format("check the path; '{}' makes one", maker)
                                          : "check the path"});
  }
  throw ConfigError({"", "",
                     fmt::format("the name of a shipped {} or the path of a {} file", kind,
                                 extension == std::string(".json") ? "JSON" : extension),
                     fmt::format("'{}'", wanted), known_words(wanted, known)});
}

}  // namespace

Resources::Resources(std::string root, std::string data) : root_(std::move(root)), data_(std::move(data)) {}

std::string Resources::space(const std::string& name_or_path) const {
  return locate(name_or_path, fs::path(root_) / "spaces/library", "space");
}
SearchSpace Resources::load_space(const std::string& name_or_path, SpaceOptions options) const {
  options.library = (fs::path(root_) / "spaces/library").string();
  return SearchSpace::load(space(name_or_path), options);
}
std::string Resources::device(const std::string& name_or_path) const {
  return locate(name_or_path, fs::path(root_) / "hwmodels/devices", "device", ".json",
                "ridgeline device calibrate --out host.json");
}
std::string Resources::table(const std::string& name_or_path) const {
  return locate(name_or_path, fs::path(root_) / "experiments/tables", "table");
}
std::string Resources::study(const std::string& name_or_path) const {
  return locate(name_or_path, fs::path(root_) / "experiments/studies", "study");
}

std::string Resources::checkpoint(const std::string& name_or_path) const {
  return locate(name_or_path, fs::path(root_) / "experiments/checkpoints", "checkpoint", ".ckpt",
                "ridgeline train SPACE --data FOLDER --out NAME.ckpt");
}

std::string Resources::allocation(const std::string& name_or_path) const {
  return locate(name_or_path, fs::path(root_) / "experiments/allocation", "allocation problem");
}

std::string Resources::data_file(const std::string& file, const std::string& description,
                                 const std::string& remedy) const {
  std::vector<fs::path> places;
  if (!data_.empty()) places.push_back(fs::path(data_) / file);
  places.push_back(fs::path(description).parent_path() / file);
  std::string looked;
  for (const fs::path& place : places) {
    if (is_file(place)) return place.string();
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  throw ConfigError(
      {description, "file", fmt::format("the table's file '{}'", file), fmt::format("none at {}", looked), remedy});
}

std::vector<std::string> Resources::spaces() const { return names_in(fs::path(root_) / "spaces/library"); }
std::vector<std::string> Resources::devices() const { return names_in(fs::path(root_) / "hwmodels/devices"); }
std::vector<std::string> Resources::tables() const { return names_in(fs::path(root_) / "experiments/tables"); }
std::vector<std::string> Resources::studies() const { return names_in(fs::path(root_) / "experiments/studies"); }

}  // namespace ridgeline
