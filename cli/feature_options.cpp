#include "cli/feature_options.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ridgeline {

void add_feature_device_option(CLI::App& command, std::vector<std::string>& devices) {
  command
      .add_option("--device", devices,
                  "devices whose estimated latency and energy are among the features with costs; none: counts alone")
      ->delimiter(',');
}

void check_feature_devices(const std::vector<std::string>& devices, bool looked_at) {
  if (devices.empty() || looked_at) return;
  throw ConfigError({"--device", "", "no device, as the features do not look at its costs",
                     fmt::format("{}", fmt::join(devices, ",")), "use --features genes+costs"});
}

FeatureChoice feature_choice(const std::string& name) {
  const auto names = feature_choice_names();
  return static_cast<FeatureChoice>(std::ranges::find(names, name) - names.begin());
}

}  // namespace ridgeline
