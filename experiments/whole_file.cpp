#include "experiments/whole_file.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "spaces/config_error.hpp"

namespace ridgeline {

// zlib reads plain files through the same calls.
std::string read_whole_file(const std::string& path, const WholeFileRule& rule) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw ConfigError({path, "", fmt::format("a readable {}", rule.kind), "a folder", "name a file in it"});
  }
  if (rule.regular && std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    throw ConfigError({path, "", fmt::format("a readable {}", rule.kind), "a pipe or a device", "name a file"});
  }
  const auto close = [](gzFile file) { gzclose(file); };
  const std::unique_ptr<gzFile_s, decltype(close)> file(gzopen(path.c_str(), "rb"), close);
  if (!file) {
    const bool there = std::filesystem::exists(path, ignored);
    throw ConfigError({path, "", fmt::format("a readable {}", rule.kind),
                       there ? "a file that cannot be opened" : "no file of that name",
                       there ? "check its rights" : "check the path"});
  }
  std::string text;
  std::array<char, 1 << 16> buffer{};
  int got = 0;
  while ((got = gzread(file.get(), buffer.data(), buffer.size())) > 0) {
    if (text.size() + static_cast<std::size_t>(got) > rule.most_bytes) {
      throw ConfigError({path, "", fmt::format("a {} of at most {} bytes", rule.kind, rule.most_bytes),
                         "more than that", "split it, or check what it holds"});
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int error = Z_OK;
  const char* message = gzerror(file.get(), &error);
  if (got < 0 || error != Z_OK) {
    throw ConfigError({path, "", fmt::format("a whole {} file", rule.kind), fmt::format("'{}' from zlib", message),
                       "fetch the file again"});
  }
  return text;
}

void write_whole_file(const std::string& path, std::string_view text, const std::string& flag) {
  namespace fs = std::filesystem;
  const fs::path target(path);
  std::error_code absent;
  const fs::file_status before = fs::status(target, absent);
  const bool beside = !fs::exists(before) || fs::is_regular_file(before);
  const fs::path fresh = beside ? fs::path(path + ".new") : target;
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  std::error_code error;
  if (file && beside) {
    if (fs::exists(before)) fs::permissions(fresh, before.permissions(), error);
    fs::rename(fresh, target, error);
  }
  if (file && !error) return;
  std::error_code ignored;
  if (beside) fs::remove(fresh, ignored);
  throw ConfigError({flag, "", "a file that can be written", path, error ? error.message() : "is the disk full?"});
}

}  // namespace ridgeline
