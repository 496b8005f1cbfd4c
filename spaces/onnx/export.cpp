#include "spaces/onnx/export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "spaces/config_error.hpp"
#include "spaces/onnx/operators.hpp"
#include "spaces/onnx/quantized_export.hpp"

namespace ridgeline {
namespace {

// What a node and its numbers are called inside a model.
std::string base_name(const Network& network, NodeId node) {
  return fmt::format("{}_{}", name_of(network.op(node).kind), node);
}

// Letters, digits and underscores, as names of tensors inside operators hold other signs.
std::string plain_name(const std::string& name) {
  std::string plain = name.empty() ? "input" : name;
  for (char& c : plain) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return plain;
}

std::vector<std::string> tensor_names(const Network& network) {
  std::vector<std::string> names;
  for (NodeId node = 0; node < network.size(); ++node) names.push_back(base_name(network, node));
  const auto outputs = network.outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (network.op(outputs[i]).kind == OpKind::input) continue;
    names[outputs[i]] = outputs.size() == 1 ? "output" : fmt::format("output_{}", i);
  }
  std::set<std::string> taken(names.begin(), names.end());
  for (std::size_t i = 0; i < outputs.size(); ++i) taken.insert({"output", fmt::format("output_{}", i)});
  for (NodeId node = 0; node < network.size(); ++node) {
    if (network.op(node).kind != OpKind::input) continue;
    std::string name = plain_name(network.name(node));
    while (!taken.insert(name).second) name += fmt::format("_{}", node);
    names[node] = std::move(name);
  }
  return names;
}

[[noreturn]] void refuse_symbolic(const Network& network, NodeId node, const std::string& found) {
  throw ConfigError({"--batch", base_name(network, node), "an operator that works for any batch", found,
                     "export it for a number of images: --batch 1"});
}

// An operator's numbers belong to axes of fixed length, and a reshape of ONNX keeps an unknown extent where it is.
void require_fixed_axes(const Network& network, NodeId node, const std::vector<Shape>& shapes) {
  const OpKind kind = network.op(node).kind;
  if (kind == OpKind::reshape) {
    const Shape &from = shapes[network.inputs(node)[0]], &to = shapes[node];
    for (std::size_t axis = 0; axis < to.size(); ++axis) {
      if (to[axis] != symbolic_batch || (axis < from.size() && from[axis] == symbolic_batch)) continue;
      refuse_symbolic(network, node, "the batch moved to another axis");
    }
  }
  if (!has_weights(kind)) return;
  const Shape& input = shapes[network.inputs(node)[0]];
  const bool by_channel = kind == OpKind::conv2d || kind == OpKind::batch_norm;
  if ((by_channel ? input[1] : input.back()) == symbolic_batch)
    refuse_symbolic(network, node, "weights along the batch");
}

// Every shape with the extents that are the batch's marked, found by comparing two batches: a transpose may have moved
// the batch to any axis.
std::vector<Shape> symbolic_shapes(const Network& network) {
  constexpr std::array<std::int64_t, 2> batches{1, 97};
  std::array<Network, 2> probes;
  try {
    probes = {with_batch(network, batches[0]), with_batch(network, batches[1])};
  } catch (const ConfigError& error) {
    throw ConfigError({"--batch", "", "a network that works for any batch", error.problems()[0].text(),
                       "export it for a number of images: --batch 1"});
  }
  std::vector<Shape> shapes;
  for (NodeId node = 0; node < network.size(); ++node) {
    const Shape &one = probes[0].shape(node), &many = probes[1].shape(node);
    Shape shape = one;
    for (std::size_t axis = 0; axis < one.size(); ++axis) {
      if (one[axis] == many[axis]) continue;
      if (std::pair(one[axis], many[axis]) != std::pair(batches[0], batches[1])) {
        refuse_symbolic(network, node, fmt::format("{} for batch 1, {} for 97", shape_text(one), shape_text(many)));
      }
      shape[axis] = symbolic_batch;
    }
    shapes.push_back(std::move(shape));
    require_fixed_axes(network, node, shapes);
  }
  return shapes;
}

std::vector<Shape> fixed_shapes(const Network& network, std::int64_t batch) {
  const Network wide = with_batch(network, batch);
  std::vector<Shape> shapes;
  for (NodeId node = 0; node < wide.size(); ++node) shapes.push_back(wide.shape(node));
  return shapes;
}

// The names that nodes have in the network, where they are theirs alone; empty otherwise.
std::vector<std::string> node_titles(const Network& network, const std::vector<OnnxValue>& tensors) {
  std::map<std::string, int> uses;
  for (const OnnxValue& tensor : tensors) ++uses[tensor.name];
  for (NodeId node = 0; node < network.size(); ++node) ++uses[network.name(node)];
  std::vector<std::string> titles(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    const std::string& name = network.name(node);
    if (!name.empty() && uses[name] == 1 && name.find('/') == std::string::npos) titles[node] = name;
  }
  return titles;
}

OnnxCall call_of(const Network& network, NodeId node, const std::vector<OnnxValue>& tensors,
                 const std::vector<std::string>& read) {
  OnnxCall call{network.op(node), base_name(network, node), {}, {}, {}, tensors[node].name, tensors[node].shape};
  for (const NodeId input : network.inputs(node)) {
    call.inputs.push_back(read[input]);
    call.input_shapes.push_back(tensors[input].shape);
  }
  return call;
}

}  // namespace

std::vector<OnnxValue> onnx_tensors(const Network& network, std::optional<std::int64_t> batch) {
  std::vector<std::string> names = tensor_names(network);
  std::vector<Shape> shapes = batch ? fixed_shapes(network, *batch) : symbolic_shapes(network);
  std::vector<OnnxValue> tensors;
  for (NodeId node = 0; node < network.size(); ++node) tensors.push_back({names[node], std::move(shapes[node])});
  return tensors;
}

OnnxGraph onnx_graph(const Design& design, const OnnxOptions& options) {
  const Network& network = design.network;
  if (!design.weights || design.weights->size() != network.size()) {
    throw std::invalid_argument("the design has no weights, or those of another network");
  }
  const OnnxQuantizers quantizers(design);
  const std::vector<OnnxValue> tensors = onnx_tensors(network, options.batch);
  OnnxGraph graph;
  graph.name = options.graph_name;
  const std::vector<std::string> titles = node_titles(network, tensors);
  std::vector<std::string> read(network.size());  // what the readers of each node's tensor read
  for (NodeId node = 0; node < network.size(); ++node) {
    if (network.op(node).kind != OpKind::input) continue;
    graph.inputs.push_back(tensors[node]);
    read[node] = quantizers.add_tensor(graph, node, tensors[node].name);
  }
  for (const NodeId node : network.live_nodes()) {
    if (network.op(node).kind == OpKind::input) continue;
    OnnxCall call = call_of(network, node, tensors, read);
    call.title = titles[node];
    const NodeWeights& weights = (*design.weights)[node];
    if (quantizers.quantizes_weights(node)) {
      quantizers.add_weights(graph, call, node, weights);
    } else {
      call.parameters = add_onnx_parameters(graph, call, weights);
    }
    add_onnx_operator(graph, call);
    read[node] = quantizers.add_tensor(graph, node, tensors[node].name);
  }
  const auto outputs = network.outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    OnnxValue output = tensors[outputs[i]];
    if (network.op(outputs[i]).kind == OpKind::input) {  // a tensor is not both
      output.name = outputs.size() == 1 ? "output" : fmt::format("output_{}", i);
      graph.nodes.push_back({"Identity", {tensors[outputs[i]].name}, output.name});
    }
    graph.outputs.push_back(std::move(output));
  }
  return graph;
}

std::string onnx_model(const Design& design, const OnnxOptions& options) {
  std::vector<std::pair<std::string, std::string>> metadata;
  const auto note = [&](const char* key, const auto& values) {
    if (!values.empty()) metadata.emplace_back(key, nlohmann::json(values).dump());
  };
  note("class_names", options.class_names);
  note("mean", options.mean);
  note("stddev", options.stddev);
  return onnx_bytes(onnx_graph(design, options), options.producer_version, metadata);
}

}  // namespace ridgeline
