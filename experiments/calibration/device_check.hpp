// How far a device model's latencies are from what is measured here, on random networks it has not seen.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hwmodels/hardware_model.hpp"
#include "kernels/measure.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

struct DeviceCheckOptions {
  std::size_t n = 200;
  std::string format = "f32";  // uniform; empty = the space's own precision genes
  int threads = 1;
  std::uint64_t seed = 2;         // of the networks
  double seconds = 120.0;         // of all networks together; slow ones have fewer turns, but at least five
  int rounds = 20;                // turns a network at most
  std::size_t gap_networks = 20;  // of which the layers are timed too
};

struct DeviceCheckPair {
  Genome genome;
  double predicted_s = 0;
  double measured_s = 0;  // median of the samples as they came
  // The same at the machine's speed during calibration; measured_s where that is unknown.
  double at_reference_s = 0;
  double ci_low_s = 0, ci_high_s = 0;
};

struct AgreementScores {
  double spearman = 0, kendall = 0, mape_percent = 0, within_5 = 0, within_10 = 0;  // shares 0 to 1
};

struct DeviceCheckResult {
  std::vector<DeviceCheckPair> pairs;
  AgreementScores as_timed;      // predictions against plain medians
  AgreementScores at_reference;  // against the medians at the speed of the calibration
  // How much slower the machine is now than when the device was calibrated (1.05: 5 %). Known from anchors, networks of
  // the calibration that are timed among the others: the median of their measured over their predicted time. Without
  // anchors of this space and format, from the reference network; 1 for devices that were not calibrated.
  double speed = 1;
  std::size_t anchors = 0;
  double gap_percent = 0;        // median of (sum of the layers' own times - whole) / whole
  double unseen_layers = 0;      // share of layers that were not in the table, 0 to 1 (table devices)
  std::size_t skipped_seen = 0;  // drawn, but part of the calibration
  std::size_t unsupported = 0;
  std::string unsupported_reason;
  std::string environment_warning;  // empty, or why the device does not hold here (both environments named)
};

AgreementScores agreement(std::span<const double> predicted, std::span<const double> measured);

// Throws ConfigError when the space has no network that device and machine both run.
DeviceCheckResult check_device(const HardwareModel& device, const SearchSpace& space, const DeviceCheckOptions& options,
                               const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace ridgeline
