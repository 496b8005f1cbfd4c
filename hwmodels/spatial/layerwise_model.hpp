// A hardware model whose layers cost the same whatever runs before and after them, so that each can be given to another
// accelerator: the models of arrays.
#pragma once

#include <optional>
#include <string>

#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"

namespace ridgeline {

class LayerwiseModel : public HardwareModel {
 public:
  // The row of layer.node in the cost of a design with this network. nullopt: it does not run here, and `why` says so.
  virtual std::optional<OpCost> layer_cost(const ExecutedLayer& layer, const Network& network,
                                           std::string& why) const = 0;
};

}  // namespace ridgeline
