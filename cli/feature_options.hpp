// What commands that fit predictors share: which features, and the devices whose costs are among them.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "search/predicted/feature_set.hpp"

namespace ridgeline {

void add_feature_device_option(CLI::App& command, std::vector<std::string>& devices);  // --device
// Throws ConfigError: a device that nothing looks at.
void check_feature_devices(const std::vector<std::string>& devices, bool looked_at);
FeatureChoice feature_choice(const std::string& name);  // one of feature_choice_names()

}  // namespace ridgeline
