// Search spaces: conditions, constraints, sampling, enumeration, sizes, fingerprints, decoding.
#include "spaces/search_space.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

SearchSpace space_of(const std::string& text, const SpaceOptions& options = {}) {
  return SearchSpace::parse(JsonDocument::parse(text, "test.json"), options);
}

Genome genome(std::vector<std::uint16_t> genes) { return {std::move(genes)}; }

// Two stages of one to three convolutions; kernels of slots that are not there are inactive.
const std::string staged = R"json({
  "ridgeline_space": 1, "name": "staged", "about": "two stages",
  "parameters": {"classes": 10, "base": 8},
  "dimensions": [
    {"name": "depth", "repeat": 2, "choices": [1, 2, 3], "ordered": true},
    {"name": "kernel", "repeat": [2, 3], "index": ["stage", "slot"], "choices": [1, 3],
     "active_if": "slot < depth[stage]"},
    {"name": "act", "choices": ["relu", "none"]}
  ],
  "constraints": [{"require": "sum(depth) <= 5", "why": "at most 5 layers"}],
  "network": {"input": [3, 16, 16], "body": [
    {"repeat": 2, "index": "s", "body": [
      {"repeat": "depth[s]", "index": "i", "body": [
        {"op": "conv2d", "channels": "base + base * s", "kernel": "kernel[s][i]", "stride": "i == 0 ? 2 : 1"},
        {"activate": "act"}
      ]}
    ]},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}
  ]}
})json";

// Every genome of the held space against the ones of the whole space that have the held choices. `ratio` is read by
// `tail` even while it is inactive; its value is then the file's first, whatever it is held at.
TEST(SearchSpace, HoldingLeavesTheCandidatesWithTheHeldChoices) {
  const SearchSpace space = space_of(R"json({
    "ridgeline_space": 1, "name": "held", "dimensions": [
      {"name": "se", "choices": [false, true]},
      {"name": "ratio", "choices": [2, 4, 8], "active_if": "se"},
      {"name": "tail", "choices": ["relu", "none"], "active_if": "ratio != 4"},
      {"name": "width", "choices": [4, 6, 8]}],
    "constraints": [{"require": "width != 6 or ratio == 4"}],
    "network": {"input": [3, 4, 4], "body": [{"op": "conv2d", "channels": "width", "kernel": "ratio == 4 ? 3 : 1"}]}
  })json");
  const SearchSpace held = space.holding(std::vector<std::optional<std::uint16_t>>{{}, 1, {}, {}});
  EXPECT_EQ(held.dims()[1].choices, std::vector<Json>{4});
  EXPECT_EQ(held.dims()[3].choices.size(), 3U);
  EXPECT_NE(held.fingerprint(), space.fingerprint());
  EXPECT_EQ(held.enumeration_size(), 2U * 2 * 3);
  std::map<std::string, std::uint64_t> expected, found;  // description: function
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const auto candidate = space.at(i);
    if (!candidate || space.describe(*candidate).value("ratio", 4) != 4) continue;
    expected[space.describe(*candidate).dump()] = function_hash(space.decode(*candidate));
  }
  for (std::uint64_t i = 0; i < held.enumeration_size(); ++i) {
    const auto candidate = held.at(i);
    if (candidate) found[held.describe(*candidate).dump()] = function_hash(held.decode(*candidate));
  }
  EXPECT_EQ(found, expected);
  EXPECT_GT(expected.size(), 4U);
  EXPECT_NEAR(held.log10_size(), std::log10(3.0 * (2 + 1)), 1e-12);  // constraints not considered
  EXPECT_THROW(space.holding(std::vector<std::optional<std::uint16_t>>(3)), std::invalid_argument);
  EXPECT_THROW(space.holding(std::vector<std::optional<std::uint16_t>>{2, {}, {}, {}}), std::invalid_argument);
}

TEST(SearchSpace, DimensionsAreNamedAndGrouped) {
  const SearchSpace space = space_of(staged);
  EXPECT_EQ(space.name(), "staged");
  EXPECT_EQ(space.about(), "two stages");
  ASSERT_EQ(space.dims().size(), 9U);
  EXPECT_EQ(space.dims()[0].name, "depth[0]");
  EXPECT_EQ(space.dims()[5].name, "kernel[1][0]");
  EXPECT_EQ(space.dims()[8].name, "act");
  EXPECT_TRUE(space.dims()[0].ordered);
  EXPECT_FALSE(space.dims()[8].ordered);
  EXPECT_EQ(space.dims()[0].group, GeneGroup::architecture);
  EXPECT_EQ(space.dims()[8].choices, (std::vector<Json>{"relu", "none"}));
  EXPECT_EQ(gene_group_names()[static_cast<std::size_t>(GeneGroup::precision)], "precision");
}

TEST(SearchSpace, InactiveGenesAreNormalisedAway) {
  const SearchSpace space = space_of(staged);
  const Genome a = genome({0, 1, 1, 1, 1, 0, 1, 1, 0});  // depths 1 and 2
  EXPECT_EQ(space.active(a), (std::vector<bool>{true, true, true, false, false, true, true, false, true}));
  EXPECT_EQ(space.normalise(a), genome({0, 1, 1, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(space.normalise(space.normalise(a)), space.normalise(a));
  const Json described = space.describe(a);
  EXPECT_EQ(described, Json::parse(R"json({"depth[0]": 1, "depth[1]": 2, "kernel[0][0]": 3, "kernel[1][0]": 1,
                                       "kernel[1][1]": 3, "act": "relu"})json"));
  EXPECT_EQ(space.from_json(described), space.normalise(a));
  EXPECT_EQ(space.from_json(Json::parse("[0,1,1,1,1,0,1,1,0]")), space.normalise(a));
  EXPECT_EQ(function_hash(space.decode(a)), function_hash(space.decode(space.normalise(a))));
}

TEST(SearchSpace, ConditionsMayChain) {
  // Each layer is there only when the one before it is: a condition on a gene that is itself conditional.
  const SearchSpace space = space_of(R"json({"ridgeline_space": 1, "name": "chain",
    "dimensions": [{"name": "layer", "repeat": 4, "index": "i", "choices": [0, 8, 16],
                    "active_if": "i == 0 ? true : layer[max(i - 1, 0)] > 0"}],
    "network": {"input": [4, 4, 4], "body": [{"repeat": 4, "index": "i", "body": [
      {"if": "layer[i] > 0", "then": [{"op": "conv2d", "channels": "layer[i]", "kernel": 1}]}]},
      {"op": "flatten"}]}})json");
  EXPECT_EQ(space.normalise(genome({1, 0, 2, 2})), genome({1, 0, 0, 0}));
  EXPECT_EQ(space.normalise(genome({1, 2, 0, 2})), genome({1, 2, 0, 0}));
  EXPECT_EQ(space.normalise(genome({0, 2, 2, 2})), genome({0, 0, 0, 0}));
  // 2^k ways to have exactly k < 4 layers, 2^4 to have all: 1 + 2 + 4 + 8 + 16.
  EXPECT_NEAR(space.log10_size(), std::log10(31.0), 1e-12);
}

TEST(SearchSpace, SizeIsTheNumberOfNormalGenomes) {
  const SearchSpace space = space_of(staged);
  EXPECT_EQ(space.enumeration_size(), 3U * 3U * 64U * 2U);
  std::set<std::vector<std::uint16_t>> normal, valid, enumerated;
  Genome g = genome(std::vector<std::uint16_t>(9, 0));
  for (std::uint64_t code = 0; code < space.enumeration_size(); ++code) {  // brute force, in an order of our own
    std::uint64_t rest = code;
    for (std::size_t i = 0; i < 9; ++i) {
      g.genes[i] = static_cast<std::uint16_t>(rest % space.dims()[i].choices.size());
      rest /= space.dims()[i].choices.size();
    }
    normal.insert(space.normalise(g).genes);
    if (g.genes[0] + g.genes[1] + 2 <= 5) valid.insert(space.normalise(g).genes);
    EXPECT_EQ(space.violation(g).has_value(), g.genes[0] + g.genes[1] + 2 > 5);
    const std::optional<Genome> at = space.at(code);
    if (at) {
      EXPECT_TRUE(enumerated.insert(at->genes).second) << "every genome once";
    }
  }
  EXPECT_NEAR(space.log10_size(), std::log10(static_cast<double>(normal.size())), 1e-12);
  EXPECT_EQ(normal.size(), 14U * 14U * 2U);  // a stage: 2 + 4 + 8
  EXPECT_EQ(enumerated, valid);
  EXPECT_EQ(space.at(space.enumeration_size()), std::nullopt);
}

TEST(SearchSpace, SamplesAreValidNormalAndUniform) {
  const SearchSpace space = space_of(staged);
  Rng rng(11, "sample test");
  std::map<std::pair<int, int>, int> depths;
  int act = 0;
  constexpr int draws = 16'000;
  for (int i = 0; i < draws; ++i) {
    const Genome g = space.sample(rng);
    ASSERT_EQ(space.violation(g), std::nullopt);
    ASSERT_EQ(space.normalise(g), g);
    ++depths[{g.genes[0], g.genes[1]}];
    act += g.genes[8];
  }
  // Eight of the nine depth pairs are allowed, each with probability 1/8; four standard deviations.
  ASSERT_EQ(depths.size(), 8U);
  const double expected = draws / 8.0;
  for (const auto& [pair, count] : depths) EXPECT_NEAR(count, expected, 4 * std::sqrt(expected * 7 / 8));
  EXPECT_NEAR(act, draws / 2.0, 4 * std::sqrt(draws / 4.0));
  Rng a(3), b(3);
  EXPECT_EQ(space.sample(a), space.sample(b));
}

TEST(SearchSpace, ViolationsSayWhy) {
  const SearchSpace space = space_of(staged);
  EXPECT_EQ(space.violation(genome({2, 2, 0, 0, 0, 0, 0, 0, 0})), "at most 5 layers");
  EXPECT_EQ(space.violation(genome({0, 0})), "a genome of 9 genes has 2");
  EXPECT_EQ(space.violation(genome({3, 0, 0, 0, 0, 0, 0, 0, 0})),
            "gene 0 (depth[0]) is 3, the last of its 3 choices is 2");
  EXPECT_THROW(space.decode(genome({0, 0})), ConfigError);
  EXPECT_THROW(space.normalise(genome({9, 0, 0, 0, 0, 0, 0, 0, 0})), ConfigError);
}

TEST(SearchSpace, AnImpossibleConstraintIsNamed) {
  std::string text = staged;
  text.replace(text.find("sum(depth) <= 5"), 15, "sum(depth) <= 1");
  const SearchSpace space = space_of(text);
  Rng rng(1);
  try {
    space.sample(rng);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "test.json: constraints[0]: expected a constraint that some genome satisfies, found none in 10000 "
                 "draws, 10000 of them refused by: at most 5 layers; relax the constraint or add choices");
  }
}

TEST(SearchSpace, FromJsonReportsEverything) {
  const SearchSpace space = space_of(staged);
  const auto refusal = [&](const std::string& json) {
    try {
      space.from_json(Json::parse(json));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("no refusal");
  };
  EXPECT_THAT(
      refusal(R"json({"depth[0]": 7, "akt": "relu"})json"),
      ::testing::AllOf(HasSubstr("genome: akt: expected a dimension of the space, found 'akt'; did you mean 'act'?"),
                       HasSubstr("genome: depth[0]: expected one of [1,2,3], found 7 (number)")));
  EXPECT_EQ(refusal(R"json({"depth[0]": 1, "depth[1]": 1, "kernel[0][0]": 1, "act": "none"})json"),
            "genome: kernel[1][0]: expected a choice for every active dimension, found nothing");
  EXPECT_EQ(refusal("[1, 2]"),
            "genome: expected 9 gene indices, found an array of 2; ridgeline space sample shows genomes of the space");
  EXPECT_EQ(refusal("[0,0,0,0,2,0,0,0,0]"),
            "genome: [4]: expected an index from 0 to 1, found 2 (number); gene of kernel[0][2]");
  EXPECT_THAT(refusal("[0,0,0,0,-1,0,0,0,0]"), HasSubstr("found -1 (number)"));
  EXPECT_THAT(refusal("3"), HasSubstr("expected an object"));
}

TEST(SearchSpace, DecodeBuildsWhatTheFileSays) {
  const SearchSpace space = space_of(staged, {.batch = 2, .parameters = {{"classes", 5}}});
  const Design design = space.decode(genome({1, 0, 1, 0, 0, 1, 0, 0, 0}));  // depth 2 and 1, kernels 3, 1 | 3, relu
  const Network& network = design.network;
  std::vector<std::string> ops;
  for (NodeId node = 0; node < network.size(); ++node) {
    ops.push_back(std::string(name_of(network.op(node).kind)) + " " + shape_text(network.shape(node)));
  }
  EXPECT_EQ(ops, (std::vector<std::string>{"input 2x3x16x16", "conv2d 2x8x8x8", "relu 2x8x8x8", "conv2d 2x8x8x8",
                                           "relu 2x8x8x8", "conv2d 2x16x4x4", "relu 2x16x4x4",
                                           "global_avg_pool 2x16x1x1", "flatten 2x16", "linear 2x5"}));
  EXPECT_EQ(network.op(1).padding, (std::array<int, 4>{1, 1, 1, 1}));
  EXPECT_EQ(network.op(3).padding, (std::array<int, 4>{0, 0, 0, 0}));
  EXPECT_EQ(parameters(network), 3 * 8 * 9 + 8 * 8 + 8 * 16 * 9 + 16 * 5 + 5);
  EXPECT_TRUE(design.precision.operators.empty());
  EXPECT_EQ(std::vector<NodeId>(network.outputs().begin(), network.outputs().end()), std::vector<NodeId>{9});
}

TEST(SearchSpace, TensorsByName) {
  // A cell in the manner of DARTS: two inputs, sums of two chosen predecessors, all nodes concatenated.
  const SearchSpace space = space_of(R"json({"ridgeline_space": 1, "name": "cells",
    "dimensions": [{"name": "from", "repeat": [2, 2], "index": ["node", "k"], "choices": "range(node + 2)"}],
    "blocks": {"cell": {"body": [
      {"from": "input[0]", "as": "node[0]"}, {"from": "input[1]", "as": "node[1]"},
      {"repeat": 2, "index": "n", "body": [
        {"op": "relu", "from": "node[from[n][0]]", "as": "a"},
        {"op": "sigmoid", "from": "node[from[n][1]]"},
        {"op": "add", "from": ["a", "current"], "as": "node[n + 2]"}]},
      {"op": "concat", "from": ["node[2]", "node[3]"]},
      {"op": "conv2d", "channels": 4, "kernel": [1, 3], "padding": [0, 1], "bias": true}]}},
    "network": {
  "input" : [ 4, 6, 6 ], "outputs" : [ "middle", "current" ], "body" : [
    {"op" : "relu6", "as" : "early"}, {"op" : "max_pool", "kernel" : 3, "as" : "middle"},
    {"call" : "cell", "from" : [ "early", "middle" ]}
  ]
}
})json");
  EXPECT_EQ(space.dims()[0].choices.size(), 2U) << "choices may depend on the index";
  EXPECT_EQ(space.dims()[3].choices.size(), 3U);
  const Design design = space.decode(genome({1, 0, 2, 1}));
  const Network& net = design.network;
  const auto inputs = [&](NodeId node) {
    return std::vector<NodeId>(net.inputs(node).begin(), net.inputs(node).end());
  };
  using Ids = std::vector<NodeId>;
  // 0 input, 1 relu6 (early), 2 max_pool (middle), then per node: relu, sigmoid, add.
  EXPECT_EQ(inputs(3), Ids{2});
  EXPECT_EQ(inputs(4), Ids{1});
  EXPECT_EQ(inputs(5), (Ids{3, 4}));
  EXPECT_EQ(inputs(6), Ids{5});
  EXPECT_EQ(inputs(7), Ids{2});
  EXPECT_EQ(inputs(8), (Ids{6, 7}));
  EXPECT_EQ(inputs(9), (Ids{5, 8}));
  EXPECT_EQ(shape_text(net.shape(10)), "1x4x6x6");
  EXPECT_EQ(net.op(10).kernel, (std::array<int, 2>{1, 3}));
  EXPECT_EQ(net.op(10).padding, (std::array<int, 4>{0, 1, 0, 1}));
  EXPECT_TRUE(net.op(10).bias);
  EXPECT_EQ(Ids(net.outputs().begin(), net.outputs().end()), (Ids{2, 10}));
  EXPECT_EQ(net.name(10), "cell.conv2d");
  EXPECT_EQ(net.name(1), "early");
}

TEST(SearchSpace, NamesAreLexical) {
  // `x` is set again by each branch; `t` of the block is not the `t` of the network; sums of many fold from the left.
  const SearchSpace space = space_of(R"json({"ridgeline_space": 1, "name": "scopes",
    "dimensions": [{"name": "wide", "choices": [false, true]}],
    "blocks": {"b": {"arguments": ["k"], "defaults": {"k": 3}, "body": [
      {"op": "relu", "as": "t"}, {"op": "avg_pool", "kernel": "k"}]}},
    "network": {"input": [4, 6, 6], "body": [
      {"op": "sigmoid", "as": "t"},
      {"let": {"n": 1}},
      {"as": "x"},
      {"if": "wide", "then": [{"let": {"n": 5}}, {"call": "b", "k": "n", "as": "x"}], "else": [{"call": "b", "as": "x"}]},
      {"let": {"m": "n + 1"}},
      {"op": "add", "from": ["x", "t", "input"]},
      {"op": "conv2d", "channels": "m", "kernel": 1}]}})json");
  for (const std::uint16_t wide : std::array<std::uint16_t, 2>{0, 1}) {
    const Design design = space.decode(genome({wide}));
    const Network& net = design.network;
    ASSERT_EQ(net.size(), 7U);
    EXPECT_EQ(net.op(3).kernel[0], wide ? 5 : 3);
    EXPECT_EQ(net.inputs(4)[0], 3U);
    EXPECT_EQ(net.inputs(4)[1], 1U);
    EXPECT_EQ(net.inputs(5)[0], 4U);
    EXPECT_EQ(net.inputs(5)[1], 0U);
    EXPECT_EQ(net.op(6).channels, 2) << "the inner n is gone after its body";
  }
}

TEST(SearchSpace, FormatsHoldForEverythingWithin) {
  const SearchSpace space = space_of(R"json({"ridgeline_space": 1, "name": "mixed",
    "dimensions": [{"name": "w", "group": "precision", "choices": ["int8@channel", "int4@group32", "f32"]}],
    "blocks": {"b": {"body": [
      {"op": "conv2d", "channels": 32, "kernel": 1}, {"op": "relu"},
      {"op": "conv2d", "channels": 32, "kernel": 1, "weights": "'e4m3'"}]}},
    "network": {"input": [32, 4, 4], "activations": "'bf16'", "body": [
      {"call": "b", "weights": "w", "activations": "'int8'"},
      {"repeat": 1, "activations": "'f32'", "body": [{"op": "conv2d", "channels": 8, "kernel": 1}]},
      {"op": "flatten"}, {"op": "linear", "channels": 2, "bias": false}]}})json");
  EXPECT_EQ(space.dims()[0].group, GeneGroup::precision);
  const auto formats = [&](std::uint16_t w) {
    const Design design = space.decode(genome({w}));
    std::vector<std::string> texts;
    for (NodeId node = 0; node < design.network.size(); ++node) {
      const OperatorFormats at = design.precision.at(node);
      texts.push_back(at.weights.text() + "/" + at.activations.text());
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(formats(1),
            (Texts{"f32/f32", "int4@group32/int8", "f32/f32", "e4m3/int8", "f32/f32", "f32/f32", "f32/bf16"}));
  EXPECT_EQ(formats(2)[1], "f32/int8");
  EXPECT_NE(function_hash(space.decode(genome({0}))), function_hash(space.decode(genome({1}))));
}

TEST(SearchSpace, FingerprintFollowsTheMeaning) {
  const auto changed = [](const std::string& from, const std::string& to) {
    std::string text = staged;
    text.replace(text.find(from), from.size(), to);
    return space_of(text).fingerprint();
  };
  const std::uint64_t plain = space_of(staged).fingerprint();
  EXPECT_EQ(plain, 0x90732232e996c539ULL) << "stored in databases: may not change between versions";
  EXPECT_EQ(changed("\"staged\"", "\"another\""), plain);
  EXPECT_EQ(changed("two stages", "2 stages"), plain);
  EXPECT_EQ(changed("at most 5 layers", "shallow"), plain);
  EXPECT_EQ(changed("{\"op\": \"flatten\"}", "/* flat */ {\"op\": \"flatten\", \"about\": \"prose\"}"), plain);
  EXPECT_NE(changed("\"kernel\": \"kernel[s][i]\"", "\"kernel\": 1"), plain);
  EXPECT_NE(changed("<= 5", "<= 4"), plain);
  EXPECT_NE(changed("[1, 3]", "[3, 1]"), plain);
  EXPECT_NE(changed("\"classes\": 10", "\"classes\": 11"), plain);
  EXPECT_NE(changed("slot < depth[stage]", "slot <= depth[stage]"), plain);
  EXPECT_NE(space_of(staged, {.batch = 2, .parameters = {}}).fingerprint(), plain);
  EXPECT_EQ(space_of(staged, {.batch = 1, .parameters = {{"classes", 11}}}).fingerprint(),
            changed("\"classes\": 10", "\"classes\": 11"));
}

TEST(SearchSpace, LargeSpacesAreCountedInLogarithms) {
  const SearchSpace space = space_of(R"json({"ridgeline_space": 1, "name": "large",
    "dimensions": [{"name": "g", "repeat": 2000, "index": "i", "choices": "range(100) ",
                    "active_if": "i == 0 or g[0] > 3"}],
    "network": {"input": [1], "body": [{"op": "linear", "channels": "g[7] + 1"}]}})json");
  // Either g[0] is one of 0..3 and all others are inactive, or all count.
  EXPECT_NEAR(space.log10_size(), 2.0 * 1999 + std::log10(96.0), 1e-6);
  EXPECT_EQ(space.enumeration_size(), 0U);
  EXPECT_EQ(space.at(0), std::nullopt);
}

// Values for a device and for how a network is run come from genes and parameters, and tell candidates apart.
TEST(SearchSpace, HandsValuesToHardwareAndSchedule) {
  const std::string text = R"json({
    "ridgeline_space": 1, "name": "both", "parameters": {"side": 8}, "dimensions": [
      {"name": "rows", "group": "hardware", "choices": [1, 2]},
      {"name": "flow", "group": "hardware", "choices": ["ws", "os"]},
      {"name": "patches", "group": "schedule", "choices": [1, 3]}],
    "hardware": {"array.rows": "rows * side", "array.dataflow": "flow"},
    "schedule": {"patch_grid": "patches", "fused": true},
    "network": {"input": [3, 4, 4], "body": [{"op": "conv2d", "channels": 4, "kernel": 1}]}
  })json";
  const SearchSpace space = space_of(text);
  const Design design = space.decode(genome({1, 1, 1}));
  ASSERT_TRUE(design.hardware && design.schedule);
  EXPECT_EQ(*design.hardware, (Json{{"array.rows", 16}, {"array.dataflow", "os"}}));
  EXPECT_EQ(*design.schedule, (Json{{"patch_grid", 3}, {"fused", true}}));
  std::set<std::uint64_t> hashes;
  for (std::uint64_t i = 0; i < 8; ++i) hashes.insert(function_hash(space.decode(*space.at(i))));
  EXPECT_EQ(hashes.size(), 8U);
  EXPECT_FALSE(space_of(staged).decode(genome({0, 0, 0, 0, 0, 0, 0, 0, 0})).hardware);
  try {
    space_of(text.substr(0, text.find("rows * side")) + "rows * sides" + text.substr(text.find("rows * side") + 11));
    FAIL() << "an unknown name";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("hardware.array.rows"));
    EXPECT_THAT(error.what(), HasSubstr("side"));
  }
}

}  // namespace
}  // namespace ridgeline
