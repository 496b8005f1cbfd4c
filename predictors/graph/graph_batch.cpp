#include "predictors/graph/graph_batch.hpp"

#include <stdexcept>
#include <unordered_map>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

// All nodes of all graphs in a row, and who reads them.
struct Nodes {
  std::vector<std::size_t> first_reader{0}, readers{};  // readers are numbered within all graphs, as inputs are
  std::vector<std::size_t> first_input{0}, inputs{};
  std::vector<std::uint64_t> looks;
};

Nodes nodes_of(std::span<const NetworkGraph* const> graphs) {
  Nodes nodes;
  for (const NetworkGraph* graph : graphs) {
    check_graph(*graph);
    const std::size_t offset = nodes.looks.size(), input_offset = nodes.inputs.size();
    nodes.looks.insert(nodes.looks.end(), graph->looks.begin(), graph->looks.end());
    for (const std::uint32_t input : graph->inputs) nodes.inputs.push_back(offset + input);
    for (std::size_t i = 1; i < graph->first_input.size(); ++i) {
      nodes.first_input.push_back(input_offset + graph->first_input[i]);
    }
  }
  std::vector<std::size_t> next(nodes.looks.size() + 1, 0);
  for (const std::size_t input : nodes.inputs) ++next[input + 1];
  for (std::size_t i = 1; i < next.size(); ++i) next[i] += next[i - 1];
  nodes.first_reader = next;
  nodes.readers.resize(nodes.inputs.size());
  for (std::size_t node = 0; node < nodes.looks.size(); ++node) {
    for (std::size_t i = nodes.first_input[node]; i < nodes.first_input[node + 1]; ++i) {
      nodes.readers[next[nodes.inputs[i]]++] = node;
    }
  }
  return nodes;
}

// Rows by colour, numbered as they are met: the row of every node, and the first node of every row.
struct Rows {
  std::vector<Eigen::Index> row_of;
  std::vector<std::size_t> first;
};

Rows rows_of(std::span<const std::uint64_t> colours) {
  Rows rows;
  rows.row_of.reserve(colours.size());
  std::unordered_map<std::uint64_t, Eigen::Index> known;
  known.reserve(colours.size());
  for (std::size_t node = 0; node < colours.size(); ++node) {
    const auto [found, added] = known.try_emplace(colours[node], static_cast<Eigen::Index>(rows.first.size()));
    if (added) rows.first.push_back(node);
    rows.row_of.push_back(found->second);
  }
  return rows;
}

// Neighbours have no order, so their colours are summed.
std::uint64_t summed(std::span<const std::uint64_t> colours, std::span<const std::size_t> neighbours) {
  std::uint64_t sum = neighbours.size();
  for (const std::size_t neighbour : neighbours) sum += mix64(colours[neighbour] + 0x9e3779b97f4a7c15ULL);
  return mix64(sum);
}

SparseRows means(const Rows& after, const Rows& before, std::span<const std::size_t> first,
                 std::span<const std::size_t> neighbours) {
  std::vector<Eigen::Triplet<double>> entries;
  for (std::size_t row = 0; row < after.first.size(); ++row) {
    const std::size_t node = after.first[row], begin = first[node], end = first[node + 1];
    for (std::size_t i = begin; i < end; ++i) {
      entries.emplace_back(static_cast<int>(row), static_cast<int>(before.row_of[neighbours[i]]),
                           1.0 / static_cast<double>(end - begin));
    }
  }
  SparseRows matrix(static_cast<Eigen::Index>(after.first.size()), static_cast<Eigen::Index>(before.first.size()));
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

SparseRows pooled(std::span<const NetworkGraph* const> graphs, const Rows& rows, bool mean) {
  std::vector<Eigen::Triplet<double>> entries;
  std::size_t node = 0;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const double weight = mean ? 1.0 / static_cast<double>(graphs[g]->size()) : 1.0;
    for (std::size_t i = 0; i < graphs[g]->size(); ++i, ++node) {
      entries.emplace_back(static_cast<int>(g), static_cast<int>(rows.row_of[node]), weight);
    }
  }
  SparseRows matrix(static_cast<Eigen::Index>(graphs.size()), static_cast<Eigen::Index>(rows.first.size()));
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

}  // namespace

GraphBatch::GraphBatch(std::span<const NetworkGraph* const> graphs, int round_count) {
  if (round_count < 0) throw std::invalid_argument("rounds of messages are 0 or more");
  const Nodes nodes = nodes_of(graphs);
  std::vector<std::uint64_t> colours = nodes.looks;
  Rows rows = rows_of(colours);
  std::vector<std::size_t> begins;  // of each graph, to find a node's features
  for (std::size_t g = 0, begin = 0; g < graphs.size(); begin += graphs[g]->size(), ++g) begins.push_back(begin);
  features.resize(static_cast<Eigen::Index>(rows.first.size()),
                  static_cast<Eigen::Index>(graph_feature_names().size()));
  std::size_t g = 0;
  for (std::size_t row = 0; row < rows.first.size(); ++row) {
    while (g + 1 < begins.size() && begins[g + 1] <= rows.first[row]) ++g;
    features.row(static_cast<Eigen::Index>(row)) =
        graphs[g]->features.row(static_cast<Eigen::Index>(rows.first[row] - begins[g]));
  }
  for (int l = 0; l < round_count; ++l) {
    std::vector<std::uint64_t> next(colours.size());
    for (std::size_t node = 0; node < colours.size(); ++node) {
      const auto part = [&](const std::vector<std::size_t>& all, const std::vector<std::size_t>& first) {
        return std::span(all).subspan(first[node], first[node + 1] - first[node]);
      };
      const std::uint64_t in = summed(colours, part(nodes.inputs, nodes.first_input));
      const std::uint64_t out = summed(colours, part(nodes.readers, nodes.first_reader));
      next[node] = mix64(mix64(mix64(colours[node]) + in) ^ (out + 0x632be59bd9b4e019ULL));
    }
    Rows after = rows_of(next);
    Round round;
    for (const std::size_t node : after.first) round.self.push_back(rows.row_of[node]);
    round.inputs = means(after, rows, nodes.first_input, nodes.inputs);
    round.readers = means(after, rows, nodes.first_reader, nodes.readers);
    rounds.push_back(std::move(round));
    colours = std::move(next);
    rows = std::move(after);
  }
  mean = pooled(graphs, rows, true);
  sum = pooled(graphs, rows, false);
}

}  // namespace ridgeline
