// Holds an ONNX model against ONNX's own rules: its checker, and strict shape inference with types and constant shapes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spaces/onnx/graph.hpp"

namespace ridgeline {

struct OnnxSummary {
  std::size_t nodes = 0, initializers = 0;
  std::vector<OnnxValue> inputs, outputs;
};

// `expected`: tensors with the shapes that inference must find, in any order (see onnx_tensors); names that the model
// does not have are passed over. Throws std::logic_error with what is broken: bytes that are no model, a node that
// breaks the operator set's rules, a shape that cannot be inferred or is another one.
OnnxSummary check_onnx_model(std::string_view bytes, const std::vector<OnnxValue>& expected = {});

}  // namespace ridgeline
