#include "predictors/graph/graph_regressor.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

#include "predictors/graph/adam_steps.hpp"
#include "predictors/ridge.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t graphs_at_once = 256;  // of predictions: memory stays small
constexpr std::array penalties{1e-2, 1e-1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0};

double falling(double rate, int step, int steps) {
  return rate * 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
}

// The heads of least leave-one-out error; all coefficients are drawn to 0, so that a cluster without labels adds none.
Eigen::VectorXd ridge_heads(const RowMatrix& inputs, const Eigen::VectorXd& values) {
  Eigen::VectorXd best;
  double least = std::numeric_limits<double>::infinity();
  for (const double penalty : penalties) {
    RidgeProblem problem;
    problem.penalty = Eigen::VectorXd::Constant(inputs.cols(), penalty);
    RidgeSolution solution = solve_ridge(inputs, values, problem);
    const double error = solution.loo_residual.squaredNorm();
    if (!(error < least)) continue;
    least = error;
    best = std::move(solution.coefficients);
  }
  return best;
}

}  // namespace

struct GraphRegressor::Rows {
  std::vector<const NetworkGraph*> graphs;
  std::vector<std::size_t> spaces;
  std::vector<double> values;  // in standard units

  // Every members-th from `member` on, or all the others.
  Rows fold(std::size_t member, std::size_t members, bool inside) const {
    Rows part;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      if ((i % members == member) != inside) continue;
      part.graphs.push_back(graphs[i]);
      part.spaces.push_back(spaces[i]);
      part.values.push_back(values[i]);
    }
    return part;
  }
  Eigen::VectorXd vector() const {
    return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
  }
};

GraphRegressor::GraphRegressor(const GraphRegressorOptions& options)
    : options_(options), encoder_(static_cast<Eigen::Index>(graph_feature_names().size()), options.shape) {
  const auto positive = [](double value) { return std::isfinite(value) && value >= 0; };
  const bool counts = options.pretrain_epochs >= 1 && options.batch >= 2 && options.projection >= 1 &&
                      options.clusters >= 1 && options.members >= 1 && options.tune_steps >= 0 && options.steps >= 1;
  if (!counts || !positive(options.pretrain_rate) || !positive(options.similarity) || !positive(options.tune_rate) ||
      !positive(options.rate) || !positive(options.decay)) {
    throw std::invalid_argument("a graph regressor has counts of 1 and more and rates of 0 and more");
  }
}

const GraphRegressor::Alignment& GraphRegressor::alignment(std::size_t space) const {
  if (space >= alignments_.size()) throw std::invalid_argument("a space that was not pre-trained on");
  return alignments_[space];
}

RowMatrix GraphRegressor::embedded(const Eigen::VectorXd& encoder, const GraphBatch& batch,
                                   std::span<const std::size_t> spaces, GraphEncoder::Trace* trace) const {
  RowMatrix rows = encoder_.forward(encoder, scale_, batch, trace);
  if (!pretrained_) return rows;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    const Alignment& aligned = alignment(spaces[static_cast<std::size_t>(i)]);
    rows.row(i) = (rows.row(i) - aligned.centre).array() / aligned.spread.array();
  }
  return rows;
}

RowMatrix GraphRegressor::embedding(GraphSpan graphs, std::size_t space) const {
  if (!pretrained_) throw std::logic_error("a graph regressor has no embedding before it is pre-trained");
  alignment(space);
  RowMatrix rows(static_cast<Eigen::Index>(graphs.size()), options_.shape.embedding);
  const std::vector<std::size_t> spaces(graphs_at_once, space);
  for (std::size_t begin = 0; begin < graphs.size(); begin += graphs_at_once) {
    const std::size_t count = std::min(graphs_at_once, graphs.size() - begin);
    const GraphBatch batch(graphs.subspan(begin, count), options_.shape.rounds);
    rows.middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(count)) =
        embedded(parameters_, batch, spaces);
  }
  return rows;
}

GraphRegressor::Rows GraphRegressor::rows_of(std::span<const GraphTask> tasks) {
  Rows rows;
  scales_.assign(std::max<std::size_t>(1, alignments_.size()), {});
  for (const GraphTask& task : tasks) {
    if (task.values.size() != static_cast<Eigen::Index>(task.graphs.size())) {
      throw std::invalid_argument("as many labels as graphs are needed");
    }
    if (!task.values.allFinite()) throw std::invalid_argument("a label is not finite");
    if (task.space >= scales_.size()) throw std::invalid_argument("a task of a space that was not pre-trained on");
    if (task.graphs.empty()) continue;
    Scale& scale = scales_[task.space];
    if (scale.labelled) throw std::invalid_argument("a space has one task");
    if (rows.graphs.empty()) first_labelled_ = task.space;
    scale.labelled = true;
    scale.mean = task.values.mean();
    scale.spread = std::sqrt((task.values.array() - scale.mean).square().mean());
    if (!(scale.spread > 1e-12 * (1 + std::abs(scale.mean)))) scale.spread = 1;
    for (std::size_t i = 0; i < task.graphs.size(); ++i) {
      check_graph(*task.graphs[i]);
      rows.graphs.push_back(task.graphs[i]);
      rows.spaces.push_back(task.space);
      rows.values.push_back((task.values[static_cast<Eigen::Index>(i)] - scale.mean) / scale.spread);
    }
  }
  if (rows.graphs.empty()) throw std::invalid_argument("a graph regressor needs a label");
  return rows;
}

// Full-batch steps down the mean squared error, encoder and heads together.
void GraphRegressor::descend(const Rows& rows, int steps, double rate, Member& member) const {
  const GraphBatch batch(rows.graphs, options_.shape.rounds);
  const Eigen::VectorXd truth = rows.vector();
  const Eigen::Index encoder_size = encoder_.parameters();
  Eigen::VectorXd parameters(encoder_size + member.heads.size());
  parameters << member.encoder, member.heads;
  AdamSteps adam(parameters.size());
  for (int step = 0; step < steps; ++step) {
    member.encoder = parameters.head(encoder_size);
    member.heads = parameters.tail(member.heads.size());
    GraphEncoder::Trace trace;
    const RowMatrix z = embedded(member.encoder, batch, rows.spaces, &trace);
    const RowMatrix u = clusters_.memberships(z);
    const RowMatrix inputs = head_inputs(z, u);
    const Eigen::VectorXd d_values = (inputs * member.heads - truth) * (2.0 / static_cast<double>(truth.size()));
    Eigen::VectorXd gradient = Eigen::VectorXd::Zero(parameters.size());
    gradient.tail(member.heads.size()) = inputs.transpose() * d_values;
    RowMatrix d_z = heads_backward(clusters_, z, u, member.heads, d_values);
    if (pretrained_) {
      for (Eigen::Index i = 0; i < d_z.rows(); ++i) {
        d_z.row(i).array() /= alignment(rows.spaces[static_cast<std::size_t>(i)]).spread.array();
      }
    }
    encoder_.backward(member.encoder, scale_, batch, trace, d_z, gradient.head(encoder_size));
    adam.step(parameters, gradient, falling(rate, step, steps), options_.decay);
  }
  member.encoder = parameters.head(encoder_size);
  member.heads = parameters.tail(member.heads.size());
}

GraphRegressor::Member GraphRegressor::fitted(const Rows& rows, std::uint64_t number) const {
  Member member;
  if (!pretrained_) {
    Rng rng(options_.seed, "graph regressor member", number);
    member.encoder = encoder_.initial(rng);
    member.heads = Eigen::VectorXd::Zero(options_.shape.embedding + 1);
    for (Eigen::Index i = 1; i < member.heads.size(); ++i) {
      member.heads[i] = rng.normal() / std::sqrt(static_cast<double>(options_.shape.embedding));
    }
    descend(rows, options_.steps, options_.rate, member);
    return member;
  }
  RowMatrix z(static_cast<Eigen::Index>(rows.graphs.size()), options_.shape.embedding);
  for (std::size_t begin = 0; begin < rows.graphs.size(); begin += graphs_at_once) {
    const std::size_t count = std::min(graphs_at_once, rows.graphs.size() - begin);
    const GraphBatch batch(GraphSpan(rows.graphs).subspan(begin, count), options_.shape.rounds);
    z.middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(count)) =
        embedded(parameters_, batch, std::span(rows.spaces).subspan(begin, count));
  }
  member.heads = ridge_heads(head_inputs(z, clusters_.memberships(z)), rows.vector());
  if (options_.tune_steps > 0) {
    member.encoder = parameters_;
    descend(rows, options_.tune_steps, options_.tune_rate, member);
  }
  return member;
}

Eigen::VectorXd GraphRegressor::values(const Member& member, GraphSpan graphs,
                                       std::span<const std::size_t> spaces) const {
  Eigen::VectorXd result(static_cast<Eigen::Index>(graphs.size()));
  for (std::size_t begin = 0; begin < graphs.size(); begin += graphs_at_once) {
    const std::size_t count = std::min(graphs_at_once, graphs.size() - begin);
    const GraphBatch batch(graphs.subspan(begin, count), options_.shape.rounds);
    const RowMatrix z =
        embedded(member.encoder.size() > 0 ? member.encoder : parameters_, batch, spaces.subspan(begin, count));
    result.segment(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(count)) =
        head_inputs(z, clusters_.memberships(z)) * member.heads;
  }
  return result;
}

void GraphRegressor::fit(std::span<const GraphTask> tasks) {
  fitted_ = false;
  const Rows rows = rows_of(tasks);
  if (!pretrained_) {
    scale_ = EncoderScale::of(rows.graphs);
    clusters_ = {};
  }
  members_.clear();
  const std::size_t members = options_.members;
  const bool folded = members > 1 && rows.graphs.size() >= 2 * members;
  double squares = 0;
  for (std::size_t m = 0; m < members; ++m) {
    members_.push_back(fitted(folded ? rows.fold(m, members, false) : rows, m));
    const Rows left = folded ? rows.fold(m, members, true) : rows;
    squares += (values(members_.back(), left.graphs, left.spaces) - left.vector()).squaredNorm();
  }
  left_out_ = squares / static_cast<double>(folded ? rows.graphs.size() : rows.graphs.size() * members);
  fitted_ = true;
}

Prediction GraphRegressor::predict(GraphSpan graphs, std::size_t space) const {
  if (!fitted_) throw std::logic_error("a graph regressor predicts after it was fitted");
  if (space >= scales_.size()) throw std::invalid_argument("a space that was not pre-trained on");
  const std::vector<std::size_t> spaces(graphs.size(), space);
  const auto count = static_cast<Eigen::Index>(graphs.size());
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(count), squares = mean;
  for (const Member& member : members_) {
    const Eigen::VectorXd one = values(member, graphs, spaces);
    mean += one;
    squares += one.cwiseAbs2();
  }
  const auto members = static_cast<double>(members_.size());
  mean /= members;
  const Eigen::VectorXd variance = (squares / members - mean.cwiseAbs2()).cwiseMax(0.0);
  const Scale& scale = scales_[space].labelled ? scales_[space] : scales_[first_labelled_];
  const double noise = std::max(left_out_, 1e-12);
  return {scale.mean + scale.spread * mean.array(), scale.spread * (variance.array() + noise).sqrt()};
}

double GraphRegressor::left_out_error() const {
  if (!fitted_) throw std::logic_error("a graph regressor has an error after it was fitted");
  return left_out_;
}

}  // namespace ridgeline
