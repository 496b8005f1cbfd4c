// Every kind of mistake in a space file, and the words it is answered with.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text, const SpaceOptions& options = {}) {
  try {
    SearchSpace::parse(JsonDocument::parse(text, "f.json"), options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no refusal";
}

const std::string plain_dimensions = R"([{"name": "k", "choices": [1, 3]}])";

// A file with these members; what is not given is a plain dimension and a network of one pooling.
std::string file(const std::string& dimensions, const std::string& network_body, const std::string& more = "") {
  return fmt::format(
      R"({{"ridgeline_space": 1, "name": "t", {} "dimensions": {}, "network": {{"input": [4, 8, 8], "body": {}}}}})",
      more, dimensions.empty() ? plain_dimensions : dimensions,
      network_body.empty() ? R"([{"op": "relu"}])" : network_body);
}

std::string in_dimensions(const std::string& dimensions) { return refusal(file(dimensions, "")); }
std::string in_body(const std::string& body, const std::string& more = "") { return refusal(file("", body, more)); }

struct Slip {
  std::string text, message;
};

TEST(SpaceErrors, TheBaseFileIsRight) { EXPECT_EQ(refusal(file("", "")), "no refusal"); }

TEST(SpaceErrors, TopLevel) {
  EXPECT_EQ(refusal("[]"), "f.json: expected an object at the top level, found an array of 0");
  EXPECT_THAT(refusal("{\"a\": }"), HasSubstr("f.json: line 1, column 7: expected JSON"));
  const std::string empty = refusal("{}");
  for (const char* missing : {"ridgeline_space: expected an integer", "name: expected a string",
                              "dimensions: expected an array", "network: expected an object"}) {
    EXPECT_THAT(empty, HasSubstr(missing));
  }
  EXPECT_THAT(refusal(file("", "", R"("dimension": 3,)")),
              HasSubstr("f.json: dimension: expected a known key, found 'dimension'; did you mean 'dimensions'?"));
  std::string version = file("", "");
  version.replace(version.find(": 1"), 3, ": 2");
  EXPECT_EQ(refusal(version), "f.json: ridgeline_space: expected an integer from 1 to 1, found 2 (number)");
  EXPECT_THAT(refusal(file("", ""), {.batch = 0, .parameters = {}}),
              HasSubstr("batch: expected an integer from 1 to 65536, found 0"));
}

TEST(SpaceErrors, Parameters) {
  const std::string with = file("", R"([{"op": "linear_free"}])", R"("parameters": {"classes": 10},)");
  EXPECT_THAT(
      refusal(with, {.batch = 1, .parameters = {{"clases", 3}}}),
      HasSubstr(
          "f.json: parameters.clases: expected a parameter of this space, found 'clases'; did you mean 'classes'?"));
  EXPECT_THAT(refusal(with, {.batch = 1, .parameters = {{"classes", "ten"}}}),
              HasSubstr("parameters.classes: expected an override of the parameter's own type, like 10 (number), found "
                        "\"ten\" (string)"));
  for (const Slip& slip : std::vector<Slip>{
           {R"({"in": 1})", "parameters.in: expected a name that the language does not use itself, found 'in'"},
           {R"({"in_channels": 1})", "expected a name that the language does not use itself"},
           {R"({"a b": 1})", "parameters.a b: expected a name of letters, digits and _, not beginning with a digit"},
           {R"({"k": 1})",
            "dimensions[0].name: expected a name of its own, found 'k', which a parameter or dimension has"},
           {R"({"x": null})",
            "parameters.x: expected a number, a string, true, false or a list of these, found null"}}) {
    EXPECT_THAT(refusal(file("", "", "\"parameters\": " + slip.text + ",")), HasSubstr(slip.message));
  }
}

TEST(SpaceErrors, Dimensions) {
  for (
      const Slip& slip : std::vector<Slip>{
          {"[]", "f.json: dimensions: expected at least one dimension, found none"},
          {"[3]", "dimensions[0]: expected a dimension: an object with name and choices, found 3 (number)"},
          {R"([{"name": "k"}])", "dimensions[0].choices: expected a value, found nothing; add the key"},
          {R"([{"name": "k", "choices": []}])", "dimensions[0].choices: expected 1 to 65535 choices, found 0"},
          {R"([{"name": "k", "choices": 3}])", "dimensions[0].choices: expected a list of choices, found 3 (number)"},
          {R"([{"name": "k", "choices": [1, 1]}])", "dimensions[0].choices: expected every choice once, found 1 twice"},
          {R"([{"name": "k", "choices": [[1]]}])", "expected numbers, strings or booleans, found a list"},
          {R"([{"name": "k", "choices": [{}]}])",
           "dimensions[0].choices: expected a number, a string, true, false or a list of these, found an object"},
          {R"([{"name": "k", "choices": [3, 7, 5], "ordered": true}])",
           "expected ordered choices that rise or fall, found an array of 3; sort them"},
          {R"([{"name": "k", "choices": "range(x) "}])",
           "dimensions[0].choices: expected a known name, found 'x' at column 7"},
          {R"([{"name": "k", "choices": [1], "group": "architektur"}])",
           "dimensions[0].group: expected a known name, found 'architektur'; did you mean 'architecture'?"},
          {R"([{"name": "k", "choices": [1], "orderd": true}])",
           "dimensions[0].orderd: expected a known key, found 'orderd'; did you mean 'ordered'?"},
          {R"([{"name": "k", "choices": [1], "repeat": 0}])",
           "dimensions[0].repeat: expected an integer from 1 to 4096, found 0"},
          {R"([{"name": "k", "choices": [1], "repeat": 2.5}])",
           "dimensions[0].repeat: expected an integer from 1 to 4096, found 2.5"},
          {R"([{"name": "k", "choices": [1], "repeat": [70, 70]}])",
           "dimensions[0].repeat: expected at most 4096 dimensions in the space, found more"},
          {R"([{"name": "k", "choices": [1], "repeat": [2, 2], "index": ["i"]}])",
           "dimensions[0].index: expected 2 names, one for each repeat, found 1"},
          {R"([{"name": "k", "choices": [1]}, {"name": "k", "choices": [2]}])",
           "dimensions[1].name: expected a name of its own, found 'k'"},
          {R"([{"name": "k", "choices": [1], "active_if": "kk > 0"}])",
           "dimensions[0].active_if: expected a known name, found 'kk' at column 1; did you mean 'k'?"},
          {R"([{"name": "k", "choices": [1], "active_if": "1 + 1"}])",
           "dimensions[0].active_if: expected true or false, found a number: 1 + 1"},
          {R"([{"name": "k", "choices": [1, 3], "active_if": "k > 1"}])",
           "dimensions[0].active_if: expected conditions that do not depend on each other in a circle, found k -> k"},
          {R"([{"name": "a", "choices": [1, 3], "active_if": "b > 1"}, {"name": "b", "choices": [1, 3], "active_if": "a > 1"}])",
           "expected conditions that do not depend on each other in a circle, found a -> b -> a"},
          {R"([{"name": "k", "choices": ["a", 1]}, {"name": "m", "choices": [1], "active_if": "k > 0"}])",
           "dimensions[1].active_if: expected a number, found 'a'; for m"}}) {
    EXPECT_THAT(in_dimensions(slip.text), HasSubstr(slip.message)) << slip.text;
  }
}

TEST(SpaceErrors, TooMuchIsRefused) {
  EXPECT_THAT(in_dimensions(R"([{"name": "k", "choices": "range(65536) "}])"),
              HasSubstr("expected 1 to 65535 choices, found 65536"));
  EXPECT_THAT(in_dimensions(R"([{"name": "k", "repeat": 10, "choices": "range(60000) "}])"),
              HasSubstr("expected at most 262144 choices in the space, found more"));
  EXPECT_THAT(in_body(R"([{"repeat": 10001, "body": []}])"),
              HasSubstr("network.body[0].repeat: expected an integer from 0 to 10000, found 10001"));
  EXPECT_THAT(in_body(R"([{"repeat": 9998, "body": [{"op": "relu"}, {"repeat": 2, "body": [{"op": "relu"}]}]}])"),
              HasSubstr("network.body[0].body[0]: expected at most 10,000 operators in a network, found more"));
  EXPECT_THAT(in_body(R"([{"repeat": 9000, "body": [{"repeat": 9000, "body": []}]}])"),
              HasSubstr("expected at most 200,000 steps for a network, found more; repeat less often"));
  EXPECT_THAT(
      in_body(R"([{"repeat": 9000, "body": [{"let": {"x": "sum(range(k * 20000)) "}}]}])"),
      HasSubstr("network.body[0].body[0]: expected at most 2,000,000 terms and list elements to look at, found more"));
  EXPECT_THAT(
      in_body(
          R"([{"op": "conv2d", "channels": 1000000000, "kernel": 1}, {"op": "conv2d", "channels": 1000000000, "kernel": 1}])"),
      HasSubstr("at most 2^"));
  std::string blocks = R"("b0": {"body": []})";
  for (int i = 1; i < 80; ++i) blocks += fmt::format(R"(, "b{}": {{"body": [{{"call": "b{}"}}]}})", i, i - 1);
  EXPECT_THAT(in_body(R"([{"call": "b79"}])", "\"blocks\": {" + blocks + "},"),
              HasSubstr("blocks: expected calls nested at most 64 deep, found 80"));
}

TEST(SpaceErrors, Constraints) {
  const auto with = [](const std::string& constraints) {
    return refusal(file("", "", "\"constraints\": " + constraints + ","));
  };
  EXPECT_THAT(with(R"([{"require": "k + 1"}])"),
              HasSubstr("constraints[0].require: expected true or false, found a number: k + 1"));
  EXPECT_THAT(with(R"([{"why": "because"}])"), HasSubstr("constraints[0].require: expected a value, found nothing"));
  EXPECT_THAT(with(R"([{"require": "k > 0", "wy": "x"}])"),
              HasSubstr("constraints[0].wy: expected a known key, found 'wy'; did you mean 'why'?"));
  EXPECT_THAT(with("[true]"),
              HasSubstr("constraints[0]: expected a constraint: an object with require and why, found true"));
  EXPECT_THAT(with(R"([{"require": "1 / (k - 1) > 0"}])"),
              HasSubstr("constraints[0].require: expected a divisor other than 0"));
}

TEST(SpaceErrors, Steps) {
  for (const Slip& slip : std::vector<Slip>{
           {"[3]",
            "network.body[0]: expected a step: an object with one of op, activate, call, repeat, if, switch, let, or "
            "as, found 3"},
           {"[{}]", "network.body[0]: expected a step with one of op"},
           {R"([{"opp": "relu"}])",
            "network.body[0].opp: expected a step with one of op, activate, call, repeat, if, switch, let, or as, "
            "found 'opp'; did you mean 'op'?"},
           {R"([{"op": "relu", "call": "b"}])",
            "network.body[0]: expected one kind of step, found 'op' and 'call'; make two steps of it"},
           {R"([{"op": "conv2"}])",
            "network.body[0].op: expected an operator, found 'conv2'; did you mean 'conv2d'? known: "},
           {R"([{"op": 3}])", "network.body[0].op: expected an operator, found 3 (number)"},
           {R"([{"op": "input"}])", "network.body[0].op: expected an operator, found 'input'"},
           {R"([{"op": "relu", "kernel": 3}])", "network.body[0].kernel: expected a known key, found 'kernel'"},
           {R"([{"op": "conv2d", "kernel": 3}])",
            "network.body[0].channels: expected a value, found nothing; add the key"},
           {R"([{"op": "conv2d", "channels": 4, "kernal": 3}])",
            "network.body[0].kernal: expected a known key, found 'kernal'; did you mean 'kernel'?"},
           {R"([{"op": "conv2d", "channels": 4.5, "kernel": 1}])",
            "network.body[0].channels: expected an integer from 1 to 1073741824, found 4.5; use round, floor or "
            "round_to"},
           {R"([{"op": "conv2d", "channels": "k * 0.5", "kernel": 1}])",
            "network.body[0].channels: expected an integer from 1 to 1073741824, found 0.5"},
           {R"([{"op": "conv2d", "channels": 4, "kernel": [1, 2, 3]}])",
            "network.body[0].kernel: expected a number or [height, width], found [1, 2, 3]"},
           {R"([{"op": "conv2d", "channels": 4, "kernel": 1, "padding": [1, 2, 3]}])",
            "network.body[0].padding: expected 'same', a number, [vertical, horizontal] or [top, left, bottom, "
            "right]"},
           {R"([{"op": "conv2d", "channels": 4, "kernel": 1, "bias": 1}])",
            "network.body[0].bias: expected true or false, found 1"},
           {R"([{"op": "conv2d", "channels": "k + 'a'", "kernel": 1}])",
            "network.body[0].channels: expected a number before column 8, found a string"},
           {R"([{"op": "conv2d", "channels": 6, "kernel": 3, "groups": 4}])",
            "network.body[0]: expected groups that divide 4 input and 6 output channels, found 4 groups on input "
            "1x4x8x8; met with the genome [0]"},
           {R"([{"op": "add", "from": "input"}])", "network.body[0].from: expected two tensors or more, found 1"},
           {R"([{"op": "relu", "from": ["input", "current"]}])", "network.body[0].from: expected one tensor, found 2"},
           {R"([{"op": "relu", "from": []}])",
            "network.body[0].from: expected a tensor or a list of tensors, found an empty list"},
           {R"([{"op": "relu", "from": "inputt"}])",
            "network.body[0].from: expected a tensor that was named before, found 'inputt'; did you mean 'input'?"},
           {R"([{"op": "relu", "as": "a"}, {"op": "relu", "from": "a[0]"}])",
            "network.body[1].from: expected 'a' without an index, found 'a[0]'"},
           {R"([{"op": "relu", "as": "a[0]"}, {"op": "relu", "from": "a"}])",
            "network.body[1].from: expected an index: a[...], found 'a'"},
           {R"([{"op": "relu", "as": "a[0]"}, {"op": "relu", "from": "a[1]"}])",
            "network.body[1].from: expected a tensor that was named before, found 'a[1]' with none in it"},
           {R"([{"op": "relu", "as": "a[64]"}])", "network.body[0].as: expected an integer from 0 to 63, found 64"},
           {R"([{"op": "relu", "as": "a[0"}])",
            "network.body[0].as: expected a tensor's name, or name[index], found 'a[0'"},
           {R"([{"op": "relu", "as": "current"}])",
            "network.body[0].as: expected a name that the language does not use itself, found 'current'"},
           {R"([{"repeat": 2, "body": [{"op": "relu", "as": "a"}]}, {"op": "relu", "from": "a"}])",
            "network.body[1].from: expected a tensor that was named before, found 'a'"},
           {R"([{"activate": "rellu"}])", "network.body[0].activate: expected a known name, found 'rellu' at column 1"},
           {R"([{"activate": "'rellu'"}])",
            "network.body[0].activate: expected the name of an activation, or 'none', found 'rellu'"},
           {R"([{"activate": 3}])", "network.body[0].activate: expected a string, found 3 (number)"},
           {R"([{"repeat": "'a'", "body": []}])", "network.body[0].repeat: expected a number, found a string: 'a'"},
           {R"([{"repeat": "k / 2", "body": []}])",
            "network.body[0].repeat: expected an integer from 0 to 10000, found 0.5"},
           {R"([{"repeat": 2}])", "network.body[0].body: expected an array, found nothing; add the key"},
           {R"([{"repeat": 2, "index": "len", "body": []}])",
            "network.body[0].index: expected a name that the language does not use itself, found 'len'"},
           {R"([{"if": "k", "then": []}])", "network.body[0].if: expected true or false, found a number: k"},
           {R"([{"if": "k > 1"}])", "network.body[0].then: expected an array, found nothing"},
           {R"([{"if": "k > 1", "then": [], "els": []}])",
            "network.body[0].els: expected a known key, found 'els'; did you mean 'else'?"},
           {R"([{"switch": "k", "cases": {"1": [], "4": []}}])",
            "network.body[0].cases.4: expected one of the dimension's choices, found '4'; known: 1, 3"},
           {R"([{"switch": "k", "cases": {"1": []}}])",
            "network.body[0].switch: expected one of the cases 1, found 3; add the case or a \"default\""},
           {R"([{"switch": "k + 1", "cases": {"a": []}}])",
            "network.body[0].cases.a: expected a number, as the switch is one, found 'a'"},
           {R"([{"switch": "k", "cases": {}}])", "network.body[0].cases: expected at least one case, found none"},
           {R"([{"let": {"sum": 3}}])",
            "network.body[0].let.sum: expected a name that the language does not use itself, found 'sum'"},
           {R"([{"let": {"x": 1, "y": "x"}}])", "network.body[0].let.y: expected a known name, found 'x'"},
           {R"([{"op": "linear", "channels": 3, "weights": "int8"}])",
            "network.body[0].weights: expected a known name, found 'int8' at column 1; a word itself is written "
            "'int8' in quotes"},
           {R"([{"op": "linear", "channels": 3, "weights": "'int9000'"}])", "network.body[0].weights: expected"},
           {R"([{"op": "relu", "weights": "'int8'"}])",
            "network.body[0].weights: expected a known key, found 'weights'"},
           {R"([{"op": "flatten"}, {"op": "linear", "channels": "in_height"}])",
            "network.body[1].channels: expected a tensor that has 'in_height', found 1x256"}}) {
    EXPECT_THAT(in_body(slip.text), HasSubstr("f.json: " + slip.message)) << slip.text;
  }
}

TEST(SpaceErrors, FormatsOfGenesAreCheckedWhenLoaded) {
  EXPECT_THAT(refusal(file(R"([{"name": "w", "choices": ["int8", "integer8"]}])",
                           R"([{"op": "conv2d", "channels": 4, "kernel": 1, "weights": "w"}])")),
              HasSubstr("network.body[0].weights: expected a number format, found 'integer8'"));
}

TEST(SpaceErrors, Blocks) {
  const auto with = [](const std::string& blocks, const std::string& body) {
    return in_body(body, "\"blocks\": " + blocks + ",");
  };
  EXPECT_THAT(with("{}", R"([{"call": "b"}])"),
              HasSubstr("network.body[0].call: expected a block of this file, found 'b'"));
  EXPECT_THAT(with(R"({"mb": {"body": []}})", R"([{"call": "mv"}])"),
              HasSubstr("found 'mv'; did you mean 'mb'? known: mb"));
  EXPECT_THAT(with(R"({"b": {"arguments": ["out"], "body": []}})", R"([{"call": "b"}])"),
              HasSubstr("network.body[0].out: expected a value, found nothing; add the key"));
  EXPECT_THAT(with(R"({"b": {"arguments": ["out"], "body": []}})", R"([{"call": "b", "out": 1, "outt": 2}])"),
              HasSubstr("network.body[0].outt: expected a known key, found 'outt'; did you mean 'out'?"));
  EXPECT_THAT(with(R"({"b": {"arguments": ["out", "out"], "body": []}})", "[]"),
              HasSubstr("blocks.b.arguments: expected every argument once, found 'out' twice"));
  EXPECT_THAT(with(R"({"b": {"arguments": ["from"], "body": []}})", "[]"),
              HasSubstr("blocks.b.arguments: expected a name that a call does not use itself, found 'from'"));
  EXPECT_THAT(with(R"({"b": {"arguments": ["out"], "defaults": {"oot": 1}, "body": []}})", "[]"),
              HasSubstr("blocks.b.defaults.oot: expected an argument of the block, found 'oot'; did you mean 'out'?"));
  EXPECT_THAT(with(R"({"b": {"body": [], "boddy": 1}})", "[]"), HasSubstr("blocks.b.boddy: expected a known key"));
  // The name that is missing inside the block is one of the caller's: blocks see their arguments only.
  EXPECT_THAT(with(R"({"b": {"body": [{"op": "relu", "from": "x"}]}})", R"([{"as": "x"}, {"call": "b"}])"),
              HasSubstr("blocks.b.body[0].from: expected a tensor that was named before, found 'x'"));
  // What fails in a block says who called.
  EXPECT_THAT(
      with(R"({"b": {"arguments": ["k2"], "body": [{"op": "max_pool", "kernel": "k2", "padding": 0}]}})",
           R"([{"repeat": 1, "body": [{"call": "b", "k2": "9 * k"}]}])"),
      HasSubstr(
          "f.json: blocks.b.body[0]: expected a window of at most 8 (the padded height), found 9 on input 1x4x8x8"));
  EXPECT_THAT(with(R"({"b": {"arguments": ["k2"], "body": [{"op": "max_pool", "kernel": "k2", "padding": 0}]}})",
                   R"([{"repeat": 1, "body": [{"call": "b", "k2": "9 * k"}]}])"),
              HasSubstr("called from network.body[0].body[0]"));
}

TEST(SpaceErrors, CyclicTemplatesAreNamed) {
  const std::string blocks =
      R"("blocks": {"a": {"body": [{"call": "b"}]}, "b": {"body": [{"if": "k > 1", "then": [{"call": "c"}]}]},
                                            "c": {"body": [{"call": "b"}]}, "d": {"body": []}},)";
  EXPECT_EQ(in_body("[]", blocks),
            "f.json: blocks.b: expected blocks that do not call themselves, found a cyclic template: b -> c -> b; use "
            "\"repeat\" to build something many times");
  EXPECT_THAT(in_body("[]", R"("blocks": {"a": {"body": [{"call": "a"}]}},)"), HasSubstr("a cyclic template: a -> a"));
}

TEST(SpaceErrors, ShapesThatDoNotFitAreFoundWhenLoaded) {
  // Only the second choice is wrong, and only for the second depth.
  EXPECT_EQ(refusal(file(R"([{"name": "d", "choices": [1, 2]}, {"name": "c", "choices": [4, 8]}])",
                         R"([{"repeat": "d", "body": [{"op": "conv2d", "channels": "c", "kernel": 1},
                                                      {"op": "add", "from": ["input", "current"]}]}])")),
            "f.json: network.body[0].body[1]: expected equal shapes, or the second [N,C,1,1] of the first, found "
            "1x4x8x8 and "
            "1x8x8x8; met with the genome [1,1]");
}

TEST(SpaceErrors, OutputsAndInput) {
  const auto network = [](const std::string& text) {
    return refusal(
        R"({"ridgeline_space": 1, "name": "t", "dimensions": [{"name": "k", "choices": [1, 3]}], "network": )" + text +
        "}");
  };
  EXPECT_THAT(network(R"({"input": [], "body": []})"),
              HasSubstr("network.input: expected 1 to 3 extents without the batch"));
  EXPECT_THAT(network(R"({"input": [3, "x", 8], "body": []})"),
              HasSubstr("network.input[1]: expected a known name, found 'x'"));
  EXPECT_THAT(network(R"({"input": [3, "k - 1", 8], "body": []})"),
              HasSubstr("network.input: expected an integer from 1 to 16777216, found 0"));
  EXPECT_THAT(network(R"({"input": [3, 8, 8], "body": [], "outputs": ["x"]})"),
              HasSubstr("network.outputs: expected a tensor that was named before"));
  EXPECT_THAT(network(R"({"input": [3, 8, 8], "body": [], "outputs": ["input", "current"]})"),
              HasSubstr("network.outputs: expected every node marked once"));
  EXPECT_THAT(network(R"({"input": [3, 8, 8], "bodi": []})"),
              HasSubstr("network.bodi: expected a known key, found 'bodi'; did you mean 'body'?"));
}

TEST(SpaceErrors, AllProblemsOfAFileComeTogether) {
  const std::string text = refusal(R"({"ridgeline_space": 1, "name": 3,
    "dimensions": [{"name": "k", "choices": [1, 1]}, {"name": "m", "choices": [2], "grup": "x"}],
    "constraints": [{"require": "m >"}],
    "blocks": {"b": {"body": [{"op": "rellu"}]}},
    "network": {"input": [3, 8, 8], "body": [{"call": "c"}, {"op": "conv2d", "kernel": 3}], "x": 1}})");
  for (const char* path :
       {"name: expected a string", "dimensions[0].choices", "dimensions[1].grup", "constraints[0].require",
        "blocks.b.body[0].op", "network.body[0].call", "network.body[1].channels", "network.x"}) {
    EXPECT_THAT(text, HasSubstr(std::string("f.json: ") + path));
  }
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n') + 1, 8);
}

}  // namespace
}  // namespace ridgeline
