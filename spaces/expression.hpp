// The expressions of the space language: small, typed, without side effects, compiled once and evaluated often.
//
//   numbers (double), booleans, 'strings', [lists]; + - * / %, == != < <= > >=, in, and, or, not, c ? a : b, a[i][j];
//   functions: abs ceil floor len max min range round round_to sqrt sum
//
// A name is a constant (a parameter), a local (an argument, an index, a `let`), a dimension of the space (its value in
// the genome at hand; a repeated one is a list) or a built-in of the tensor a step reads: batch, in_channels,
// in_height, in_width, in_tokens. What does not depend on genes, locals or tensors is folded when compiled. Nothing is
// looked up by name afterwards.
//
// Bounds: 4,096 characters and 200 levels an expression, 1,000,000 terms a pool, 2,000,000 terms and list elements
// looked at with one Evaluation. Compiling writes to the pool; evaluation is const and thread-safe, its state is the
// caller's Evaluation.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/json_reader.hpp"
#include "spaces/operator.hpp"

namespace ridgeline {

struct Value {
  enum class Kind : std::uint8_t { number, boolean, string, list };
  Kind kind = Kind::number;
  std::uint32_t first = 0;  // string: its word; list: where its elements begin
  std::uint32_t size = 0;   // list: how many
  double number = 0.0;      // number; boolean: 0 or 1

  static Value of(double number) { return {Kind::number, 0, 0, number}; }
  static Value of(bool truth) { return {Kind::boolean, 0, 0, truth ? 1.0 : 0.0}; }
  bool truth() const { return number != 0.0; }
};

enum class Type : std::uint8_t { any, number, boolean, string, list };  // any: known only when evaluated
std::string_view name_of(Type type);                                    // "a number", "true or false", ...

// What is wrong with an expression, when compiled or evaluated. Whoever knows the place makes a Problem of it.
struct ExpressionError : std::exception {
  ExpressionError(std::string expected_text, std::string found_text, std::string remedy_text = {})
      : expected(std::move(expected_text)), found(std::move(found_text)), remedy(std::move(remedy_text)) {}
  const char* what() const noexcept override { return expected.c_str(); }
  std::string expected, found, remedy;
};

enum class Builtin : std::uint8_t { batch, in_channels, in_height, in_width, in_tokens };

struct Symbol {
  enum class Kind : std::uint8_t { constant, local, genes, builtin };
  Kind kind = Kind::constant;
  Type type = Type::any;
  Value value{};            // constant
  std::uint32_t index = 0;  // local: its slot in the frame; genes: the gene array; builtin: which
};

// Names and what they mean, innermost first. A scope refers to its parent, which must outlive it.
class Scope {
 public:
  explicit Scope(const Scope* parent = nullptr) : parent_(parent) {}
  void declare(const std::string& name, const Symbol& symbol) { symbols_[name] = symbol; }
  const Symbol* find(std::string_view name) const;
  std::vector<std::string> known() const;

 private:
  const Scope* parent_;
  std::map<std::string, Symbol, std::less<>> symbols_;
};

// Names that a space may not give to anything of its own: operators, functions, built-ins.
std::span<const std::string> reserved_words();

// A dimension of the space as expressions see it: genes first, first+1, ... in row-major order of `extents`.
struct GeneArray {
  std::uint32_t first = 0;
  std::vector<std::uint32_t> extents;  // empty: a single gene
  Type type = Type::any;               // of one element
  std::vector<Value> choices;          // every value that some element may take
};

// What an expression reads while it is evaluated.
struct Evaluation {
  std::span<const Value> genes;    // the chosen value of every gene
  const Value* locals = nullptr;   // the frame's
  const Shape* current = nullptr;  // of the current tensor
  std::vector<Value> lists{};      // elements of the lists made on the way
  std::uint64_t work = 0;          // terms and list elements looked at so far
};

using Expr = std::uint32_t;  // a compiled expression of one pool
inline constexpr Expr no_expr = 0xffffffff;

class Expressions {
 public:
  // A JSON string is an expression's text, a number or boolean itself, an array a list of such.
  // Throws ExpressionError: syntax, unknown names, types, bounds.
  Expr compile(const Json& json, const Scope& scope, Type expected = Type::any);
  Expr compile(std::string_view text, const Scope& scope, Type expected = Type::any);
  // The value of plain JSON (strings are strings), and back. Throws ExpressionError on null and objects.
  Value literal(const Json& json);
  Json json(const Value& value) const;

  std::uint32_t word(std::string_view text);
  const std::string& text_of(std::uint32_t word) const { return words_[word]; }
  std::size_t words() const { return words_.size(); }
  std::uint32_t add_genes(GeneArray array);
  const GeneArray& genes(std::uint32_t array) const { return arrays_[array]; }

  Type type(Expr expr) const { return nodes_[expr].type; }
  std::optional<Value> constant(Expr expr) const;
  // Every gene the expression may read is appended.
  void references(Expr expr, std::vector<std::uint32_t>& genes) const;
  // The gene array that the expression is an element of ("kernel[stage][slot]"), if it is no more than that.
  std::optional<std::uint32_t> element_of(Expr expr) const;

  // Throws ExpressionError: index out of range, division by zero, a type known only now.
  Value evaluate(Expr expr, Evaluation& state) const;
  Value element(const Value& list, std::uint32_t index, const Evaluation& state) const {
    return (list.first & dynamic) != 0 ? state.lists[(list.first & ~dynamic) + index] : elements_[list.first + index];
  }
  bool equal(const Value& a, const Value& b) const;  // lists are never equal to anything
  std::string describe(const Value& value, const Evaluation& state) const;

 private:
  friend class ExpressionParser;
  static constexpr std::uint32_t dynamic = 0x80000000;  // in Value::first: the list lives in Evaluation::lists

  enum class Kind : std::uint8_t {
    constant,
    local,
    genes,
    builtin,
    list,
    index,
    conditional,
    negate,
    logical_not,
    logical_and,
    logical_or,
    add,
    subtract,
    multiply,
    divide,
    modulo,
    equal,
    differ,
    less,
    less_equal,
    greater,
    greater_equal,
    in,
    call
  };
  struct Node {
    Kind kind = Kind::constant;
    Type type = Type::any;
    std::uint8_t function = 0;  // call: its row in the table of functions; builtin: which
    std::uint16_t depth = 1;
    std::uint32_t first = 0;  // where the operands begin in operands_; local: slot; genes: the array
    std::uint32_t count = 0;  // how many operands
    Value value{};            // constant
  };

  Expr add_node(Node node, std::span<const Expr> operands);
  Expr make(Kind kind, Type type, std::initializer_list<Expr> operands);
  Expr make_constant(const Value& value);
  Expr make_index(Expr list, Expr index);
  Expr make_call(std::uint8_t function, std::span<const Expr> operands);
  Expr folded(Expr expr);
  bool is_constant(Expr expr) const { return nodes_[expr].kind == Kind::constant; }
  Expr operand(const Node& node, std::uint32_t i) const { return operands_[node.first + i]; }

  Value number(Expr expr, Evaluation& state) const;
  bool truth(Expr expr, Evaluation& state) const;
  Value arithmetic(const Node& node, Evaluation& state) const;
  Value compare(const Node& node, Evaluation& state) const;
  Value index(const Node& node, Evaluation& state) const;
  Value genes(const Node& node, Evaluation& state) const;
  Value gene_list(const GeneArray& array, std::size_t axis, std::uint32_t offset, Evaluation& state) const;
  Value call(const Node& node, Evaluation& state) const;
  Value builtin(Builtin which, const Evaluation& state) const;
  Value new_list(std::span<const Value> elements, Evaluation& state) const;
  static void spend(Evaluation& state, std::size_t work);
  std::uint32_t position(Expr expr, std::uint32_t size, Evaluation& state) const;

  std::vector<Node> nodes_;
  std::vector<Expr> operands_;
  std::vector<Value> elements_;  // of constant lists
  std::vector<std::string> words_;
  std::map<std::string, std::uint32_t, std::less<>> word_ids_;
  std::vector<GeneArray> arrays_;
};

}  // namespace ridgeline
