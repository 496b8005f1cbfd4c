// A space whose candidates are the precision plans of one trained network. Internal to spaces/.
//
//   {"ridgeline_space": 1, "name": "resnet20_plans", "model": "resnet20.onnx", "formats": ["f32", "bf16", "int8"],
//    "ties": [["conv2d_3", "conv2d_7"]], "fixed": {"conv2d_1": "int8"}}
//
// "model" is an ONNX file, named from the space file's folder. Every convolution, linear layer and matrix product is a
// dimension of its own, called as in the file (or "conv2d_3" where it has no name of its own); those that are tied
// share one, called as the first, and those that are fixed have none. A format may be a pair WEIGHTS/ACTIVATIONS;
// integer weights have a scale an output channel.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

struct ModelSpace {
  Design design;  // f32, with its weights
  std::vector<Dimension> dims;
  std::vector<std::vector<NodeId>> operators;  // of each dimension
  std::vector<OperatorFormats> formats;        // of each choice, in the order of the file; the same for all dimensions
  std::vector<std::pair<NodeId, OperatorFormats>> fixed;
  std::uint64_t model_hash = 0;  // of the ONNX file

  Design decode(const Genome& genome) const;
};

// Notes problems in the reader; throws ConfigError for those of the model.
ModelSpace read_model_space(JsonReader& root, const std::string& origin, std::int64_t batch);

}  // namespace ridgeline
