// The expression language: values against hand calculation, refusals with their words, random input.
#include "spaces/expression.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using ::testing::StartsWith;

// A pool with a parameter of each kind, a local, the built-ins, and dimensions depth[3] = 2,3,4 and kernel[2][2].
class ExpressionTest : public ::testing::Test {
 protected:
  ExpressionTest() {
    scope_.declare("n", {Symbol::Kind::constant, Type::any, Value::of(7.0), 0});
    scope_.declare("flag", {Symbol::Kind::constant, Type::any, Value::of(true), 0});
    scope_.declare("table", {Symbol::Kind::constant, Type::any, pool_.literal(Json::parse("[[1, 2], [3, 4]]")), 0});
    scope_.declare("i", {Symbol::Kind::local, Type::number, {}, 0});
    scope_.declare("anything", {Symbol::Kind::local, Type::any, {}, 1});
    scope_.declare("in_channels",
                   {Symbol::Kind::builtin, Type::number, {}, static_cast<std::uint32_t>(Builtin::in_channels)});
    scope_.declare("in_height",
                   {Symbol::Kind::builtin, Type::number, {}, static_cast<std::uint32_t>(Builtin::in_height)});
    scope_.declare("in_tokens",
                   {Symbol::Kind::builtin, Type::number, {}, static_cast<std::uint32_t>(Builtin::in_tokens)});
    scope_.declare("depth", {Symbol::Kind::genes, Type::number, {}, pool_.add_genes({0, {3}, Type::number, {}})});
    scope_.declare("kernel", {Symbol::Kind::genes, Type::string, {}, pool_.add_genes({3, {2, 2}, Type::string, {}})});
    scope_.declare("width", {Symbol::Kind::genes, Type::number, {}, pool_.add_genes({7, {}, Type::number, {}})});
    for (const double value : {2.0, 3.0, 4.0}) genes_.push_back(Value::of(value));
    for (const char* word : {"a", "b", "c", "d"}) genes_.push_back({Value::Kind::string, pool_.word(word), 0, 0.0});
    genes_.push_back(Value::of(0.5));
  }

  // The value as JSON.
  Json eval(const std::string& text) {
    const Expr expr = pool_.compile(std::string_view(text), scope_);
    Evaluation state;
    state.genes = genes_;
    state.locals = locals_;
    state.current = &current_;
    const Value value = pool_.evaluate(expr, state);
    if (value.kind != Value::Kind::list) return pool_.json(value);
    return pool_.describe(value, state);
  }

  // "expected ..., found ...; remedy"
  std::string refusal(const std::string& text) {
    try {
      eval(text);
    } catch (const ExpressionError& error) {
      return Problem{"", "", error.expected, error.found, error.remedy}.text();
    }
    return "no refusal";
  }

  Expressions pool_;
  Scope scope_;
  std::vector<Value> genes_;
  Value locals_[2] = {Value::of(1.0), Value::of(true)};
  Shape current_{8, 24, 16, 12};
};

TEST_F(ExpressionTest, Arithmetic) {
  EXPECT_EQ(eval("1 + 2 * 3 - 4 / 8"), 6.5);
  EXPECT_EQ(eval("(1 + 2) * 3"), 9);
  EXPECT_EQ(eval("10 - 4 - 3"), 3);  // from the left
  EXPECT_EQ(eval("100 / 10 / 5"), 2);
  EXPECT_EQ(eval("-2 * -3"), 6);
  EXPECT_EQ(eval("- -2"), 2);
  EXPECT_EQ(eval("7 % 3"), 1);
  EXPECT_EQ(eval("-1 % 3"), 2);  // the divisor's sign: an index whatever the left is
  EXPECT_EQ(eval("1 % -3"), -2);
  EXPECT_EQ(eval("1.5e2 + .5"), 150.5);
  EXPECT_EQ(eval("n + i"), 8);
}

TEST_F(ExpressionTest, LogicAndComparison) {
  EXPECT_EQ(eval("1 < 2 and 2 <= 2 and 3 > 2 and 2 >= 2 and 1 != 2 and 1 == 1"), true);
  EXPECT_EQ(eval("not flag or false"), false);
  EXPECT_EQ(eval("true or 1 / (i - 1) > 1"), true) << "the right side is not evaluated";
  EXPECT_EQ(eval("false and 1 / (i - 1) > 1"), false);
  EXPECT_EQ(eval("false or true and false"), false) << "and binds tighter than or";
  EXPECT_EQ(eval("not 1 == 2"), true);
  EXPECT_EQ(eval("i == 1 ? 'one' : 'other'"), "one");
  EXPECT_EQ(eval("i == 0 ? 1 : i == 1 ? 2 : 3"), 2);
  EXPECT_EQ(eval("'a' == kernel[0][0]"), true);
  EXPECT_EQ(eval("kernel[1][1] in ['c', 'd']"), true);
  EXPECT_EQ(eval("5 in range(5)"), false);
  EXPECT_EQ(eval("anything == 3"), false) << "values of different kinds differ";
  EXPECT_EQ(eval("\"it's\" == 'its'"), false) << "either quote holds the other";
}

TEST_F(ExpressionTest, ListsAndGenes) {
  EXPECT_EQ(eval("[10, 20, 30][i]"), 20);
  EXPECT_EQ(eval("table[i][0]"), 3);
  EXPECT_EQ(eval("[1 / (i - 1), 5][i]"), 5) << "only the element asked for is evaluated";
  EXPECT_EQ(eval("depth[i + 1]"), 4);
  EXPECT_EQ(eval("kernel[i][0]"), "c");
  EXPECT_EQ(eval("depth"), "[2, 3, 4]");
  EXPECT_EQ(eval("kernel[1]"), "['c', 'd']");
  EXPECT_EQ(eval("len(kernel) + len(kernel[0]) + len(depth) + len([])"), 7);
  EXPECT_EQ(eval("width * 4"), 2);
}

TEST_F(ExpressionTest, Functions) {
  EXPECT_EQ(eval("min(3, 1, 2) + max(depth) + min([7, 8])"), 12);
  EXPECT_EQ(eval("sum(depth) + sum([]) + sum(range(4))"), 15);
  EXPECT_EQ(eval("floor(2.7) + ceil(2.1) + round(2.5) + abs(-4)"), 12);
  EXPECT_EQ(eval("sqrt(16)"), 4);
}

// The rule of MobileNet: nearest multiple of the divisor, at least the divisor, one more when over 10 % is lost.
TEST_F(ExpressionTest, RoundTo) {
  for (int x = 1; x < 400; ++x) {
    int expected = std::max(8, (x + 4) / 8 * 8);
    if (10 * expected < 9 * x) expected += 8;
    EXPECT_EQ(eval(fmt::format("round_to({}, 8)", x)), expected) << x;
  }
  EXPECT_EQ(eval("round_to(32 * 0.35, 8)"), 16);  // 11.2 -> 8 loses 29 %
  EXPECT_EQ(eval("round_to(16 * 0.75, 8)"), 16);  // 12 is rounded up
  EXPECT_EQ(eval("round_to(3, 8)"), 8);
}

TEST_F(ExpressionTest, BuiltIns) {
  EXPECT_EQ(eval("in_channels * in_height"), 384);
  current_ = {8, 49, 192};
  EXPECT_EQ(eval("in_channels + in_tokens"), 241);
  EXPECT_EQ(refusal("in_height"),
            "expected a tensor that has 'in_height', found 8x49x192; images are NxCxHxW, token sequences NxTxC");
}

TEST_F(ExpressionTest, ConstantsAreFolded) {
  for (const char* text : {"1 + 2", "table[1][0] * n", "flag ? 3 : i", "max([1, n])", "'a' in ['a']", "[1, 2, 3]"}) {
    EXPECT_TRUE(pool_.constant(pool_.compile(std::string_view(text), scope_)).has_value()) << text;
  }
  for (const char* text : {"i", "depth[0]", "in_channels", "[1, i]", "flag and i == 1"}) {
    EXPECT_FALSE(pool_.constant(pool_.compile(std::string_view(text), scope_)).has_value()) << text;
  }
}

TEST_F(ExpressionTest, References) {
  const auto read = [&](std::string_view text) {
    std::vector<std::uint32_t> genes;
    pool_.references(pool_.compile(text, scope_), genes);
    return genes;
  };
  using Genes = std::vector<std::uint32_t>;
  EXPECT_EQ(read("depth[1] > 2"), (Genes{1}));
  EXPECT_EQ(read("depth[i] > 2"), (Genes{0, 1, 2}));
  EXPECT_EQ(read("kernel[1][0] == 'a'"), (Genes{5}));
  EXPECT_EQ(read("kernel[1][i] == 'a'"), (Genes{5, 6}));
  EXPECT_EQ(read("kernel[i][1] == 'a'"), (Genes{4, 6}));
  EXPECT_EQ(read("sum(depth) > width"), (Genes{0, 1, 2, 7}));
  EXPECT_EQ(read("1 > 2"), (Genes{}));
  EXPECT_EQ(pool_.element_of(pool_.compile(std::string_view("depth[i]"), scope_)), 0U);
  EXPECT_EQ(pool_.element_of(pool_.compile(std::string_view("kernel[i]"), scope_)), std::nullopt);
  EXPECT_EQ(pool_.element_of(pool_.compile(std::string_view("depth[i] + 0"), scope_)), std::nullopt);
}

TEST_F(ExpressionTest, JsonIsCompiledByItsType) {
  Evaluation state;
  EXPECT_EQ(pool_.json(*pool_.constant(pool_.compile(Json(2.5), scope_))), 2.5);
  EXPECT_EQ(pool_.json(*pool_.constant(pool_.compile(Json("1 + n"), scope_))), 8);
  EXPECT_EQ(pool_.json(*pool_.constant(pool_.compile(Json::parse(R"(["n", 2, [true]])"), scope_))),
            Json::parse("[7, 2, [true]]"));
  EXPECT_EQ(pool_.json(pool_.literal(Json("n + 1"))), "n + 1") << "a literal is never an expression";
  EXPECT_THROW(pool_.compile(Json("n"), scope_, Type::string), ExpressionError);
  EXPECT_THROW(pool_.compile(Json(nullptr), scope_), ExpressionError);
}

TEST_F(ExpressionTest, RefusalsNameTheFault) {
  EXPECT_EQ(refusal(""), "expected a value, found its end at column 1");
  EXPECT_EQ(refusal("1 +"), "expected a value, found its end at column 4");
  EXPECT_EQ(refusal("1 2"), "expected an operator or the end of the expression, found '2' at column 3");
  EXPECT_EQ(refusal("(1"), "expected ')', found its end at column 3");
  EXPECT_EQ(refusal("'abc"), "expected a closing quote, found ''abc' at column 1");
  EXPECT_EQ(refusal("3x"), "expected an operator, found 'x' at column 2");
  EXPECT_EQ(refusal("1e999"), "expected a number, found '1e999' at column 1");
  EXPECT_THAT(refusal("dept[0]"),
              StartsWith("expected a known name, found 'dept' at column 1; did you mean 'depth'? known: "));
  EXPECT_THAT(refusal("hard_swish"),
              StartsWith("expected a known name, found 'hard_swish' at column 1; a word itself is written"));
  EXPECT_THAT(refusal("mxa(1, 2)"),
              StartsWith("expected a known function, found 'mxa' at column 1; did you mean 'max'? known: "));
  EXPECT_EQ(refusal("sqrt(1, 2)"), "expected 1 argument of sqrt, found 2 at column 1");
  EXPECT_EQ(refusal("round_to(1)"), "expected 2 arguments of round_to, found 1 at column 1");
  EXPECT_EQ(refusal("max()"), "expected at least 1 argument of max, found 0 at column 1");
  EXPECT_EQ(refusal("1 + 'a'"), "expected a number before column 8, found a string");
  EXPECT_EQ(refusal("not 3"), "expected true or false before column 6, found a number");
  EXPECT_EQ(refusal("3 ? 1 : 2"), "expected true or false before column 4, found a number");
  EXPECT_EQ(refusal("1 == 'a'"),
            "expected two values of one type to compare, before column 9, found a number and a string");
  EXPECT_EQ(refusal("depth == 3"), "expected single values to compare, found a list; use 'in', or an index");
  EXPECT_EQ(refusal("n[0]"), "expected a list before [, found a number");
  EXPECT_EQ(refusal("depth[3]"), "expected an index from 0 to 2, found 3");
  EXPECT_EQ(refusal("depth[i / 2]"), "expected an index from 0 to 2, found 0.5");
  EXPECT_EQ(refusal("depth[i - 2]"), "expected an index from 0 to 2, found -1");
  EXPECT_EQ(refusal("[][i]"), "expected no index, the list is empty, found 1");
  EXPECT_EQ(refusal("i / (i - 1)"), "expected a divisor other than 0, found a division by 0");
  EXPECT_EQ(refusal("1 % 0"), "expected a divisor other than 0, found a division by 0");
  EXPECT_EQ(refusal("1e300 * 1e300"), "expected a finite number, found a result that overflows");
  EXPECT_EQ(refusal("sqrt(-1)"), "expected a number of at least 0, found -1");
  EXPECT_EQ(refusal("min([])"), "expected at least one number, found an empty list");
  EXPECT_EQ(refusal("sum(['a'])"), "expected numbers in the list, found something else");
  EXPECT_EQ(refusal("round_to(4, 0)"), "expected a positive divisor, found 0");
  EXPECT_EQ(refusal("range(2.5)"), "expected an integer from 0 to 65536, found 2.5");
  EXPECT_EQ(refusal("anything + 1"), "expected a number, found true") << "a type known only when evaluated";
  EXPECT_EQ(refusal("anything[0]"), "expected a list before [, found true");
  EXPECT_EQ(refusal("1 in anything"), "expected a list after 'in', found true");
}

TEST_F(ExpressionTest, BoundsHoldAgainstHostileText) {
  EXPECT_EQ(refusal(std::string(5000, ' ')), "expected an expression of at most 4096 characters, found a longer one");
  EXPECT_EQ(refusal(std::string(2000, '(')).substr(0, 38), "expected at most 64 levels of nesting,");
  EXPECT_EQ(refusal(std::string(2000, '-') + "1").substr(0, 38), "expected at most 64 levels of nesting,");
  std::string sum = "i";
  for (int k = 0; k < 300; ++k) sum += " + i";
  EXPECT_EQ(refusal(sum), "expected an expression of at most 200 levels, found a deeper one; use \"let\"");
  // 40 ranges of 65,536 are more work than one evaluation may be.
  std::string work = "i";
  for (int k = 0; k < 40; ++k) work += " + len(range(65536 * i))";
  EXPECT_THAT(refusal(work), StartsWith("expected at most 2,000,000 terms and list elements to look at, found more"));
}

// Random token soup either has a value or is refused; it never crashes, hangs or gives a non-finite number.
TEST_F(ExpressionTest, RandomTextIsEvaluatedOrRefused) {
  const std::vector<std::string> tokens{"1",   "0.5", "i",    "depth", "kernel", "width", "[",        "]",    "(",
                                        ")",   "+",   "-",    "*",     "/",      "%",     "==",       "<",    "in",
                                        "and", "not", "?",    ":",     ",",      "'a'",   "or",       "max",  "range",
                                        "sum", "n",   "flag", "true",  "table",  "'",     "round_to", "\x80", "@"};
  Rng rng(5, "expression soup");
  int values = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text;
    const std::uint64_t length = 1 + rng.below(9);
    for (std::uint64_t k = 0; k < length; ++k) text += tokens[rng.below(tokens.size())] + (rng.chance(0.5) ? " " : "");
    try {
      const Json value = eval(text);
      ++values;
      if (value.is_number()) {
        ASSERT_TRUE(std::isfinite(value.get<double>())) << text;
      }
    } catch (const ExpressionError& error) {
      ASSERT_FALSE(error.expected.empty()) << text;
    }
  }
  EXPECT_GT(values, 1000);
}

}  // namespace
}  // namespace ridgeline
