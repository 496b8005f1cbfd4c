// An ONNX graph as plain values, and the bytes of the model file that holds it. What reads or writes ONNX works on
// these, so that the protobuf headers stay in few files.
//
// A tensor is known by its name, and written by exactly one node, initializer or graph input. Nodes are in topological
// order. Shapes are as everywhere here; an extent of -1 is the symbolic batch "N".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "spaces/operator.hpp"

namespace ridgeline {

// Opset 13 came with ONNX 1.8 (December 2020, file format 7) and is the oldest one with a softmax over a single axis:
// older runtimes and converters read it, and newer ones read all before them. Later opsets add HardSwish (14),
// LayerNormalization (17) and Gelu (20) as operators of their own; here they are spelt with older ones.
inline constexpr std::int64_t onnx_opset = 13;
inline constexpr std::int64_t onnx_file_format = 7;

inline constexpr std::int64_t symbolic_batch = -1;

using OnnxAttribute = std::variant<std::int64_t, float, std::vector<std::int64_t>, std::string>;

struct OnnxNode {
  std::string type;                 // "Conv"
  std::vector<std::string> inputs;  // an optional input that is left out is ""
  std::string output;               // the first; only training uses others
  std::map<std::string, OnnxAttribute> attributes{};
  std::string name{};  // for people; empty: as its output
};

enum class OnnxInteger : std::uint8_t { i64, i32, i8, u8 };

struct OnnxInitializer {
  std::string name;
  Shape shape;  // empty: a scalar
  std::variant<std::vector<float>, std::vector<std::int64_t>> values;
  OnnxInteger stored = OnnxInteger::i64;  // how a file holds whole numbers
};

struct OnnxValue {  // f32
  std::string name;
  Shape shape;
};

struct OnnxGraph {
  std::string name;
  std::vector<OnnxValue> inputs, outputs;
  std::vector<OnnxInitializer> initializers;
  std::vector<OnnxNode> nodes;
  std::int64_t opset = onnx_opset;
};

// `metadata`: the model's metadata_props. The same graph gives the same bytes. Throws ConfigError when the numbers do
// not fit the 2 GiB of a protobuf file.
std::string onnx_bytes(const OnnxGraph& graph, const std::string& producer_version,
                       const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace ridgeline
