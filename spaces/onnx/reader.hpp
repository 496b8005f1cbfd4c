// An ONNX file as plain values: parsed, held against ONNX's own checker, with data that lies in files beside it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "spaces/onnx/graph.hpp"

namespace ridgeline {

struct OnnxModel {
  OnnxGraph graph;  // nodes of type Constant are initializers here; half-precision numbers are f32
  std::map<std::string, std::string> metadata;
  std::string origin;  // the file, for messages
};

// Opsets that are understood.
inline constexpr std::int64_t onnx_least_opset = 9, onnx_most_opset = 17;
// Files that claim more are refused before anything is allocated.
inline constexpr std::size_t onnx_nodes_limit = 100'000;

// Throws ConfigError naming the node or tensor: no file, no model, an opset outside the range above, a graph that is
// not in order (cyclic), numbers that are missing or too many, a type that is no number, data outside the model's
// folder, whatever ONNX's checker objects to.
OnnxModel read_onnx(const std::string& path);
// `folder`: where external data are looked for; empty: nowhere.
OnnxModel parse_onnx(std::string_view bytes, const std::string& origin, const std::string& folder = {});

}  // namespace ridgeline
