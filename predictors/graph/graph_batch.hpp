// Many graphs at once, with what looks alike computed once.
//
// After l rounds of messages a node's state depends on its look, and on the looks within l edges of it (the colours of
// Weisfeiler and Leman, 1968). Nodes of one colour, of one graph or of several, share a row: cells that a network
// repeats and networks that share their first layers cost once. What is computed is the same, the order of sums aside.
#pragma once

#include <Eigen/SparseCore>
#include <span>
#include <vector>

#include "predictors/graph/network_graph.hpp"

namespace ridgeline {

using SparseRows = Eigen::SparseMatrix<double, Eigen::RowMajor>;

struct GraphBatch {
  // From the rows of one round to those of the next.
  struct Round {
    std::vector<Eigen::Index> self;  // one a row of the next round: its row before
    SparseRows inputs, readers;      // next x before: the mean over what a node reads, over who reads it; or nothing
  };

  RowMatrix features;         // rows x features, as they are in the graphs
  std::vector<Round> rounds;  // as many as asked for
  SparseRows mean, sum;       // graphs x rows of the last round: over the nodes of a graph

  // Throws std::invalid_argument: a graph that check_graph refuses, a negative number of rounds.
  GraphBatch(std::span<const NetworkGraph* const> graphs, int round_count);
  Eigen::Index graphs() const { return mean.rows(); }
};

}  // namespace ridgeline
