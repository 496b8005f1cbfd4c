#include "predictors/perceptron.hpp"

#include <cmath>
#include <stdexcept>

namespace ridgeline {
namespace {

using Matrix = Eigen::Map<const Eigen::MatrixXd>;
constexpr double bound = 8.0;  // of the logarithm of a variance

}  // namespace

struct Perceptron::Pass {
  std::vector<Eigen::MatrixXd> activations;  // by layer, units x n
  std::vector<Eigen::ArrayXXd> slopes;       // of silu, the same
  Eigen::MatrixXd out;                       // 2 x n: the mean, and what is bounded to the logarithm of the variance
};

Perceptron::Perceptron(Eigen::Index inputs, std::vector<Eigen::Index> hidden)
    : inputs_(inputs), hidden_(std::move(hidden)) {
  if (inputs_ < 0 || hidden_.empty()) throw std::invalid_argument("perceptron: inputs from 0, hidden layers from 1");
  Eigen::Index before = inputs_;
  for (const Eigen::Index units : hidden_) {
    if (units < 1) throw std::invalid_argument("perceptron: a hidden layer without units");
    size_ += units * (before + 1);
    before = units;
  }
  size_ += 2 * (before + 1) + inputs_;
}

Eigen::VectorXd Perceptron::initial(Rng& rng) const {
  Eigen::VectorXd parameters = Eigen::VectorXd::Zero(size_);
  Eigen::Index at = 0, before = inputs_;
  for (const Eigen::Index units : hidden_) {
    const double deviation = std::sqrt(2.0 / static_cast<double>(std::max<Eigen::Index>(before, 1)));
    for (Eigen::Index i = 0; i < units * before; ++i) parameters[at + i] = deviation * rng.normal();
    at += units * (before + 1);
    before = units;
  }
  return parameters;
}

Perceptron::Pass Perceptron::pass(const Eigen::VectorXd& parameters,
                                  const Eigen::Ref<const Eigen::MatrixXd>& columns) const {
  Pass pass;
  const double* at = parameters.data();
  Eigen::Index before = inputs_;
  for (std::size_t k = 0; k < hidden_.size(); ++k) {
    const Eigen::Index units = hidden_[k];
    const Matrix weights(at, units, before);
    const Eigen::Map<const Eigen::VectorXd> biases(at + units * before, units);
    Eigen::MatrixXd sum(units, columns.cols());
    if (k == 0) {
      sum.noalias() = weights * columns;
    } else {
      sum.noalias() = weights * pass.activations.back();
    }
    sum.colwise() += biases;
    const Eigen::ArrayXXd gate = (1.0 + (-sum.array()).exp()).inverse();
    pass.slopes.emplace_back(gate * (1.0 + sum.array() * (1.0 - gate)));
    pass.activations.emplace_back(sum.array() * gate);
    at += units * (before + 1);
    before = units;
  }
  pass.out = Matrix(at, 2, before) * pass.activations.back();
  at += 2 * before;
  pass.out.colwise() += Eigen::Map<const Eigen::VectorXd>(at, 2);
  pass.out.row(0) += Eigen::Map<const Eigen::VectorXd>(at + 2, inputs_).transpose() * columns;
  return pass;
}

Perceptron::Parts Perceptron::parts(const Eigen::VectorXd& parameters) const {
  Parts parts;
  const double* at = parameters.data();
  Eigen::Index before = inputs_;
  for (const Eigen::Index units : hidden_) {
    parts.weights.emplace_back(Matrix(at, units, before));
    parts.biases.emplace_back(Eigen::Map<const Eigen::VectorXd>(at + units * before, units));
    at += units * (before + 1);
    before = units;
  }
  parts.mean_weights = Matrix(at, 2, before).row(0).transpose();
  parts.mean_bias = at[2 * before];
  parts.straight = parameters.tail(inputs_);
  return parts;
}

Eigen::MatrixXd Perceptron::input_slopes(const Eigen::VectorXd& parameters, const Pass& pass,
                                         Eigen::Index output) const {
  Eigen::Index at = size_ - inputs_ - 2 - 2 * hidden_.back();
  const Matrix last(parameters.data() + at, 2, hidden_.back());
  Eigen::MatrixXd back = pass.slopes.back().colwise() * last.row(output).transpose().array();
  for (std::size_t k = hidden_.size(); k-- > 0;) {
    const Eigen::Index units = hidden_[k], before = k > 0 ? hidden_[k - 1] : inputs_;
    at -= units * (before + 1);
    const Eigen::MatrixXd below = Matrix(parameters.data() + at, units, before).transpose() * back;
    back = k > 0 ? Eigen::MatrixXd(below.array() * pass.slopes[k - 1]) : below;
  }
  return back;
}

Perceptron::Outputs Perceptron::outputs(const Eigen::VectorXd& parameters,
                                        const Eigen::Ref<const Eigen::MatrixXd>& columns, InputSlopes* slopes) const {
  const Pass all = pass(parameters, columns);
  const Eigen::ArrayXd squashed = (all.out.row(1).transpose().array() / bound).tanh();
  if (slopes != nullptr) {
    slopes->mean = input_slopes(parameters, all, 0).colwise() + parameters.tail(inputs_);
    slopes->log_variance = input_slopes(parameters, all, 1).array().rowwise() * (1.0 - squashed.square()).transpose();
  }
  return {all.out.row(0).transpose().array(), bound * squashed};
}

double Perceptron::loss(const Eigen::VectorXd& parameters, const Eigen::Ref<const Eigen::MatrixXd>& columns,
                        const Eigen::Ref<const Eigen::VectorXd>& y, bool variances, Eigen::VectorXd* gradient) const {
  const Pass all = pass(parameters, columns);
  const auto count = static_cast<double>(y.size());
  const Eigen::ArrayXd off = all.out.row(0).transpose().array() - y.array();
  Eigen::ArrayXd log_variance = Eigen::ArrayXd::Zero(y.size()), slope = log_variance;
  if (variances) {
    const Eigen::ArrayXd squashed = (all.out.row(1).transpose().array() / bound).tanh();
    log_variance = bound * squashed;
    slope = 1.0 - squashed.square();
  }
  const Eigen::ArrayXd precision = (-log_variance).exp();
  const double value = 0.5 * (log_variance + off.square() * precision).mean();
  if (gradient == nullptr) return value;

  Eigen::MatrixXd back(2, y.size());  // of the loss by the outputs, then by each layer's sums
  back.row(0) = (off * precision / count).matrix().transpose();
  back.row(1) = (0.5 * slope * (1.0 - off.square() * precision) / count).matrix().transpose();
  gradient->resize(size_);
  Eigen::Index at = size_ - inputs_;
  gradient->tail(inputs_) = columns * back.row(0).transpose();
  for (std::size_t k = hidden_.size() + 1; k-- > 0;) {
    const Eigen::Index units = back.rows(), before = k > 0 ? hidden_[k - 1] : inputs_;
    at -= units;
    gradient->segment(at, units) = back.rowwise().sum();
    at -= units * before;
    Eigen::Map<Eigen::MatrixXd> weights(gradient->data() + at, units, before);
    if (k == 0) {
      weights.noalias() = back * columns.transpose();
      break;
    }
    weights.noalias() = back * all.activations[k - 1].transpose();
    back = ((Matrix(parameters.data() + at, units, before).transpose() * back).array() * all.slopes[k - 1]).matrix();
  }
  return value;
}

}  // namespace ridgeline
