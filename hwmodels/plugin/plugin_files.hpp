// What the device files of libraries and programs have in common. Internal to hwmodels/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "spaces/json_reader.hpp"

namespace ridgeline {

struct PluginFile {
  std::string name, about, category;
  std::string folder;             // of the device file: where its relative paths start
  Json options = Json::object();  // for the plug-in alone
};

// Reads "ridgeline_device", "model", "name", "about", "category", "options". `origin`: the device file's path.
PluginFile read_plugin_file(JsonReader& root, const std::string& origin);

// Of a regular file's bytes; nullopt where there is none that can be read.
std::optional<std::uint64_t> file_hash(const std::string& path);

}  // namespace ridgeline
