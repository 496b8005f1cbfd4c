// What a device has only so much of (an FPGA's LUTs, a microcontroller's SRAM and flash) is a hard constraint of every
// study that costs candidates on it. It is one like any other that a study states: candidates that break it are
// infeasible by how much they do, which guides the searcher, and a search that finds nothing names it with the nearest
// value reached.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/study/study_config.hpp"

namespace ridgeline {

// The study with such a constraint for each resource of each device that its objectives, constraints and screens name,
// but for those that it limits itself: {"name": "sram_bytes", "unit": "B", "limit": 327680, "from": {"evaluator":
// "cost", "device": NAME, "quantity": "sram_bytes"}}. What is wrong with the study is left for its reader to say.
Json with_device_limits(Json study, const Resources& resources);

// (device, quantity) of every cost that the study limits.
std::vector<std::pair<std::string, std::string>> limited_costs(const StudyConfig& study);

}  // namespace ridgeline
