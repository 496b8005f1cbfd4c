#include "hwmodels/device_sources.hpp"

#include <map>
#include <set>

namespace ridgeline {

void check_sources(JsonReader& root, std::span<const std::string> numbers, bool required) {
  std::map<std::string, std::string> sources;
  for (const auto& [path, reader] : root.members("sources", required)) {
    if (reader.value().is_string() && !reader.value().get<std::string>().empty()) {
      sources[path] = reader.value().get<std::string>();
    } else {
      root.note("sources", "a text for '" + path + "'", describe(reader.value()));
    }
  }
  if (!required) return;
  std::set<std::string> used;
  for (const std::string& number : numbers) {
    std::string path = number;
    while (sources.count(path) == 0 && path.find('.') != std::string::npos) path.resize(path.rfind('.'));
    if (sources.count(path) == 0) {
      root.note("sources", "where '" + number + "' comes from", "nothing",
                "add \"" + number + "\": \"datasheet, measurement or derivation\"");
    }
    used.insert(path);
  }
  for (const auto& [path, text] : sources) {
    if (used.count(path) == 0) root.note("sources", "the path of a number in this file", '"' + path + '"');
  }
}

}  // namespace ridgeline
