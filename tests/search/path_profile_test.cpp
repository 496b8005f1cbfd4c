#include "search/predicted/path_profile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "search/predicted/network_paths.hpp"

namespace ridgeline {
namespace {

Op convolution(int kernel) {
  Op op{.kind = OpKind::conv2d, .channels = 8, .kernel = {kernel, kernel}};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  return op;
}

Op plain(OpKind kind) { return {.kind = kind}; }

// Every path by itself: what lies on it, by its labels.
std::vector<std::map<std::string, double>> all_paths(const Network& network) {
  std::vector<std::map<std::string, double>> found;
  const std::function<void(NodeId, std::map<std::string, double>)> back = [&](NodeId node,
                                                                              std::map<std::string, double> on) {
    const OpKind kind = network.op(node).kind;
    if (kind == OpKind::zero) return;
    const std::string label = path_label(network, node);
    if (!label.empty()) ++on[label];
    if (kind == OpKind::input) found.push_back(on);
    for (const NodeId input : network.inputs(node)) back(input, on);
  };
  for (const NodeId output : network.outputs()) back(output, {});
  return found;
}

void expect_as_enumerated(const Network& network, const std::string& label) {
  const auto paths = all_paths(network);
  ASSERT_FALSE(paths.empty());
  double most = 0, least = std::numeric_limits<double>::infinity(), mean = 0, rare = 0;
  for (const auto& path : paths) {
    const double number = path.contains(label) ? path.at(label) : 0.0;
    most = std::max(most, number);
    least = std::min(least, number);
    mean += number / static_cast<double>(paths.size());
    rare += std::pow(0.1, number) / static_cast<double>(paths.size());
  }
  auto profile = path_profile(network);
  EXPECT_NEAR(profile["logarithm of paths"], std::log(static_cast<double>(paths.size())), 1e-9);
  EXPECT_NEAR(profile["most " + label], most, 1e-12);
  EXPECT_NEAR(profile["least " + label], least, 1e-12);
  EXPECT_NEAR(profile["mean " + label], mean, 1e-12);
  EXPECT_NEAR(profile["rareness of " + label], std::log(rare), 1e-9);
}

// A cell of an input, a 3x3 beside a 1x1 and a skip, repeated; zeros and what only sees them are on no path.
TEST(PathProfile, EqualsTheEnumerationOfPaths) {
  Network network;
  NodeId current = network.add_input({1, 8, 8, 8});
  for (int cell = 0; cell < 3; ++cell) {
    const NodeId large = network.add(convolution(3), {current});
    const NodeId small = network.add(convolution(1), {network.add(plain(OpKind::relu), {current})});
    const NodeId dead = network.add(convolution(3), {network.add(plain(OpKind::zero), {current})});
    const NodeId sum = network.add(plain(OpKind::add), {network.add(plain(OpKind::add), {large, small}), dead});
    current = network.add(plain(OpKind::add), {sum, cell == 1 ? large : current});
  }
  network.mark_output(current);
  for (const char* label : {"conv2d 3x3", "conv2d 1x1"}) expect_as_enumerated(network, label);
  auto profile = path_profile(network);
  EXPECT_EQ(profile["number of conv2d 3x3"], 3);
  EXPECT_EQ(profile["number of operators"], 6);
  EXPECT_EQ(profile["number of operators with weights"], 6);
  EXPECT_EQ(profile["most operators"], 3);
  EXPECT_EQ(profile["sums"], 6);  // an addition of what is zero is none
}

TEST(PathProfile, WithoutAPathNothingIsThere) {
  Network network;
  const NodeId input = network.add_input({1, 8, 8, 8});
  network.mark_output(network.add(convolution(3), {network.add(plain(OpKind::zero), {input})}));
  EXPECT_TRUE(path_profile(network).empty());
}

// 2^200 paths: more than a double counts one by one, and none without an operator.
TEST(PathProfile, DeepNetworksStayFinite) {
  Network network;
  NodeId current = network.add_input({1, 8, 8, 8});
  for (int cell = 0; cell < 400; ++cell) {
    current = network.add(plain(OpKind::add),
                          {network.add(convolution(1), {current}), network.add(convolution(3), {current})});
  }
  network.mark_output(current);
  auto profile = path_profile(network);
  EXPECT_NEAR(profile["logarithm of paths"], 400 * std::log(2.0), 1e-6);
  EXPECT_NEAR(profile["mean conv2d 3x3"], 200, 1e-6);
  for (const auto& [name, value] : profile) EXPECT_TRUE(std::isfinite(value)) << name;
}

SearchSpace space_of_kernels() {
  return SearchSpace::parse(JsonDocument::parse(R"({
    "ridgeline_space": 1, "name": "kernels",
    "dimensions": [{"name": "kernel", "choices": [1, 3, 5]}, {"name": "skip", "choices": [false, true]}],
    "network": {"input": [4, 8, 8], "body": [
      {"op": "conv2d", "channels": 4, "kernel": "kernel"},
      {"if": "skip", "then": [{"op": "add", "from": ["current", "input"]}]}
    ]}})",
                                                "space.json"));
}

TEST(PathProfile, ColumnsAreThoseOfTheSpace) {
  const SearchSpace space = space_of_kernels();
  const std::vector<Genome> known{*space.at(0), *space.at(1)};
  const PathProfile set(space);
  const std::vector<std::string> names = set.names();
  ASSERT_EQ(names.size(), set.size());
  const Eigen::MatrixXd rows = set.rows(known);
  ASSERT_EQ(rows.cols(), static_cast<Eigen::Index>(names.size()));
  for (std::size_t i = 0; i < known.size(); ++i) {
    auto profile = path_profile(space.decode(known[i]).network);
    for (const auto& [name, value] : profile) EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
    for (std::size_t j = 0; j < names.size(); ++j) {
      EXPECT_EQ(rows(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)), profile[names[j]]) << names[j];
    }
  }
  EXPECT_TRUE(PathProfile::is_amount("number of conv2d 3x3"));
  EXPECT_FALSE(PathProfile::is_amount("most conv2d 3x3"));
}

}  // namespace
}  // namespace ridgeline
