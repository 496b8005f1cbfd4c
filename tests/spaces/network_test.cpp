#include "spaces/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;
using testing::ElementsAre;
using testing::HasSubstr;

// A diamond with a dead end: x -> a, b; c = a + b; d = relu(a) leads nowhere.
struct Diamond {
  Network network;
  NodeId x = network.add_input({1, 3, 8, 8}, "image");
  NodeId a = network.add(conv(4, 3), {x}, "left");
  NodeId b = network.add(conv(4, 1), {x}, "right");
  NodeId d = network.add(make(OpKind::relu), {a});
  NodeId c = network.add(make(OpKind::add), {a, b}, "sum");
  Diamond() { network.mark_output(c); }
};

std::string refusal(const std::function<void()>& action) {
  try {
    action();
    return "accepted";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(Network, KeepsWhatWasAdded) {
  const Diamond diamond;
  const Network& network = diamond.network;
  EXPECT_EQ(network.size(), 5u);
  EXPECT_EQ(network.op(diamond.x).kind, OpKind::input);
  EXPECT_EQ(network.op(diamond.a), conv(4, 3));
  EXPECT_EQ(network.name(diamond.x), "image");
  EXPECT_EQ(network.name(diamond.d), "");
  EXPECT_EQ(network.shape(diamond.c), (Shape{1, 4, 8, 8}));
  EXPECT_THAT(network.inputs(diamond.c), ElementsAre(diamond.a, diamond.b));
  EXPECT_THAT(network.inputs(diamond.x), ElementsAre());
  EXPECT_THAT(network.outputs(), ElementsAre(diamond.c));
  EXPECT_THAT(network.consumers(diamond.x), ElementsAre(diamond.a, diamond.b));
  EXPECT_THAT(network.consumers(diamond.a), ElementsAre(diamond.d, diamond.c));
  EXPECT_THAT(network.consumers(diamond.c), ElementsAre());
  EXPECT_THAT(network.live_nodes(), ElementsAre(diamond.x, diamond.a, diamond.b, diamond.c));
}

TEST(Network, KeepsManyInputsAndRepeatedOnes) {
  Network network;
  const NodeId x = network.add_input({1, 2, 4, 4});
  const NodeId y = network.add(make(OpKind::relu), {x});
  const NodeId joined = network.add(make(OpKind::concat), {x, y, x, y, x});
  EXPECT_THAT(network.inputs(joined), ElementsAre(x, y, x, y, x));
  EXPECT_EQ(network.shape(joined), (Shape{1, 10, 4, 4}));
  EXPECT_THAT(network.consumers(x), ElementsAre(y, joined, joined, joined));
  const NodeId doubled = network.add(make(OpKind::add), {y, y});
  EXPECT_THAT(network.consumers(y), ElementsAre(joined, joined, doubled, doubled));
  // The inputs of a node, given to add while the network grows.
  for (int i = 0; i < 100; ++i) network.add(make(OpKind::concat), network.inputs(joined));
  EXPECT_THAT(network.inputs(static_cast<NodeId>(network.size() - 1)), ElementsAre(x, y, x, y, x));
}

TEST(Network, CopiesAndMoves) {
  Diamond diamond;
  Network copy = diamond.network;
  const NodeId extra = copy.add(make(OpKind::gelu), {diamond.c});
  copy.mark_output(extra);
  EXPECT_EQ(diamond.network.size(), 5u);
  EXPECT_EQ(diamond.network.outputs().size(), 1u);
  EXPECT_THAT(diamond.network.consumers(diamond.c), ElementsAre());
  EXPECT_THAT(copy.consumers(diamond.c), ElementsAre(extra));
  EXPECT_THAT(copy.consumers(diamond.x), ElementsAre(diamond.a, diamond.b));
  EXPECT_EQ(copy.name(diamond.a), "left");
  const Network moved = std::move(copy);
  EXPECT_EQ(moved.size(), 6u);
  copy = moved;
  EXPECT_THAT(copy.outputs(), ElementsAre(diamond.c, extra));
  Network& self = copy;
  copy = self;
  EXPECT_EQ(copy.size(), 6u);
}

TEST(Network, RefusesWhatDoesNotFit) {
  Diamond diamond;
  Network& network = diamond.network;
  EXPECT_EQ(refusal([&] { network.add(make(OpKind::relu), {9}); }),
            "node 5 (relu): expected inputs that were added before it, found input 9");
  EXPECT_EQ(refusal([&] {
              network.add(make(OpKind::add), {diamond.x, diamond.a}, "shortcut");
            }),
            "node 5 (add 'shortcut'): expected equal shapes, or the second [N,C,1,1] of the first, found 1x3x8x8 and "
            "1x4x8x8");
  EXPECT_THAT(refusal([&] { network.add(conv(4, 3, 1, 3), {diamond.x}); }),
              HasSubstr("node 5 (conv2d): expected groups"));
  EXPECT_THAT(refusal([&] { network.add_input({}); }), HasSubstr("node 5 (input 'input'): expected a shape"));
  EXPECT_THAT(refusal([&] { network.mark_output(5); }), HasSubstr("outputs: expected a node below 5, found 5"));
  EXPECT_THAT(refusal([&] { network.mark_output(diamond.c); }), HasSubstr("node 4 twice"));
  EXPECT_EQ(network.size(), 5u);  // a refused node leaves nothing behind
  EXPECT_EQ(network.add(make(OpKind::relu), {diamond.c}), 5u);
}

TEST(Network, WithoutOutputsNothingIsLive) {
  Network network;
  network.add(make(OpKind::relu), {network.add_input({1, 2})});
  EXPECT_TRUE(network.live_nodes().empty());
  EXPECT_EQ(Network().size(), 0u);
  EXPECT_TRUE(Network().topological_order().empty());
}

TEST(Network, OrdersAndLivenessMatchTheDefinitions) {
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    Rng rng(4, "graph", trial);
    const Network network = test::random_blueprint(rng, 3 + rng.below(30)).build();
    const std::vector<NodeId> order = network.topological_order();
    ASSERT_EQ(order.size(), network.size());
    std::vector<std::size_t> place(network.size(), network.size());
    for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    // Reachability from the consumers' side, which live_nodes does not use.
    const std::function<bool(NodeId)> reaches_output = [&](NodeId node) {
      const auto outputs = network.outputs();
      if (std::find(outputs.begin(), outputs.end(), node) != outputs.end()) return true;
      const std::vector<NodeId> readers = network.consumers(node);
      return std::any_of(readers.begin(), readers.end(), reaches_output);
    };
    std::vector<NodeId> live;
    for (NodeId node = 0; node < network.size(); ++node) {
      ASSERT_LT(place[node], network.size()) << "node " << node << " is missing from the order";
      if (reaches_output(node)) live.push_back(node);
      for (const NodeId input : network.inputs(node)) {
        ASSERT_LT(place[input], place[node]);
        const std::vector<NodeId> readers = network.consumers(input);
        const auto times = std::count(network.inputs(node).begin(), network.inputs(node).end(), input);
        ASSERT_EQ(std::count(readers.begin(), readers.end(), node), times);
        ASSERT_TRUE(std::is_sorted(readers.begin(), readers.end()));
      }
    }
    ASSERT_EQ(network.live_nodes(), live);
  }
}

}  // namespace
}  // namespace ridgeline
