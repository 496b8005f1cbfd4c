#include "hwmodels/plugin/plugin_files.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "spaces/hash.hpp"

namespace ridgeline {

PluginFile read_plugin_file(JsonReader& root, const std::string& origin) {
  PluginFile file;
  root.integer("ridgeline_device", {.least = 1, .most = 1});
  root.string("model");
  file.name = root.string("name");
  file.about = root.string("about", "");
  file.category = root.string("category", "");
  file.folder = (std::filesystem::path(".") / std::filesystem::path(origin).parent_path()).string();
  if (const std::optional<JsonReader> options = root.object("options", false)) file.options = options->value();
  return file;
}

std::optional<std::uint64_t> file_hash(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return std::nullopt;
  return Hasher().add(std::string_view(text.str())).value();
}

}  // namespace ridgeline
