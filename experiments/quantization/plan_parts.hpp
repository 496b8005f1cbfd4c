// What a precision plan of one network consists of, part by part: operators with everything fused into them, in the
// format they compute in and the one their result is stored in; conversions of tensors; and the steps that follow
// formats (pooling, additions, softmax). Plans that share a part run the same code for it.
//
// Parts come from the fusion plan (kernels/lower.hpp) and the formats of tensors alone; nothing is compiled.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/executable.hpp"
#include "kernels/lower.hpp"
#include "spaces/design.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

// What is decided about a trained network: every dimension takes one of the choices, for all of its operators.
struct PlanSpace {
  Design design;                             // f32, one sample, batch norms folded, weights and quantization ranges
  std::vector<std::string> names;            // one a dimension, all different
  std::vector<std::vector<NodeId>> members;  // of each dimension: conv2d, linear and matmul nodes
  std::vector<std::string> words;            // one a choice, all different: "int8"
  std::vector<OperatorFormats> formats;      // one a choice
  PrecisionPlan plan(std::span<const std::uint16_t> genes) const;
  Design decode(std::span<const std::uint16_t> genes) const;
};

// Throws ConfigError: no dimensions or choices, numbers of names, members, words and formats that do not fit, a member
// that is no conv2d, linear or matmul or is in two dimensions, a live one of the network in none.
void check(const PlanSpace& space);

struct PlanPart {
  enum class Kind : std::uint8_t {
    op,     // an operator of a dimension: `from` is its choice, `to` the format its result is stored in
    other,  // any other step: it computes in `from`, and its result is stored in `to`
    store,  // the result of `node`, computed in `from`, brought into the format it is stored in and its readers' layout
    fetch   // the tensor `node`, stored in `from`, for readers that want `to`
  };
  Kind kind = Kind::op;
  NodeId node = 0;        // op, other: the operator that computes; store, fetch: the tensor
  NodeId result = 0;      // op, other: the last operator fused into it; else `node`
  std::uint8_t from = 0;  // op: index of a choice; else of tensor_formats()
  std::uint8_t to = 0;    // index of tensor_formats()
  // What else is seen around it. op: 1 after an operator in another format, whose instructions and tables it finds in
  // the processor's caches in place of its own; store: bit i says that the i-th reader takes the tensor as it is
  // stored.
  std::uint32_t context = 0;
  friend auto operator<=>(const PlanPart&, const PlanPart&) = default;
};

// The part wherever it is: what must have been timed, while contexts are told apart where they were seen.
inline PlanPart without_context(PlanPart part) {
  part.context = 0;
  return part;
}

class PlanParts {
 public:
  explicit PlanParts(const PlanSpace& space);  // checked; a copy is kept

  const PlanSpace& space() const { return space_; }
  // In which tensors may be stored: f32, then what the choices read, each once.
  const std::vector<Format>& tensor_formats() const { return tensor_formats_; }
  // The dimension of a node, or nothing.
  std::optional<std::size_t> dimension_of(NodeId node) const;
  // Every part of a plan once, ascending.
  std::vector<PlanPart> of(std::span<const std::uint16_t> genes) const;
  // Steps of the plan's executable by part: every step belongs to one. One index into of(genes) a step.
  std::vector<std::size_t> owners(std::span<const std::uint16_t> genes, std::span<const StepInfo> steps) const;
  // Pairs of dimensions of which the first makes a tensor that the second reads, as it is or through steps that follow
  // formats. Ascending, each once.
  std::vector<std::pair<std::size_t, std::size_t>> boundaries() const;

 private:
  std::uint8_t tensor_format(const Format& format) const;
  std::vector<PlanPart> parts_of(const Lowered& lowered, std::span<const std::uint16_t> genes) const;

  PlanSpace space_;
  std::vector<Format> tensor_formats_;
  std::vector<std::size_t> dimension_;  // one a node
};

}  // namespace ridgeline
