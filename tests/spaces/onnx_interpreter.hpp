// Runs ONNX models in plain loops, in double precision, as the operator specification says (opset 13): what an exported
// model computes, found without the exporter and without a runtime. Knows the operators that the exporter may use;
// throws std::runtime_error for any other, and for an attribute that it does not look at.
#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <vector>

#include "spaces/operator.hpp"

namespace ridgeline::test {

struct OnnxArray {
  Shape shape;
  std::vector<double> values;  // row-major; whole numbers up to 2^53 are exact
  bool is_unsigned = false;    // 8-bit integers without sign
};

using OnnxArrays = std::map<std::string, OnnxArray>;  // by tensor name

OnnxArray array_of(const onnx::TensorProto& proto);

// Every tensor of the graph. `inputs` holds one array a graph input.
OnnxArrays run_onnx(const onnx::ModelProto& model, OnnxArrays inputs);

}  // namespace ridgeline::test
