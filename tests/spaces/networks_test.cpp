// Several networks in one space: each is what it would be alone, and nothing connects them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spaces/network_parts.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const Json first = Json::parse(R"({"input": [3, 8, 8], "weights": "format", "activations": "format", "body": [
  {"call": "conv", "out": "width"}, {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": 10}]})");
const Json second = Json::parse(R"({"input": [1, "size", "size"], "body": [
  {"repeat": "depth", "body": [{"call": "conv", "out": 4}]}, {"op": "relu", "as": "half"}, {"call": "conv", "out": 2}],
  "outputs": ["half", "current"]})");

Json space_file() {
  return Json::parse(R"({
    "ridgeline_space": 1, "name": "two", "parameters": {"size": 16},
    "dimensions": [{"name": "width", "choices": [4, 8]}, {"name": "depth", "choices": [1, 2, 3]},
                   {"name": "format", "group": "precision", "choices": ["int8", "f32"]}],
    "blocks": {"conv": {"arguments": ["out"], "body": [{"op": "conv2d", "channels": "out", "kernel": 3}]}}})");
}

Json with_networks(const Json& networks) {
  Json file = space_file();
  file["networks"] = networks;
  return file;
}

SearchSpace parse(const Json& file) { return SearchSpace::parse(JsonDocument::from_value(file, "two.json")); }

std::string refusal(const Json& file) {
  try {
    parse(file);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Networks, AreEachWhatTheyWouldBeAlone) {
  const SearchSpace both = parse(with_networks({{"first", first}, {"second", second}}));
  std::vector<SearchSpace> alone;
  for (const Json& network : {first, second}) {
    Json file = space_file();
    file["network"] = network;
    alone.push_back(parse(file));
    EXPECT_NE(alone.back().fingerprint(), both.fingerprint());
  }
  for (std::uint64_t i = 0; i < both.enumeration_size(); ++i) {
    const Genome genome = both.at(i).value();
    const Design design = both.decode(genome);
    const std::vector<NetworkPart> parts = network_parts(design.network);
    ASSERT_EQ(parts.size(), 2U);
    EXPECT_EQ(parts[0].name, "first");
    EXPECT_EQ(parts[1].name, "second");
    EXPECT_EQ(design.network.outputs().size(), 3U);
    EXPECT_EQ(both.places(genome).size(), design.network.size());
    for (std::size_t k = 0; k < 2; ++k) {
      const Design one = alone[k].decode(genome);
      EXPECT_EQ(structural_hash(part_network(design.network, parts[k])), structural_hash(one.network));
      EXPECT_EQ(parts[k].nodes.size(), one.network.size());
      for (NodeId node = 0; node < one.precision.operators.size(); ++node) {
        EXPECT_EQ(design.precision.operators.at(parts[k].nodes[node]), one.precision.operators[node]) << node;
      }
    }
    // And the other way round.
    const std::vector<NamedDesign> designs{{"first", alone[0].decode(genome)}, {"second", alone[1].decode(genome)}};
    EXPECT_EQ(function_hash(side_by_side(designs)), function_hash(design));
  }
}

TEST(Networks, AnOrdinaryNetworkIsOnePart) {
  Json file = space_file();
  file["network"] = first;
  const Design design = parse(file).decode(Genome{{0, 0, 0}});
  const std::vector<NetworkPart> parts = network_parts(design.network);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].nodes.size(), design.network.size());
}

TEST(Networks, OperatorsAreCalledByTheirNetwork) {
  const Design design = parse(with_networks({{"first", first}, {"second", second}})).decode(Genome{{0, 0, 0}});
  std::vector<std::string> names;
  for (NodeId node = 0; node < design.network.size(); ++node) names.push_back(design.network.name(node));
  EXPECT_THAT(names, ::testing::Contains("first.linear"));
  EXPECT_THAT(names, ::testing::Contains("conv.conv2d"));
}

TEST(Networks, WhatIsWrongIsSaidWithItsPlace) {
  Json file = with_networks({{"first", first}, {"second", second}});
  file["network"] = first;
  EXPECT_THAT(refusal(file), HasSubstr("\"network\" or \"networks\""));
  EXPECT_THAT(refusal(with_networks(Json::object())), HasSubstr("at least one network"));
  EXPECT_THAT(refusal(with_networks({{"conv", first}})), HasSubstr("a name that no block has"));
  EXPECT_THAT(refusal(with_networks({{"a b", first}})), HasSubstr("letters, digits and _"));
  EXPECT_THAT(refusal(with_networks({{"input", first}})), HasSubstr("networks.input"));
  EXPECT_THAT(refusal(with_networks({{"first", 3}})), AllOf(HasSubstr("networks.first"), HasSubstr("a network")));
  Json wrong = second;
  wrong["body"][1] = {{"op", "rleu"}};
  EXPECT_THAT(refusal(with_networks({{"first", first}, {"second", wrong}})),
              AllOf(HasSubstr("networks.second.body[1].op"), HasSubstr("did you mean 'relu'")));
  wrong = second;
  wrong["body"][2] = {{"op", "linear"}, {"channels", "width - 4"}};  // only when built
  EXPECT_THAT(refusal(with_networks({{"first", first}, {"second", wrong}})), HasSubstr("networks.second.body[2]"));
  Json many = Json::object();
  for (int i = 0; i < 17; ++i) many["n" + std::to_string(i)] = first;
  EXPECT_THAT(refusal(with_networks(many)), HasSubstr("at most 16 networks"));
}

}  // namespace
}  // namespace ridgeline
