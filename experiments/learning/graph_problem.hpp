// A study as something to learn from graphs: networks of its space without labels, networks with the value of one
// objective, and what is free to know of each.
//
// Labels are rows of the study's table where its objective is of a table or of a surrogate made from one and the space
// is not narrowed; else the study's evaluators score networks that are drawn from the space.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/study/study_config.hpp"
#include "experiments/worker_pool.hpp"
#include "hwmodels/hardware_model.hpp"
#include "predictors/graph/graph_predictor.hpp"

namespace ridgeline {

struct StatedNetworks {
  std::vector<Genome> genomes;       // distinct
  std::vector<NetworkGraph> graphs;  // one a genome
  RowMatrix statistics;              // genomes x free_statistic_names()

  std::vector<const NetworkGraph*> pointers() const;
};

struct GraphProblem {
  std::string study, space, objective, unit;
  StatedNetworks unlabelled, labelled;
  Eigen::VectorXd values;   // natural, one a labelled network
  Eigen::MatrixXd choices;  // labelled networks x GenomeFeatures of the space
};

struct GraphProblemOptions {
  std::string objective{};  // of the study; empty: its first
  std::string device = "xeon_gold_6226";
  std::size_t unlabelled = 2000, labelled = 1050;  // at most: a table or a space may have fewer
  std::uint64_t seed = 1;                          // decides which
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

// Throws ConfigError: no such objective or device, values that are timed, fewer than 2 networks.
GraphProblem graph_problem(const StudyConfig& config, const Resources& resources, const GraphProblemOptions& options,
                           WorkerPool& pool);

}  // namespace ridgeline
