// What is said between Ridgeline and a hardware model that is a program: one JSON object a line, in UTF-8.
//
//   > {"ridgeline_hwmodel": 1, "name": "mine", "options": {...}}
//   < {"ridgeline_hwmodel": 1, "energy": true, "resources": [{"name": "luts", "available": 5e4}], "fingerprint": "v2"}
//   > {"batch": 1, "designs": [{"layers": [{...}], "weight_bytes": 1, "peak_bytes": 1, "hardware": {}, "schedule":
//   {}}]} < {"batch": 1, "costs": [{"latency_s": 0.1, "energy_j": 0.2, "resources": {"luts": 9}, "layers":
//                             [{"latency_s": 0.1, "energy_j": 0.2, "bound_by": "DRAM"}]},
//                            {"unsupported": "no int4"}, {"failed": "why"}]}
//
// Of the program's hello all but the version may be left out; of a cost all but latency_s, and energy_j and resources
// where its hello has them. Unknown keys are refused: they are slips.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "hwmodels/plugin/plugin_design.hpp"

namespace ridgeline {

inline constexpr int program_protocol_version = 1;

std::string hello_line(const std::string& name, const Json& options);
// Throws ConfigError, with `origin` (who said it) as its file.
PluginAbilities read_hello(const std::string& line, const std::string& origin);

std::string request_line(std::int64_t batch, std::span<const PluginDesign> designs);
// One answer a design. What is wrong with a single one is its `failed`. Throws ConfigError where the line as a whole
// cannot be used: no JSON, another batch, another number of costs.
std::vector<PluginAnswer> read_answer(const std::string& line, std::int64_t batch,
                                      std::span<const PluginDesign> designs, const PluginAbilities& abilities);

}  // namespace ridgeline
