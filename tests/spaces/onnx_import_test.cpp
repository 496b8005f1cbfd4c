// What comes back from files that were exported, that spell networks in other ways, and that are broken.
#include "spaces/onnx/import.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "kernels/reference.hpp"
#include "spaces/config_error.hpp"
#include "spaces/onnx/export.hpp"
#include "spaces/search_space.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::linear;
using test::make;
using ::testing::AllOf;
using ::testing::HasSubstr;

Design with_random_weights(Network network, std::uint64_t seed = 1) {
  auto weights = std::make_shared<Weights>(random_weights(network, seed));
  return {std::move(network), {}, std::move(weights)};
}

// Outputs on the same input, by the reference loops; the largest difference over the largest value.
double difference(const Design& found, const Design& expected) {
  std::vector<float> input = seeded_input(expected.network.shape(0), 5);
  for (float& value : input) value *= 8.0F;  // beyond the bends of relu6 and hard_swish
  const std::vector<Tensor> ours = run_reference(found, input), theirs = run_reference(expected, input);
  double most = 0, largest = 1e-30;
  for (std::size_t i = 0; i < expected.network.outputs().size(); ++i) {
    const Tensor &a = ours[found.network.outputs()[i]], &b = theirs[expected.network.outputs()[i]];
    if (a.values.size() != b.values.size()) return INFINITY;
    for (std::size_t k = 0; k < a.values.size(); ++k) {
      const double apart = std::abs(static_cast<double>(a.values[k]) - static_cast<double>(b.values[k]));
      most = apart < 1e30 ? std::max(most, apart) : INFINITY;
      largest = std::max(largest, std::abs(static_cast<double>(b.values[k])));
    }
  }
  return most / largest;
}

Design imported(const OnnxGraph& graph) { return import_onnx(parse_onnx(onnx_bytes(graph, "", {}), "a.onnx")).design; }

TEST(OnnxImport, WhatWasExportedComesBack) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed, "import");
    const Design design = with_random_weights(test::random_blueprint(rng, 4 + rng.below(20)).build(), seed);
    const Design back = import_onnx(parse_onnx(onnx_model(design), "a.onnx")).design;
    EXPECT_LE(difference(back, design), 1e-3);  // layer norms enlarge what rounding has left
  }
}

TEST(OnnxImport, EveryShippedSpaceIsTheSameNetworkAgain) {
  for (const auto& entry : std::filesystem::directory_iterator(RIDGELINE_SOURCE_DIR "/spaces/library")) {
    SCOPED_TRACE(entry.path().stem().string());
    const SearchSpace space = SearchSpace::load(entry.path());
    Rng rng(11, "import");
    const Design design = with_random_weights(space.decode(space.sample(rng)).network);
    const Design back = import_onnx(parse_onnx(onnx_model(design), "a.onnx")).design;
    const bool zeros = std::ranges::any_of(design.network.live_nodes(), [&](NodeId node) {
      return design.network.op(node).kind == OpKind::zero;  // come back as products with 0
    });
    if (zeros) continue;
    EXPECT_EQ(structural_hash(back.network), structural_hash(design.network));
    EXPECT_EQ(back.network.live_nodes().size(), design.network.live_nodes().size());
  }
}

TEST(OnnxImport, NamesComeBackWhereTheyAreUnique) {
  Network network;
  const NodeId first = network.add(conv(2, 1), {network.add_input({1, 2, 3, 3})}, "stem");
  const NodeId second = network.add(conv(2, 1), {first}, "twice");
  network.mark_output(network.add(conv(2, 1), {second}, "twice"));
  const Design back = import_onnx(parse_onnx(onnx_model(with_random_weights(network)), "a.onnx")).design;
  EXPECT_EQ(back.network.name(1), "stem");
  EXPECT_EQ(back.network.name(2), "conv2d_2");
}

TEST(OnnxImport, MetadataComeBack) {
  Network network;
  network.mark_output(network.add(conv(2, 1), {network.add_input({1, 1, 3, 3})}));
  OnnxOptions options;
  options.class_names = {"a", "b \"c\""};
  options.mean = {0.25F};
  options.stddev = {2.0F};
  const ImportedModel model = import_onnx(parse_onnx(onnx_model(with_random_weights(network), options), "a.onnx"));
  EXPECT_EQ(model.class_names, options.class_names);
  EXPECT_EQ(model.mean, options.mean);
  EXPECT_EQ(model.stddev, options.stddev);
}

// ---- other spellings

// A graph from "x" to "y"; constants are named as they are added.
struct Graph : OnnxGraph {
  explicit Graph(Shape input, std::int64_t set = 13) {
    name = "g";
    opset = set;
    inputs = {{"x", std::move(input)}};
    outputs = {{"y", {}}};
  }
  std::string constant(Shape shape, std::vector<float> values) {
    initializers.push_back({fmt::format("c{}", initializers.size()), std::move(shape), std::move(values)});
    return initializers.back().name;
  }
  std::string constant(std::vector<std::int64_t> values) {
    initializers.push_back({fmt::format("c{}", initializers.size()), {std::ssize(values)}, std::move(values)});
    return initializers.back().name;
  }
  std::string node(std::string type, std::vector<std::string> read,
                   std::map<std::string, OnnxAttribute> attributes = {}, std::string output = "y") {
    nodes.push_back({std::move(type), std::move(read), output, std::move(attributes)});
    return output;
  }
};

std::vector<float> ramp(std::size_t count, float scale = 0.1F) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = scale * (static_cast<float>(i % 7) - 2.5F);
  return values;
}

// One operator on an input, with the weights given.
Design single(const Op& op, const Shape& input, NodeWeights weights = {}) {
  Network network;
  network.mark_output(network.add(op, {network.add_input(input)}));
  Weights all(2);
  all[1] = std::move(weights);
  return {std::move(network), {}, std::make_shared<Weights>(std::move(all))};
}

TEST(OnnxImport, PaddingOfItsOwn) {
  for (const std::int64_t opset : {10, 13}) {
    Graph graph({1, 2, 5, 6}, opset);
    const std::vector<std::int64_t> pads{0, 0, 1, 2, 0, 0, 0, 1};
    if (opset == 10) {
      graph.node("Pad", {"x"}, {{"pads", pads}}, "p");
    } else {
      graph.node("Pad", {"x", graph.constant(pads)}, {}, "p");
    }
    graph.node("Conv", {"p", graph.constant({3, 2, 3, 3}, ramp(54))},
               {{"pads", std::vector<std::int64_t>{0, 0, 1, 0}}});
    Op op = conv(3, 3);
    op.padding = {1, 2, 1, 1};
    EXPECT_LE(difference(imported(graph), single(op, {1, 2, 5, 6}, {.kernel = ramp(54)})), 1e-6);
  }
}

TEST(OnnxImport, AutomaticPadding) {
  for (const std::int64_t stride : {1, 2, 3}) {
    for (const bool upper : {false, true}) {
      Graph graph({1, 2, 7, 6});
      graph.node("Conv", {"x", graph.constant({3, 2, 4, 3}, ramp(72))},
                 {{"auto_pad", std::string(upper ? "SAME_UPPER" : "SAME_LOWER")},
                  {"strides", std::vector<std::int64_t>{stride, stride}}});
      const Design design = imported(graph);
      const Shape out = design.network.shape(design.network.outputs()[0]);
      EXPECT_EQ(out, (Shape{1, 3, (7 + stride - 1) / stride, (6 + stride - 1) / stride}));
      const Op& op = design.network.op(design.network.outputs()[0]);
      EXPECT_GE(upper ? op.padding[2] : op.padding[0], upper ? op.padding[0] : op.padding[2]);
    }
  }
}

TEST(OnnxImport, GemmInEveryOrientation) {
  const std::vector<float> kernel = ramp(12);  // [3, 4]
  std::vector<float> flipped(12);
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) flipped[column * 3 + row] = kernel[row * 4 + column];
  }
  std::vector<float> doubled = kernel, bias{1, 2, 3};
  for (float& value : doubled) value *= 2;
  const Design expected = single(linear(3), {1, 4}, {.kernel = doubled, .bias = {0.5F, 1.0F, 1.5F}});
  const std::map<std::string, OnnxAttribute> factors{{"alpha", 2.0F}, {"beta", 0.5F}};
  Graph plain({1, 4});
  plain.node("Gemm", {"x", plain.constant({4, 3}, flipped), plain.constant({1, 3}, bias)}, factors);
  EXPECT_LE(difference(imported(plain), expected), 1e-6);
  Graph turned({1, 4});
  auto attributes = factors;
  attributes["transB"] = std::int64_t{1};
  turned.node("Gemm", {"x", turned.constant({3, 4}, kernel), turned.constant({3}, bias)}, attributes);
  EXPECT_LE(difference(imported(turned), expected), 1e-6);
}

TEST(OnnxImport, ConstantsThatScaleAndShift) {
  struct Case {
    const char* type;
    bool constant_first;
    Shape shape;
  };
  const Shape input{1, 3, 2, 2};
  for (const Case& one : {Case{"Mul", false, {}}, Case{"Mul", true, {3, 1, 1}}, Case{"Add", false, {1, 3, 1, 1}},
                          Case{"Sub", false, {3, 1, 1}}, Case{"Sub", true, {1}}, Case{"Div", false, {3, 1, 1}},
                          Case{"Add", false, {2, 2}}, Case{"Mul", false, {1, 3, 2, 2}}}) {
    SCOPED_TRACE(fmt::format("{} {}", one.type, shape_text(one.shape)));
    std::vector<float> values = ramp(static_cast<std::size_t>(elements(one.shape)), 0.7F);
    Graph graph(input);
    const std::string constant = graph.constant(one.shape, values);
    graph.node(one.type,
               one.constant_first ? std::vector<std::string>{constant, "x"} : std::vector<std::string>{"x", constant});
    const Design design = imported(graph);
    const std::vector<float> x = seeded_input(input, 9);
    const std::vector<Tensor> made = run_reference(design, x);
    const std::vector<float>& y = made[design.network.outputs()[0]].values;
    ASSERT_EQ(y.size(), 12U);
    for (std::size_t i = 0; i < 12; ++i) {
      const std::size_t at = values.size() == 1 ? 0 : values.size() == 3 ? i / 4 : values.size() == 4 ? i % 4 : i;
      const std::string type = one.type;
      const float c = values[at];
      float expected = type == "Mul" ? x[i] * c : type == "Add" ? x[i] + c : type == "Div" ? x[i] / c : x[i] - c;
      if (type == "Sub" && one.constant_first) expected = c - x[i];
      EXPECT_NEAR(y[i], expected, 1e-5) << i;
    }
  }
}

TEST(OnnxImport, SmallOperatorsMakeOne) {
  Graph gelu({1, 6});  // 0.5 first, 1/sqrt 2 as a factor
  gelu.node("Mul", {"x", gelu.constant({}, {1.0F / std::numbers::sqrt2_v<float>})}, {}, "a");
  gelu.node("Erf", {"a"}, {}, "b");
  gelu.node("Add", {gelu.constant({}, {1.0F}), "b"}, {}, "c");
  gelu.node("Mul", {gelu.constant({}, {0.5F}), "x"}, {}, "d");
  gelu.node("Mul", {"d", "c"});
  const Design one = imported(gelu);
  EXPECT_EQ(one.network.op(one.network.outputs()[0]).kind, OpKind::gelu);
  Graph norm({1, 3, 6});  // the square by Mul, scale in front
  const std::map<std::string, OnnxAttribute> last{{"axes", std::vector<std::int64_t>{-1}}};
  norm.node("ReduceMean", {"x"}, last, "m");
  norm.node("Sub", {"x", "m"}, {}, "c");
  norm.node("Mul", {"c", "c"}, {}, "s");
  norm.node("ReduceMean", {"s"}, last, "v");
  norm.node("Add", {norm.constant({}, {1e-3F}), "v"}, {}, "e");
  norm.node("Sqrt", {"e"}, {}, "r");
  norm.node("Div", {"c", "r"}, {}, "n");
  norm.node("Mul", {norm.constant({6}, ramp(6)), "n"}, {}, "t");
  norm.node("Add", {"t", norm.constant({6}, ramp(6, 0.3F))});
  Op op = make(OpKind::layer_norm);
  op.epsilon = 1e-3;
  EXPECT_LE(difference(imported(norm), single(op, {1, 3, 6}, {.scale = ramp(6), .shift = ramp(6, 0.3F)})), 1e-6);
  Graph swish({1, 6});
  swish.node("Sigmoid", {"x"}, {}, "g");
  swish.node("Mul", {"g", "x"});
  EXPECT_LE(difference(imported(swish), single(make(OpKind::swish), {1, 6})), 1e-6);
  Graph biased({1, 3, 4});
  biased.node("MatMul", {"x", biased.constant({4, 2}, ramp(8))}, {}, "p");
  biased.node("Add", {"p", biased.constant({2}, ramp(2))});
  const Design layer = imported(biased);
  EXPECT_TRUE(layer.network.op(layer.network.outputs()[0]).bias);
}

TEST(OnnxImport, FlattenComputedFromShapes) {
  Graph graph({symbolic_batch, 2, 3, 3});  // x.view(x.size(0), -1), as exporters trace it
  graph.node("Shape", {"x"}, {}, "s");
  graph.node("Gather", {"s", graph.constant(std::vector<std::int64_t>{0})}, {{"axis", std::int64_t{0}}}, "b");
  graph.node("Concat", {"b", graph.constant(std::vector<std::int64_t>{-1})}, {{"axis", std::int64_t{0}}}, "t");
  graph.node("Reshape", {"x", "t"});
  EXPECT_EQ(imported(graph).network.shape(1), (Shape{1, 18}));
}

TEST(OnnxImport, MeansAndSqueezes) {
  Graph image({1, 3, 4, 5}, 12);
  image.node("ReduceMean", {"x"}, {{"axes", std::vector<std::int64_t>{-1, 2}}}, "m");
  image.node("Squeeze", {"m"}, {{"axes", std::vector<std::int64_t>{2, 3}}});
  Network pooled;
  const NodeId mean = pooled.add(make(OpKind::global_avg_pool), {pooled.add_input({1, 3, 4, 5})});
  pooled.mark_output(pooled.add(make(OpKind::flatten), {mean}));
  EXPECT_LE(difference(imported(image), with_random_weights(pooled)), 1e-6);
  Graph tokens({1, 4, 3});
  tokens.node("ReduceMean", {"x"}, {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", std::int64_t{0}}});
  const Design design = imported(tokens);
  const std::vector<float> x = seeded_input({1, 4, 3}, 2);
  const std::vector<float> y = run_reference(design, x)[design.network.outputs()[0]].values;
  ASSERT_EQ(y.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(y[c], (x[c] + x[3 + c] + x[6 + c] + x[9 + c]) / 4, 1e-6);
}

TEST(OnnxImport, BoundsOfClip) {
  for (const std::int64_t opset : {10, 13}) {
    for (const bool six : {false, true}) {
      Graph graph({1, 4}, opset);
      if (opset == 10) {
        graph.node("Clip", {"x"}, {{"min", 0.0F}, {"max", six ? 6.0F : 3.4e38F}});
      } else {
        graph.node("Clip", six ? std::vector<std::string>{"x", graph.constant({}, {0.0F}), graph.constant({}, {6.0F})}
                               : std::vector<std::string>{"x", graph.constant({}, {0.0F})});
      }
      EXPECT_EQ(imported(graph).network.op(1).kind, six ? OpKind::relu6 : OpKind::relu);
    }
  }
}

TEST(OnnxImport, PoolsRoundedUp) {
  Graph graph({1, 2, 6, 7});
  graph.node("MaxPool", {"x"},
             {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
              {"strides", std::vector<std::int64_t>{2, 2}},
              {"ceil_mode", std::int64_t{1}}});
  EXPECT_EQ(imported(graph).network.shape(1), (Shape{1, 2, 3, 3}));
}

TEST(OnnxImport, DataInAnotherFile) {
  const std::string folder = ::testing::TempDir() + "/external_onnx";
  std::filesystem::create_directories(folder);
  Graph graph({1, 4});
  graph.node("Gemm", {"x", graph.constant({4, 3}, ramp(12))});
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(onnx_bytes(graph, "", {})));
  onnx::TensorProto& tensor = *model.mutable_graph()->mutable_initializer(0);
  std::ofstream(folder + "/w.bin", std::ios::binary) << "junk" << tensor.raw_data();
  tensor.clear_raw_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto set = [&](const char* key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  const auto write = [&] { std::ofstream(folder + "/m.onnx", std::ios::binary) << model.SerializeAsString(); };
  set("location", "w.bin");
  set("offset", "4");
  set("length", "48");
  write();
  EXPECT_LE(difference(import_onnx(folder + "/m.onnx").design, imported(graph)), 0);
  const auto refused = [&](const char* expected) {
    write();
    try {
      import_onnx(folder + "/m.onnx");
      ADD_FAILURE() << expected;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("'c0'"), HasSubstr(expected)));
    }
  };
  tensor.mutable_external_data(2)->set_value("49");
  refused("too short");
  tensor.mutable_external_data(0)->set_value("../w.bin");
  refused("the model's folder");
  tensor.mutable_external_data(0)->set_value("gone.bin");
  refused("no such file");
}

// ---- quantized models

TEST(OnnxImport, QuantizersBecomeFormats) {
  Graph graph({1, 2, 4, 4});
  const auto whole = [&](Shape shape, std::vector<std::int64_t> values, OnnxInteger stored) {
    graph.initializers.push_back(
        {fmt::format("c{}", graph.initializers.size()), std::move(shape), std::move(values), stored});
    return graph.initializers.back().name;
  };
  std::vector<std::int64_t> codes(54);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::int64_t>(i * 37 % 255) - 127;
  const std::string scale = graph.constant({}, {0.05F}), zero = whole({}, {0}, OnnxInteger::i8);
  graph.node("QuantizeLinear", {"x", scale, zero}, {}, "q");
  graph.node("DequantizeLinear", {"q", scale, zero}, {}, "d");
  const std::string kernel = whole({3, 2, 3, 3}, codes, OnnxInteger::i8);
  graph.node("DequantizeLinear",
             {kernel, graph.constant({3}, {0.1F, 0.2F, 0.4F}), whole({3}, {0, 0, 0}, OnnxInteger::i8)},
             {{"axis", std::int64_t{0}}}, "w");
  graph.node("Conv", {"d", "w"});
  const Design design = imported(graph);
  const NodeId node = design.network.outputs()[0];
  EXPECT_EQ(design.precision.at(node).weights.text(), "int8@channel");
  EXPECT_EQ(design.precision.at(node).activations.text(), "int8");
  const std::vector<Range>& ranges = design.quantization->weights[node];
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_FLOAT_EQ(ranges[2].high, 0.4F * 127);
  EXPECT_FLOAT_EQ(design.quantization->tensors[0].high, 0.05F * 127);
  EXPECT_FLOAT_EQ((*design.weights)[node].kernel[20], 0.2F * static_cast<float>(codes[20]));
}

TEST(OnnxImport, PartsOfAShape) {
  Graph graph({symbolic_batch, 2, 3, 4}, 15);
  graph.node("Shape", {"x"}, {{"start", std::int64_t{1}}, {"end", std::int64_t{-1}}}, "s");  // 2, 3
  graph.node("Concat", {graph.constant(std::vector<std::int64_t>{1, 4}), "s"}, {{"axis", std::int64_t{0}}}, "t");
  graph.node("Reshape", {"x", "t"});
  EXPECT_EQ(imported(graph).network.shape(1), (Shape{1, 4, 2, 3}));
}

// ---- broken ones

std::string refusal(const std::string& bytes) {
  try {
    import_onnx(parse_onnx(bytes, "a.onnx"));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}
std::string refusal(const OnnxGraph& graph) { return refusal(onnx_bytes(graph, "", {})); }

TEST(OnnxImport, BrokenModelsAreRefusedByName) {
  EXPECT_THAT(refusal(std::string()), HasSubstr("an empty file"));
  EXPECT_THAT(refusal(std::string("hello, world")), HasSubstr("an ONNX model"));
  Graph good({1, 4});
  good.node("Relu", {"x"});
  const std::string bytes = onnx_bytes(good, "", {});
  EXPECT_EQ(refusal(bytes), "accepted");
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) refusal(bytes.substr(0, cut));  // does not crash
  Graph cyclic({1, 4});
  cyclic.node("Add", {"x", "y"}, {}, "z");
  cyclic.node("Relu", {"z"});
  EXPECT_THAT(refusal(cyclic), AllOf(HasSubstr("'y'"), HasSubstr("cyclic")));
  Graph missing({1, 2, 4, 4});
  missing.node("Conv", {"x", "weights"});
  EXPECT_THAT(refusal(missing), AllOf(HasSubstr("'weights'"), HasSubstr("initializer")));
  Graph unknown({1, 4});
  unknown.node("Tanh", {"x"});
  EXPECT_THAT(refusal(unknown), AllOf(HasSubstr("Tanh"), HasSubstr("opset 13"), HasSubstr("Sigmoid")));
  Graph old({1, 4}, 8);
  old.node("Relu", {"x"});
  EXPECT_THAT(refusal(old), AllOf(HasSubstr("opset 9 to 17"), HasSubstr("8")));
  Graph open({1, 3, symbolic_batch, symbolic_batch});
  open.node("Relu", {"x"});
  EXPECT_THAT(refusal(open), HasSubstr("fixed extents"));
  Graph shape({1, 2, 4, 4});
  shape.node("Conv", {"x", shape.constant({3, 5, 3, 3}, ramp(135))});
  EXPECT_THAT(refusal(shape), AllOf(HasSubstr("2 input channels"), HasSubstr("3x5x3x3")));
  Graph leaky({1, 4});
  leaky.node("Clip", {"x", leaky.constant({}, {-1.0F}), leaky.constant({}, {1.0F})});
  EXPECT_THAT(refusal(leaky), HasSubstr("bounds of 0 and 6"));
  Graph cast({1, 4});
  cast.node("Cast", {"x"}, {{"to", std::int64_t{7}}});
  EXPECT_THAT(refusal(cast), HasSubstr("a cast to float"));
  Graph beyond({1, 1, 5, 5});  // padded to 6, windows at 0, 3 and, rounded up, 6
  beyond.node("MaxPool", {"x"},
              {{"kernel_shape", std::vector<std::int64_t>{2, 2}},
               {"strides", std::vector<std::int64_t>{3, 3}},
               {"pads", std::vector<std::int64_t>{0, 0, 1, 1}},
               {"ceil_mode", std::int64_t{1}}});
  EXPECT_THAT(refusal(beyond), HasSubstr("begin inside the image"));
  Graph turned({1, 3});  // a scale an input channel
  turned.initializers.push_back({"k", {3, 3}, std::vector<std::int64_t>(9, 1), OnnxInteger::i8});
  turned.initializers.push_back({"z", {3}, std::vector<std::int64_t>(3, 0), OnnxInteger::i8});
  turned.node("DequantizeLinear", {"k", turned.constant({3}, {0.1F, 0.2F, 0.4F}), "z"}, {{"axis", std::int64_t{0}}},
              "w");
  turned.node("MatMul", {"x", "w"});
  EXPECT_THAT(refusal(turned), AllOf(HasSubstr("the output channels"), HasSubstr("axis 0")));
  for (const float odd : {NAN, INFINITY}) {
    Graph diverged({1, 4});
    std::vector<float> kernel = ramp(12);
    kernel[7] = odd;
    diverged.node("Gemm", {"x", diverged.constant({4, 3}, kernel)}, {}, "sums");
    diverged.node("Relu", {"sums"});  // makes a zero of a NaN
    EXPECT_THAT(refusal(diverged), AllOf(HasSubstr("finite weights"), HasSubstr(fmt::format("{}", odd))));
  }
  onnx::ModelProto model;
  Graph huge({1, 4});
  huge.node("Gemm", {"x", huge.constant({4, 3}, ramp(12))});
  ASSERT_TRUE(model.ParseFromString(onnx_bytes(huge, "", {})));
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, std::int64_t{1} << 39);
  EXPECT_NE(refusal(model.SerializeAsString()), "accepted");
}

}  // namespace
}  // namespace ridgeline
