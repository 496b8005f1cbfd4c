// Any bytes are a study file or a ConfigError; a study that reads is the same study when it is read back from what is
// stored. Overrides are the lines behind a zero byte.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/study/study_config.hpp"
#include "experiments/study/study_parts.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read(const std::string& text, const std::vector<std::string>& overrides) {
  // No shipped file is found under this root, and none may be read by path: what is named is noted as missing.
  static const ridgeline::Resources nothing("/nonexistent", "");
  ridgeline::Json merged =
      ridgeline::with_overrides(ridgeline::JsonDocument::parse(text, "study.json").value(), overrides);
  if (merged.is_object() && merged.contains("space") && merged["space"].is_string()) merged["space"] = "none";
  const ridgeline::StudyConfig config =
      ridgeline::parse_study(ridgeline::JsonDocument::from_value(std::move(merged), "study.json"));
  const ridgeline::StudyConfig again =
      ridgeline::parse_study(ridgeline::JsonDocument::parse(config.canonical.dump(), "stored"));
  require(again.hash() == config.hash());
  require(!config.objectives.empty() && config.stop.trials > 0);
  ridgeline::JsonDocument document = ridgeline::JsonDocument::from_value(config.canonical, "study.json");
  ridgeline::make_parts(config, nothing, document);
  require(!document.problems().empty());  // there is no such space
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string all(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = all.find('\0');
  std::vector<std::string> overrides;
  if (zero != std::string::npos) {
    std::istringstream lines(all.substr(zero + 1));
    for (std::string line; std::getline(lines, line);) overrides.push_back(line);
  }
  try {
    read(all.substr(0, zero), overrides);
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  return 0;
}
