// The state of an import: which network node or constant each ONNX tensor is. Internal to spaces/onnx.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "spaces/onnx/import.hpp"

namespace ridgeline {

// Numbers known at import.
struct OnnxConstant {
  Shape shape;  // empty: a scalar
  std::variant<std::vector<float>, std::vector<std::int64_t>> values;
  OnnxInteger stored = OnnxInteger::i64;  // of whole numbers
};

// real = scale * (stored - zero_point), of QuantizeLinear and DequantizeLinear; one scale, or one along `axis`.
struct OnnxQuantizer {
  std::vector<float> scales;
  std::vector<std::int64_t> zero_points;  // as many
  OnnxInteger stored = OnnxInteger::u8;
  std::int64_t axis = 1;
};

struct OnnxTensor {
  std::optional<NodeId> node{};                      // computed
  std::shared_ptr<const OnnxConstant> constant{};    // or known
  std::shared_ptr<const OnnxQuantizer> quantizer{};  // what its numbers went through last
  bool is_integer = false;                           // behind QuantizeLinear, before DequantizeLinear
  std::array<int, 4> padding{0, 0, 0, 0};            // zeros around it that its reader is to add
};

class OnnxImporter {
 public:
  explicit OnnxImporter(const OnnxModel& model);
  ImportedModel run();

  // ---- for the operators' functions
  const OnnxNode& node() const { return *node_; }  // the one being imported
  std::int64_t opset() const { return graph_.opset; }
  [[noreturn]] void refuse(const std::string& expected, const std::string& found, const std::string& remedy = {}) const;

  std::size_t inputs() const;                        // trailing ones that are left out do not count
  bool has_input(std::size_t index) const;           // given and not ""
  const OnnxTensor& input(std::size_t index) const;  // throws where it is left out
  NodeId tensor(std::size_t index);                  // throws where it is a constant
  const Shape& shape(std::size_t index);             // of a tensor or constant
  const OnnxConstant& constant(std::size_t index) const;
  const std::vector<float>& numbers(std::size_t index) const;          // of a constant of floats
  const std::vector<std::int64_t>& integers(std::size_t index) const;  // of one of whole numbers

  OnnxInteger stored(std::size_t index) const { return constant(index).stored; }

  std::int64_t integer(const std::string& name, std::int64_t fallback) const;
  float number(const std::string& name, float fallback) const;
  std::optional<std::vector<std::int64_t>> list(const std::string& name) const;
  std::string text(const std::string& name, const std::string& fallback) const;

  bool is_never_negative(NodeId node) const { return node < never_negative_.size() && never_negative_[node]; }
  // Counts numbers that are made up beside those of the file; throws where they become too many.
  void spend(std::size_t numbers);

  NodeId add(const Op& op, std::initializer_list<NodeId> inputs, NodeWeights weights = {});
  void define(OnnxTensor value);  // the node's output
  void define(NodeId node) { define(OnnxTensor{.node = node}); }
  void define(OnnxConstant constant);
  Network& network() { return network_; }
  void note_range(NodeId node, const Range& range);  // that its tensor is quantized over
  // How `node` reads its activations, and its weights: a constant input, maybe through DequantizeLinear, with its
  // output channels along `channel_axis`. Throws where it has scales along another.
  struct WeightInput {
    std::size_t index;
    std::int64_t channel_axis;
  };
  void note_formats(NodeId node, std::initializer_list<std::size_t> activations, std::optional<WeightInput> weights);

 private:
  void place_input(const OnnxValue& input);
  void import_node(const OnnxNode& node);
  std::string place() const;

  const OnnxModel& model_;
  OnnxGraph graph_;
  const OnnxNode* node_ = nullptr;
  Network network_;
  Weights weights_;
  PrecisionPlan precision_;
  Quantization quantization_;
  std::vector<bool> never_negative_;  // one a node
  std::size_t spent_ = 0;
  std::map<std::string, OnnxTensor> tensors_;
};

using OnnxImportFunction = void (*)(OnnxImporter&);
const std::map<std::string, OnnxImportFunction>& onnx_import_functions();  // by operator
// One family each, in files of their own.
void import_convolution(OnnxImporter& at);
void import_gemm(OnnxImporter& at);
void import_matmul(OnnxImporter& at);
void import_batch_norm(OnnxImporter& at);
void import_layer_norm(OnnxImporter& at);
void import_max_pool(OnnxImporter& at);
void import_average_pool(OnnxImporter& at);
void import_pad(OnnxImporter& at);
void import_quantize(OnnxImporter& at);
void import_dequantize(OnnxImporter& at);
// Computes the node from constants alone; false where it is another operator or reads tensors.
bool fold_constants(OnnxImporter& at);

}  // namespace ridgeline
