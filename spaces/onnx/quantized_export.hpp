// Quantization in ONNX graphs: QuantizeLinear and DequantizeLinear around what this machine would run in 8 bits, where
// runtimes look for them. Internal to spaces/onnx.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "spaces/design.hpp"
#include "spaces/onnx/operators.hpp"

namespace ridgeline {

class OnnxQuantizers {
 public:
  // Of all-f32 designs (bf16 is f32 in a file) nothing is quantized. Throws ConfigError: a format that neither f32 nor
  // 8-bit integers can stand for, quantized operators without ranges.
  explicit OnnxQuantizers(const Design& design);

  bool quantizes_weights(NodeId node) const { return weights_[node]; }
  // Adds the kernel in s8 with a scale an output channel, and the bias in s32, behind DequantizeLinear nodes; `call`'s
  // parameters become their results.
  void add_weights(OnnxGraph& graph, OnnxCall& call, NodeId node, const NodeWeights& weights) const;
  // Adds the pair behind a tensor that is stored in 8 bits, and returns what its readers read.
  std::string add_tensor(OnnxGraph& graph, NodeId node, const std::string& tensor) const;

 private:
  const Design& design_;
  std::vector<bool> weights_, tensors_;  // one a node
  std::vector<TensorScale> scales_;
};

}  // namespace ridgeline
