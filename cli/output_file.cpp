#include "cli/output_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "experiments/training/checkpoint.hpp"
#include "experiments/whole_file.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// What a link points to, so that the link stays one.
fs::path target_of(const std::string& path) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(fs::absolute(path), error);
  return error ? fs::path(path) : target;
}

bool is_device(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) && !fs::is_regular_file(path, error) && !fs::is_directory(path, error);
}

// "a database", "a study": what the file holds that somebody made; empty for anything else.
std::string precious(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(4096, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  if (start.starts_with("SQLite format 3")) return "a database";
  if (is_checkpoint(path.string())) return "a checkpoint";
  for (const char* kind : {"study", "space", "table", "allocation"}) {
    if (start.find(fmt::format("\"ridgeline_{}\"", kind)) != std::string::npos)
      return kind == std::string_view("allocation") ? "an allocation problem" : fmt::format("a {}", kind);
  }
  return "";
}

}  // namespace

void check_writable(const std::string& path, const std::string& flag, Overwrite overwrite) {
  if (path.empty()) throw ConfigError({flag, "", "the path of a file", "nothing", ""});
  const fs::path target = target_of(path);
  if (is_device(target)) return;
  const fs::path parent = target.parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (!is_folder(folder)) throw ConfigError({flag, "", "a path in an existing folder", path, "make the folder first"});
  if (is_folder(target)) throw ConfigError({flag, "", "the path of a file", path + " (a folder)", ""});
  if (access(folder.c_str(), W_OK) != 0) {
    throw ConfigError({flag, "", "a folder that may be written", folder, "choose another place or change its rights"});
  }
  if (overwrite == Overwrite::checkpoints && is_checkpoint(target.string())) return;
  if (const std::string held = precious(target); !held.empty()) {
    throw ConfigError({flag, "", "a new file, or one that may be written over", fmt::format("{} ({})", path, held),
                       "choose another name, or remove the file first"});
  }
}

void check_different(const std::string& path, const std::string& flag, const std::string& other,
                     const std::string& other_flag) {
  if (path.empty() || other.empty() || target_of(path) != target_of(other)) return;
  if (is_device(target_of(path))) return;
  throw ConfigError({flag, "", "another file than that of " + other_flag, path, "choose another name"});
}

void write_file(const std::string& path, const std::string& text, const std::string& flag) {
  check_writable(path, flag);
  write_whole_file(target_of(path).string(), text, flag);
}

}  // namespace ridgeline
