// What a genome decodes to: a network and the number formats it runs in, with weights where there are any.
#pragma once

#include <cstdint>
#include <memory>

#include "spaces/format.hpp"
#include "spaces/network.hpp"
#include "spaces/quantization.hpp"
#include "spaces/weights.hpp"

namespace ridgeline {

struct Design {
  Network network;
  PrecisionPlan precision;
  std::shared_ptr<const Weights> weights{};            // null: untrained
  std::shared_ptr<const Quantization> quantization{};  // null: weights over their own range
};

// Equal for designs that compute the same function in the same formats (weights are not looked at).
inline std::uint64_t function_hash(const Design& design) { return structural_hash(design.network, design.precision); }

}  // namespace ridgeline
