// What a genome decodes to: a network and the number formats it runs in, with weights where there are any; and where
// the space has genes for them, how it is scheduled and the values that they give a device.
#pragma once

#include <cstdint>
#include <memory>

#include "spaces/format.hpp"
#include "spaces/json_reader.hpp"
#include "spaces/network.hpp"
#include "spaces/quantization.hpp"
#include "spaces/weights.hpp"

namespace ridgeline {

struct Design {
  Network network;
  PrecisionPlan precision;
  std::shared_ptr<const Weights> weights{};            // null: untrained
  std::shared_ptr<const Quantization> quantization{};  // null: weights over their own range
  // Objects of numbers, words and booleans, by what the space's "hardware" and "schedule" call them; null: it has none.
  std::shared_ptr<const Json> hardware{}, schedule{};
};

// Equal for designs that compute the same function in the same formats, scheduled alike on alike hardware (weights are
// not looked at).
std::uint64_t function_hash(const Design& design);

}  // namespace ridgeline
