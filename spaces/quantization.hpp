// The ranges that the numbers of a network are quantized over.
#pragma once

#include <vector>

namespace ridgeline {

// Values beyond it saturate. Symmetric formats use the larger magnitude of the two.
struct Range {
  float low = 0, high = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// Of an operator that a PrecisionPlan has formats for. Empty: the range of the numbers themselves.
struct OperatorRanges {
  std::vector<Range> weights;  // one a scale: a tensor, an output channel, or a group of inputs in each output channel
  std::vector<Range> inputs;   // one an input
};

using Quantization = std::vector<OperatorRanges>;  // one entry a node, in the order of ids

}  // namespace ridgeline
