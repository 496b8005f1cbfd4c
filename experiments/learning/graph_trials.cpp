#include "experiments/learning/graph_trials.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "predictors/metrics.hpp"
#include "predictors/ridge.hpp"

namespace ridgeline {
namespace {

constexpr const char* pretrained_name = "graph network, pre-trained";
constexpr const char* plain_name = "graph network";

struct Scores {
  double spearman = 0, kendall = 0;
};
// [seed][labels][method]
using AllScores = std::vector<std::vector<std::vector<Scores>>>;

// Networks of a seed by their place among the labelled ones.
struct Draw {
  std::vector<std::size_t> judges, labelled;
};

Draw draw(const GraphProblem& problem, std::size_t labels, std::size_t held_out, std::uint64_t seed) {
  std::vector<std::size_t> order(problem.labelled.graphs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng(seed, "labels of graphs");
  rng.shuffle(std::span(order));
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(held_out);
  return {{order.begin(), middle}, {middle, middle + static_cast<std::ptrdiff_t>(labels)}};
}

std::vector<const NetworkGraph*> graphs_of(const GraphProblem& problem, std::span<const std::size_t> which) {
  std::vector<const NetworkGraph*> graphs;
  for (const std::size_t i : which) graphs.push_back(&problem.labelled.graphs[i]);
  return graphs;
}

Eigen::VectorXd values_of(const GraphProblem& problem, std::span<const std::size_t> which) {
  Eigen::VectorXd values(static_cast<Eigen::Index>(which.size()));
  Eigen::Index at = 0;
  for (const std::size_t i : which) values[at++] = problem.values[static_cast<Eigen::Index>(i)];
  return values;
}

Eigen::MatrixXd rows_of(const Eigen::Ref<const Eigen::MatrixXd>& all, std::span<const std::size_t> which) {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(which.size()), all.cols());
  Eigen::Index at = 0;
  for (const std::size_t i : which) rows.row(at++) = all.row(static_cast<Eigen::Index>(i));
  return rows;
}

Scores scores_of(const Eigen::VectorXd& predicted, const Eigen::VectorXd& truth) {
  const std::span<const double> a(predicted.data(), static_cast<std::size_t>(predicted.size()));
  const std::span<const double> b(truth.data(), static_cast<std::size_t>(truth.size()));
  return {spearman(a, b), kendall_tau_b(a, b)};
}

Scores ridge_scores(const Eigen::MatrixXd& X, const GraphProblem& problem, const Draw& drawn, std::size_t labels) {
  const std::span<const std::size_t> which = std::span(drawn.labelled).first(labels);
  Ridge ridge;
  ridge.fit(rows_of(X, which), values_of(problem, which));
  return scores_of(ridge.predict_mean(rows_of(X, drawn.judges)), values_of(problem, drawn.judges));
}

// How many networks may judge, so that the labels are left.
std::size_t judges_of(const GraphProblem& problem, std::size_t labels, std::size_t held_out) {
  const std::size_t networks = problem.labelled.graphs.size();
  if (networks < labels + 10) {
    throw ConfigError({"--labels", "",
                       fmt::format("at most {} labels, so that 10 networks of {} judge",
                                   networks > 10 ? networks - 10 : 0, problem.study),
                       std::to_string(labels), "ask for fewer"});
  }
  return std::min(held_out, networks - labels);
}

std::vector<GraphRegressor> pretrained(std::span<const GraphProblem* const> problems, const GraphTrialOptions& options,
                                       WorkerPool& pool) {
  const std::size_t count = std::min(std::max<std::size_t>(options.encoders, 1), options.seeds);
  std::vector<std::vector<const NetworkGraph*>> graphs;
  for (const GraphProblem* problem : problems) graphs.push_back(problem->unlabelled.pointers());
  std::vector<GraphSpace> spaces;
  for (std::size_t s = 0; s < problems.size(); ++s) spaces.push_back({graphs[s], problems[s]->unlabelled.statistics});
  std::vector<std::optional<GraphRegressor>> encoders(count);
  std::mutex mutex;
  std::size_t shown = 0;
  pool.for_each(count, [&](std::size_t e) {
    GraphRegressorOptions own = options.regressor;
    own.seed = options.first_seed + e;
    encoders[e].emplace(own);
    encoders[e]->pretrain(spaces, [&](std::size_t, std::size_t total) {
      if (!options.progress) return;
      const std::scoped_lock lock(mutex);
      options.progress("pre-training", ++shown, total * count);
    });
  });
  std::vector<GraphRegressor> result;
  for (std::optional<GraphRegressor>& encoder : encoders) result.push_back(std::move(*encoder));
  return result;
}

// Calls judge(seed's number) for every seed, on the pool.
void for_each_seed(const GraphTrialOptions& options, WorkerPool& pool, const std::function<void(std::size_t)>& judge) {
  std::mutex mutex;
  std::size_t done = 0;
  pool.for_each(options.seeds, [&](std::size_t seed) {
    judge(seed);
    const std::scoped_lock lock(mutex);
    ++done;
    if (options.progress) options.progress("labels", done, options.seeds);
  });
}

GraphComparison summary(const AllScores& scores, std::span<const std::string> methods,
                        std::span<const std::size_t> labels) {
  GraphComparison result;
  for (std::size_t l = 0; l < labels.size(); ++l) {
    for (std::size_t m = 0; m < methods.size(); ++m) {
      std::vector<double> rho, tau;
      for (const auto& seed : scores) {
        rho.push_back(seed[l][m].spearman);
        tau.push_back(seed[l][m].kendall);
      }
      result.rows.push_back({methods[m], labels[l], mean_interval(rho), mean_interval(tau)});
    }
  }
  return result;
}

RowMatrix standardised(const RowMatrix& rows, const RowMatrix& like) {
  const Eigen::RowVectorXd centre = like.colwise().mean();
  Eigen::RowVectorXd spread =
      ((like.rowwise() - centre).colwise().squaredNorm() / static_cast<double>(like.rows())).cwiseSqrt();
  spread = (spread.array() > 1e-9 * (1 + centre.array().abs())).select(spread, 1.0);
  return (rows.rowwise() - centre).array().rowwise() / spread.array();
}

// Columns of mean 0 and variance 1; values that are all alike are 0.
Eigen::VectorXd standard_values(const Eigen::VectorXd& values) {
  const RowMatrix column = values;
  return standardised(column, column).col(0);
}

}  // namespace

GraphComparison compare_graph_predictors(const GraphProblem& problem, const GraphTrialOptions& options,
                                         WorkerPool& pool) {
  const std::size_t most = std::ranges::max(options.labels);
  const std::size_t judges = judges_of(problem, most, options.held_out);
  const GraphProblem* const only = &problem;
  const std::vector<GraphRegressor> encoders = pretrained(std::span(&only, 1), options, pool);
  AllScores scores(options.seeds);
  for_each_seed(options, pool, [&](std::size_t seed) {
    const Draw drawn = draw(problem, most, judges, options.first_seed + seed);
    const auto asked = graphs_of(problem, drawn.judges);
    const Eigen::VectorXd truth = values_of(problem, drawn.judges);
    for (const std::size_t labels : options.labels) {
      const std::span<const std::size_t> which = std::span(drawn.labelled).first(labels);
      const auto known = graphs_of(problem, which);
      const GraphTask task{0, known, values_of(problem, which)};
      GraphRegressor with = encoders[seed % encoders.size()];
      with.fit(std::span(&task, 1));
      GraphRegressorOptions own = options.regressor;
      own.seed = options.first_seed + seed;
      GraphRegressor without(own);
      without.fit(std::span(&task, 1));
      scores[seed].push_back({scores_of(with.predict(asked).mean, truth), scores_of(without.predict(asked).mean, truth),
                              ridge_scores(problem.choices, problem, drawn, labels),
                              ridge_scores(problem.labelled.statistics, problem, drawn, labels)});
    }
  });
  const std::vector<std::string> methods{pretrained_name, plain_name, "ridge on choices", "ridge on free statistics"};
  GraphComparison result = summary(scores, methods, options.labels);
  for (std::size_t l = 0; l < options.labels.size(); ++l) {
    std::vector<double> gains;
    for (const auto& seed : scores) gains.push_back(seed[l][0].kendall - seed[l][1].kendall);
    result.gain.push_back(mean_interval(gains));
  }
  result.held_out = judges;
  return result;
}

GraphComparison transfer_graph_predictors(const GraphProblem& source, const GraphProblem& target,
                                          const GraphTrialOptions& options, WorkerPool& pool) {
  std::vector<std::size_t> labels{0};
  labels.insert(labels.end(), options.labels.begin(), options.labels.end());
  const std::size_t judges = judges_of(target, std::ranges::max(labels), options.held_out);
  const std::size_t taught = std::min(options.source_labels, source.labelled.graphs.size());
  GraphTrialOptions shared = options;
  shared.regressor.tune_steps = 0;  // one encoder for both spaces
  const std::vector<const GraphProblem*> problems{&source, &target};
  const std::vector<GraphRegressor> encoders = pretrained(problems, shared, pool);
  const RowMatrix from = standardised(source.labelled.statistics, source.unlabelled.statistics);
  const RowMatrix to = standardised(target.labelled.statistics, target.unlabelled.statistics);
  AllScores scores(options.seeds);
  for_each_seed(options, pool, [&](std::size_t seed) {
    const Draw teachers = draw(source, taught, 0, options.first_seed + seed);
    const Draw drawn = draw(target, std::ranges::max(labels), judges, options.first_seed + seed);
    const auto asked = graphs_of(target, drawn.judges), taught_graphs = graphs_of(source, teachers.labelled);
    const Eigen::VectorXd truth = values_of(target, drawn.judges);
    for (const std::size_t count : labels) {
      const std::span<const std::size_t> which = std::span(drawn.labelled).first(count);
      const auto known = graphs_of(target, which);
      const std::vector<GraphTask> tasks{{0, taught_graphs, values_of(source, teachers.labelled)},
                                         {1, known, values_of(target, which)}};
      GraphRegressor regressor = encoders[seed % encoders.size()];
      regressor.fit(tasks);
      Eigen::MatrixXd features(static_cast<Eigen::Index>(taught + count), from.cols());
      features << rows_of(from, teachers.labelled), rows_of(to, which);
      Eigen::VectorXd y(features.rows());
      y.head(static_cast<Eigen::Index>(taught)) = standard_values(values_of(source, teachers.labelled));
      if (count > 0) y.tail(static_cast<Eigen::Index>(count)) = standard_values(values_of(target, which));
      Ridge ridge;
      ridge.fit(features, y);
      scores[seed].push_back({scores_of(regressor.predict(asked, 1).mean, truth),
                              scores_of(ridge.predict_mean(rows_of(to, drawn.judges)), truth)});
    }
  });
  const std::vector<std::string> methods{pretrained_name, "ridge on free statistics"};
  GraphComparison result = summary(scores, methods, labels);
  result.held_out = judges;
  return result;
}

}  // namespace ridgeline
