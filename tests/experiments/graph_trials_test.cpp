// Graph predictors on studies: what is learnt from few labels and from another space, for any number of threads. Values
// are sizes that the project counts itself, so that the answer is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/learning/graph_trials.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

GraphProblem problem_of(const Json& study, WorkerPool& pool, const std::string& objective = "macs") {
  GraphProblemOptions options;
  options.objective = objective;
  options.unlabelled = 60;
  options.labelled = 50;
  return graph_problem(config_of(study), resources(), options, pool);
}

GraphTrialOptions few() {
  GraphTrialOptions options;
  options.labels = {6, 12};
  options.held_out = 30;
  options.seeds = 3;
  options.encoders = 2;
  options.source_labels = 30;
  options.regressor.shape = {8, 2, 8};
  options.regressor.pretrain_epochs = 12;
  options.regressor.batch = 16;
  options.regressor.members = 2;
  options.regressor.tune_steps = 2;
  options.regressor.steps = 5;
  return options;
}

const GraphTrialRow& row_of(const GraphComparison& result, const std::string& method, std::size_t labels) {
  for (const GraphTrialRow& row : result.rows) {
    if (row.method == method && row.labels == labels) return row;
  }
  throw std::logic_error("no row of " + method);
}

TEST(GraphTrials, FewLabelsAreEnoughAfterPretraining) {
  WorkerPool pool(1), two(2);
  const GraphProblem problem = problem_of(small_study("sizes"), pool);
  EXPECT_EQ(problem.labelled.graphs.size(), 50u);
  EXPECT_EQ(problem.values.size(), 50);
  // Natural values, and the first free statistic is their logarithm.
  EXPECT_NEAR(problem.labelled.statistics(7, 0), std::log(problem.values[7]), 1e-9);
  const GraphComparison result = compare_graph_predictors(problem, few(), pool);
  EXPECT_EQ(result.held_out, 30u);
  EXPECT_EQ(result.rows.size(), 8u);
  EXPECT_GT(row_of(result, "graph network, pre-trained", 12).kendall.mean, 0.5);
  EXPECT_GT(row_of(result, "ridge on free statistics", 12).kendall.mean, 0.8);
  ASSERT_EQ(result.gain.size(), 2u);
  EXPECT_GT(result.gain[1].mean, 0.0);
  EXPECT_NEAR(
      result.gain[1].mean,
      row_of(result, "graph network, pre-trained", 12).kendall.mean - row_of(result, "graph network", 12).kendall.mean,
      1e-12);
  const GraphComparison again = compare_graph_predictors(problem, few(), two);
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    EXPECT_EQ(result.rows[i].kendall.mean, again.rows[i].kendall.mean) << i;
  }
}

TEST(GraphTrials, LabelsOfOneSpaceAndFewOfAnotherOrderIt) {
  WorkerPool pool(2);
  Json other = small_study("other");
  other["space"] = "plain_cnn";
  const GraphProblem target = problem_of(small_study("sizes"), pool), source = problem_of(other, pool);
  const GraphComparison result = transfer_graph_predictors(source, target, few(), pool);
  EXPECT_EQ(result.rows.size(), 6u);
  EXPECT_GT(row_of(result, "graph network, pre-trained", 12).spearman.mean, 0.5);
  EXPECT_GT(row_of(result, "ridge on free statistics", 0).spearman.mean, 0.5);
}

TEST(GraphTrials, WhatCannotBeLearntFromIsExplained) {
  WorkerPool pool(1);
  EXPECT_THAT(what_of([&] { problem_of(small_study("sizes"), pool, "mac"); }), HasSubstr("did you mean 'macs'"));
  const GraphProblem problem = problem_of(small_study("sizes"), pool);
  GraphTrialOptions options = few();
  options.labels = {45};
  EXPECT_THAT(what_of([&] { compare_graph_predictors(problem, options, pool); }), HasSubstr("at most 40 labels"));
}

// The published tables: values are those of the rows.
TEST(GraphTrials, LabelsAreRowsOfTheStudysTable) {
  if (!std::filesystem::exists(data_folder() + "/tables/ofa_mbv3_imagenet_accuracy.csv.gz")) {
    GTEST_SKIP() << "no Once-for-All table in RIDGELINE_DATA";
  }
  WorkerPool pool(2);
  GraphProblemOptions options;
  options.unlabelled = 4;
  options.labelled = 5;
  const StudyConfig config = parse_study(JsonDocument::load(resources().study("ofa_2080ti")));
  const GraphProblem problem = graph_problem(config, resources(), options, pool);
  EXPECT_EQ(problem.objective, "accuracy");
  EXPECT_EQ(problem.labelled.graphs.size(), 5u);
  EXPECT_GT(problem.values.minCoeff(), 60.0);
  EXPECT_LT(problem.values.maxCoeff(), 80.0);
}

}  // namespace
}  // namespace ridgeline::testing
