// Device files with other values, for hardware that is searched.
#include <algorithm>

#include "hwmodels/hardware_model.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

// The member `name` of an object, or the element of an array that is called so; null where there is none. A name may
// have dots itself ("4.5 MB"), so the longest that is there is taken by the caller.
Json* member(Json& value, const std::string& name) {
  if (value.is_object()) {
    const auto found = value.find(name);
    return found == value.end() ? nullptr : &*found;
  }
  if (!value.is_array()) return nullptr;
  const auto found = std::ranges::find_if(
      value, [&](const Json& one) { return one.is_object() && one.value("name", Json()) == Json(name); });
  return found == value.end() ? nullptr : &*found;
}

Json* at(Json& value, const std::string& path) {
  for (std::size_t end = path.size();; end = path.rfind('.', end - 1)) {
    if (end == std::string::npos || end == 0) return nullptr;
    Json* const found = member(value, path.substr(0, end));
    if (found == nullptr) continue;
    return end == path.size() ? found : at(*found, path.substr(end + 1));
  }
}

void add_paths(const Json& value, const std::string& path, std::vector<std::string>& paths) {
  if (value.is_object()) {
    for (const auto& [name, one] : value.items()) {
      if (path.empty() && (name == "sources" || name == "derived")) continue;
      add_paths(one, path.empty() ? name : path + "." + name, paths);
    }
  } else if (value.is_array()) {
    for (const Json& one : value) {
      if (!one.is_object() || !one.contains("name") || !one["name"].is_string()) continue;
      add_paths(one, path + "." + one["name"].get<std::string>(), paths);
    }
  } else {
    paths.push_back(path);
  }
}

}  // namespace

JsonDocument with_settings(const JsonDocument& device, const Json& settings) {
  Json changed = device.value();
  std::vector<Problem> problems;
  for (const auto& [path, value] : settings.items()) {
    Json* const place = at(changed, path);
    if (place == nullptr || place->is_structured()) {
      std::vector<std::string> paths;
      add_paths(changed, "", paths);
      problems.push_back({device.origin(), path, "the path of a value of this device file", '"' + path + '"',
                          known_words(path, paths)});
    } else if (place->is_number() != value.is_number() || place->is_string() != value.is_string()) {
      problems.push_back({device.origin(), path, "a value like " + describe(*place), describe(value), ""});
    } else {
      *place = value;
    }
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return JsonDocument::from_value(std::move(changed), device.origin());
}

}  // namespace ridgeline
