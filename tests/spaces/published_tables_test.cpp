// The library's spaces against what was published of them: parameters and multiply-accumulates of every row.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "spaces/counts.hpp"
#include "spaces/search_space.hpp"
#include "tests/spaces/published_data.hpp"

namespace ridgeline {
namespace {

SearchSpace library(const std::string& name) {
  return SearchSpace::load(RIDGELINE_SOURCE_DIR "/spaces/library/" + name + ".json");
}

Genome digits(const std::string& text) {
  Genome genome;
  for (const char c : text) genome.genes.push_back(static_cast<std::uint16_t>(c - '0'));
  return genome;
}

// NAS-Bench-Macro counts as we do by default: parameters with norms and biases, MACs of convolutions and linear layers.
TEST(PublishedTables, EveryRowOfNasBenchMacro) {
  const auto rows = read_csv_gz(data_path("tables/nasbench_macro_cifar10.csv.gz"));
  if (!rows) GTEST_SKIP() << "no " << data_path("tables/nasbench_macro_cifar10.csv.gz");
  ASSERT_EQ(rows->size(), 6561U);
  const SearchSpace space = library("nasbench_macro");
  std::size_t differing = 0;
  std::map<std::uint64_t, std::set<std::string>> accuracies;
  for (const CsvRow& row : *rows) {
    const Design design = space.decode(digits(row.at("arch")));
    const bool equal = std::to_string(parameters(design.network)) == row.at("params") &&
                       std::to_string(macs(design.network)) == row.at("macs");
    if (!equal) ++differing;
    accuracies[function_hash(design)].insert(row.at("mean_acc"));
  }
  EXPECT_EQ(differing, 0U);
  // The benchmark trained one network for all that differ only by where an identity stands in a stage: equal hashes
  // must have equal accuracies. A stage is its first layer and the non-identities of the others in their order, so two
  // layers are 3 * 3 functions and three are 3 * (1 + 2 + 4).
  for (const auto& [hash, values] : accuracies) EXPECT_EQ(values.size(), 1U) << hash;
  EXPECT_EQ(accuracies.size(), (3U * 3U) * (3U * 7U) * (3U * 7U));
}

// NAS-Bench-201 counts every operation of a cell, connected or not, and the classifier's bias as MACs.
constexpr CountRule nasbench201_rule{.bias_macs = true, .live_only = false};

constexpr std::size_t first_edge[4] = {0, 0, 1, 3};  // of each node; its edges come from nodes 0, 1 ...

std::string joined(std::vector<std::string> terms, const std::string& separator) {
  std::sort(terms.begin(), terms.end());
  return fmt::format("{}", fmt::join(terms, separator));
}

// The benchmark's rule for its unique_id: a node is the sorted list of its edges; skip is the node before it; none, and
// anything of a zero node, is zero; nothing is flattened or dropped.
std::string benchmark_text(const std::string& ops) {
  const std::string names[] = {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"};
  std::vector<std::string> nodes{"0"};
  for (std::size_t node = 1; node < 4; ++node) {
    std::vector<std::string> terms;
    for (std::size_t from = 0; from < node; ++from) {
      const char op = ops[first_edge[node] + from];
      if (op == '0' || nodes[from] == "#") {
        terms.emplace_back("#");
      } else {
        terms.push_back(op == '1' ? nodes[from] : fmt::format("({})@{}", nodes[from], names[op - '0']));
      }
    }
    nodes.push_back(joined(terms, "+"));
  }
  return nodes.back();
}

// What a cell computes, written out. A sum is flat and drops zeros. A pool of zero is zero; a convolution of zero is
// zero too, but the batch norm after it makes a learnt constant of that, whatever the kernel was. Behind the bar stand
// the convolutions that are needed: one that is read twice is another network than two that are alike.
std::string function_text(const std::string& ops) {
  std::vector<std::vector<std::string>> nodes{{"0"}};
  std::vector<std::vector<std::pair<std::size_t, std::string>>> read(4);  // node read, convolution in between
  for (std::size_t node = 1; node < 4; ++node) {
    std::vector<std::string> terms;
    for (std::size_t from = 0; from < node; ++from) {
      const char op = ops[first_edge[node] + from];
      const bool zero = nodes[from].empty();
      const std::string inner = fmt::format("({})", joined(nodes[from], "+"));
      std::string convolution;
      if (op == '0' || (zero && (op == '1' || op == '4'))) continue;
      if (op == '1') terms.insert(terms.end(), nodes[from].begin(), nodes[from].end());
      if (op == '4') terms.push_back(inner + "pool");
      if (op == '2' || op == '3') terms.push_back(convolution = zero ? "constant" : inner + "conv" + op);
      read[node].emplace_back(zero ? 0 : from, convolution);
    }
    nodes.push_back(std::move(terms));
  }
  std::set<std::size_t> needed{3};
  std::vector<std::string> convolutions;
  for (std::size_t node = 3; node > 0; --node) {
    if (!needed.contains(node)) continue;
    for (const auto& [from, convolution] : read[node]) {
      needed.insert(from);
      if (!convolution.empty()) convolutions.push_back(convolution);
    }
  }
  return fmt::format("{}|{}", joined(nodes.back(), "+"), joined(convolutions, ","));
}

// How many classes of `a` hold more than one class of `b`.
template <typename A, typename B>
std::size_t mixing(const std::map<A, std::set<B>>& classes) {
  return static_cast<std::size_t>(
      std::count_if(classes.begin(), classes.end(), [](const auto& entry) { return entry.second.size() > 1; }));
}

TEST(PublishedTables, EveryRowOfNasBench201) {
  const auto rows = read_csv_gz(data_path("tables/nb201.csv.gz"));
  if (!rows) GTEST_SKIP() << "no " << data_path("tables/nb201.csv.gz");
  ASSERT_EQ(rows->size(), 15625U);
  const SearchSpace space = library("nasbench201");
  std::size_t differing = 0;
  std::map<std::string, std::set<std::uint64_t>> hashes_of_id;
  std::map<std::uint64_t, std::set<std::string>> ids_of_hash;
  std::map<std::string, std::set<std::string>> ids_of_text, texts_of_id;
  for (const CsvRow& row : *rows) {
    const Design design = space.decode(digits(row.at("ops")));
    const bool equal = std::to_string(parameters(design.network, nasbench201_rule)) == row.at("params_c10") &&
                       std::to_string(macs(design.network, nasbench201_rule)) == row.at("macs_c10");
    if (!equal) ++differing;
    const std::uint64_t hash = function_hash(design);
    const std::string& id = row.at("unique_id");
    hashes_of_id[id].insert(hash);
    ids_of_hash[hash].insert(id);
    texts_of_id[id].insert(benchmark_text(row.at("ops")));
    ids_of_text[benchmark_text(row.at("ops"))].insert(id);
  }
  EXPECT_EQ(differing, 0U);
  // The published identifiers are the benchmark's own text, one to one.
  EXPECT_EQ(hashes_of_id.size(), 6466U);
  EXPECT_EQ(ids_of_text.size(), 6466U);
  EXPECT_EQ(mixing(ids_of_text) + mixing(texts_of_id), 0U);
  // The canonical hash tells fewer apart: 759 of its 5485 classes join identifiers that differ by a zero term, by the
  // nesting of sums, by what no output needs, or by a convolution of zero. It splits 523 identifiers, which take the
  // constant that a batch norm makes of zero for a zero, or one convolution read twice for two.
  EXPECT_EQ(ids_of_hash.size(), 5485U);
  EXPECT_EQ(mixing(ids_of_hash), 759U);
  EXPECT_EQ(mixing(hashes_of_id), 523U);
}

// Needs no table: the hash of every cell against what the cell computes, written out as text.
TEST(PublishedTables, HashOfEveryNasBench201CellIsItsFunction) {
  const SearchSpace space = library("nasbench201");
  std::map<std::string, std::set<std::uint64_t>> hashes_of_text;
  std::map<std::uint64_t, std::set<std::string>> texts_of_hash;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const Genome genome = *space.at(i);
    std::string ops;
    for (const std::uint16_t gene : genome.genes) ops += static_cast<char>('0' + gene);
    const std::uint64_t hash = function_hash(space.decode(genome));
    hashes_of_text[function_text(ops)].insert(hash);
    texts_of_hash[hash].insert(function_text(ops));
  }
  EXPECT_EQ(hashes_of_text.size(), 5485U);
  EXPECT_EQ(mixing(hashes_of_text), 0U);
  EXPECT_EQ(mixing(texts_of_hash), 0U);
}

// Once-for-All MobileNetV3 counts as we do by default.
TEST(PublishedTables, EveryRowOfOnceForAll) {
  const auto rows = read_csv_gz(data_path("tables/ofa_mbv3_imagenet_accuracy.csv.gz"));
  if (!rows) GTEST_SKIP() << "no " << data_path("tables/ofa_mbv3_imagenet_accuracy.csv.gz");
  ASSERT_EQ(rows->size(), 1600U);
  const SearchSpace space = library("ofa_mobilenet_v3");
  std::size_t differing = 0;
  for (const CsvRow& row : *rows) {
    Json choices = {{"resolution", std::stoi(row.at("r"))}};
    for (std::size_t i = 0; i < 20; ++i) {
      const std::string at = fmt::format("[{}][{}]", i / 4, i % 4);
      choices["kernel" + at] = row.at("ks")[i] - '0';
      choices["expand" + at] = row.at("e")[i] - '0';
    }
    for (std::size_t i = 0; i < 5; ++i) choices[fmt::format("depth[{}]", i)] = row.at("d")[i] - '0';
    const Design design = space.decode(space.from_json(choices));
    const bool equal = std::to_string(parameters(design.network)) == row.at("params") &&
                       std::to_string(macs(design.network)) == row.at("macs");
    if (!equal) ++differing;
  }
  EXPECT_EQ(differing, 0U);
}

}  // namespace
}  // namespace ridgeline
