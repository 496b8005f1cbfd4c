#include "predictors/graph/graph_encoder.hpp"

#include <cmath>
#include <stdexcept>

namespace ridgeline {
namespace {

RowMatrix silu(const RowMatrix& x) { return x.array() / (1 + (-x.array()).exp()); }

// The derivative of silu at x times what comes from above.
RowMatrix through_silu(const RowMatrix& x, const RowMatrix& above) {
  const Eigen::ArrayXXd gate = 1 / (1 + (-x.array()).exp());
  return above.array() * gate * (1 + x.array() * (1 - gate));
}

RowMatrix gathered(const RowMatrix& rows, const std::vector<Eigen::Index>& which) {
  RowMatrix result(static_cast<Eigen::Index>(which.size()), rows.cols());
  for (std::size_t i = 0; i < which.size(); ++i) result.row(static_cast<Eigen::Index>(i)) = rows.row(which[i]);
  return result;
}

}  // namespace

EncoderScale EncoderScale::of(std::span<const NetworkGraph* const> graphs) {
  if (graphs.empty()) throw std::invalid_argument("a scale needs graphs");
  const auto features = static_cast<Eigen::Index>(graph_feature_names().size());
  Eigen::RowVectorXd sums = Eigen::RowVectorXd::Zero(features), squares = sums;
  double nodes = 0;
  for (const NetworkGraph* graph : graphs) {
    check_graph(*graph);
    sums += graph->features.colwise().sum();
    nodes += static_cast<double>(graph->size());
  }
  EncoderScale scale;
  scale.centre = sums / nodes;
  for (const NetworkGraph* graph : graphs) {
    squares += (graph->features.rowwise() - scale.centre).colwise().squaredNorm();
  }
  scale.spread = (squares / nodes).cwiseSqrt();
  scale.spread = (scale.spread.array() > 1e-9).select(scale.spread, 1.0);
  scale.nodes = nodes / static_cast<double>(graphs.size());
  return scale;
}

GraphEncoder::GraphEncoder(Eigen::Index features, const EncoderShape& shape) : shape_(shape) {
  if (features < 1 || shape.width < 1 || shape.rounds < 0 || shape.embedding < 1) {
    throw std::invalid_argument("an encoder has features, a width, an embedding, and 0 or more rounds");
  }
  first_ = take(features, shape.width);
  first_bias_ = take(1, shape.width);
  for (int l = 0; l < shape.rounds; ++l) {
    const Matrix self = take(shape.width, shape.width), inputs = take(shape.width, shape.width);
    const Matrix readers = take(shape.width, shape.width);
    rounds_.push_back({self, inputs, readers, take(1, shape.width)});
  }
  from_mean_ = take(shape.width, shape.embedding);
  from_sum_ = take(shape.width, shape.embedding);
  last_bias_ = take(1, shape.embedding);
}

GraphEncoder::Matrix GraphEncoder::take(Eigen::Index rows, Eigen::Index cols) {
  const Matrix matrix{parameters_, rows, cols};
  parameters_ += rows * cols;
  return matrix;
}

Eigen::Map<const RowMatrix> GraphEncoder::view(const Eigen::VectorXd& parameters, const Matrix& matrix) {
  return {parameters.data() + matrix.begin, matrix.rows, matrix.cols};
}

Eigen::Map<RowMatrix> GraphEncoder::view(Eigen::Ref<Eigen::VectorXd>& parameters, const Matrix& matrix) {
  return {parameters.data() + matrix.begin, matrix.rows, matrix.cols};
}

Eigen::VectorXd GraphEncoder::initial(Rng& rng) const {
  Eigen::VectorXd parameters = Eigen::VectorXd::Zero(parameters_);
  const auto fill = [&](const Matrix& matrix, double inputs) {
    for (Eigen::Index i = 0; i < matrix.rows * matrix.cols; ++i) {
      parameters[matrix.begin + i] = rng.normal() / std::sqrt(inputs);
    }
  };
  fill(first_, static_cast<double>(first_.rows));
  for (const Round& round : rounds_) {
    const double inputs = 3.0 * static_cast<double>(shape_.width);
    fill(round.self, inputs);
    fill(round.inputs, inputs);
    fill(round.readers, inputs);
  }
  fill(from_mean_, 2.0 * static_cast<double>(shape_.width));
  fill(from_sum_, 2.0 * static_cast<double>(shape_.width));
  return parameters;
}

RowMatrix GraphEncoder::forward(const Eigen::VectorXd& parameters, const EncoderScale& scale, const GraphBatch& batch,
                                Trace* trace) const {
  if (parameters.size() != parameters_) throw std::invalid_argument("an encoder's parameters are as many as it has");
  if (static_cast<int>(batch.rounds.size()) != shape_.rounds) {
    throw std::invalid_argument("a batch has as many rounds as its encoder");
  }
  Trace own;
  Trace& kept = trace != nullptr ? *trace : own;
  kept = {};
  kept.features = (batch.features.rowwise() - scale.centre).array().rowwise() / scale.spread.array();
  kept.inputs.push_back(
      RowMatrix((kept.features * view(parameters, first_)).rowwise() + view(parameters, first_bias_).row(0)));
  kept.states.push_back(silu(kept.inputs.back()));
  for (std::size_t l = 0; l < rounds_.size(); ++l) {
    const RowMatrix& state = kept.states.back();
    const RowMatrix self = gathered(state, batch.rounds[l].self);
    kept.read.push_back(batch.rounds[l].inputs * state);
    kept.readers.push_back(batch.rounds[l].readers * state);
    RowMatrix input = self * view(parameters, rounds_[l].self);
    input.noalias() += kept.read.back() * view(parameters, rounds_[l].inputs);
    input.noalias() += kept.readers.back() * view(parameters, rounds_[l].readers);
    input.rowwise() += view(parameters, rounds_[l].bias).row(0);
    kept.inputs.push_back(std::move(input));
    kept.states.push_back(self + silu(kept.inputs.back()));
  }
  kept.mean = batch.mean * kept.states.back();
  kept.sum = (batch.sum * kept.states.back()) / scale.nodes;
  kept.before = (kept.mean * view(parameters, from_mean_) + kept.sum * view(parameters, from_sum_)).rowwise() +
                view(parameters, last_bias_).row(0);
  return silu(kept.before);
}

void GraphEncoder::backward(const Eigen::VectorXd& parameters, const EncoderScale& scale, const GraphBatch& batch,
                            const Trace& trace, const RowMatrix& d_embedding,
                            Eigen::Ref<Eigen::VectorXd> gradient) const {
  if (gradient.size() != parameters_) throw std::invalid_argument("a gradient has an entry for every parameter");
  const RowMatrix d_before = through_silu(trace.before, d_embedding);
  view(gradient, from_mean_).noalias() += trace.mean.transpose() * d_before;
  view(gradient, from_sum_).noalias() += trace.sum.transpose() * d_before;
  view(gradient, last_bias_) += d_before.colwise().sum();
  const RowMatrix d_mean = d_before * view(parameters, from_mean_).transpose();
  const RowMatrix d_sum = d_before * view(parameters, from_sum_).transpose();
  RowMatrix d_state = batch.mean.transpose() * d_mean;
  d_state += (batch.sum.transpose() * d_sum) / scale.nodes;
  for (std::size_t l = rounds_.size(); l-- > 0;) {
    const GraphBatch::Round& messages = batch.rounds[l];
    const Round& round = rounds_[l];
    const RowMatrix d_input = through_silu(trace.inputs[l + 1], d_state);
    view(gradient, round.self).noalias() += gathered(trace.states[l], messages.self).transpose() * d_input;
    view(gradient, round.inputs).noalias() += trace.read[l].transpose() * d_input;
    view(gradient, round.readers).noalias() += trace.readers[l].transpose() * d_input;
    view(gradient, round.bias) += d_input.colwise().sum();
    const RowMatrix d_self = d_state + d_input * view(parameters, round.self).transpose();
    const RowMatrix d_read = d_input * view(parameters, round.inputs).transpose();
    const RowMatrix d_readers = d_input * view(parameters, round.readers).transpose();
    d_state = messages.inputs.transpose() * d_read;
    d_state += messages.readers.transpose() * d_readers;
    for (std::size_t i = 0; i < messages.self.size(); ++i) {
      d_state.row(messages.self[i]) += d_self.row(static_cast<Eigen::Index>(i));
    }
  }
  const RowMatrix d_input = through_silu(trace.inputs[0], d_state);
  view(gradient, first_).noalias() += trace.features.transpose() * d_input;
  view(gradient, first_bias_) += d_input.colwise().sum();
}

}  // namespace ridgeline
