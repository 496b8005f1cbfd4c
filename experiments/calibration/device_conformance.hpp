// Whether a device, of whatever model, behaves as a search relies on: the same answer every time, from batches and
// threads too; finite numbers in SI units; more work that is not cheaper; an answer or a reason for every operator and
// format; and fast enough. It says nothing of whether the numbers are right: device_check.hpp compares them with a
// machine.
//
// The networks are its own: MobileNetV2 (Sandler et al., CVPR 2018) at 224, a small one in several sizes and formats,
// and one of every kind of operator.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/hardware_model.hpp"

namespace ridgeline {

// Formats that devices compute in; a model answers "unsupported" for those it has not.
std::span<const std::string> common_formats();

struct ConformanceCheck {
  enum class Outcome : std::uint8_t { passed, failed, not_run };
  std::string name;
  std::string must;  // what has to hold
  Outcome outcome = Outcome::not_run;
  std::string seen;  // where it failed: the first example
};

struct ConformanceOptions {
  double candidate_s = 0.1;  // that a network may take to estimate, in a batch
  int threads = 4;           // that ask at once
};

struct ConformanceResult {
  std::vector<ConformanceCheck> checks;
  bool passed() const;
};

// A plug-in that gives up fails the check under way, and the others are not run. Throws nothing of the device's.
ConformanceResult check_conformance(const HardwareModel& device, const ConformanceOptions& options = {});

}  // namespace ridgeline
