// What is free to know of a network, for graph predictors that are trained on it before they see a label.
#pragma once

#include <Eigen/Core>
#include <span>
#include <string>

#include "hwmodels/hardware_model.hpp"

namespace ridgeline {

// Logarithms of MACs, weights, elements of all tensors, peak bytes and an estimated latency, and the entropy and
// effectiveness of spaces/proxies.hpp.
std::span<const std::string> free_statistic_names();
// One value a name. Throws ConfigError where the device cannot run the design.
Eigen::RowVectorXd free_statistics(const Design& design, const HardwareModel& device);

}  // namespace ridgeline
