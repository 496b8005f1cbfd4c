#include "spaces/onnx/graph.hpp"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <stdexcept>
#include <utility>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t protobuf_limit_bytes = (std::size_t{1} << 31) - 1;

void set_attribute(onnx::AttributeProto& proto, const std::string& name, const OnnxAttribute& value) {
  proto.set_name(name);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(*integer);
  } else if (const auto* number = std::get_if<float>(&value)) {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(*number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(*text);
  } else {
    proto.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t one : std::get<std::vector<std::int64_t>>(value)) proto.add_ints(one);
  }
}

void set_node(onnx::NodeProto& proto, const OnnxNode& node) {
  proto.set_name(node.name.empty() ? node.output : node.name);
  proto.set_op_type(node.type);
  for (const std::string& input : node.inputs) proto.add_input(input);
  proto.add_output(node.output);
  for (const auto& [name, value] : node.attributes) set_attribute(*proto.add_attribute(), name, value);
}

template <typename Stored>
void set_integers(onnx::TensorProto& proto, onnx::TensorProto::DataType type, const std::vector<std::int64_t>& values) {
  proto.set_data_type(type);
  std::vector<Stored> stored;
  for (const std::int64_t value : values) {
    if (!std::in_range<Stored>(value)) throw std::logic_error(fmt::format("{}: {} does not fit", proto.name(), value));
    stored.push_back(static_cast<Stored>(value));
  }
  proto.set_raw_data(stored.data(), stored.size() * sizeof(Stored));
}

void set_values(onnx::TensorProto& proto, const std::vector<float>& values, OnnxInteger) {
  proto.set_data_type(onnx::TensorProto::FLOAT);
  proto.set_raw_data(values.data(), values.size() * sizeof(float));
}

void set_values(onnx::TensorProto& proto, const std::vector<std::int64_t>& values, OnnxInteger stored) {
  switch (stored) {
    case OnnxInteger::i64:
      return set_integers<std::int64_t>(proto, onnx::TensorProto::INT64, values);
    case OnnxInteger::i32:
      return set_integers<std::int32_t>(proto, onnx::TensorProto::INT32, values);
    case OnnxInteger::i8:
      return set_integers<std::int8_t>(proto, onnx::TensorProto::INT8, values);
    case OnnxInteger::u8:
      return set_integers<std::uint8_t>(proto, onnx::TensorProto::UINT8, values);
  }
}

void set_initializer(onnx::TensorProto& proto, const OnnxInitializer& initializer) {
  proto.set_name(initializer.name);
  for (const std::int64_t extent : initializer.shape) proto.add_dims(extent);
  std::visit(
      [&](const auto& values) {
        if (static_cast<std::int64_t>(values.size()) != elements(initializer.shape)) {
          throw std::logic_error(fmt::format("initializer {} has {} values for shape {}", initializer.name,
                                             values.size(), shape_text(initializer.shape)));
        }
        set_values(proto, values, initializer.stored);
      },
      initializer.values);
}

void set_value(onnx::ValueInfoProto& proto, const OnnxValue& value) {
  proto.set_name(value.name);
  onnx::TypeProto_Tensor& type = *proto.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  onnx::TensorShapeProto& shape = *type.mutable_shape();
  for (const std::int64_t extent : value.shape) {
    onnx::TensorShapeProto_Dimension& dimension = *shape.add_dim();
    if (extent == symbolic_batch) {
      dimension.set_dim_param("N");
    } else {
      dimension.set_dim_value(extent);
    }
  }
}

void require_size(const OnnxGraph& graph) {
  std::size_t bytes = 0;
  for (const OnnxInitializer& initializer : graph.initializers) {
    bytes += std::visit([](const auto& values) { return values.size() * sizeof(values[0]); }, initializer.values);
  }
  constexpr std::size_t room_for_nodes_bytes = std::size_t{64} << 20;
  if (bytes + room_for_nodes_bytes <= protobuf_limit_bytes) return;
  throw ConfigError({"", "weights", "less than 2 GiB, the limit of an ONNX file", fmt::format("{} bytes", bytes),
                     "take a smaller network"});
}

}  // namespace

std::string onnx_bytes(const OnnxGraph& graph, const std::string& producer_version,
                       const std::vector<std::pair<std::string, std::string>>& metadata) {
  require_size(graph);
  onnx::ModelProto model;
  model.set_ir_version(onnx_file_format);
  model.set_producer_name("ridgeline");
  model.set_producer_version(producer_version);
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(graph.opset);
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name(graph.name);
  for (const OnnxValue& value : graph.inputs) set_value(*proto.add_input(), value);
  for (const OnnxValue& value : graph.outputs) set_value(*proto.add_output(), value);
  for (const OnnxInitializer& initializer : graph.initializers) set_initializer(*proto.add_initializer(), initializer);
  for (const OnnxNode& node : graph.nodes) set_node(*proto.add_node(), node);
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!model.SerializeToCodedStream(&coded)) throw std::logic_error("protobuf did not write the model");
  }
  return bytes;
}

}  // namespace ridgeline
