// Hardware models by device file, each loaded once, with the estimates of the last batch: objectives of one study that
// ask one device for several quantities share one estimate a candidate. A candidate that brings hardware of its own
// (Design::hardware) is estimated on the device with its values in the file's place; one whose values the file's model
// refuses is unsupported. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/evaluator.hpp"
#include "hwmodels/hardware_model.hpp"

namespace ridgeline {

class DeviceCosts {
 public:
  // Throws ConfigError. The reference stays valid.
  const HardwareModel& model(const std::string& path);
  // Of the device file's text, and of a plug-in's own code.
  std::uint64_t fingerprint(const std::string& path);
  // One a candidate, valid until the next call.
  std::vector<const Cost*> estimate(const std::string& path, std::span<const Candidate> candidates, WorkerPool* pool);

 private:
  struct Device {
    std::unique_ptr<HardwareModel> model;
    std::optional<JsonDocument> file;
    std::map<std::string, std::unique_ptr<HardwareModel>> changed;  // by the settings; null: refused
    std::map<std::string, std::string> refusals;
    std::uint64_t fingerprint = 0;
    std::vector<Cost> costs;
    std::unordered_map<std::uint64_t, std::size_t> known;  // function hash -> costs
  };
  Device& device(const std::string& path);
  static void prepare(Device& device, const Design& design);
  static void estimate_one(const Device& device, const Design& design, Cost& cost);

  std::map<std::string, Device> devices_;
};

// The model of a device file with the hardware of a design in it; as it stands where the design has none, or where that
// belongs to another device: a place of it is not in this file, which `without` then says. Throws ConfigError.
std::unique_ptr<HardwareModel> load_device_for(const std::string& path, const Design& design,
                                               std::string* without = nullptr);

}  // namespace ridgeline
