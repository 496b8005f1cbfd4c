// An accelerator with explicit storage levels as a hardware model: device files with "model": "spatial". Every layer
// that multiplies is mapped by search (mapper.hpp) and costs what its best mapping costs (loop_nest.hpp); layers of the
// same extents share one mapping, found once. What multiplies nothing moves its tensors through the outermost level.
//
// The accelerator computes in one arithmetic, "arithmetic" of the file, whose word it stores; narrower formats of the
// same kind are held in such words, wider ones are unsupported.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "hwmodels/arithmetic.hpp"
#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"
#include "hwmodels/spatial/layerwise_model.hpp"
#include "hwmodels/spatial/mapper.hpp"

namespace ridgeline {

struct SpatialDevice {
  std::string name, about, category;
  Arithmetic arithmetic = Arithmetic::integer8;
  double clock_hz = 0;
  SpatialArchitecture architecture;
  MapperOptions mapper;
};

// Every number must be named under "sources". Notes problems in the reader.
SpatialDevice read_spatial(JsonReader& reader);

class SpatialModel final : public LayerwiseModel {
 public:
  explicit SpatialModel(SpatialDevice device) : device_(std::move(device)) {}
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  bool has_energy() const override { return true; }
  std::span<const std::string> resources() const override;  // utilisation
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const SpatialDevice& device() const { return device_; }
  // The best mapping found for a layer that multiplies; nullptr: nothing fits. Valid as long as the model.
  const FoundMapping* mapping(const LayerKey& layer) const;
  std::optional<OpCost> layer_cost(const ExecutedLayer& layer, const Network& network, std::string& why) const override;

 private:
  void estimate_one(const Design& design, Cost& cost) const;
  std::string unsupported(const ExecutedLayer& layer, const Network& network) const;

  SpatialDevice device_;
  // Mappings by the loops of a layer: the same from any thread, whoever searches first.
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::uint64_t, std::unique_ptr<const FoundMapping>> found_;
};

}  // namespace ridgeline
