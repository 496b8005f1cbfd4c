// A network with open decisions: the compiled "blocks" and "network" of a space file, and their execution for the
// values of a genome. Everything is resolved when read (names to slots, words to formats); building looks nothing up by
// name. Several "networks" are built one after the other into one graph, in which no tensor connects them, each with an
// input called as the file calls it.
//
// Steps work on a current tensor. Every block has a frame: slots for values (arguments, indices, lets) and for tensors.
// Immutable once read, thread-safe.
//
// Bounds: 20,000 steps a file, 200,000 executed and 10,000 nodes a network, calls nested 64 deep, 64 tensors an array.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "spaces/design.hpp"
#include "spaces/expression.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

inline constexpr std::uint32_t no_slot = 0xffffffff;
inline constexpr std::uint32_t tensors_an_array = 64;

struct TensorRef {
  std::uint32_t slot = no_slot;  // no_slot: the current tensor
  Expr index = no_expr;          // of an array's element
  bool fresh = false;            // names the array's first tensor: what an earlier round left in it is forgotten
  std::string name;              // as written, for messages
};

// The attributes of operators, as the language names them.
enum class Attribute : std::uint8_t {
  channels,
  kernel,
  stride,
  dilation,
  groups,
  padding,
  bias,
  epsilon,
  axis,
  shape,
  order,
  transpose_b,
  count_include_pad
};
std::span<const std::string> attribute_names();  // in the order of Attribute
// Which attributes an operator takes; the required ones first.
struct OperatorRow {
  OpKind kind;
  std::vector<Attribute> required, optional;
};
const OperatorRow& operator_row(OpKind kind);
// Writes a value into the operator. Throws ExpressionError when it is of the wrong type or out of range. Padding 'same'
// is left to set_same_padding, and `same` says whether it was asked for.
void set_attribute(Op& op, Attribute attribute, const Value& value, const Expressions& pool, const Evaluation& state,
                   bool& same);
// Half the kernel's reach on every side, rounded down: keeps the size at stride 1 for odd kernels.
void set_same_padding(Op& op);

struct TemplateStep;
using Body = std::vector<TemplateStep>;

struct Case {
  Value when;              // branch, choose: the value that takes it
  bool otherwise = false;  // choose: taken when no other is
  Body body;
};

struct TemplateStep {
  enum class Kind : std::uint8_t { name, operate, activate, call, repeat, branch, choose, let };
  Kind kind = Kind::name;
  std::string path;             // where it stands in the file
  std::vector<TensorRef> from;  // empty: the current tensor
  std::optional<TensorRef> as;
  Expr weights = no_expr;  // formats of everything within
  Expr activations = no_expr;
  Expr value = no_expr;          // activate: the activation's name; repeat: how often; branch, choose: what decides
  std::uint32_t slot = no_slot;  // repeat: where the index is kept; call: the block
  std::vector<std::pair<std::uint32_t, Expr>> assignments;  // let, call: slot and value
  std::vector<Case> cases;                                  // branch, choose; repeat has one
  Op op;                                                    // operate: with the constant attributes set
  bool same_padding = false;
  std::vector<std::pair<Attribute, Expr>> attributes;  // operate: those that are not constant
  std::string name;                                    // operate, activate: of the node
};

struct Block {
  std::string name;
  std::uint32_t locals = 0, tensors = tensors_an_array;  // slots of its frame; input[] comes first among the tensors
  Body body;
};

class NetworkTemplate {
 public:
  // Reads "blocks" and "network" or "networks"; notes problems in the document, after which the result must not be
  // built.
  static NetworkTemplate read(JsonReader& root, JsonDocument& document, Expressions& pool, const Scope& globals);

  // The design for these values of the genes. Throws ConfigError with the JSON path of the step that fails. `places`
  // receives SearchSpace::places.
  Design build(std::span<const Value> genes, const Expressions& pool, std::int64_t batch,
               std::vector<std::string>* places = nullptr) const;

 private:
  friend class TemplateReader;
  friend class DesignBuilder;
  struct Root {              // one network
    std::string name, path;  // of its input; in the file
    std::uint32_t block = 0;
    std::vector<Expr> input;  // extents without the batch
    std::vector<TensorRef> outputs;
    Expr weights = no_expr, activations = no_expr;
  };
  std::string origin_;
  std::vector<Block> blocks_;  // those of the networks are the last
  std::vector<Root> networks_;
  std::vector<std::optional<Format>> formats_;           // by word
  std::vector<std::optional<OpKind>> activation_kinds_;  // by word; identity stands for 'none'
};

}  // namespace ridgeline
