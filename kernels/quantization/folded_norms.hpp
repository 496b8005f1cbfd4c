// Batch norms taken into the weights in front of them, where quantization wants to see one kernel.
#pragma once

#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

struct FoldedNorms {
  Design design;
  std::vector<NodeId> node_of;  // one a node of the original: who holds its value now; of dead nodes 0
};

// The network without the batch norms that follow a conv2d or linear alone, whose weights and bias have become theirs,
// and without dead nodes. The function is the same but for rounding. The plan is all f32 and nothing is calibrated.
// `design` has weights.
FoldedNorms fold_norms(const Design& design);
inline Design with_folded_norms(const Design& design) { return fold_norms(design).design; }

// A plan of the original network as one of the folded network.
PrecisionPlan folded_plan(const FoldedNorms& folded, const PrecisionPlan& plan);

}  // namespace ridgeline
