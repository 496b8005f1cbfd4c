// A trained network as an ONNX model that any runtime executes: opset 13, operators spelt as in operators.hpp.
//
// Operators of a plan in 8 bits are f32 operators between QuantizeLinear and DequantizeLinear nodes (QDQ): kernels s8
// with a scale an output channel, bias s32, activations u8 or s8 with zero point 0, in the scales that the executor
// uses. A tensor is rounded behind every operator but those that runtimes fuse. bf16 operators are f32 in a file.
//
// Graph inputs are called as the network's (`input` where it has no name), outputs `output`, or `output_0`, `output_1`
// ... where there are several; the tensor of node 12 is `conv2d_12`, its numbers `conv2d_12.kernel`. Nodes from which
// no output is reachable are left out. Images are [N, C, H, W], and the first extent of every input is the batch.
//
// The model's metadata_props say how it is used, each where it is known:
//  * `class_names`: a JSON array of strings, in the order of the outputs
//  * `mean`, `stddev`: JSON arrays, one number a channel. An input image is (x - mean) / stddev, x being the pixel in
//  0..1
//    (8-bit pixels divided by 255)
//
// Pure functions; the same arguments give the same bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spaces/design.hpp"
#include "spaces/onnx/graph.hpp"

namespace ridgeline {

struct OnnxOptions {
  std::optional<std::int64_t> batch{};  // images a run; without it the symbolic dimension "N": any number
  std::string graph_name = "network";
  std::string producer_version{};
  std::vector<std::string> class_names{};
  std::vector<float> mean{}, stddev{};
};

// Throws ConfigError: a number format other than f32, bf16 and 8-bit integers, 8 bits without ranges, a batch that the
// network cannot have, more than 2 GiB of weights. Throws std::invalid_argument when there are no weights, or those of
// another network.
OnnxGraph onnx_graph(const Design& design, const OnnxOptions& options = {});
std::string onnx_model(const Design& design, const OnnxOptions& options = {});  // the bytes of a file

// The tensors of a model, one a node of the network in the order of ids: its name in the graph, and its shape with the
// batch of the options. Throws ConfigError for a batch that the network cannot have.
std::vector<OnnxValue> onnx_tensors(const Network& network, std::optional<std::int64_t> batch = {});

}  // namespace ridgeline
