// What a design costs on a device that is described, not measured.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "spaces/counts.hpp"
#include "spaces/design.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

// One operator of a design on a device.
struct OpCost {
  NodeId node = 0;
  double latency_s = 0.0;
  double energy_j = 0.0;
  std::int64_t macs = 0;
  std::int64_t bytes = 0;  // moved to and from the memory level that bounds it, or the outermost
  std::string bound_by;    // "compute", "DRAM", "L2", "overhead", "table"
};

struct Cost {
  double latency_s = 0.0;
  double energy_j = 0.0;        // NaN never: a model without energy gives 0 and has_energy() == false
  std::int64_t peak_bytes = 0;  // activations, spaces/counts.hpp
  std::int64_t weight_bytes = 0;
  std::vector<OpCost> ops;  // live operators in topological order; fused ones carry 0 s
  std::string unsupported;  // why this device cannot run the design; empty = it can
};

// Pure: the same designs give the same costs, from any number of threads at once.
class HardwareModel {
 public:
  virtual ~HardwareModel() = default;
  virtual const std::string& name() const = 0;
  virtual bool has_energy() const { return false; }
  // costs.size() == designs.size(). Never throws for a design it cannot run: Cost::unsupported says why.
  virtual void estimate(std::span<const Design> designs, std::span<Cost> costs) const = 0;

  Cost estimate(const Design& design) const {
    Cost cost;
    estimate(std::span<const Design>(&design, 1), std::span<Cost>(&cost, 1));
    return cost;
  }
};

struct HardwareModelEntry {
  std::string kind;  // the device file's "model": "roofline", "table"
  std::string about;
  std::unique_ptr<HardwareModel> (*make)(JsonDocument device);  // throws ConfigError
};
std::span<const HardwareModelEntry> hardware_models();  // hwmodels/registry.cpp

// Reads a device file and makes its model. Throws ConfigError.
std::unique_ptr<HardwareModel> load_device(const std::string& path);

}  // namespace ridgeline
