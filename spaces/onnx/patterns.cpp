#include "spaces/onnx/patterns.hpp"

#include <array>
#include <cmath>
#include <iterator>
#include <numbers>
#include <optional>
#include <set>

namespace ridgeline {
namespace {

class PatternFinder {
 public:
  explicit PatternFinder(const OnnxGraph& graph) : graph_(graph) {
    for (const OnnxNode& node : graph.nodes) {
      makers_[node.output] = &node;
      for (const std::string& input : node.inputs) ++readers_[input];
    }
    for (const OnnxValue& output : graph.outputs) ++readers_[output.name];
    for (const OnnxInitializer& one : graph.initializers) constants_[one.name] = &one;
  }

  std::optional<OnnxNode> linear(const OnnxNode& last) const {
    for (const auto& [product, bias] : either(last, "Add")) {
      const OnnxNode* matmul = made_by(product, "MatMul");
      const auto addend = constants_.find(bias);
      if (matmul == nullptr || addend == constants_.end() || readers_.at(product) != 1) continue;
      const OnnxInitializer* kernel = numbers_behind(matmul->inputs.back());
      const Shape& shape = addend->second->shape;
      if (kernel == nullptr || kernel->shape.size() != 2 || shape.empty() || elements(shape) != shape.back()) continue;
      if (shape.back() != kernel->shape[1] || matmul->inputs.size() != 2) continue;
      return OnnxNode{"MatMul", {matmul->inputs[0], matmul->inputs[1], bias}, last.output, {}, last.name};
    }
    return std::nullopt;
  }

  std::optional<OnnxNode> layer_norm(const OnnxNode& last) const {
    for (const auto& [scaled, shift] : either(last, "Add")) {
      const OnnxNode* scaling = made_by(scaled, "Mul");
      if (scaling == nullptr || !constants_.contains(shift)) continue;
      for (const auto& [normalised, scale] : either(*scaling, "Mul")) {
        const OnnxNode* division = made_by(normalised, "Div");
        if (division == nullptr || !constants_.contains(scale)) continue;
        const std::optional<Normalised> found = normalised_by(*division);
        if (!found) continue;
        return OnnxNode{"LayerNormalization",
                        {found->source, scale, shift},
                        last.output,
                        {{"axis", std::int64_t{-1}}, {"epsilon", found->epsilon}},
                        last.name};
      }
    }
    return std::nullopt;
  }

  std::optional<OnnxNode> gelu(const OnnxNode& last) const {
    // Three factors of two products: x, 0.5 and 1 + erf(x / sqrt 2).
    for (const auto& [inner, outer] : either(last, "Mul")) {
      const OnnxNode* product = made_by(inner, "Mul");
      if (product == nullptr) continue;
      for (const auto& [first, second] : either(*product, "Mul")) {
        for (const auto& [x, half, gate] :
             {std::array{first, second, outer}, std::array{first, outer, second}, std::array{outer, second, first}}) {
          if (is_number(half, 0.5F) && gated(gate) == x) return OnnxNode{"Gelu", {x}, last.output, {}, last.name};
        }
      }
    }
    return std::nullopt;
  }

 private:
  struct Normalised {
    std::string source;
    float epsilon;
  };
  using Pair = std::pair<std::string, std::string>;

  const OnnxNode* made_by(const std::string& tensor, const std::string& type) const {
    const auto it = makers_.find(tensor);
    return it != makers_.end() && it->second->type == type ? it->second : nullptr;
  }
  // Of a constant, stored as it is or quantized.
  const OnnxInitializer* numbers_behind(const std::string& tensor) const {
    const OnnxNode* dequantize = made_by(tensor, "DequantizeLinear");
    const bool stored = dequantize != nullptr && !dequantize->inputs.empty();
    const auto it = constants_.find(stored ? dequantize->inputs[0] : tensor);
    return it == constants_.end() ? nullptr : it->second;
  }
  // The two inputs of a commutative node of this type, in both orders.
  static std::vector<Pair> either(const OnnxNode& node, const std::string& type) {
    if (node.type != type || node.inputs.size() != 2) return {};
    return {{node.inputs[0], node.inputs[1]}, {node.inputs[1], node.inputs[0]}};
  }
  std::optional<float> number(const std::string& tensor) const {
    const auto it = constants_.find(tensor);
    if (it == constants_.end()) return std::nullopt;
    const auto* values = std::get_if<std::vector<float>>(&it->second->values);
    return values != nullptr && values->size() == 1 ? std::optional(values->front()) : std::nullopt;
  }
  bool is_number(const std::string& tensor, float expected) const {
    const std::optional<float> found = number(tensor);
    return found && std::abs(*found - expected) <= 1e-4F * std::abs(expected);
  }

  // The tensor of which `tensor` is the mean over the last axis, kept as an axis; empty otherwise.
  std::string mean_of(const std::string& tensor) const {
    const OnnxNode* mean = made_by(tensor, "ReduceMean");
    if (mean == nullptr || mean->inputs.size() != 1) return {};
    const auto axes = mean->attributes.find("axes"), keep = mean->attributes.find("keepdims");
    const bool last = axes != mean->attributes.end() && axes->second == OnnxAttribute(std::vector<std::int64_t>{-1});
    const bool kept = keep == mean->attributes.end() || keep->second == OnnxAttribute(std::int64_t{1});
    return last && kept ? mean->inputs[0] : std::string();
  }

  std::optional<Normalised> normalised_by(const OnnxNode& division) const {
    if (division.inputs.size() != 2) return std::nullopt;
    const std::string source = centred_source(division.inputs[0]);
    const OnnxNode* root = made_by(division.inputs[1], "Sqrt");
    if (source.empty() || root == nullptr || root->inputs.size() != 1) return std::nullopt;
    const OnnxNode* raised = made_by(root->inputs[0], "Add");
    if (raised == nullptr) return std::nullopt;
    for (const auto& [variance, epsilon] : either(*raised, "Add")) {
      const std::optional<float> value = number(epsilon);
      if (value && *value > 0 && squared_source(mean_of(variance)) == source) return Normalised{source, *value};
    }
    return std::nullopt;
  }
  // x of x - mean(x).
  std::string centred_source(const std::string& tensor) const {
    const OnnxNode* centred = made_by(tensor, "Sub");
    if (centred == nullptr || centred->inputs.size() != 2) return {};
    return mean_of(centred->inputs[1]) == centred->inputs[0] ? centred->inputs[0] : std::string();
  }
  // x of (x - mean(x))^2.
  std::string squared_source(const std::string& tensor) const {
    if (const OnnxNode* power = made_by(tensor, "Pow"); power != nullptr && power->inputs.size() == 2) {
      return is_number(power->inputs[1], 2.0F) ? centred_source(power->inputs[0]) : std::string();
    }
    const OnnxNode* product = made_by(tensor, "Mul");
    const bool square = product != nullptr && product->inputs.size() == 2 && product->inputs[0] == product->inputs[1];
    return square ? centred_source(product->inputs[0]) : std::string();
  }
  // x of 1 + erf(x / sqrt 2).
  std::string gated(const std::string& tensor) const {
    const OnnxNode* raised = made_by(tensor, "Add");
    if (raised == nullptr) return {};
    for (const auto& [error, one] : either(*raised, "Add")) {
      const OnnxNode* erf = made_by(error, "Erf");
      if (erf == nullptr || erf->inputs.size() != 1 || !is_number(one, 1.0F)) continue;
      if (const OnnxNode* divided = made_by(erf->inputs[0], "Div"); divided != nullptr && divided->inputs.size() == 2) {
        if (is_number(divided->inputs[1], std::numbers::sqrt2_v<float>)) return divided->inputs[0];
      }
      const OnnxNode* multiplied = made_by(erf->inputs[0], "Mul");
      if (multiplied == nullptr) continue;
      for (const auto& [x, factor] : either(*multiplied, "Mul")) {
        if (is_number(factor, std::numbers::sqrt2_v<float> / 2.0F)) return x;
      }
    }
    return {};
  }

  const OnnxGraph& graph_;
  std::map<std::string, const OnnxNode*> makers_;
  std::map<std::string, const OnnxInitializer*> constants_;
  std::map<std::string, int> readers_;
};

// Nodes of which nothing is read.
void drop_unread(OnnxGraph& graph) {
  std::set<std::string> read;
  for (const OnnxValue& output : graph.outputs) read.insert(output.name);
  std::vector<OnnxNode> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!read.contains(node->output)) continue;
    read.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  graph.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace

OnnxGraph with_patterns(OnnxGraph graph) {
  const PatternFinder finder(graph);
  std::vector<OnnxNode> nodes = graph.nodes;
  for (OnnxNode& node : nodes) {
    std::optional<OnnxNode> found = finder.linear(node);
    if (!found) found = finder.layer_norm(node);
    if (!found) found = finder.gelu(node);
    if (found) node = *found;
  }
  graph.nodes = std::move(nodes);
  drop_unread(graph);
  return graph;
}

}  // namespace ridgeline
