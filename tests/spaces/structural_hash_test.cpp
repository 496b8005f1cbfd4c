// The canonical hash against exact execution: equal hashes must mean equal functions, and every rewriting that the
// header promises not to matter must not change the hash.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/network.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/modular_interpreter.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::Blueprint;
using test::conv;
using test::make;
using test::ModularInterpreter;

using Outputs = std::vector<ModularInterpreter::Tensor>;

Outputs run(const Network& network) { return ModularInterpreter(network).outputs(); }

// Puts `node` at `place` and renumbers what comes behind.
void insert_node(Blueprint& blueprint, NodeId place, Blueprint::Node node) {
  for (Blueprint::Node& later : blueprint.nodes) {
    for (NodeId& input : later.inputs) input += input >= place ? 1 : 0;
  }
  for (NodeId& output : blueprint.outputs) output += output >= place ? 1 : 0;
  blueprint.nodes.insert(blueprint.nodes.begin() + place, std::move(node));
}

const Shape image{1, 4, 5, 5};

// A random edge into a node that reads whole images, as (node, input position).
std::pair<NodeId, std::size_t> random_edge(const Blueprint& blueprint, const Network& network, Rng& rng) {
  for (;;) {
    const auto node = static_cast<NodeId>(rng.below(network.size()));
    const auto& inputs = blueprint.nodes[node].inputs;
    if (inputs.empty()) continue;
    const std::size_t i = rng.below(inputs.size());
    if (network.shape(inputs[i]) == image) return {node, i};
  }
}

void insert_identity(Blueprint& blueprint, Rng& rng) {
  const auto [node, i] = random_edge(blueprint, blueprint.build(), rng);
  const NodeId source = blueprint.nodes[node].inputs[i];
  std::vector<Op> nothing{make(OpKind::identity),
                          test::pool(OpKind::max_pool, 1, 1),
                          test::pool(OpKind::avg_pool, 1, 1),
                          make(OpKind::reshape),
                          make(OpKind::transpose),
                          make(OpKind::concat)};
  nothing[3].shape = {4, -1, 5};
  nothing[4].shape = {0, 1, 2, 3};
  insert_node(blueprint, node, {nothing[rng.below(nothing.size())], {source}, "nothing"});
  blueprint.nodes[node + 1].inputs[i] = node;
}

void insert_zero_addition(Blueprint& blueprint, Rng& rng) {
  const auto [node, i] = random_edge(blueprint, blueprint.build(), rng);
  const NodeId source = blueprint.nodes[node].inputs[i];
  insert_node(blueprint, node, {make(OpKind::zero), {static_cast<NodeId>(rng.below(node))}, ""});
  blueprint.nodes[node].inputs[0] = source;
  std::vector<NodeId> terms{source, node};
  if (rng.chance(0.5)) std::swap(terms[0], terms[1]);
  insert_node(blueprint, node + 1, {make(OpKind::add), terms, ""});
  blueprint.nodes[node + 2].inputs[i] = node + 1;
}

void insert_dead(Blueprint& blueprint, Rng& rng) {
  const auto place = static_cast<NodeId>(1 + rng.below(blueprint.nodes.size()));
  const auto source = static_cast<NodeId>(rng.below(place));
  const std::vector<Op> ops{conv(3, 1), make(OpKind::relu), make(OpKind::zero)};
  const Op op = blueprint.build().shape(source).size() == 4 ? ops[rng.below(ops.size())] : make(OpKind::gelu);
  insert_node(blueprint, place, {op, {source}, "dead"});
}

void swap_operands(Blueprint& blueprint, Rng&) {
  const Network network = blueprint.build();
  for (Blueprint::Node& node : blueprint.nodes) {
    const bool commutes = node.op.kind == OpKind::add || node.op.kind == OpKind::mul;
    if (commutes && network.shape(node.inputs[0]) == network.shape(node.inputs[1])) {
      std::swap(node.inputs[0], node.inputs[1]);
    }
  }
}

// (a + b) + c becomes a + (b + c), and so for products: a new node b + c stands in front of the outer one.
void nest_differently(Blueprint& blueprint, Rng&) {
  const Network network = blueprint.build();
  for (NodeId outer = 0; outer < blueprint.nodes.size(); ++outer) {
    const Blueprint::Node& node = blueprint.nodes[outer];
    if (node.op.kind != OpKind::add && node.op.kind != OpKind::mul) continue;
    const Blueprint::Node& inner = blueprint.nodes[node.inputs[0]];
    if (inner.op.kind != node.op.kind || network.shape(inner.inputs[1]) != image) continue;
    if (network.shape(node.inputs[1]) != image) continue;
    const std::vector<NodeId> terms{inner.inputs[0], inner.inputs[1], node.inputs[1]};
    insert_node(blueprint, outer, {node.op, {terms[1], terms[2]}, ""});
    blueprint.nodes[outer + 1].inputs = {terms[0], outer};
    return;
  }
}

void repeat_relu(Blueprint& blueprint, Rng&) {
  for (NodeId node = 0; node < blueprint.nodes.size(); ++node) {
    if (blueprint.nodes[node].op.kind != OpKind::relu) continue;
    insert_node(blueprint, node, {make(OpKind::relu), blueprint.nodes[node].inputs, ""});
    blueprint.nodes[node + 1].inputs = {node};
    return;
  }
}

// Adds the nodes in another topological order; the network's inputs keep theirs.
void reorder(Blueprint& blueprint, Rng& rng) {
  const std::size_t size = blueprint.nodes.size();
  std::vector<NodeId> moved(size, static_cast<NodeId>(size));
  std::vector<Blueprint::Node> ordered;
  while (ordered.size() < size) {
    const auto node = static_cast<NodeId>(rng.below(size));
    if (moved[node] != size) continue;
    Blueprint::Node copy = blueprint.nodes[node];
    bool ready = true;
    for (NodeId& input : copy.inputs) {
      input = moved[input];
      ready = ready && input != size;
    }
    for (NodeId before = 0; copy.inputs.empty() && before < node; ++before) {
      ready = ready && (!blueprint.nodes[before].inputs.empty() || moved[before] != size);
    }
    if (!ready) continue;
    moved[node] = static_cast<NodeId>(ordered.size());
    copy.name = "moved";
    ordered.push_back(std::move(copy));
  }
  blueprint.nodes = std::move(ordered);
  for (NodeId& output : blueprint.outputs) output = moved[output];
}

TEST(StructuralHash, DoesNotSeeWhatDoesNotMatter) {
  using Rewrite = void (*)(Blueprint&, Rng&);
  const std::vector<Rewrite> rewrites{insert_identity,  insert_zero_addition, insert_dead, swap_operands,
                                      nest_differently, repeat_relu,          reorder};
  for (std::uint64_t trial = 0; trial < 400; ++trial) {
    Rng rng(1, "rewrite", trial);
    Blueprint blueprint = test::random_blueprint(rng, 4 + rng.below(16));
    const Network original = blueprint.build();
    const Outputs outputs = run(original);
    for (int step = 0; step < 6; ++step) {
      const std::size_t which = rng.below(rewrites.size());
      rewrites[which](blueprint, rng);
      const Network rewritten = blueprint.build();
      ASSERT_EQ(run(rewritten), outputs) << "trial " << trial << ": rewrite " << which << " changed the function";
      ASSERT_EQ(structural_hash(rewritten), structural_hash(original)) << "trial " << trial << ", rewrite " << which;
    }
  }
}

// One attribute, one input or one operator is changed; whenever the outputs change, so must the hash.
void change_something(Blueprint& blueprint, Rng& rng) {
  const Network network = blueprint.build();
  static const std::vector<Op> ops = test::shape_keeping_ops();
  for (;;) {
    Blueprint::Node& node = blueprint.nodes[rng.below(blueprint.nodes.size())];
    if (node.inputs.empty()) continue;
    const bool keeps_shape =
        node.inputs.size() == 1 && node.op.kind != OpKind::global_avg_pool && network.shape(node.inputs[0]) == image;
    if (keeps_shape && rng.chance(0.5)) {
      node.op = ops[rng.below(ops.size())];
      return;
    }
    NodeId& input = node.inputs[rng.below(node.inputs.size())];
    const auto other = static_cast<NodeId>(rng.below(input + 1));
    if (network.shape(input) != network.shape(other)) continue;
    if (rng.chance(0.5)) {
      input = other;
    } else {
      std::reverse(node.inputs.begin(), node.inputs.end());
      if (node.inputs.size() > 1 && network.shape(node.inputs[0]) != image)
        std::reverse(node.inputs.begin(), node.inputs.end());
    }
    return;
  }
}

TEST(StructuralHash, SeesEveryRealChange) {
  int changed = 0;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    Rng rng(2, "change", trial);
    Blueprint blueprint = test::random_blueprint(rng, 4 + rng.below(12));
    const Network original = blueprint.build();
    change_something(blueprint, rng);
    const Network other = blueprint.build();
    if (run(other) == run(original)) continue;
    ++changed;
    ASSERT_NE(structural_hash(other), structural_hash(original)) << "trial " << trial;
  }
  EXPECT_GT(changed, 300);  // else the test tests nothing
}

// What tells two networks of few operators apart: the outputs, and the convolutions that they need.
std::pair<Outputs, std::multiset<std::uint64_t>> essence(const Network& network) {
  const ModularInterpreter interpreter(network);
  std::vector<bool> needed(network.size());
  for (const NodeId output : network.outputs()) needed[output] = true;
  std::multiset<std::uint64_t> convolutions;
  for (NodeId node = static_cast<NodeId>(network.size()); node-- > 0;) {
    if (!needed[node] || interpreter.is_zero(node)) continue;
    if (network.op(node).kind == OpKind::conv2d) convolutions.insert(interpreter.value(node)[0]);
    for (const NodeId input : network.inputs(node)) needed[input] = true;
  }
  return {interpreter.outputs(), convolutions};
}

std::string text(const Blueprint& blueprint) {
  std::string line;
  for (const Blueprint::Node& node : blueprint.nodes) {
    line += std::string(name_of(node.op.kind)) + "(";
    for (const NodeId input : node.inputs) line += std::to_string(input) + " ";
    line += ") ";
  }
  return line;
}

// All short programs over few operators: the hash classes are exactly the classes of equal essence.
TEST(StructuralHash, ClassesAreExactOverSmallPrograms) {
  const std::vector<Op> ops{conv(4, 1),         make(OpKind::gelu), make(OpKind::identity),
                            make(OpKind::zero), make(OpKind::add),  make(OpKind::mul)};
  std::map<std::uint64_t, std::pair<Outputs, std::multiset<std::uint64_t>>> by_hash;
  std::map<std::pair<Outputs, std::multiset<std::uint64_t>>, std::uint64_t> by_essence;
  int networks = 0;
  const auto visit = [&](const Blueprint& blueprint) {
    const Network network = blueprint.build();
    const std::uint64_t hash = structural_hash(network);
    auto what = essence(network);
    const auto [it, is_new] = by_hash.emplace(hash, what);
    ASSERT_EQ(it->second, what) << text(blueprint);
    const auto [other, is_first] = by_essence.emplace(std::move(what), hash);
    ASSERT_EQ(other->second, hash) << text(blueprint);
    ++networks;
  };
  Op input = make(OpKind::input);
  input.shape = {1, 4, 2, 2};
  Blueprint blueprint;
  blueprint.nodes.push_back({input, {}, ""});
  const auto extend = [&](auto& self) -> void {
    if (blueprint.nodes.size() == 5) return visit(blueprint);
    const auto size = static_cast<NodeId>(blueprint.nodes.size());
    for (const Op& op : ops) {
      const bool two = op.kind == OpKind::add || op.kind == OpKind::mul;
      for (NodeId a = 0; a < size; ++a) {
        for (NodeId b = 0; b < (two ? size : 1); ++b) {
          blueprint.nodes.push_back({op, two ? std::vector<NodeId>{a, b} : std::vector<NodeId>{a}, ""});
          blueprint.outputs = {size};
          self(self);
          blueprint.nodes.pop_back();
        }
      }
    }
  };
  extend(extend);
  EXPECT_EQ(networks, (4 + 2) * (8 + 8) * (12 + 18) * (16 + 32));
  EXPECT_LT(by_hash.size(), static_cast<std::size_t>(networks) / 10);
}

TEST(StructuralHash, OneConvolutionReadTwiceIsNotTwo) {
  Network shared;
  const NodeId x = shared.add_input(image);
  const NodeId y = shared.add(conv(4, 3), {x});
  shared.mark_output(shared.add(make(OpKind::add), {y, y}));
  Network twice;
  const NodeId z = twice.add_input(image);
  twice.mark_output(twice.add(make(OpKind::add), {twice.add(conv(4, 3), {z}), twice.add(conv(4, 3), {z})}));
  EXPECT_NE(structural_hash(shared), structural_hash(twice));
}

TEST(StructuralHash, SeesAttributesShapesAndOutputs) {
  std::set<std::uint64_t> seen;
  const auto note = [&](const Op& op, const Shape& shape) {
    Network network;
    network.mark_output(network.add(op, {network.add_input(shape)}));
    EXPECT_TRUE(seen.insert(structural_hash(network)).second) << name_of(op.kind) << " " << shape_text(shape);
  };
  note(conv(8, 3), {1, 4, 9, 9});
  note(conv(8, 3), {2, 4, 9, 9});
  note(conv(8, 3), {1, 4, 9, 8});
  note(conv(12, 3), {1, 4, 9, 9});
  note(conv(8, 5), {1, 4, 9, 9});
  note(conv(8, 3, 2), {1, 4, 9, 9});
  note(conv(8, 3, 1, 2), {1, 4, 9, 9});
  note(conv(8, 3, 1, 1, true), {1, 4, 9, 9});
  Op op = conv(8, 3);
  op.dilation = {2, 2};
  note(op, {1, 4, 9, 9});
  op = conv(8, 3);
  op.padding = {1, 1, 2, 1};
  note(op, {1, 4, 9, 9});
  note(test::linear(8), {1, 4});
  note(test::linear(8, false), {1, 4});
  op = make(OpKind::batch_norm);
  note(op, {1, 4});
  op.epsilon = 1e-3;
  note(op, {1, 4});
  note(test::pool(OpKind::avg_pool, 3, 1, 1), {1, 4, 9, 9});
  op = test::pool(OpKind::avg_pool, 3, 1, 1);
  op.count_include_pad = true;
  note(op, {1, 4, 9, 9});
  op = make(OpKind::softmax);
  note(op, {1, 4, 9});
  op.axis = 2;
  note(op, {1, 4, 9});
  op = make(OpKind::transpose);
  op.shape = {0, 2, 1};
  note(op, {1, 9, 9});
  note(make(OpKind::identity), {1, 9, 9});
  note(make(OpKind::zero), {1, 9, 9});
  note(make(OpKind::flatten), {1, 9, 9});
}

TEST(StructuralHash, DoesNotSeeAttributesThatDoNothing) {
  const auto hash = [](const Op& op) {
    Network network;
    network.mark_output(network.add(op, {network.add_input({1, 4, 6, 6})}));
    return structural_hash(network);
  };
  Op op = make(OpKind::relu);
  op.channels = 7;
  op.groups = 3;
  EXPECT_EQ(hash(op), hash(make(OpKind::relu)));
  op = conv(4, 1);
  op.dilation = {3, 3};
  EXPECT_EQ(hash(op), hash(conv(4, 1)));
  op = test::pool(OpKind::avg_pool, 2, 2);
  op.count_include_pad = true;
  EXPECT_EQ(hash(op), hash(test::pool(OpKind::avg_pool, 2, 2)));
  op = make(OpKind::softmax);
  op.axis = -3;
  EXPECT_EQ(hash(op), hash(make(OpKind::softmax)));
  op = make(OpKind::reshape);
  op.shape = {144};
  EXPECT_EQ(hash(op), hash(make(OpKind::flatten)));
}

TEST(StructuralHash, TellsInputsAndOperandsApart) {
  const auto product = [](bool swapped, bool transpose_b) {
    Network network;
    const NodeId a = network.add_input({1, 3, 3}, "a");
    const NodeId b = network.add_input({1, 3, 3}, "b");
    Op op = make(OpKind::matmul);
    op.transpose_b = transpose_b;
    network.mark_output(swapped ? network.add(op, {b, a}) : network.add(op, {a, b}));
    return structural_hash(network);
  };
  EXPECT_NE(product(false, false), product(true, false));
  EXPECT_NE(product(false, false), product(false, true));
  Network network;
  const NodeId a = network.add_input({1, 2, 3, 3});
  const NodeId b = network.add(make(OpKind::relu), {a});
  Network other = network;
  network.mark_output(network.add(make(OpKind::concat), {a, b}));
  other.mark_output(other.add(make(OpKind::concat), {b, a}));
  EXPECT_NE(structural_hash(network), structural_hash(other));
}

TEST(StructuralHash, FoldsInHowLiveOperatorsRead) {
  Network network;
  const NodeId x = network.add_input({1, 4, 5, 5});
  const NodeId y = network.add(conv(4, 3), {x});
  const NodeId dead = network.add(conv(4, 1), {x});
  const NodeId z = network.add(make(OpKind::relu), {y});
  network.mark_output(z);
  EXPECT_EQ(structural_hash(network), structural_hash(network, PrecisionPlan::uniform(network, f32, f32)));
  PrecisionPlan plan = PrecisionPlan::uniform(network, f32, f32);
  plan.operators[dead] = {int8, int8};
  plan.operators[z] = {int8, int8};  // a relu has no choice of its own
  EXPECT_EQ(structural_hash(network), structural_hash(network, plan));
  std::set<std::uint64_t> hashes{structural_hash(network)};
  for (const char* weights :
       {"f32", "int8", "int8@channel", "int8@group2", "int8@group4", "int4", "uint8", "e4m3", "e5m2"}) {
    for (const char* activations : {"int8", "bf16"}) {
      plan.operators[y] = {Format::parse(weights), Format::parse(activations)};
      EXPECT_TRUE(hashes.insert(structural_hash(network, plan)).second) << weights << " " << activations;
    }
  }
}

// Stored with trials: a new version must not change it without a word.
TEST(StructuralHash, IsTheSameInEveryVersion) {
  Network network;
  const NodeId x = network.add_input({1, 3, 8, 8});
  const NodeId y = network.add(make(OpKind::relu), {network.add(conv(3, 3), {x})});
  network.mark_output(network.add(make(OpKind::add), {x, y}));
  EXPECT_EQ(structural_hash(network), 17355749274934087179ULL);
}

}  // namespace
}  // namespace ridgeline
