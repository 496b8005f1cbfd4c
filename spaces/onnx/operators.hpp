// How our operators are spelt in ONNX (opset 13), in one place for everything that reads or writes ONNX files.
//
//  | ours | ONNX |
//  |---|---|
//  | conv2d | Conv |
//  | linear | [N,C]: Gemm (transB = 1); more axes: MatMul, with a bias MatMul and Add |
//  | matmul | MatMul; transpose_b: Transpose of the second input before it |
//  | batch_norm | BatchNormalization |
//  | layer_norm | ReduceMean, Sub, Pow 2, ReduceMean, Add epsilon, Sqrt, Div, Mul, Add |
//  | relu, sigmoid, softmax | Relu, Sigmoid, Softmax |
//  | relu6 | Clip to [0, 6] |
//  | hard_sigmoid | HardSigmoid, alpha = 1/6, beta = 0.5 |
//  | hard_swish | HardSigmoid as above, Mul with its input |
//  | swish | Sigmoid, Mul with its input |
//  | gelu | x / sqrt(2), Erf, Add 1, Mul x, Mul 0.5: the exact one, by the error function |
//  | add, mul | Add, Mul: [N,C,1,1] spreads over [N,C,H,W] by ONNX's own broadcasting |
//  | concat, transpose, flatten, identity | Concat, Transpose, Flatten (axis 1), Identity |
//  | max_pool, avg_pool, global_avg_pool | MaxPool, AveragePool, GlobalAveragePool |
//  | reshape | Reshape; a symbolic batch is 0, which copies the extent of the input's same axis |
//  | zero | Mul by 0; with a stride, Slice with steps before it |
//
// layer_norm and gelu are decomposed in the pattern that ONNX Runtime looks for and fuses to single kernels.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "spaces/onnx/graph.hpp"
#include "spaces/weights.hpp"

namespace ridgeline {

// The tensors that an operator reads beside its inputs; empty where it has none.
struct OnnxParameters {
  std::string kernel, bias, scale, shift, mean, variance;
};

// How the kernel of a conv2d or linear lies in its initializer. Gemm and Conv read it as Weights holds it; MatMul reads
// a linear's kernel as [in, channels].
struct OnnxKernelLayout {
  Shape shape;
  bool transposed = false;
};
OnnxKernelLayout onnx_kernel_layout(const Op& op, const Shape& input);

// One operator of a network and the tensors around it.
struct OnnxCall {
  const Op& op;
  std::string name;  // unique; tensors between the nodes of one operator are called NAME/...
  std::vector<std::string> inputs;
  std::vector<Shape> input_shapes;
  OnnxParameters parameters;
  std::string output;
  Shape output_shape;
  std::string title{};  // what its last node is called; empty: as its output
};

// Adds an operator's numbers to the initializers as NAME.kernel, NAME.bias ... Throws std::invalid_argument when
// `weights` are not of this operator.
OnnxParameters add_onnx_parameters(OnnxGraph& graph, const OnnxCall& call, const NodeWeights& weights);

// Adds the nodes of an operator other than `input`, and the constants that they read.
void add_onnx_operator(OnnxGraph& graph, const OnnxCall& call);

}  // namespace ridgeline
