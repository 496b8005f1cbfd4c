// Every operator, random networks and the shipped spaces as ONNX: accepted by ONNX's checker, with the network's shapes
// and weights, and computing what the project's reference computes.
#include "spaces/onnx/export.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>

#include "kernels/reference.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/onnx/check.hpp"
#include "spaces/search_space.hpp"
#include "tests/spaces/onnx_interpreter.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;
using ::testing::AllOf;
using ::testing::HasSubstr;

Design with_random_weights(Network network, std::uint64_t seed = 1) {
  auto weights = std::make_shared<Weights>(random_weights(network, seed));
  return {std::move(network), {}, std::move(weights)};
}

onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

std::string tensor_text(const Network& network, NodeId node) {
  return fmt::format("{}_{} {}", name_of(network.op(node).kind), node, shape_text(network.shape(node)));
}

// [rows, columns] as [columns, rows], in doubles.
std::vector<double> flipped(const std::vector<float>& matrix, std::size_t rows) {
  std::vector<double> result;
  const std::size_t columns = matrix.size() / rows;
  for (std::size_t column = 0; column < columns; ++column) {
    for (std::size_t row = 0; row < rows; ++row) result.push_back(static_cast<double>(matrix[row * columns + column]));
  }
  return result;
}

// The numbers of every live node are in the file, exactly, under the names the header gives; and no others.
void expect_weights(const Design& design, const onnx::ModelProto& model) {
  std::map<std::string, std::vector<double>> found;
  for (const onnx::TensorProto& proto : model.graph().initializer()) {
    if (proto.name().find('/') == std::string::npos) found[proto.name()] = test::array_of(proto).values;
  }
  std::map<std::string, std::vector<double>> expected;
  for (const NodeId node : design.network.live_nodes()) {
    const NodeWeights& own = (*design.weights)[node];
    const Op& op = design.network.op(node);
    const std::string base = fmt::format("{}_{}.", name_of(op.kind), node);
    const auto put = [&](const char* label, const std::vector<float>& values) {
      if (!values.empty()) expected[base + label] = {values.begin(), values.end()};
    };
    put("kernel", own.kernel);
    put("bias", own.bias);
    put("scale", own.scale);
    put("shift", own.shift);
    put("mean", own.mean);
    put("variance", own.variance);
    if (op.kind == OpKind::linear && design.network.shape(node).size() > 2) {  // MatMul reads [in, out]
      expected[base + "kernel"] = flipped(own.kernel, static_cast<std::size_t>(op.channels));
    }
  }
  EXPECT_EQ(found, expected);
}

// The largest difference over the largest value.
double relative_error(const std::vector<double>& found, const std::vector<float>& expected) {
  double most = 0.0, largest = 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(found[i] - static_cast<double>(expected[i]));
    if (!(difference < 1e30)) return INFINITY;
    most = std::max(most, difference);
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return most / largest;
}

// Runs the model on `batch` samples and compares every tensor with the reference's.
void expect_values(const Design& design, const onnx::ModelProto& model, std::int64_t batch, double tolerance) {
  const Design wide{with_batch(design.network, batch), {}, design.weights};
  const std::vector<OnnxValue> tensors = onnx_tensors(design.network);
  std::vector<float> input;
  test::OnnxArrays inputs;
  for (NodeId node = 0; node < wide.network.size(); ++node) {
    if (wide.network.op(node).kind != OpKind::input) continue;
    if (input.empty()) {
      input = seeded_input(wide.network.shape(node), 3);
      for (float& value : input) value *= 8.0F;  // beyond the bends of relu6 and hard_swish
    }
    inputs[tensors[node].name] = {wide.network.shape(node), {input.begin(), input.end()}};
  }
  const std::vector<Tensor> expected = run_reference(wide, input);
  const test::OnnxArrays found = test::run_onnx(model, std::move(inputs));
  for (const NodeId node : wide.network.live_nodes()) {
    const test::OnnxArray& array = found.at(tensors[node].name);
    ASSERT_EQ(array.shape, wide.network.shape(node)) << tensor_text(wide.network, node);
    EXPECT_LE(relative_error(array.values, expected[node].values), tolerance) << tensor_text(wide.network, node);
  }
}

// Symbolic and fixed batch: checker, inferred shapes and weights; values for a batch that is not the network's.
void expect_exported(const Design& design, double tolerance = 2e-6) {
  const onnx::ModelProto model = parsed(onnx_model(design));
  EXPECT_NO_THROW(check_onnx_model(onnx_model(design), onnx_tensors(design.network)));
  expect_weights(design, model);
  expect_values(design, model, 3, tolerance);
  OnnxOptions fixed;
  fixed.batch = 2;
  EXPECT_NO_THROW(check_onnx_model(onnx_model(design, fixed), onnx_tensors(design.network, fixed.batch)));
  expect_values(design, parsed(onnx_model(design, fixed)), 2, tolerance);
}

void expect_operator(const Op& op, const Shape& input) {
  SCOPED_TRACE(fmt::format("{} on {}", name_of(op.kind), shape_text(input)));
  Network network;
  network.mark_output(network.add(op, {network.add_input(input)}));
  expect_exported(with_random_weights(std::move(network)));
}

// On the input and on what `second` makes of it.
void expect_binary(const Op& op, const Shape& input, const std::function<NodeId(Network&, NodeId)>& second) {
  SCOPED_TRACE(fmt::format("{} on {}", name_of(op.kind), shape_text(input)));
  Network network;
  const NodeId x = network.add_input(input);
  network.mark_output(network.add(op, {x, second(network, x)}));
  expect_exported(with_random_weights(std::move(network)));
}

TEST(OnnxExport, Convolutions) {
  expect_operator(conv(6, 3), {1, 4, 5, 7});
  expect_operator(conv(6, 3, 2, 2, true), {1, 4, 6, 7});
  expect_operator(conv(8, 5, 1, 4, true), {1, 4, 5, 5});
  Op op = conv(3, 3);
  op.padding = {0, 1, 2, 3};  // top, left, bottom, right
  expect_operator(op, {1, 2, 6, 5});
  op.kernel = {2, 3};
  op.stride = {2, 1};
  op.dilation = {3, 2};
  op.groups = 3;
  op.bias = true;
  expect_operator(op, {1, 6, 8, 9});
}

TEST(OnnxExport, LinearOnAnyNumberOfAxes) {
  for (const bool bias : {false, true}) {
    expect_operator(test::linear(5, bias), {1, 6});
    expect_operator(test::linear(5, bias), {1, 3, 6});
    expect_operator(test::linear(5, bias), {1, 2, 3, 6});
  }
}

TEST(OnnxExport, MatrixProducts) {
  Op plain = make(OpKind::matmul), flip = plain;
  flip.transpose_b = true;
  for (const Shape& shape : {Shape{1, 3, 4}, Shape{1, 2, 3, 4}}) {
    expect_binary(flip, shape, [](Network& network, NodeId x) { return network.add(make(OpKind::gelu), {x}); });
    expect_binary(plain, shape, [&](Network& network, NodeId x) {
      Op swap = make(OpKind::transpose);
      swap.shape = shape.size() == 3 ? Shape{0, 2, 1} : Shape{0, 1, 3, 2};
      return network.add(swap, {network.add(test::linear(4), {x})});
    });
  }
  // Every sample with every other: both axes are the batch.
  expect_binary(flip, {1, 6}, [](Network&, NodeId x) { return x; });
}

TEST(OnnxExport, Norms) {
  for (const Shape& shape : {Shape{1, 6}, Shape{1, 6, 3}, Shape{1, 6, 3, 4}}) {
    Op batch = make(OpKind::batch_norm), layer = make(OpKind::layer_norm);
    expect_operator(batch, shape);
    expect_operator(layer, shape);
    batch.epsilon = layer.epsilon = 1e-2;
    expect_operator(batch, shape);
    expect_operator(layer, shape);
  }
}

TEST(OnnxExport, ActivationsAndSoftmax) {
  for (const std::string& name : op_names()) {
    const auto kind = static_cast<OpKind>(&name - op_names().data());
    if (is_activation(kind)) expect_operator(make(kind), {1, 4, 5, 3});
    if (is_activation(kind)) expect_operator(make(kind), {1, 7});
  }
  for (const int axis : {-1, 1, 2, -2}) {
    Op op = make(OpKind::softmax);
    op.axis = axis;
    expect_operator(op, {1, 4, 5});
  }
}

TEST(OnnxExport, SumsProductsAndConcatenations) {
  for (const OpKind kind : {OpKind::add, OpKind::mul}) {
    expect_binary(make(kind), {1, 4, 3, 5}, [](Network& network, NodeId x) { return network.add(conv(4, 3), {x}); });
    expect_binary(make(kind), {1, 4}, [](Network&, NodeId x) { return x; });
    expect_binary(make(kind), {1, 4, 3, 5}, [](Network& network, NodeId x) {
      return network.add(make(OpKind::sigmoid), {network.add(make(OpKind::global_avg_pool), {x})});
    });
  }
  Op concat = make(OpKind::concat);
  expect_operator(concat, {1, 4, 5});  // of one
  expect_binary(concat, {1, 4, 3, 3}, [](Network& network, NodeId x) { return network.add(conv(6, 3), {x}); });
  for (const int axis : {1, 2, -1}) {
    concat.axis = axis;
    expect_binary(concat, {1, 4, 5}, [](Network& network, NodeId x) { return network.add(make(OpKind::gelu), {x}); });
  }
}

TEST(OnnxExport, Pools) {
  for (const OpKind kind : {OpKind::max_pool, OpKind::avg_pool}) {
    for (const bool include : {false, true}) {
      Op op = test::pool(kind, 3, 2, 1);
      op.count_include_pad = include && kind == OpKind::avg_pool;
      expect_operator(op, {1, 3, 6, 7});
      op.padding = {0, 2, 1, 0};
      expect_operator(op, {1, 3, 6, 7});
      op.kernel = {3, 2};
      op.stride = {1, 2};
      op.padding = {1, 0, 2, 1};
      expect_operator(op, {1, 3, 6, 7});
    }
  }
  expect_operator(make(OpKind::global_avg_pool), {1, 3, 6, 7});
}

TEST(OnnxExport, ShapesIdentityAndZero) {
  Op reshape = make(OpKind::reshape);
  reshape.shape = {4, 6};
  expect_operator(reshape, {1, 2, 3, 4});
  reshape.shape = {2, -1, 2};
  expect_operator(reshape, {1, 2, 3, 4});
  Op transpose = make(OpKind::transpose);
  transpose.shape = {0, 3, 1, 2};
  expect_operator(transpose, {1, 2, 3, 4});
  expect_operator(make(OpKind::flatten), {1, 2, 3, 4});
  expect_operator(make(OpKind::flatten), {1, 5});
  expect_operator(make(OpKind::identity), {1, 5});
  Op zero = make(OpKind::zero);
  expect_operator(zero, {1, 5});
  for (const auto& stride : {std::array<int, 2>{2, 2}, std::array<int, 2>{3, 1}}) {
    zero.stride = stride;
    expect_operator(zero, {1, 2, 5, 6});
  }
}

TEST(OnnxExport, TheBatchMayBeMoved) {
  Network network;
  const NodeId x = network.add_input({1, 4, 6});
  Op move = make(OpKind::transpose), shape = make(OpKind::reshape);
  move.shape = {1, 0, 2};
  shape.shape = {-1, 2, 3};
  network.mark_output(network.add(shape, {network.add(test::linear(6), {network.add(move, {x})})}));
  EXPECT_EQ(onnx_tensors(network).back().shape, (Shape{4, symbolic_batch, 2, 3}));
  expect_exported(with_random_weights(std::move(network)));
}

TEST(OnnxExport, RandomNetworks) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed, "onnx");
    const Network network = test::random_blueprint(rng, 4 + rng.below(20)).build();
    expect_exported(with_random_weights(network, seed), 1e-3);  // layer norms enlarge what rounding has left
  }
}

TEST(OnnxExport, EveryShippedSpace) {
  std::size_t run = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RIDGELINE_SOURCE_DIR "/spaces/library")) {
    SCOPED_TRACE(entry.path().stem().string());
    const SearchSpace space = SearchSpace::load(entry.path());
    Rng rng(11, "onnx");
    for (int i = 0; i < 3; ++i) {
      const Design design = with_random_weights(space.decode(space.sample(rng)).network);
      const std::string bytes = onnx_model(design);
      EXPECT_NO_THROW(check_onnx_model(bytes, onnx_tensors(design.network)));
      expect_weights(design, parsed(bytes));
      if (macs(design.network) > 60'000'000) continue;
      expect_values(design, parsed(bytes), 1, 1e-4);
      ++run;
    }
  }
  EXPECT_GE(run, 6U);
}

Network two_inputs_and_outputs() {
  Network network;
  const NodeId a = network.add_input({1, 4}, "left.part/1"), b = network.add_input({1, 4}, "output_1");
  network.add_input({1, 4}, "output_1");  // nobody reads it
  const NodeId sum = network.add(make(OpKind::add), {a, b});
  network.add(make(OpKind::relu), {sum});  // dead
  const NodeId last = network.add(make(OpKind::gelu), {sum});
  network.mark_output(last);
  network.mark_output(a);
  network.mark_output(sum);
  return network;
}

TEST(OnnxExport, NamesAreUniqueAndPlain) {
  const Design design = with_random_weights(two_inputs_and_outputs());
  expect_exported(design);
  const OnnxGraph graph = onnx_graph(design);
  std::vector<std::string> inputs, outputs;
  for (const OnnxValue& value : graph.inputs) inputs.push_back(value.name);
  for (const OnnxValue& value : graph.outputs) outputs.push_back(value.name);
  EXPECT_THAT(inputs, ::testing::ElementsAre("left_part_1", "output_1_1", "output_1_2"));
  EXPECT_THAT(outputs, ::testing::ElementsAre("output_0", "output_1", "output_2"));
  for (const OnnxNode& node : graph.nodes) EXPECT_NE(node.type, "Relu");
}

TEST(OnnxExport, TheModelSaysWhatItIs) {
  Network network;
  network.mark_output(network.add(conv(2, 1), {network.add_input({4, 1, 3, 3})}));
  OnnxOptions options;
  options.graph_name = "tiny";
  options.producer_version = "1.2";
  options.class_names = {"a", "\"b\""};
  options.mean = {0.25F};
  options.stddev = {0.5F};
  const Design design = with_random_weights(std::move(network));
  const std::string bytes = onnx_model(design, options);
  EXPECT_EQ(bytes, onnx_model(design, options));
  const onnx::ModelProto model = parsed(bytes);
  EXPECT_EQ(model.producer_name(), "ridgeline");
  EXPECT_EQ(model.producer_version(), "1.2");
  EXPECT_EQ(model.graph().name(), "tiny");
  EXPECT_EQ(model.ir_version(), 7);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  std::map<std::string, std::string> metadata;
  for (const auto& entry : model.metadata_props()) metadata[entry.key()] = entry.value();
  EXPECT_THAT(metadata,
              ::testing::UnorderedElementsAre(::testing::Pair("class_names", R"(["a","\"b\""])"),
                                              ::testing::Pair("mean", "[0.25]"), ::testing::Pair("stddev", "[0.5]")));
  const OnnxSummary summary = check_onnx_model(bytes);
  ASSERT_EQ(summary.inputs.size(), 1U);
  EXPECT_EQ(summary.inputs[0].name, "input");
  EXPECT_EQ(summary.inputs[0].shape, (Shape{symbolic_batch, 1, 3, 3}));
  EXPECT_EQ(summary.outputs[0].name, "output");
  EXPECT_EQ(summary.outputs[0].shape, (Shape{symbolic_batch, 2, 3, 3}));
  EXPECT_EQ(summary.nodes, 1U);
  EXPECT_EQ(summary.initializers, 1U);
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(OnnxExport, RefusesABatchThatANetworkCannotHave) {
  Network mixes;  // samples become features
  Op move = make(OpKind::transpose), join = make(OpKind::flatten), split = make(OpKind::reshape);
  move.shape = {1, 0, 2};
  const NodeId moved = mixes.add(move, {mixes.add_input({1, 4, 6})});
  mixes.mark_output(mixes.add(test::linear(3), {mixes.add(join, {moved})}));
  EXPECT_THAT(refusal([&] { onnx_tensors(mixes); }), AllOf(HasSubstr("--batch 1"), HasSubstr("4x582")));
  Network fixed;  // a shape that only one batch has
  split.shape = {6};
  fixed.mark_output(fixed.add(split, {fixed.add(move, {fixed.add_input({1, 4, 6})})}));
  EXPECT_THAT(refusal([&] { onnx_tensors(fixed); }), AllOf(HasSubstr("--batch 1"), HasSubstr("reshape")));
  Network along;  // a number for each sample
  along.mark_output(along.add(make(OpKind::batch_norm), {along.add(move, {along.add_input({1, 4, 6})})}));
  EXPECT_THAT(refusal([&] { onnx_tensors(along); }), HasSubstr("weights along the batch"));
  Network walks;
  split.shape = {6, -1};
  walks.mark_output(walks.add(split, {walks.add(move, {walks.add_input({1, 4, 6})})}));
  EXPECT_THAT(refusal([&] { onnx_tensors(walks); }), HasSubstr("another axis"));
  OnnxOptions one;
  one.batch = 1;
  for (const Network& network : {mixes, fixed, along, walks}) {
    const Design design = with_random_weights(network);
    EXPECT_NO_THROW(check_onnx_model(onnx_model(design, one), onnx_tensors(network, 1)));
  }
  one.batch = 2;
  EXPECT_THROW(onnx_model(with_random_weights(along), one), std::invalid_argument);
}

TEST(OnnxExport, RefusesOtherFormatsAndOtherWeights) {
  Network network;
  network.mark_output(network.add(conv(2, 1), {network.add_input({1, 1, 3, 3})}));
  Design design = with_random_weights(network);
  design.precision = PrecisionPlan::uniform(network, int8, int8);
  EXPECT_THAT(refusal([&] { onnx_model(design); }), HasSubstr("calibrate"));
  design.precision = PrecisionPlan::uniform(network, Format::parse("int4"), int8);
  EXPECT_THAT(refusal([&] { onnx_model(design); }), AllOf(HasSubstr("f32"), HasSubstr("int4")));
  EXPECT_THROW(onnx_model({network, {}, nullptr}), std::invalid_argument);
  EXPECT_THROW(onnx_model({network, {}, std::make_shared<Weights>(1)}), std::invalid_argument);
  EXPECT_THROW(onnx_model({network, {}, std::make_shared<Weights>(2)}), std::invalid_argument);
}

TEST(OnnxCheck, FindsWhatIsBroken) {
  Network network;
  network.mark_output(network.add(conv(2, 3), {network.add_input({1, 1, 5, 5})}));
  const std::string bytes = onnx_model(with_random_weights(network));
  const std::vector<OnnxValue> tensors = onnx_tensors(network);
  EXPECT_THROW(check_onnx_model("no model"), std::logic_error);
  const auto broken = [&](const std::function<void(onnx::GraphProto&)>& change) {
    onnx::ModelProto model = parsed(bytes);
    change(*model.mutable_graph());
    EXPECT_THROW(check_onnx_model(model.SerializeAsString(), tensors), std::logic_error);
  };
  broken([](onnx::GraphProto& graph) { graph.mutable_initializer()->Clear(); });
  broken([](onnx::GraphProto& graph) { graph.mutable_node(0)->set_op_type("Konv"); });
  broken([](onnx::GraphProto& graph) { graph.mutable_node(0)->mutable_attribute()->Clear(); });  // no padding
  broken([](onnx::GraphProto& graph) { graph.mutable_output(0)->set_name("other"); });
  std::vector<OnnxValue> wrong = tensors;
  wrong.back().shape = {symbolic_batch, 2, 5, 4};
  EXPECT_THROW(check_onnx_model(bytes, wrong), std::logic_error);
}

}  // namespace
}  // namespace ridgeline
