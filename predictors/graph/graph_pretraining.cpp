#include "predictors/graph/graph_pretraining.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>

#include "predictors/graph/adam_steps.hpp"
#include "predictors/graph/graph_losses.hpp"
#include "predictors/graph/graph_regressor.hpp"

namespace ridgeline {
namespace {

// Columns of mean 0 and variance 1; constant ones are 0.
RowMatrix standardised(const RowMatrix& rows) {
  RowMatrix centred = rows.rowwise() - rows.colwise().mean();
  Eigen::RowVectorXd spread = (centred.colwise().squaredNorm() / static_cast<double>(rows.rows())).cwiseSqrt();
  spread = (spread.array() > 1e-9 * (1 + rows.array().abs().colwise().maxCoeff())).select(spread, HUGE_VAL);
  return centred.array().rowwise() / spread.array();
}

struct Step {  // the networks of one step, of one space
  std::size_t space;
  std::vector<std::size_t> rows;
};

// Every network of every space once, in random company; a rest below two networks is left out.
std::vector<Step> steps_of(std::span<const GraphSpace> spaces, std::size_t batch, Rng& rng) {
  std::vector<Step> steps;
  for (std::size_t s = 0; s < spaces.size(); ++s) {
    std::vector<std::size_t> order(spaces[s].graphs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    rng.shuffle(std::span(order));
    for (std::size_t begin = 0; begin + 1 < order.size(); begin += batch) {
      const std::size_t end = std::min(begin + batch, order.size());
      steps.push_back(
          {s, {order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
  }
  rng.shuffle(std::span(steps));
  return steps;
}

void check(std::span<const GraphSpace> spaces) {
  if (spaces.empty()) throw std::invalid_argument("pre-training needs a space");
  for (const GraphSpace& space : spaces) {
    if (space.graphs.size() < 2) throw std::invalid_argument("pre-training needs two networks of every space");
    if (space.statistics.rows() != static_cast<Eigen::Index>(space.graphs.size()) || space.statistics.cols() < 1 ||
        space.statistics.cols() != spaces.front().statistics.cols()) {
      throw std::invalid_argument("pre-training needs a row of statistics for every network");
    }
    if (!space.statistics.allFinite()) throw std::invalid_argument("a statistic is not finite");
    for (const NetworkGraph* graph : space.graphs) check_graph(*graph);
  }
}

}  // namespace

Eigen::VectorXd GraphPretraining::initial(Rng& rng) const {
  Eigen::VectorXd parameters(total());
  parameters.head(encoder_.parameters()) = encoder_.initial(rng);
  for (Eigen::Index i = encoder_.parameters(); i < total(); ++i) {
    parameters[i] = rng.normal() / std::sqrt(static_cast<double>(size()));
  }
  return parameters;
}

double GraphPretraining::loss(const Eigen::VectorXd& parameters, const EncoderScale& scale, const GraphBatch& batch,
                              const RowMatrix& statistics, Eigen::VectorXd& gradient) const {
  const Eigen::Index begin = encoder_.parameters(), project = begin + (size() + 1) * statistics_;
  const Eigen::VectorXd encoder = parameters.head(begin);
  const RowMatrix to_statistics = head(parameters);
  const Eigen::Map<const RowMatrix> projection(parameters.data() + project, size(), projection_);
  GraphEncoder::Trace trace;
  const RowMatrix z = encoder_.forward(encoder, scale, batch, &trace);
  const RowMatrix predicted = (z * to_statistics).rowwise() + bias(parameters);
  const LossAndGradient off = squared_loss(predicted, statistics);
  gradient = Eigen::VectorXd::Zero(total());
  Eigen::Map<RowMatrix>(gradient.data() + begin, size(), statistics_) = z.transpose() * off.gradient;
  gradient.segment(begin + size() * statistics_, statistics_) = off.gradient.colwise().sum().transpose();
  RowMatrix d_z = off.gradient * to_statistics.transpose();
  double loss = off.loss;
  if (similarity_ > 0) {
    const LossAndGradient unlike = similarity_loss(z * projection, statistics);
    const RowMatrix d_projected = similarity_ * unlike.gradient;
    Eigen::Map<RowMatrix>(gradient.data() + project, size(), projection_) = z.transpose() * d_projected;
    d_z += d_projected * projection.transpose();
    loss += similarity_ * unlike.loss;
  }
  encoder_.backward(encoder, scale, batch, trace, d_z, gradient.head(begin));
  return loss;
}

RowMatrix GraphPretraining::head(const Eigen::VectorXd& parameters) const {
  return Eigen::Map<const RowMatrix>(parameters.data() + encoder_.parameters(), size(), statistics_);
}

Eigen::RowVectorXd GraphPretraining::bias(const Eigen::VectorXd& parameters) const {
  return parameters.segment(encoder_.parameters() + size() * statistics_, statistics_).transpose();
}

void GraphRegressor::pretrain(std::span<const GraphSpace> spaces,
                              const std::function<void(std::size_t, std::size_t)>& progress) {
  check(spaces);
  pretrained_ = fitted_ = false;
  Rng rng(options_.seed, "graph regressor pre-training");
  std::vector<const NetworkGraph*> all;
  std::vector<RowMatrix> statistics;
  for (const GraphSpace& space : spaces) {
    all.insert(all.end(), space.graphs.begin(), space.graphs.end());
    statistics.push_back(standardised(space.statistics));
  }
  scale_ = EncoderScale::of(all);
  const GraphPretraining training(encoder_, statistics.front().cols(), options_.projection, options_.similarity);
  Eigen::VectorXd parameters = training.initial(rng), gradient;
  AdamSteps adam(parameters.size());
  std::size_t done = 0;
  for (int epoch = 0; epoch < options_.pretrain_epochs; ++epoch) {
    const std::vector<Step> steps = steps_of(spaces, options_.batch, rng);
    const std::size_t total = steps.size() * static_cast<std::size_t>(options_.pretrain_epochs);
    for (const Step& step : steps) {
      std::vector<const NetworkGraph*> graphs;
      RowMatrix truth(static_cast<Eigen::Index>(step.rows.size()), statistics[step.space].cols());
      for (std::size_t i = 0; i < step.rows.size(); ++i) {
        graphs.push_back(spaces[step.space].graphs[step.rows[i]]);
        truth.row(static_cast<Eigen::Index>(i)) = statistics[step.space].row(static_cast<Eigen::Index>(step.rows[i]));
      }
      const double share = static_cast<double>(done) / static_cast<double>(total);
      const double rate = options_.pretrain_rate * 0.5 * (1 + std::cos(std::numbers::pi * share));
      training.loss(parameters, scale_, GraphBatch(graphs, options_.shape.rounds), truth, gradient);
      adam.step(parameters, gradient, rate, options_.decay);
      ++done;
      if (progress) progress(done, total);
    }
  }
  parameters_ = parameters.head(encoder_.parameters());
  statistics_head_ = training.head(parameters);
  statistics_bias_ = training.bias(parameters);
  pretrained_ = true;
  align(spaces, rng);
}

// x of mean 0 and variance 1 in every space, and clusters by its statistics.
void GraphRegressor::align(std::span<const GraphSpace> spaces, Rng& rng) {
  alignments_.clear();
  RowMatrix all(0, statistics());
  for (std::size_t s = 0; s < spaces.size(); ++s) {
    RowMatrix rows(static_cast<Eigen::Index>(spaces[s].graphs.size()), statistics() + options_.shape.embedding);
    for (std::size_t begin = 0; begin < spaces[s].graphs.size(); begin += options_.batch) {
      const std::size_t count = std::min(options_.batch, spaces[s].graphs.size() - begin);
      const GraphBatch batch(spaces[s].graphs.subspan(begin, count), options_.shape.rounds);
      rows.middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(count)) =
          with_statistics(encoder_.forward(parameters_, scale_, batch));
    }
    const Eigen::RowVectorXd centre = rows.colwise().mean();
    const RowMatrix centred = rows.rowwise() - centre;
    Eigen::RowVectorXd spread = (centred.colwise().squaredNorm() / static_cast<double>(rows.rows())).cwiseSqrt();
    spread = (spread.array() > 1e-6).select(spread, 1.0);
    alignments_.push_back({centre, spread});
    all.conservativeResize(all.rows() + rows.rows(), Eigen::NoChange);
    all.bottomRows(rows.rows()) = centred.leftCols(statistics()).array().rowwise() / spread.head(statistics()).array();
  }
  clusters_ = FuzzyClusters(all, options_.clusters, rng);
}

}  // namespace ridgeline
