#include "spaces/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spaces/expression_functions.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_terms = 1'000'000;
constexpr std::size_t most_list_elements = 1'000'000;
constexpr std::uint64_t most_work = 2'000'000;
constexpr std::size_t most_references = 1'000'000;
constexpr std::uint16_t deepest = 200;

Value checked(double number) {
  if (!std::isfinite(number)) throw ExpressionError("a finite number", "a result that overflows");
  return Value::of(number);
}

Type type_of(const Value& value) {
  switch (value.kind) {
    case Value::Kind::number:
      return Type::number;
    case Value::Kind::boolean:
      return Type::boolean;
    case Value::Kind::string:
      return Type::string;
    case Value::Kind::list:
      return Type::list;
  }
  return Type::any;
}

}  // namespace

std::string_view name_of(Type type) {
  switch (type) {
    case Type::number:
      return "a number";
    case Type::boolean:
      return "true or false";
    case Type::string:
      return "a string";
    case Type::list:
      return "a list";
    case Type::any:
      break;
  }
  return "a value";
}

const Symbol* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_) {
    if (const auto it = scope->symbols_.find(name); it != scope->symbols_.end()) return &it->second;
  }
  return nullptr;
}

std::vector<std::string> Scope::known() const {
  std::vector<std::string> names;
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_) {
    for (const auto& [name, symbol] : scope->symbols_) names.push_back(name);
  }
  return names;
}

std::uint32_t Expressions::word(std::string_view text) {
  if (const auto it = word_ids_.find(text); it != word_ids_.end()) return it->second;
  const auto id = static_cast<std::uint32_t>(words_.size());
  words_.emplace_back(text);
  word_ids_.emplace(std::string(text), id);
  return id;
}

std::uint32_t Expressions::add_genes(GeneArray array) {
  arrays_.push_back(std::move(array));
  return static_cast<std::uint32_t>(arrays_.size() - 1);
}

Value Expressions::literal(const Json& json) {
  if (json.is_boolean()) return Value::of(json.get<bool>());
  if (json.is_number()) return checked(json.get<double>());
  if (json.is_string()) return {Value::Kind::string, word(json.get_ref<const std::string&>()), 0, 0.0};
  if (!json.is_array())
    throw ExpressionError("a number, a string, true, false or a list of these", ridgeline::describe(json));
  std::vector<Value> items;
  for (const Json& item : json) items.push_back(literal(item));
  const Value list{Value::Kind::list, static_cast<std::uint32_t>(elements_.size()),
                   static_cast<std::uint32_t>(items.size()), 0.0};
  if (elements_.size() + items.size() > most_list_elements) throw ExpressionError("fewer list elements", "too many");
  elements_.insert(elements_.end(), items.begin(), items.end());
  return list;
}

Json Expressions::json(const Value& value) const {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.truth();
    case Value::Kind::string:
      return words_[value.first];
    case Value::Kind::list: {
      Json list = Json::array();
      for (std::uint32_t i = 0; i < value.size; ++i) list.push_back(json(element(value, i, {})));
      return list;
    }
    case Value::Kind::number:
      break;
  }
  const bool whole = std::floor(value.number) == value.number && std::abs(value.number) < 9.0e15;
  return whole ? Json(static_cast<std::int64_t>(value.number)) : Json(value.number);
}

std::optional<Value> Expressions::constant(Expr expr) const {
  if (is_constant(expr)) return nodes_[expr].value;
  return std::nullopt;
}

std::string Expressions::describe(const Value& value, const Evaluation& state) const {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.truth() ? "true" : "false";
    case Value::Kind::string:
      return fmt::format("'{}'", words_[value.first].substr(0, 60));
    case Value::Kind::number:
      return fmt::format("{}", value.number);
    case Value::Kind::list:
      break;
  }
  constexpr std::uint32_t shown = 8;
  std::string text = "[";
  for (std::uint32_t i = 0; i < std::min(value.size, shown); ++i) {
    const Value item = element(value, i, state);
    text += (i > 0 ? ", " : "") + (item.kind == Value::Kind::list ? std::string("[...]") : describe(item, state));
  }
  return text + (value.size > shown ? fmt::format(", ... {} in all]", value.size) : "]");
}

bool Expressions::equal(const Value& a, const Value& b) const {
  if (a.kind != b.kind || a.kind == Value::Kind::list) return false;
  return a.kind == Value::Kind::string ? a.first == b.first : a.number == b.number;
}

// ---- making nodes ----

Expr Expressions::add_node(Node node, std::span<const Expr> operands) {
  if (nodes_.size() >= most_terms) throw ExpressionError("fewer expressions", "more than 1,000,000 terms in the file");
  node.depth = 1;
  for (const Expr expr : operands) {
    node.depth = std::max(node.depth, static_cast<std::uint16_t>(nodes_[expr].depth + 1));
  }
  if (node.depth > deepest) throw ExpressionError("an expression of at most 200 levels", "a deeper one", "use \"let\"");
  node.first = static_cast<std::uint32_t>(operands_.size());
  node.count = static_cast<std::uint32_t>(operands.size());
  operands_.insert(operands_.end(), operands.begin(), operands.end());
  nodes_.push_back(node);
  return static_cast<Expr>(nodes_.size() - 1);
}

Expr Expressions::make(Kind kind, Type type, std::initializer_list<Expr> operands) {
  Node node;
  node.kind = kind;
  node.type = type;
  return folded(add_node(node, {operands.begin(), operands.size()}));
}

Expr Expressions::make_constant(const Value& value) {
  Node node;
  node.value = value;
  node.type = type_of(value);
  return add_node(node, {});
}

Expr Expressions::make_call(std::uint8_t function, std::span<const Expr> operands) {
  Node node;
  node.kind = Kind::call;
  node.type = expression_functions()[function].result;
  node.function = function;
  return folded(add_node(node, operands));
}

Expr Expressions::make_index(Expr list, Expr position_expr) {
  const Node& source = nodes_[list];
  if (source.kind == Kind::genes) {
    const GeneArray& array = arrays_[source.value.first];
    if (source.count < array.extents.size()) {
      std::vector<Expr> operands(operands_.begin() + source.first, operands_.begin() + source.first + source.count);
      operands.push_back(position_expr);
      Node node = source;
      node.type = operands.size() == array.extents.size() ? array.type : Type::list;
      if (const std::optional<Value> known = constant(position_expr)) {
        Evaluation state;
        position(position_expr, array.extents[operands.size() - 1], state);  // throws when out of range
      }
      return add_node(node, operands);
    }
  }
  if (source.type != Type::list && source.type != Type::any) {
    throw ExpressionError("a list before [", std::string(name_of(source.type)));
  }
  Node node;
  node.kind = Kind::index;
  const std::array<Expr, 2> operands{list, position_expr};
  if (source.kind == Kind::list && is_constant(position_expr)) {  // only that element matters
    Evaluation state;
    return operands_[source.first + position(position_expr, source.count, state)];
  }
  return folded(add_node(node, operands));
}

// Replaces a node whose operands are all constant by its value.
Expr Expressions::folded(Expr expr) {
  const Node node = nodes_[expr];
  if (node.kind == Kind::genes || node.kind == Kind::local || node.kind == Kind::builtin) return expr;
  if (node.kind == Kind::conditional && is_constant(operand(node, 0))) {
    Evaluation state;
    return operand(node, truth(operand(node, 0), state) ? 1 : 2);
  }
  if ((node.kind == Kind::logical_and || node.kind == Kind::logical_or) && is_constant(operand(node, 0))) {
    Evaluation state;  // the left decides, or only the right does
    return truth(operand(node, 0), state) == (node.kind == Kind::logical_or) ? operand(node, 0) : operand(node, 1);
  }
  for (std::uint32_t i = 0; i < node.count; ++i) {
    if (!is_constant(operand(node, i))) return expr;
  }
  Evaluation state;
  Value value = evaluate(expr, state);
  if (value.kind == Value::Kind::list && (value.first & dynamic) != 0) {
    // A list made by folding has constant elements: its operands were constants.
    const auto first = static_cast<std::uint32_t>(elements_.size());
    if (elements_.size() + value.size > most_list_elements) throw ExpressionError("fewer list elements", "too many");
    for (std::uint32_t i = 0; i < value.size; ++i) elements_.push_back(element(value, i, state));
    value.first = first;
  }
  Node& target = nodes_[expr];
  target.kind = Kind::constant;
  target.type = type_of(value);
  target.value = value;
  target.count = 0;
  target.depth = 1;
  return expr;
}

void Expressions::references(Expr expr, std::vector<std::uint32_t>& genes) const {
  const Node& node = nodes_[expr];
  for (std::uint32_t i = 0; i < node.count; ++i) references(operand(node, i), genes);
  if (node.kind != Kind::genes) return;
  const GeneArray& array = arrays_[node.value.first];
  // An index that is known narrows the range, one that is not leaves its whole axis.
  std::uint32_t total = 1;
  for (const std::uint32_t extent : array.extents) total *= extent;
  for (std::uint32_t gene = 0; gene < total; ++gene) {
    std::uint32_t rest = gene;
    std::uint32_t below = total;
    bool read = true;
    for (std::uint32_t axis = 0; axis < node.count && read; ++axis) {
      below /= array.extents[axis];
      const std::optional<Value> known = constant(operand(node, axis));
      read = !known || static_cast<std::uint32_t>(known->number) == rest / below;
      rest %= below;
    }
    if (read) genes.push_back(array.first + gene);
  }
  if (genes.size() > most_references)
    throw ExpressionError("an expression that reads fewer genes", "over 1,000,000 reads");
}

std::optional<std::uint32_t> Expressions::element_of(Expr expr) const {
  const Node& node = nodes_[expr];
  if (node.kind != Kind::genes || node.count != arrays_[node.value.first].extents.size()) return std::nullopt;
  return node.value.first;
}

// ---- evaluation ----

void Expressions::spend(Evaluation& state, std::size_t work) {
  state.work += work;
  if (state.work > most_work) {
    throw ExpressionError("at most 2,000,000 terms and list elements to look at", "more", "use shorter lists");
  }
}

Value Expressions::evaluate(Expr expr, Evaluation& state) const {
  const Node& node = nodes_[expr];
  spend(state, 1);
  switch (node.kind) {
    case Kind::constant:
      return node.value;
    case Kind::local:
      return state.locals[node.value.first];
    case Kind::genes:
      return genes(node, state);
    case Kind::builtin:
      return builtin(static_cast<Builtin>(node.function), state);
    case Kind::list: {
      std::vector<Value> items(node.count);
      for (std::uint32_t i = 0; i < node.count; ++i) items[i] = evaluate(operand(node, i), state);
      return new_list(items, state);
    }
    case Kind::index:
      return index(node, state);
    case Kind::conditional:
      return evaluate(operand(node, truth(operand(node, 0), state) ? 1 : 2), state);
    case Kind::negate:
      return Value::of(-number(operand(node, 0), state).number);
    case Kind::logical_not:
      return Value::of(!truth(operand(node, 0), state));
    case Kind::logical_and:
      return Value::of(truth(operand(node, 0), state) && truth(operand(node, 1), state));
    case Kind::logical_or:
      return Value::of(truth(operand(node, 0), state) || truth(operand(node, 1), state));
    case Kind::add:
    case Kind::subtract:
    case Kind::multiply:
    case Kind::divide:
    case Kind::modulo:
      return arithmetic(node, state);
    case Kind::call:
      return call(node, state);
    default:
      return compare(node, state);
  }
}

Value Expressions::number(Expr expr, Evaluation& state) const {
  const Value value = evaluate(expr, state);
  if (value.kind != Value::Kind::number) throw ExpressionError("a number", describe(value, state));
  return value;
}

bool Expressions::truth(Expr expr, Evaluation& state) const {
  const Value value = evaluate(expr, state);
  if (value.kind != Value::Kind::boolean) throw ExpressionError("true or false", describe(value, state));
  return value.truth();
}

Value Expressions::arithmetic(const Node& node, Evaluation& state) const {
  const double a = number(operand(node, 0), state).number;
  const double b = number(operand(node, 1), state).number;
  switch (node.kind) {
    case Kind::add:
      return checked(a + b);
    case Kind::subtract:
      return checked(a - b);
    case Kind::multiply:
      return checked(a * b);
    default:
      break;
  }
  if (b == 0.0) throw ExpressionError("a divisor other than 0", "a division by 0");
  if (node.kind == Kind::divide) return checked(a / b);
  const double rest = std::fmod(a, b);  // the result takes the divisor's sign, so that i % n is an index for any i
  return checked(rest != 0.0 && (rest < 0.0) != (b < 0.0) ? rest + b : rest);
}

Value Expressions::compare(const Node& node, Evaluation& state) const {
  if (node.kind == Kind::equal || node.kind == Kind::differ) {
    const Value a = evaluate(operand(node, 0), state);
    const Value b = evaluate(operand(node, 1), state);
    return Value::of(equal(a, b) == (node.kind == Kind::equal));
  }
  if (node.kind == Kind::in) {
    const Value a = evaluate(operand(node, 0), state);
    const Value list = evaluate(operand(node, 1), state);
    if (list.kind != Value::Kind::list) throw ExpressionError("a list after 'in'", describe(list, state));
    spend(state, list.size);
    for (std::uint32_t i = 0; i < list.size; ++i) {
      if (equal(a, element(list, i, state))) return Value::of(true);
    }
    return Value::of(false);
  }
  const double a = number(operand(node, 0), state).number;
  const double b = number(operand(node, 1), state).number;
  switch (node.kind) {
    case Kind::less:
      return Value::of(a < b);
    case Kind::less_equal:
      return Value::of(a <= b);
    case Kind::greater:
      return Value::of(a > b);
    default:
      return Value::of(a >= b);
  }
}

std::uint32_t Expressions::position(Expr expr, std::uint32_t size, Evaluation& state) const {
  const double at = number(expr, state).number;
  if (at < 0.0 || at >= static_cast<double>(size) || std::floor(at) != at) {
    throw ExpressionError(size == 0 ? "no index, the list is empty" : fmt::format("an index from 0 to {}", size - 1),
                          fmt::format("{}", at));
  }
  return static_cast<std::uint32_t>(at);
}

Value Expressions::index(const Node& node, Evaluation& state) const {
  const Node& source = nodes_[operand(node, 0)];
  if (source.kind == Kind::list) {  // [a, b, c][i]: the others need not be evaluated, nor the list be made
    return evaluate(operand(source, position(operand(node, 1), source.count, state)), state);
  }
  const Value list = evaluate(operand(node, 0), state);
  if (list.kind != Value::Kind::list) throw ExpressionError("a list before [", describe(list, state));
  return element(list, position(operand(node, 1), list.size, state), state);
}

Value Expressions::genes(const Node& node, Evaluation& state) const {
  const GeneArray& array = arrays_[node.value.first];
  std::uint32_t offset = 0;
  for (std::uint32_t axis = 0; axis < node.count; ++axis) {
    offset = offset * array.extents[axis] + position(operand(node, axis), array.extents[axis], state);
  }
  if (node.count == array.extents.size()) return state.genes[array.first + offset];
  return gene_list(array, node.count, offset, state);
}

Value Expressions::gene_list(const GeneArray& array, std::size_t axis, std::uint32_t offset, Evaluation& state) const {
  std::vector<Value> items;
  for (std::uint32_t i = 0; i < array.extents[axis]; ++i) {
    const std::uint32_t at = offset * array.extents[axis] + i;
    items.push_back(axis + 1 == array.extents.size() ? state.genes[array.first + at]
                                                     : gene_list(array, axis + 1, at, state));
  }
  return new_list(items, state);
}

Value Expressions::new_list(std::span<const Value> items, Evaluation& state) const {
  spend(state, items.size());
  const auto first = static_cast<std::uint32_t>(state.lists.size()) | dynamic;
  state.lists.insert(state.lists.end(), items.begin(), items.end());
  return {Value::Kind::list, first, static_cast<std::uint32_t>(items.size()), 0.0};
}

Value Expressions::call(const Node& node, Evaluation& state) const {
  std::vector<Value> values(node.count);
  for (std::uint32_t i = 0; i < node.count; ++i) values[i] = evaluate(operand(node, i), state);
  const ExpressionFunction& function = expression_functions()[node.function];
  if (function.of_list != nullptr) {  // over the elements of one list, or over the arguments themselves
    if (values.size() == 1 && values[0].kind == Value::Kind::list) {
      const Value list = values[0];
      spend(state, list.size);
      values.resize(list.size);
      for (std::uint32_t i = 0; i < list.size; ++i) values[i] = element(list, i, state);
    } else if (function.list_only) {
      throw ExpressionError("a list", describe(values[0], state));
    }
    return checked(function.of_list(values));
  }
  for (const Value& value : values) {
    if (value.kind != Value::Kind::number) throw ExpressionError("a number", describe(value, state));
  }
  if (function.of_numbers != nullptr) return checked(function.of_numbers(values));
  std::vector<Value> items;  // range
  const double count = values[0].number;
  if (count < 0.0 || count > 65536.0 || std::floor(count) != count) {
    throw ExpressionError("an integer from 0 to 65536", fmt::format("{}", count));
  }
  for (double i = 0.0; i < count; i += 1.0) items.push_back(Value::of(i));
  return new_list(items, state);
}

Value Expressions::builtin(Builtin which, const Evaluation& state) const {
  if (state.current == nullptr) throw ExpressionError("a place with a current tensor", "none");
  const Shape& shape = *state.current;
  const std::size_t rank = shape.size();
  std::size_t axis = 0;
  switch (which) {
    case Builtin::batch:
      break;
    case Builtin::in_channels:
      axis = rank == 3 ? 2 : 1;
      break;
    case Builtin::in_tokens:
      axis = rank == 3 ? 1 : rank;
      break;
    case Builtin::in_height:
      axis = rank == 4 ? 2 : rank;
      break;
    case Builtin::in_width:
      axis = rank == 4 ? 3 : rank;
      break;
  }
  if (axis >= rank) {
    throw ExpressionError(fmt::format("a tensor that has '{}'", reserved_words()[static_cast<std::size_t>(which)]),
                          fmt::format("{}", shape_text(shape)), "images are NxCxHxW, token sequences NxTxC");
  }
  return Value::of(static_cast<double>(shape[axis]));
}

}  // namespace ridgeline
