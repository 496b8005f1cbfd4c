#include "spaces/onnx/reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Proto = onnx::TensorProto;

static_assert(std::endian::native == std::endian::little, "ONNX holds raw numbers in this order");

float from_half(std::uint16_t bits) {
  const auto sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU, fraction = bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

float from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

std::string read_bytes(const fs::path& path, std::uint64_t offset, std::optional<std::uint64_t> length,
                       const Problem& problem) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) throw ConfigError(problem);
  const std::uint64_t size = fs::file_size(path, error);
  if (error || offset > size || (length && *length > size - offset)) throw ConfigError(problem);
  std::string bytes(length.value_or(size - offset), '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file) throw ConfigError(problem);
  return bytes;
}

class Reader {
 public:
  Reader(std::string origin, std::string folder) : folder_(std::move(folder)) { model_.origin = std::move(origin); }

  OnnxModel run(std::string_view bytes) {
    onnx::ModelProto proto;
    parse(bytes, proto);
    read_opset(proto);
    if (!proto.has_graph()) refuse("", "a graph", "none", "");
    onnx::GraphProto& graph = *proto.mutable_graph();
    if (static_cast<std::size_t>(graph.node_size()) > onnx_nodes_limit) {
      refuse("", fmt::format("at most {} nodes", onnx_nodes_limit), std::to_string(graph.node_size()), "");
    }
    check_order(graph);
    for (Proto& tensor : *graph.mutable_initializer()) fetch(tensor);
    for (onnx::NodeProto& node : *graph.mutable_node()) {
      for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
        if (attribute.has_t()) fetch(*attribute.mutable_t());
      }
    }
    check(proto);
    model_.graph.name = graph.name();
    for (const onnx::StringStringEntryProto& entry : proto.metadata_props()) {
      model_.metadata[entry.key()] = entry.value();
    }
    for (const Proto& tensor : graph.initializer()) add_initializer(tensor.name(), tensor);
    for (const onnx::ValueInfoProto& input : graph.input()) add_input(input);
    for (const onnx::NodeProto& node : graph.node()) add_node(node);
    for (const onnx::ValueInfoProto& output : graph.output()) model_.graph.outputs.push_back({output.name(), {}});
    return std::move(model_);
  }

 private:
  [[noreturn]] void refuse(const std::string& place, const std::string& expected, const std::string& found,
                           const std::string& remedy) const {
    throw ConfigError(Problem{model_.origin, place, expected, found, remedy});
  }

  void parse(std::string_view bytes, onnx::ModelProto& proto) const {
    if (bytes.empty()) refuse("", "an ONNX model", "an empty file", "");
    google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
    google::protobuf::io::CodedInputStream coded(&stream);
    const bool whole = proto.ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage();
    if (!whole || (!proto.has_graph() && proto.opset_import_size() == 0)) {
      refuse("", "an ONNX model", "something else, or only a part of one", "is the file whole?");
    }
  }

  void read_opset(const onnx::ModelProto& proto) {
    std::int64_t opset = 0;
    for (const onnx::OperatorSetIdProto& entry : proto.opset_import()) {
      if (entry.domain().empty() || entry.domain() == "ai.onnx") opset = entry.version();
    }
    if (opset < onnx_least_opset || opset > onnx_most_opset) {
      refuse("opset_import", fmt::format("opset {} to {}", onnx_least_opset, onnx_most_opset), std::to_string(opset),
             "export the model in another opset, or convert it with onnx.version_converter");
    }
    model_.graph.opset = opset;
  }

  static std::string place_of(const onnx::NodeProto& node) {
    const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    return fmt::format("node '{}' ({})", name, node.op_type());
  }

  // Every tensor is made once, and before it is read.
  void check_order(const onnx::GraphProto& graph) const {
    std::set<std::string> made{""};
    for (const Proto& tensor : graph.initializer()) made.insert(tensor.name());
    for (const onnx::ValueInfoProto& input : graph.input()) made.insert(input.name());
    for (const onnx::NodeProto& node : graph.node()) {
      for (const std::string& input : node.input()) {
        if (made.contains(input)) continue;
        refuse(place_of(node), "inputs that a node before it makes", fmt::format("'{}'", input),
               "the graph is cyclic, not in order, or lacks an initializer");
      }
      for (const std::string& output : node.output()) {
        if (!output.empty() && !made.insert(output).second) {
          refuse(place_of(node), "a tensor that is made once", fmt::format("'{}' twice", output), "");
        }
      }
    }
    for (const onnx::ValueInfoProto& output : graph.output()) {
      if (made.contains(output.name())) continue;
      refuse(fmt::format("output '{}'", output.name()), "a tensor that some node makes", "none does", "");
    }
  }

  // Data in another file, brought in.
  void fetch(Proto& tensor) const {
    if (tensor.data_location() != Proto::EXTERNAL) return;
    const std::string place = fmt::format("tensor '{}'", tensor.name());
    std::string location;
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> length;
    for (const onnx::StringStringEntryProto& entry : tensor.external_data()) {
      if (entry.key() == "location") location = entry.value();
      if (entry.key() == "offset") offset = number_of(entry.value(), place);
      if (entry.key() == "length") length = number_of(entry.value(), place);
    }
    const fs::path path = fs::path(location).lexically_normal();
    if (location.empty() || path.is_absolute() || *path.begin() == ".." || folder_.empty()) {
      refuse(place, "data in a file of the model's folder", fmt::format("'{}'", location), "");
    }
    const Problem missing{model_.origin, place, fmt::format("data in '{}'", (folder_ / path).string()),
                          "no such file, or too short a one", "put the model's data files beside it"};
    tensor.set_raw_data(read_bytes(folder_ / path, offset, length, missing));
    tensor.clear_data_location();
    tensor.clear_external_data();
  }

  std::uint64_t number_of(const std::string& text, const std::string& place) const {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
      refuse(place, "a position in a file", fmt::format("'{}'", text), "");
    }
    return value;
  }

  void check(const onnx::ModelProto& proto) const {
    try {
      onnx::checker::check_model(proto);
    } catch (const std::runtime_error& error) {
      refuse("", "a model that ONNX's checker accepts", error.what(), "export the model again");
    }
  }

  // ---- tensors

  template <typename Stored, typename Value, typename Convert>
  std::vector<Value> raw_values(const std::string& raw, std::size_t count, const std::string& place,
                                Convert convert) const {
    if (raw.size() != count * sizeof(Stored)) wrong_size(place, count, raw.size() / sizeof(Stored));
    std::vector<Value> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      Stored one;
      std::memcpy(&one, raw.data() + i * sizeof(Stored), sizeof(Stored));
      values[i] = static_cast<Value>(convert(one));
    }
    return values;
  }

  template <typename Stored, typename Value, typename Field, typename Convert>
  std::vector<Value> values_of(const Proto& tensor, const Field& field, std::size_t count, const std::string& place,
                               Convert convert) const {
    if (tensor.has_raw_data()) return raw_values<Stored, Value>(tensor.raw_data(), count, place, convert);
    if (static_cast<std::size_t>(field.size()) != count) {
      wrong_size(place, count, static_cast<std::size_t>(field.size()));
    }
    std::vector<Value> values;
    values.reserve(count);
    for (const auto one : field) values.push_back(static_cast<Value>(convert(static_cast<Stored>(one))));
    return values;
  }

  [[noreturn]] void wrong_size(const std::string& place, std::size_t expected, std::size_t found) const {
    refuse(place, fmt::format("{} numbers, as its shape says", expected), std::to_string(found), "is the file whole?");
  }

  Shape shape_of(const Proto& tensor, const std::string& place) const {
    Shape shape;
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.dims()) {
      if (extent < 0 || (extent > 0 && count > tensor_elements_limit / extent)) {
        refuse(place, fmt::format("extents of 0 or more, and at most {} numbers", tensor_elements_limit),
               fmt::format("{}", fmt::join(tensor.dims(), "x")), "");
      }
      count *= extent;
      shape.push_back(extent);
    }
    return shape;
  }

  void add_initializer(const std::string& name, const Proto& tensor) {
    const std::string place = fmt::format("tensor '{}'", name);
    initializers_.insert(name);
    OnnxInitializer made{name, shape_of(tensor, place), {}};
    const auto count = static_cast<std::size_t>(elements(made.shape));
    const auto same = [](auto value) { return value; };
    const auto integers = [&]<typename Stored>(const auto& field, OnnxInteger stored) {
      made.values = values_of<Stored, std::int64_t>(tensor, field, count, place, same);
      made.stored = stored;
    };
    switch (tensor.data_type()) {
      case Proto::FLOAT:
        made.values = values_of<float, float>(tensor, tensor.float_data(), count, place, same);
        break;
      case Proto::DOUBLE:
        made.values = values_of<double, float>(tensor, tensor.double_data(), count, place, same);
        break;
      case Proto::FLOAT16:
        made.values = values_of<std::uint16_t, float>(tensor, tensor.int32_data(), count, place, from_half);
        break;
      case Proto::BFLOAT16:
        made.values = values_of<std::uint16_t, float>(tensor, tensor.int32_data(), count, place, from_bfloat);
        break;
      case Proto::INT64:
        integers.operator()<std::int64_t>(tensor.int64_data(), OnnxInteger::i64);
        break;
      case Proto::INT32:
        integers.operator()<std::int32_t>(tensor.int32_data(), OnnxInteger::i32);
        break;
      case Proto::INT8:
        integers.operator()<std::int8_t>(tensor.int32_data(), OnnxInteger::i8);
        break;
      case Proto::UINT8:
        integers.operator()<std::uint8_t>(tensor.int32_data(), OnnxInteger::u8);
        break;
      case Proto::BOOL:
        integers.operator()<std::uint8_t>(tensor.int32_data(), OnnxInteger::u8);
        break;
      default:
        refuse(place, "numbers of type float, double, float16, bfloat16, int64, int32, int8, uint8 or bool",
               fmt::format("type {}", tensor.data_type()), "");
    }
    model_.graph.initializers.push_back(std::move(made));
  }

  void add_input(const onnx::ValueInfoProto& input) {
    if (initializers_.contains(input.name())) return;  // older files list initializers among the inputs
    const std::string place = fmt::format("input '{}'", input.name());
    const onnx::TypeProto_Tensor& type = input.type().tensor_type();
    if (!input.type().has_tensor_type() || type.elem_type() != Proto::FLOAT) {
      refuse(place, "a tensor of type float", fmt::format("type {}", type.elem_type()),
             "export the model with float inputs");
    }
    OnnxValue value{input.name(), {}};
    for (const onnx::TensorShapeProto_Dimension& extent : type.shape().dim()) {
      value.shape.push_back(extent.has_dim_value() && extent.dim_value() > 0 ? extent.dim_value() : symbolic_batch);
    }
    model_.graph.inputs.push_back(std::move(value));
  }

  // ---- nodes

  void add_node(const onnx::NodeProto& node) {
    if (!node.domain().empty() && node.domain() != "ai.onnx") {
      refuse(place_of(node), "an operator of ONNX's own domain", fmt::format("domain '{}'", node.domain()),
             "export the model without custom operators");
    }
    if (node.output_size() < 1) refuse(place_of(node), "an output", "none", "");
    if (node.op_type() == "Constant") return add_constant(node);
    OnnxNode made{node.op_type(), {node.input().begin(), node.input().end()}, node.output(0), {}, node.name()};
    if (made.name.empty()) made.name = made.output;
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      switch (attribute.type()) {
        case onnx::AttributeProto::INT:
          made.attributes[attribute.name()] = std::int64_t{attribute.i()};
          break;
        case onnx::AttributeProto::FLOAT:
          made.attributes[attribute.name()] = attribute.f();
          break;
        case onnx::AttributeProto::INTS:
          made.attributes[attribute.name()] =
              std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
          break;
        case onnx::AttributeProto::STRING:
          made.attributes[attribute.name()] = attribute.s();
          break;
        default:  // of operators that are refused by name
          break;
      }
    }
    model_.graph.nodes.push_back(std::move(made));
  }

  void add_constant(const onnx::NodeProto& node) {
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.name() == "value" && attribute.has_t()) return add_initializer(node.output(0), attribute.t());
      Proto tensor;
      if (attribute.name() == "value_float") {
        tensor.set_data_type(Proto::FLOAT);
        tensor.add_float_data(attribute.f());
      } else if (attribute.name() == "value_floats") {
        tensor.set_data_type(Proto::FLOAT);
        tensor.add_dims(attribute.floats_size());
        *tensor.mutable_float_data() = attribute.floats();
      } else if (attribute.name() == "value_int") {
        tensor.set_data_type(Proto::INT64);
        tensor.add_int64_data(attribute.i());
      } else if (attribute.name() == "value_ints") {
        tensor.set_data_type(Proto::INT64);
        tensor.add_dims(attribute.ints_size());
        *tensor.mutable_int64_data() = attribute.ints();
      } else {
        continue;
      }
      return add_initializer(node.output(0), tensor);
    }
    refuse(place_of(node), "a constant of numbers", "another kind", "");
  }

  OnnxModel model_;
  std::set<std::string> initializers_;
  fs::path folder_;
};

}  // namespace

OnnxModel parse_onnx(std::string_view bytes, const std::string& origin, const std::string& folder) {
  constexpr std::size_t protobuf_limit_bytes = (std::size_t{1} << 31) - 1;
  if (bytes.size() > protobuf_limit_bytes) {
    throw ConfigError(Problem{origin, "", "less than 2 GiB", fmt::format("{} bytes", bytes.size()),
                              "keep the weights in external data"});
  }
  return Reader(origin, folder).run(bytes);
}

OnnxModel read_onnx(const std::string& path) {
  const Problem unreadable{path, "", "a file that can be read", "none", "check the path"};
  const std::string bytes = read_bytes(path, 0, std::nullopt, unreadable);
  const fs::path folder = fs::absolute(path).parent_path();
  return parse_onnx(bytes, path, folder.string());
}

}  // namespace ridgeline
