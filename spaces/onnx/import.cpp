#include "spaces/onnx/import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "spaces/config_error.hpp"
#include "spaces/onnx/importer.hpp"
#include "spaces/onnx/patterns.hpp"

namespace ridgeline {

OnnxImporter::OnnxImporter(const OnnxModel& model) : model_(model), graph_(with_patterns(model.graph)) {
  for (const OnnxInitializer& one : graph_.initializers) {
    auto constant = std::make_shared<OnnxConstant>(OnnxConstant{one.shape, one.values, one.stored});
    tensors_[one.name].constant = std::move(constant);
  }
}

std::string OnnxImporter::place() const {
  return node_ == nullptr ? "" : fmt::format("node '{}' ({}, opset {})", node_->name, node_->type, graph_.opset);
}

void OnnxImporter::refuse(const std::string& expected, const std::string& found, const std::string& remedy) const {
  throw ConfigError(Problem{model_.origin, place(), expected, found, remedy});
}

std::size_t OnnxImporter::inputs() const {
  std::size_t count = node_->inputs.size();
  while (count > 0 && node_->inputs[count - 1].empty()) --count;
  return count;
}

bool OnnxImporter::has_input(std::size_t index) const { return index < inputs() && !node_->inputs[index].empty(); }

const OnnxTensor& OnnxImporter::input(std::size_t index) const {
  if (!has_input(index)) refuse(fmt::format("input {}", index), "none");
  const auto it = tensors_.find(node_->inputs[index]);
  if (it == tensors_.end()) {
    refuse("tensors that are the first output of their node", fmt::format("'{}'", node_->inputs[index]));
  }
  return it->second;
}

NodeId OnnxImporter::tensor(std::size_t index) {
  const OnnxTensor& value = input(index);
  if (value.is_integer) refuse("real numbers", "quantized ones without a DequantizeLinear");
  if (value.padding != std::array<int, 4>{}) {
    refuse("an input without padding", "a Pad", "padding is understood before convolutions and average pools");
  }
  if (value.node) return *value.node;
  refuse("a computed tensor", fmt::format("input {} is constant", index));
}

const Shape& OnnxImporter::shape(std::size_t index) {
  const OnnxTensor& value = input(index);
  return value.node ? network_.shape(*value.node) : value.constant->shape;
}

const OnnxConstant& OnnxImporter::constant(std::size_t index) const {
  const OnnxTensor& value = input(index);
  if (!value.constant) {
    refuse(fmt::format("input {} to be constant", index), fmt::format("'{}' is computed", node_->inputs[index]));
  }
  return *value.constant;
}

const std::vector<float>& OnnxImporter::numbers(std::size_t index) const {
  const auto* values = std::get_if<std::vector<float>>(&constant(index).values);
  if (values == nullptr) refuse(fmt::format("real numbers in input {}", index), "whole ones");
  return *values;
}

const std::vector<std::int64_t>& OnnxImporter::integers(std::size_t index) const {
  const auto* values = std::get_if<std::vector<std::int64_t>>(&constant(index).values);
  if (values == nullptr) refuse(fmt::format("whole numbers in input {}", index), "real ones");
  return *values;
}

std::int64_t OnnxImporter::integer(const std::string& name, std::int64_t fallback) const {
  const auto it = node_->attributes.find(name);
  if (it == node_->attributes.end()) return fallback;
  const auto* value = std::get_if<std::int64_t>(&it->second);
  if (value == nullptr) refuse(fmt::format("a whole number as attribute '{}'", name), "something else");
  return *value;
}

float OnnxImporter::number(const std::string& name, float fallback) const {
  const auto it = node_->attributes.find(name);
  if (it == node_->attributes.end()) return fallback;
  const auto* value = std::get_if<float>(&it->second);
  if (value == nullptr) refuse(fmt::format("a number as attribute '{}'", name), "something else");
  return *value;
}

std::optional<std::vector<std::int64_t>> OnnxImporter::list(const std::string& name) const {
  const auto it = node_->attributes.find(name);
  if (it == node_->attributes.end()) return std::nullopt;
  const auto* values = std::get_if<std::vector<std::int64_t>>(&it->second);
  if (values == nullptr) refuse(fmt::format("a list of whole numbers as attribute '{}'", name), "something else");
  return *values;
}

std::string OnnxImporter::text(const std::string& name, const std::string& fallback) const {
  const auto it = node_->attributes.find(name);
  if (it == node_->attributes.end()) return fallback;
  const auto* value = std::get_if<std::string>(&it->second);
  if (value == nullptr) refuse(fmt::format("text as attribute '{}'", name), "something else");
  return *value;
}

void OnnxImporter::spend(std::size_t numbers) {
  constexpr std::size_t most = std::size_t{1} << 26;
  if (numbers > most - spent_) refuse(fmt::format("constants that spread to at most {} numbers in all", most), "more");
  spent_ += numbers;
}

NodeId OnnxImporter::add(const Op& op, std::initializer_list<NodeId> inputs, NodeWeights weights) {
  try {
    const NodeId node = network_.add(op, inputs, node_->name);
    weights_.resize(node);
    weights_.push_back(std::move(weights));
    never_negative_.resize(node);
    never_negative_.push_back(ridgeline::is_never_negative(network_, node, never_negative_));
    return node;
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    refuse(problem.expected, problem.found, problem.remedy);
  }
}

void OnnxImporter::note_range(NodeId node, const Range& range) {
  quantization_.tensors.resize(network_.size());
  quantization_.tensors[node] = range;
}

void OnnxImporter::define(OnnxTensor value) { tensors_[node_->output] = std::move(value); }

void OnnxImporter::define(OnnxConstant constant) {
  define(OnnxTensor{.constant = std::make_shared<OnnxConstant>(std::move(constant))});
}

void OnnxImporter::place_input(const OnnxValue& input) {
  Shape shape = input.shape;
  const bool open = shape.size() < 2 || std::any_of(shape.begin() + 1, shape.end(), [](auto e) { return e < 1; });
  if (open) {
    throw ConfigError(
        Problem{model_.origin, fmt::format("input '{}'", input.name), "a batch and fixed extents, such as Nx3x32x32",
                shape.empty() ? "no shape" : shape_text(shape), "export the model for a fixed image size"});
  }
  shape[0] = 1;
  tensors_[input.name].node = network_.add_input(shape, input.name);
}

void OnnxImporter::import_node(const OnnxNode& node) {
  node_ = &node;
  const auto& functions = onnx_import_functions();
  if (!functions.contains(node.type)) {
    refuse("an operator out of " + fmt::format("{}", fmt::join(onnx_operator_names(), ", ")), node.type,
           "export the model without it");
  }
  if (fold_constants(*this)) return;
  functions.at(node.type)(*this);
}

ImportedModel OnnxImporter::run() {
  if (graph_.inputs.empty()) throw ConfigError(Problem{model_.origin, "inputs", "at least one", "none", ""});
  for (const OnnxValue& input : graph_.inputs) place_input(input);
  for (const OnnxNode& node : graph_.nodes) import_node(node);
  node_ = nullptr;
  for (const OnnxValue& output : graph_.outputs) {
    const auto found = tensors_.find(output.name);
    const OnnxTensor value = found == tensors_.end() ? OnnxTensor{} : found->second;
    if (!value.node || value.is_integer || value.padding != std::array<int, 4>{}) {
      throw ConfigError(Problem{model_.origin, fmt::format("output '{}'", output.name),
                                "real numbers that are computed",
                                value.node ? "quantized or padded ones" : "a constant", ""});
    }
    const auto marked = network_.outputs();
    if (std::find(marked.begin(), marked.end(), *value.node) == marked.end()) network_.mark_output(*value.node);
  }
  if (network_.outputs().empty()) throw ConfigError(Problem{model_.origin, "outputs", "at least one", "none", ""});
  weights_.resize(network_.size());
  check_finite(network_, weights_, model_.origin);
  ImportedModel imported;
  if (!precision_.operators.empty()) {
    precision_.operators.resize(network_.size());
    quantization_.tensors.resize(network_.size());
    quantization_.weights.resize(network_.size());
    imported.design.quantization = std::make_shared<const Quantization>(std::move(quantization_));
  }
  imported.design.network = std::move(network_);
  imported.design.precision = std::move(precision_);
  imported.design.weights = std::make_shared<const Weights>(std::move(weights_));
  const auto read = [&](const char* key, auto& values) {
    const auto it = model_.metadata.find(key);
    if (it == model_.metadata.end()) return;
    const nlohmann::json json = nlohmann::json::parse(it->second, nullptr, false);
    try {
      if (json.is_array()) json.get_to(values);
    } catch (const nlohmann::json::exception&) {  // another program's word of the same name
      values.clear();
    }
  };
  read("class_names", imported.class_names);
  read("mean", imported.mean);
  read("stddev", imported.stddev);
  return imported;
}

ImportedModel import_onnx(const OnnxModel& model) { return OnnxImporter(model).run(); }

}  // namespace ridgeline
