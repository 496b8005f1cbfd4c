// Text to nodes: a recursive-descent parser that checks types as it goes, and the table of functions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "spaces/expression.hpp"
#include "spaces/expression_functions.hpp"

namespace ridgeline {
namespace {

using Values = std::span<const Value>;

constexpr std::size_t longest = 4096;  // characters
constexpr int deepest_nesting = 64;    // of brackets: bounds the parser's recursion

double checked_number(const Value& value) {
  if (value.kind != Value::Kind::number) throw ExpressionError("numbers in the list", "something else");
  return value.number;
}

double least(Values values) {
  if (values.empty()) throw ExpressionError("at least one number", "an empty list");
  double best = checked_number(values[0]);
  for (const Value& value : values) best = std::min(best, checked_number(value));
  return best;
}

double most(Values values) {
  if (values.empty()) throw ExpressionError("at least one number", "an empty list");
  double best = checked_number(values[0]);
  for (const Value& value : values) best = std::max(best, checked_number(value));
  return best;
}

double total(Values values) {
  double sum = 0.0;
  for (const Value& value : values) sum += checked_number(value);
  return sum;
}

// The rule of MobileNet's channel counts: the nearest multiple, but never more than 10 % below.
double round_to(Values values) {
  const double x = values[0].number;
  const double divisor = values[1].number;
  if (divisor <= 0.0) throw ExpressionError("a positive divisor", fmt::format("{}", divisor));
  const double rounded = std::max(divisor, std::floor((x + divisor / 2.0) / divisor) * divisor);
  return rounded < 0.9 * x ? rounded + divisor : rounded;
}

double root(Values values) {
  if (values[0].number < 0.0) throw ExpressionError("a number of at least 0", fmt::format("{}", values[0].number));
  return std::sqrt(values[0].number);
}

const std::array<ExpressionFunction, 11> functions{{
    {"abs", 1, 1, Type::number, [](Values v) { return std::abs(v[0].number); }, nullptr, false},
    {"ceil", 1, 1, Type::number, [](Values v) { return std::ceil(v[0].number); }, nullptr, false},
    {"floor", 1, 1, Type::number, [](Values v) { return std::floor(v[0].number); }, nullptr, false},
    {"len", 1, 1, Type::number, nullptr, [](Values v) { return static_cast<double>(v.size()); }, true},
    {"max", 1, 64, Type::number, nullptr, most, false},
    {"min", 1, 64, Type::number, nullptr, least, false},
    {"range", 1, 1, Type::list, nullptr, nullptr, false},
    {"round", 1, 1, Type::number, [](Values v) { return std::round(v[0].number); }, nullptr, false},
    {"round_to", 2, 2, Type::number, round_to, nullptr, false},
    {"sqrt", 1, 1, Type::number, root, nullptr, false},
    {"sum", 1, 1, Type::number, nullptr, total, true},
}};

// The built-ins first, in the order of Builtin.
const std::array<std::string, 14> words{"batch", "in_channels", "in_height", "in_width", "in_tokens", "true",  "false",
                                        "and",   "or",          "not",       "in",       "current",   "input", "about"};

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool continues_name(char c) { return starts_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::span<const ExpressionFunction> expression_functions() { return functions; }

std::span<const std::string> reserved_words() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names(words.begin(), words.end());
    for (const ExpressionFunction& function : functions) names.push_back(function.name);
    return names;
  }();
  return all;
}

class ExpressionParser {
 public:
  ExpressionParser(Expressions& pool, std::string_view text, const Scope& scope)
      : pool_(pool), text_(text), scope_(scope) {}

  Expr parse() {
    const Expr expr = conditional();
    if (!at_end()) fail("an operator or the end of the expression");
    return expr;
  }

 private:
  using Kind = Expressions::Kind;

  Expr conditional() {
    const Nesting nesting(*this);
    const Expr condition = logical_or();
    if (!accept("?")) return condition;
    need(condition, Type::boolean);
    const Expr yes = conditional();
    expect(":");
    const Expr no = conditional();
    const Type type = pool_.type(yes) == pool_.type(no) ? pool_.type(yes) : Type::any;
    return pool_.make(Kind::conditional, type, {condition, yes, no});
  }

  Expr logical_or() {
    Expr left = logical_and();
    while (accept_word("or")) left = logical(Kind::logical_or, left, logical_and());
    return left;
  }

  Expr logical_and() {
    Expr left = logical_not();
    while (accept_word("and")) left = logical(Kind::logical_and, left, logical_not());
    return left;
  }

  Expr logical(Kind kind, Expr left, Expr right) {
    need(left, Type::boolean);
    need(right, Type::boolean);
    return pool_.make(kind, Type::boolean, {left, right});
  }

  Expr logical_not() {
    if (!accept_word("not")) return comparison();
    const Nesting nesting(*this);
    const Expr operand = logical_not();
    need(operand, Type::boolean);
    return pool_.make(Kind::logical_not, Type::boolean, {operand});
  }

  Expr comparison() {
    const Expr left = sum();
    static constexpr std::array<std::pair<std::string_view, Kind>, 6> operators{{{"==", Kind::equal},
                                                                                 {"!=", Kind::differ},
                                                                                 {"<=", Kind::less_equal},
                                                                                 {">=", Kind::greater_equal},
                                                                                 {"<", Kind::less},
                                                                                 {">", Kind::greater}}};
    for (const auto& [symbol, kind] : operators) {
      if (!accept(symbol)) continue;
      const Expr right = sum();
      if (kind == Kind::equal || kind == Kind::differ) {
        comparable(left, right);
      } else {
        need(left, Type::number);
        need(right, Type::number);
      }
      return pool_.make(kind, Type::boolean, {left, right});
    }
    if (!accept_word("in")) return left;
    const Expr right = sum();
    need(right, Type::list);
    return pool_.make(Kind::in, Type::boolean, {left, right});
  }

  Expr sum() {
    Expr left = product();
    while (true) {
      const Kind kind = accept("+") ? Kind::add : accept("-") ? Kind::subtract : Kind::constant;
      if (kind == Kind::constant) return left;
      left = arithmetic(kind, left, product());
    }
  }

  Expr product() {
    Expr left = unary();
    while (true) {
      const Kind kind = accept("*")   ? Kind::multiply
                        : accept("/") ? Kind::divide
                        : accept("%") ? Kind::modulo
                                      : Kind::constant;
      if (kind == Kind::constant) return left;
      left = arithmetic(kind, left, unary());
    }
  }

  Expr arithmetic(Kind kind, Expr left, Expr right) {
    need(left, Type::number);
    need(right, Type::number);
    return pool_.make(kind, Type::number, {left, right});
  }

  Expr unary() {
    if (!accept("-")) return postfix();
    const Nesting nesting(*this);
    const Expr operand = unary();
    need(operand, Type::number);
    return pool_.make(Kind::negate, Type::number, {operand});
  }

  Expr postfix() {
    Expr expr = primary();
    while (accept("[")) {
      const Expr position = conditional();
      need(position, Type::number);
      expect("]");
      expr = pool_.make_index(expr, position);
    }
    return expr;
  }

  Expr primary() {
    skip_space();
    if (at_end()) fail("a value");
    const char c = text_[at_];
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return number();
    if (c == '\'' || c == '"') return string(c);
    if (starts_name(c)) return name();
    if (accept("(")) {
      const Expr expr = conditional();
      expect(")");
      return expr;
    }
    if (accept("[")) {
      const std::vector<Expr> items = list("]");
      Expressions::Node node;
      node.kind = Kind::list;
      node.type = Type::list;
      return pool_.folded(pool_.add_node(node, items));
    }
    fail("a value");
  }

  std::vector<Expr> list(std::string_view closing) {
    std::vector<Expr> items;
    if (accept(closing)) return items;
    do {
      items.push_back(conditional());
    } while (accept(","));
    expect(closing);
    return items;
  }

  Expr number() {
    double value = 0.0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || !std::isfinite(value)) fail("a number");
    at_ += static_cast<std::size_t>(end - begin);
    if (!(at_ >= text_.size()) && continues_name(text_[at_])) fail("an operator");
    return pool_.make_constant(Value::of(value));
  }

  Expr string(char quote) {
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a closing quote");
    const std::uint32_t word = pool_.word(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return pool_.make_constant({Value::Kind::string, word, 0, 0.0});
  }

  Expr name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "true" || name == "false") return pool_.make_constant(Value::of(name == "true"));
    if (accept("(")) return call(name, begin);
    const Symbol* symbol = scope_.find(name);
    if (symbol == nullptr) unknown_name(name, begin);
    if (symbol->kind == Symbol::Kind::constant) return pool_.make_constant(symbol->value);
    Expressions::Node node;
    node.type = symbol->type;
    node.value.first = symbol->index;
    node.function = static_cast<std::uint8_t>(symbol->index & 0xff);
    node.kind = symbol->kind == Symbol::Kind::local   ? Kind::local
                : symbol->kind == Symbol::Kind::genes ? Kind::genes
                                                      : Kind::builtin;
    if (node.kind == Kind::genes && !pool_.genes(symbol->index).extents.empty()) node.type = Type::list;
    return pool_.add_node(node, {});
  }

  Expr call(std::string_view name, std::size_t begin) {
    const auto row = std::find_if(functions.begin(), functions.end(), [&](const auto& f) { return f.name == name; });
    if (row == functions.end()) {
      std::vector<std::string> known;
      known.reserve(functions.size());
      for (const ExpressionFunction& function : functions) known.push_back(function.name);
      throw ExpressionError("a known function", fmt::format("'{}' at column {}", name, begin + 1),
                            known_words(name, known));
    }
    const std::vector<Expr> arguments = list(")");
    if (arguments.size() < row->least_arguments || arguments.size() > row->most_arguments) {
      throw ExpressionError(row->least_arguments == row->most_arguments
                                ? fmt::format("{} argument{} of {}", row->least_arguments,
                                              row->least_arguments == 1 ? "" : "s", row->name)
                                : fmt::format("at least {} argument of {}", row->least_arguments, row->name),
                            fmt::format("{} at column {}", arguments.size(), begin + 1));
    }
    for (const Expr argument : arguments) {
      if (row->list_only) need(argument, Type::list);
      if (row->of_list == nullptr) need(argument, Type::number);
      if (arguments.size() > 1) need(argument, Type::number);
    }
    return pool_.make_call(static_cast<std::uint8_t>(row - functions.begin()), arguments);
  }

  [[noreturn]] void unknown_name(std::string_view name, std::size_t begin) const {
    std::vector<std::string> known = scope_.known();
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    std::string remedy = known_words(name, known);
    if (nearest_word(name, known).empty())
      remedy = fmt::format("a word itself is written '{}' in quotes; {}", name, remedy);
    throw ExpressionError("a known name", fmt::format("'{}' at column {}", name, begin + 1), remedy);
  }

  void comparable(Expr left, Expr right) const {
    const Type a = pool_.type(left);
    const Type b = pool_.type(right);
    if (a == Type::list || b == Type::list)
      throw ExpressionError("single values to compare", "a list", "use 'in', or an index");
    if (a == b || a == Type::any || b == Type::any) return;
    throw ExpressionError(fmt::format("two values of one type to compare, before column {}", at_ + 1),
                          fmt::format("{} and {}", name_of(a), name_of(b)));
  }

  void need(Expr expr, Type type) const {
    const Type found = pool_.type(expr);
    if (found == type || found == Type::any) return;
    throw ExpressionError(fmt::format("{} before column {}", name_of(type), at_ + 1), std::string(name_of(found)));
  }

  bool at_end() {
    skip_space();
    return at_ >= text_.size();
  }

  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  bool accept(std::string_view symbol) {
    skip_space();
    if (text_.substr(at_, symbol.size()) != symbol) return false;
    at_ += symbol.size();
    return true;
  }

  bool accept_word(std::string_view word) {
    skip_space();
    if (text_.substr(at_, word.size()) != word) return false;
    const std::size_t end = at_ + word.size();
    if (end < text_.size() && continues_name(text_[end])) return false;
    at_ = end;
    return true;
  }

  void expect(std::string_view symbol) {
    if (!accept(symbol)) fail(fmt::format("'{}'", symbol));
  }

  [[noreturn]] void fail(std::string expected) const {
    const std::string found = at_ >= text_.size() ? "its end" : fmt::format("'{}'", text_.substr(at_, 20));
    throw ExpressionError(std::move(expected), fmt::format("{} at column {}", found, at_ + 1));
  }

  struct Nesting {
    explicit Nesting(ExpressionParser& owner) : parser(owner) {
      if (++parser.nesting_ > deepest_nesting) parser.fail("at most 64 levels of nesting");
    }
    ~Nesting() { --parser.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ExpressionParser& parser;
  };

  Expressions& pool_;
  std::string_view text_;
  const Scope& scope_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

Expr Expressions::compile(std::string_view text, const Scope& scope, Type expected) {
  if (text.size() > longest) throw ExpressionError("an expression of at most 4096 characters", "a longer one");
  const Expr expr = ExpressionParser(*this, text, scope).parse();
  const Type found = type(expr);
  if (expected != Type::any && found != Type::any && found != expected) {
    throw ExpressionError(std::string(name_of(expected)), fmt::format("{}: {}", name_of(found), text.substr(0, 60)));
  }
  return expr;
}

Expr Expressions::compile(const Json& json, const Scope& scope, Type expected) {
  if (json.is_string()) return compile(std::string_view(json.get_ref<const std::string&>()), scope, expected);
  if (!json.is_array()) {
    const Expr expr = make_constant(literal(json));
    if (expected != Type::any && type(expr) != expected) {
      throw ExpressionError(std::string(name_of(expected)), ridgeline::describe(json));
    }
    return expr;
  }
  if (expected != Type::any && expected != Type::list) {
    throw ExpressionError(std::string(name_of(expected)), ridgeline::describe(json));
  }
  std::vector<Expr> items;
  for (const Json& item : json) items.push_back(compile(item, scope));
  Node node;
  node.kind = Kind::list;
  node.type = Type::list;
  return folded(add_node(node, items));
}

}  // namespace ridgeline
