// What a design costs on a device that is described, not measured.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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
  double utilisation = 0;  // multiply-accumulates a multiplier and cycle, of arrays; 0: not modelled, or none
};

// Something of which a device has so much and a design takes so much, where the design is laid out in hardware of its
// own or in memories of fixed size: "luts", "dsps", "brams" of an FPGA, "sram_bytes" of a microcontroller, "area_mm2"
// of an accelerator; or how well it is used: "utilisation". Names are counts, shares or carry their unit.
struct ResourceUse {
  std::string name;
  double used = 0.0;
  double available = 0.0;  // of the device; 0 = there is no limit
  bool fits() const { return available <= 0 || used <= available; }
};

struct Cost {
  double latency_s = 0.0;
  double energy_j = 0.0;        // NaN never: a model without energy gives 0 and has_energy() == false
  std::int64_t peak_bytes = 0;  // activations, spaces/counts.hpp; of an mcu what its plan takes
  std::int64_t weight_bytes = 0;
  std::vector<OpCost> ops;  // live operators in topological order; fused ones carry 0 s
  // In the order of HardwareModel::resources(). Also there where one does not fit and the design is unsupported.
  std::vector<ResourceUse> resources;
  std::string unsupported;  // why this device cannot run the design; empty = it can
  std::string failed;  // why there is no estimate of a design that it may run (a plug-in's fault); empty = there is

  const std::string& problem() const { return unsupported.empty() ? failed : unsupported; }  // empty = none
  const ResourceUse* resource(std::string_view resource_name) const;                         // nullptr: not modelled
};
// "does not fit NAME: needs 500 of 400 luts, 9 of 8 dsps"; empty where everything fits.
std::string misfit_text(const Cost& cost, const std::string& device);

// Pure: the same designs give the same costs, from any number of threads at once.
class HardwareModel {
 public:
  virtual ~HardwareModel() = default;
  virtual const std::string& name() const = 0;
  virtual bool has_energy() const { return false; }
  // The names of Cost::resources; empty for models of machines that are there already.
  virtual std::span<const std::string> resources() const { return {}; }
  // How much of one of them the device has; 0: there is no limit.
  virtual double capacity(std::string_view /*resource*/) const { return 0.0; }
  // True: calls wait for each other, so that one for many designs is better than many.
  virtual bool in_batches() const { return false; }
  // Of what decides its numbers beside the device file: a plug-in's own code. 0: nothing does.
  virtual std::uint64_t contents_hash() const { return 0; }
  // costs.size() == designs.size(). Never throws for a design it cannot run: Cost::unsupported says why. Throws
  // ConfigError where nothing can be estimated any more: a plug-in failed every time.
  virtual void estimate(std::span<const Design> designs, std::span<Cost> costs) const = 0;

  Cost estimate(const Design& design) const {
    Cost cost;
    estimate(std::span<const Design>(&design, 1), std::span<Cost>(&cost, 1));
    return cost;
  }
};

struct HardwareModelEntry {
  std::string kind;  // the device file's "model": "roofline", "table", "fpga", "mcu"
  std::string about;
  std::unique_ptr<HardwareModel> (*make)(JsonDocument device);  // throws ConfigError
  bool plugin = false;  // to make it runs code of the user's: only for a file that he named
};
std::span<const HardwareModelEntry> hardware_models();  // hwmodels/registry.cpp

// Reads a device file and makes its model. Throws ConfigError.
std::unique_ptr<HardwareModel> load_device(const std::string& path);
std::unique_ptr<HardwareModel> make_device(JsonDocument device);

// A device file with other values: {"array.rows": 32, "levels.DRAM.words": 0}, paths as under "sources". Throws
// ConfigError: a path that leads to no number, word or boolean of the file, or a value of another type.
JsonDocument with_settings(const JsonDocument& device, const Json& settings);

}  // namespace ridgeline
