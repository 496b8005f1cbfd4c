// An ONNX model as a network with its weights.
//
// Operators: Conv, Gemm, MatMul, BatchNormalization, LayerNormalization, Relu, Clip to [0, 6] or from 0, HardSwish,
// HardSigmoid (alpha 1/6), Sigmoid, Softmax, Add, Sub, Mul and Div (of two tensors for Add and Mul, else with
// constants), Concat, MaxPool, AveragePool, GlobalAveragePool, ReduceMean over images or tokens, Reshape, Flatten,
// Squeeze, Unsqueeze, Transpose, Pad (before a convolution or average pool), Identity, Dropout, Cast, and layer norm,
// GELU, swish and hard swish spelt with smaller ones. Shape arithmetic on constants is computed.
//
// QuantizeLinear and DequantizeLinear become the precision plan of the operators between them, with the scales they
// had.
//
// The network is of one sample: the first extent of the input is the batch, whatever the file says of it.
#pragma once

#include <string>
#include <vector>

#include "spaces/design.hpp"
#include "spaces/onnx/reader.hpp"

namespace ridgeline {

struct ImportedModel {
  Design design;
  // Of the file's metadata, as Ridgeline writes them; empty where there are none.
  std::vector<std::string> class_names;
  std::vector<float> mean, stddev;
};

// Throws ConfigError: an operator, attribute or shape that is not supported (naming node, operator and opset), an
// input without fixed extents.
ImportedModel import_onnx(const OnnxModel& model);
inline ImportedModel import_onnx(const std::string& path) { return import_onnx(read_onnx(path)); }

// The operators that are understood, sorted.
std::vector<std::string> onnx_operator_names();

}  // namespace ridgeline
