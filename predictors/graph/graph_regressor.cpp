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

double median(Eigen::VectorXd values) {
  double* const middle = values.data() + values.size() / 2;
  std::nth_element(values.data(), middle, values.data() + values.size());
  return *middle;
}

// No further than three deviations from the median, by the median deviation; as they are where most are equal.
Eigen::VectorXd without_outliers(const Eigen::VectorXd& values) {
  const double centre = median(values);
  const double deviation = 1.4826 * median((values.array() - centre).abs());
  if (!(deviation > 0)) return values;
  return values.cwiseMax(centre - 3 * deviation).cwiseMin(centre + 3 * deviation);
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
      !positive(options.rate) || !positive(options.decay) || !positive(options.embedding_share)) {
    throw std::invalid_argument("a graph regressor has counts of 1 and more and rates of 0 and more");
  }
}

const GraphRegressor::Alignment& GraphRegressor::alignment(std::size_t space) const {
  if (space >= alignments_.size()) throw std::invalid_argument("a space that was not pre-trained on");
  return alignments_[space];
}

Eigen::Index GraphRegressor::shared() const { return pretrained_ ? statistics() : options_.shape.embedding; }

RowMatrix GraphRegressor::with_statistics(const RowMatrix& z) const {
  RowMatrix x(z.rows(), statistics() + z.cols());
  x.leftCols(statistics()) = (z * statistics_head_).rowwise() + statistics_bias_;
  x.rightCols(z.cols()) = z;
  return x;
}

RowMatrix GraphRegressor::embedded(const Eigen::VectorXd& encoder, const GraphBatch& batch,
                                   std::span<const std::size_t> spaces, GraphEncoder::Trace* trace) const {
  const RowMatrix z = encoder_.forward(encoder, scale_, batch, trace);
  if (!pretrained_) return z;
  RowMatrix x = with_statistics(z);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const Alignment& aligned = alignment(spaces[static_cast<std::size_t>(i)]);
    x.row(i) = (x.row(i) - aligned.centre).array() / aligned.spread.array();
  }
  x.rightCols(z.cols()) *= options_.embedding_share;
  return x;
}

RowMatrix GraphRegressor::embedded(const Eigen::VectorXd& encoder, GraphSpan graphs,
                                   std::span<const std::size_t> spaces) const {
  RowMatrix x(static_cast<Eigen::Index>(graphs.size()), statistics() + options_.shape.embedding);
  for (std::size_t begin = 0; begin < graphs.size(); begin += graphs_at_once) {
    const std::size_t count = std::min(graphs_at_once, graphs.size() - begin);
    const GraphBatch batch(graphs.subspan(begin, count), options_.shape.rounds);
    x.middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(count)) =
        embedded(encoder, batch, spaces.subspan(begin, count));
  }
  return x;
}

RowMatrix GraphRegressor::embedding(GraphSpan graphs, std::size_t space) const {
  if (!pretrained_) throw std::logic_error("a graph regressor has no embedding before it is pre-trained");
  alignment(space);
  return embedded(parameters_, graphs, std::vector<std::size_t>(graphs.size(), space));
}

RowMatrix GraphRegressor::inputs(const RowMatrix& x, const RowMatrix& memberships,
                                 std::span<const std::size_t> spaces) const {
  const RowMatrix heads = head_inputs(x.leftCols(shared()), memberships);
  if (!pretrained_) return heads;
  const Eigen::Index size = options_.shape.embedding;
  RowMatrix all = RowMatrix::Zero(x.rows(), heads.cols() + static_cast<Eigen::Index>(alignments_.size()) * size);
  all.leftCols(heads.cols()) = heads;
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const auto space = static_cast<Eigen::Index>(spaces[static_cast<std::size_t>(i)]);
    all.row(i).segment(heads.cols() + space * size, size) = x.row(i).tail(size);
  }
  return all;
}

RowMatrix GraphRegressor::backward(const Eigen::VectorXd& heads, const RowMatrix& x, const RowMatrix& memberships,
                                   std::span<const std::size_t> spaces, const Eigen::VectorXd& d_values) const {
  const Eigen::Index head_size = memberships.cols() * (shared() + 1), size = options_.shape.embedding;
  const RowMatrix d_shared =
      heads_backward(clusters_, x.leftCols(shared()), memberships, heads.head(head_size), d_values);
  if (!pretrained_) return d_shared;
  RowMatrix d_z(x.rows(), size);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const std::size_t space = spaces[static_cast<std::size_t>(i)];
    const Eigen::RowVectorXd& spread = alignment(space).spread;
    const auto adapter = heads.segment(head_size + static_cast<Eigen::Index>(space) * size, size).transpose();
    d_z.row(i) = options_.embedding_share * d_values[i] * adapter.array() / spread.tail(size).array();
    const Eigen::RowVectorXd d_statistics = d_shared.row(i).array() / spread.head(shared()).array();
    d_z.row(i) += d_statistics * statistics_head_.transpose();
  }
  return d_z;
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
    const Eigen::VectorXd drawn_in = without_outliers(task.values);
    scale.mean = drawn_in.mean();
    scale.spread = std::sqrt((drawn_in.array() - scale.mean).square().mean());
    if (!(scale.spread > 1e-12 * (1 + std::abs(scale.mean)))) scale.spread = 1;
    for (std::size_t i = 0; i < task.graphs.size(); ++i) {
      check_graph(*task.graphs[i]);
      rows.graphs.push_back(task.graphs[i]);
      rows.spaces.push_back(task.space);
      rows.values.push_back((drawn_in[static_cast<Eigen::Index>(i)] - scale.mean) / scale.spread);
    }
  }
  if (rows.graphs.empty()) throw std::invalid_argument("a graph regressor needs a label");
  return rows;
}

double GraphRegressor::loss(const Rows& rows, const GraphBatch& batch, const Eigen::VectorXd& parameters,
                            Eigen::VectorXd* gradient) const {
  const Eigen::Index encoder_size = encoder_.parameters();
  const Eigen::VectorXd encoder = parameters.head(encoder_size),
                        heads = parameters.tail(parameters.size() - encoder_size);
  GraphEncoder::Trace trace;
  const RowMatrix x = embedded(encoder, batch, rows.spaces, &trace);
  const RowMatrix u = clusters_.memberships(x.leftCols(shared()));
  const RowMatrix seen = inputs(x, u, rows.spaces);
  const Eigen::VectorXd off = seen * heads - rows.vector();
  if (gradient != nullptr) {
    const Eigen::VectorXd d_values = off * (2.0 / static_cast<double>(off.size()));
    gradient->setZero(parameters.size());
    gradient->tail(heads.size()) = seen.transpose() * d_values;
    const RowMatrix d_z = backward(heads, x, u, rows.spaces, d_values);
    encoder_.backward(encoder, scale_, batch, trace, d_z, gradient->head(encoder_size));
  }
  return off.squaredNorm() / static_cast<double>(off.size());
}

Eigen::Index GraphRegressor::label_parameters() const {
  const Eigen::Index adapters =
      pretrained_ ? static_cast<Eigen::Index>(alignments_.size()) * options_.shape.embedding : 0;
  return encoder_.parameters() + clusters_.count() * (shared() + 1) + adapters;
}

double GraphRegressor::label_loss(std::span<const GraphTask> tasks, const Eigen::VectorXd& parameters,
                                  Eigen::VectorXd* gradient) const {
  if (parameters.size() != label_parameters()) throw std::invalid_argument("another number of parameters");
  GraphRegressor copy = *this;
  const Rows rows = copy.rows_of(tasks);
  if (!pretrained_) copy.scale_ = EncoderScale::of(rows.graphs);
  return copy.loss(rows, GraphBatch(rows.graphs, options_.shape.rounds), parameters, gradient);
}

// Full-batch steps down the mean squared error, encoder and heads together.
void GraphRegressor::descend(const Rows& rows, int steps, double rate, Member& member) const {
  const GraphBatch batch(rows.graphs, options_.shape.rounds);
  const Eigen::Index encoder_size = encoder_.parameters();
  Eigen::VectorXd parameters(encoder_size + member.heads.size()), gradient;
  parameters << member.encoder, member.heads;
  AdamSteps adam(parameters.size());
  for (int step = 0; step < steps; ++step) {
    loss(rows, batch, parameters, &gradient);
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
  const RowMatrix x = embedded(parameters_, rows.graphs, rows.spaces);
  const RowMatrix seen = inputs(x, clusters_.memberships(x.leftCols(shared())), rows.spaces);
  const Eigen::Index heads = clusters_.count() * (shared() + 1);
  // What the shared heads can say, they say; adapters add what is left, which zero-shot predictions go without.
  member.heads.resize(seen.cols());
  member.heads.head(heads) = ridge_heads(seen.leftCols(heads), rows.vector());
  const Eigen::VectorXd left = rows.vector() - seen.leftCols(heads) * member.heads.head(heads);
  member.heads.tail(seen.cols() - heads) = ridge_heads(seen.rightCols(seen.cols() - heads), left);
  if (options_.tune_steps > 0) {
    member.encoder = parameters_;
    descend(rows, options_.tune_steps, options_.tune_rate, member);
  }
  return member;
}

Eigen::VectorXd GraphRegressor::values(const Member& member, GraphSpan graphs,
                                       std::span<const std::size_t> spaces) const {
  const RowMatrix x = embedded(member.encoder.size() > 0 ? member.encoder : parameters_, graphs, spaces);
  return inputs(x, clusters_.memberships(x.leftCols(shared())), spaces) * member.heads;
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
