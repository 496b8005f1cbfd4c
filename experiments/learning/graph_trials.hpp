// How well graph predictors learn: with few labels, with and without what is free to know; and from the labels of
// another space.
//
// Every seed draws networks that judge and networks with labels (the first of them are the smaller samples), and each
// method predicts those that judge. Pre-trained encoders are shared by seeds: seed s uses encoder s modulo their
// number. Results do not depend on the number of threads.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/bench/statistics.hpp"
#include "experiments/learning/graph_problem.hpp"
#include "predictors/graph/graph_regressor.hpp"

namespace ridgeline {

struct GraphTrialOptions {
  std::vector<std::size_t> labels{20, 50};
  std::size_t held_out = 1000;  // networks that judge
  std::size_t seeds = 10;
  std::size_t encoders = 5;         // pre-trained ones, at most as many as seeds
  std::size_t source_labels = 500;  // of the other space, in a transfer
  std::uint64_t first_seed = 1;
  GraphRegressorOptions regressor{};
  std::function<void(const std::string& phase, std::size_t done, std::size_t total)> progress{};
};

struct GraphTrialRow {
  std::string method;
  std::size_t labels = 0;
  MeanInterval spearman, kendall;  // over seeds
};

struct GraphComparison {
  std::vector<GraphTrialRow> rows;  // by number of labels, then by method
  // Kendall of the pre-trained network less that of the other, seed by seed; one a number of labels.
  std::vector<MeanInterval> gain;
  std::size_t held_out = 0;  // those there were
};

// Methods: the graph network pre-trained and not; ridge on choices; ridge on free statistics. Throws ConfigError where
// the problem has too few networks for the labels.
GraphComparison compare_graph_predictors(const GraphProblem& problem, const GraphTrialOptions& options,
                                         WorkerPool& pool);

// Labels of `source` and then of both: the graph network with one encoder for both spaces, and ridge on free statistics
// standardised within each space. Rows with 0 labels are zero-shot.
GraphComparison transfer_graph_predictors(const GraphProblem& source, const GraphProblem& target,
                                          const GraphTrialOptions& options, WorkerPool& pool);

}  // namespace ridgeline
