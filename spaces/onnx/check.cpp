#include "spaces/onnx/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/proto_utils.h>
#include <onnx/shape_inference/implementation.h>

#include <map>
#include <stdexcept>

namespace ridgeline {
namespace {

Shape shape_of(const onnx::ValueInfoProto& value) {
  const onnx::TensorShapeProto& proto = value.type().tensor_type().shape();
  Shape shape;
  for (const onnx::TensorShapeProto_Dimension& dimension : proto.dim()) {
    if (!dimension.has_dim_value() && dimension.dim_param() != "N") {
      throw std::logic_error(fmt::format("ONNX: extent {} of {} cannot be inferred", shape.size(), value.name()));
    }
    shape.push_back(dimension.has_dim_value() ? dimension.dim_value() : symbolic_batch);
  }
  return shape;
}

std::vector<OnnxValue> values_of(const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& protos) {
  std::vector<OnnxValue> values;
  for (const onnx::ValueInfoProto& proto : protos) values.push_back({proto.name(), shape_of(proto)});
  return values;
}

std::map<std::string, Shape> inferred_shapes(const onnx::GraphProto& graph) {
  std::map<std::string, Shape> shapes;
  for (const auto* protos : {&graph.input(), &graph.value_info(), &graph.output()}) {
    for (OnnxValue& value : values_of(*protos)) shapes.emplace(std::move(value.name), std::move(value.shape));
  }
  return shapes;
}

void compare(const std::map<std::string, Shape>& found, const std::vector<OnnxValue>& expected) {
  for (const OnnxValue& value : expected) {
    const auto it = found.find(value.name);
    if (it == found.end() || it->second == value.shape) continue;
    throw std::logic_error(fmt::format("ONNX: {} is inferred as [{}], but is [{}] (-1 is the batch)", value.name,
                                       fmt::join(it->second, ", "), fmt::join(value.shape, ", ")));
  }
}

// What leaves a graph states its shape, which inference would merge with its own: it is to find them by itself.
void forget_output_shapes(onnx::GraphProto& graph) {
  for (onnx::ValueInfoProto& output : *graph.mutable_output()) {
    output.mutable_type()->mutable_tensor_type()->clear_shape();
  }
}

}  // namespace

OnnxSummary check_onnx_model(std::string_view bytes, const std::vector<OnnxValue>& expected) {
  onnx::ModelProto model;
  if (!onnx::ParseProtoFromBytes(&model, bytes.data(), bytes.size())) throw std::logic_error("ONNX: not a model");
  OnnxSummary summary;
  try {
    onnx::checker::check_model(model);
    summary = {static_cast<std::size_t>(model.graph().node_size()),
               static_cast<std::size_t>(model.graph().initializer_size()), values_of(model.graph().input()),
               values_of(model.graph().output())};
    forget_output_shapes(*model.mutable_graph());
    const onnx::ShapeInferenceOptions strict{true, 1, true};  // types, errors are thrown, constant shapes
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), strict);
  } catch (const std::runtime_error& error) {  // of the checker, of inference
    throw std::logic_error(fmt::format("ONNX: {}", error.what()));
  }
  const std::map<std::string, Shape> shapes = inferred_shapes(model.graph());
  for (const onnx::NodeProto& node : model.graph().node()) {
    for (const std::string& output : node.output()) {
      if (!shapes.contains(output)) throw std::logic_error(fmt::format("ONNX: no shape was inferred for {}", output));
    }
  }
  compare(shapes, expected);
  compare(shapes, summary.outputs);
  return summary;
}

}  // namespace ridgeline
