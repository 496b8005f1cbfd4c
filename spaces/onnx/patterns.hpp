// Operators that exporters spell with smaller ones, found again.
#pragma once

#include "spaces/onnx/graph.hpp"

namespace ridgeline {

// The graph with every product with constants and the addition of a bias as one MatMul node of three inputs, every
// decomposed layer norm as one LayerNormalization node (x, scale, shift; "epsilon", "axis" -1) and
// every GELU by the error function as one Gelu node, in place of the node that made its result. The smaller nodes stay
// where something else reads them.
//  * layer norm: mean; x - mean; its square by Pow or Mul; mean; + epsilon; Sqrt; Div; Mul by scale; Add of shift
//  * GELU: x / sqrt(2) or x * 1/sqrt(2); Erf; + 1; the product with x and with 0.5, in any order
OnnxGraph with_patterns(OnnxGraph graph);

}  // namespace ridgeline
