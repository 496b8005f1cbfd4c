#include "experiments/data/folder_writer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

bool holds(const fs::path& file, const std::string& words) {
  std::ifstream in(file, std::ios::binary);
  std::string start(4096, '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(in.gcount()));
  return start.find(words) != std::string::npos;
}

void check_replaceable(const fs::path& folder, const FolderWriter::Marker& marker) {
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  if (!fs::is_directory(folder, error)) {
    throw ConfigError({folder.string(), "", "the path of a folder", "a file", "choose another name"});
  }
  if (fs::is_empty(folder, error)) return;
  const bool ours = holds(folder / marker.file, marker.words);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (ours && std::ranges::find(marker.files, name) != marker.files.end()) continue;
    throw ConfigError({folder.string(), "", "a new folder, an empty one, or one that the same command made",
                       "a folder that also holds '" + name + "'", "choose another name, or move that file away"});
  }
}

}  // namespace

FolderWriter::FolderWriter(const std::string& folder, const Marker& marker) {
  fs::path target = fs::absolute(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "glyphs/"
  folder_ = target.string();
  check_replaceable(target, marker);
  const std::string parent = target.parent_path().string();
  std::error_code error;
  if (!fs::is_directory(parent, error)) {
    throw ConfigError({folder, "", "a path in an existing folder", "no folder " + parent, "make the folder first"});
  }
  fresh_ = folder_ + ".new.XXXXXX";
  if (mkdtemp(fresh_.data()) == nullptr) {
    const std::string why = std::strerror(errno);
    fresh_.clear();
    throw ConfigError(
        {folder, "", "a folder that can be written: " + parent, why, "choose another place or change its rights"});
  }
  fs::permissions(fresh_,
                  fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read |
                      fs::perms::others_exec,
                  error);
}

FolderWriter::~FolderWriter() {
  std::error_code ignored;
  if (!fresh_.empty()) fs::remove_all(fresh_, ignored);
}

void FolderWriter::write(const std::string& name, std::string_view bytes) {
  const fs::path path = fs::path(fresh_) / name;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    throw ConfigError({folder_, name, fmt::format("room for {} bytes", bytes.size()), "a file that cannot be written",
                       "is the disk full?"});
  }
}

void FolderWriter::finish() {
  std::error_code error;
  const std::string before = fresh_ + ".before";
  const bool replaces = fs::exists(folder_, error);
  if (replaces) fs::rename(folder_, before, error);
  if (!error) fs::rename(fresh_, folder_, error);
  if (error) {
    std::error_code ignored;
    if (replaces) fs::rename(before, folder_, ignored);
    throw ConfigError({folder_, "", "a folder that can be written", error.message(), "choose another place"});
  }
  fresh_.clear();
  fs::remove_all(before, error);
}

}  // namespace ridgeline
