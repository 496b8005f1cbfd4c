// Tables of operators and timings that several commands print.
#pragma once

#include <span>
#include <string>

#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_text.hpp"

namespace ridgeline {

// "conv2d 3x3 /2 g32": what decides an operator's cost.
std::string operator_text(const Op& op);
// How much of a resource is used: whole numbers in groups of digits, shares to three digits.
std::string resource_text(const ResourceUse& resource);
// One row an operator that some device spends time on (all, without devices), with each device's time and what bounds
// it.
std::string operators_text(const Design& design, std::span<const DeviceEstimate> estimates, const TextStyle& style);
// "4.150 ms, 95 % [4.112, 4.190] ms, MAD 0.021 ms, 200 samples", or why there is no number.
std::string measurement_line(const Measurement& measurement);
// One row a step that was executed, with the implementation, and the sum beside the whole.
std::string steps_text(const Design& design, const Measurement& measurement, const TextStyle& style);

}  // namespace ridgeline
