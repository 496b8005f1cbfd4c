#include "predictors/gaussian_process.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "gp/1";

Eigen::MatrixXd squared_distances(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  const Eigen::VectorXd a_norms = a.rowwise().squaredNorm(), b_norms = b.rowwise().squaredNorm();
  Eigen::MatrixXd distances = -2.0 * a * b.transpose();
  distances.colwise() += a_norms;
  distances.rowwise() += b_norms.transpose();
  return distances.cwiseMax(0.0);
}

Eigen::MatrixXd covariance(const Eigen::MatrixXd& squared, double squared_length) {
  return (squared.array() * (-0.5 / squared_length)).exp();
}

bool all_positive(const std::vector<double>& values) {
  for (const double value : values) {
    if (!(value > 0) || !std::isfinite(value)) return false;
  }
  return !values.empty();
}

void read_positive(JsonReader& options, const std::string& key, std::vector<double>& values) {
  if (!options.has(key)) return;
  std::vector<double> given = options.numbers(key);
  if (!all_positive(given)) {
    options.note(key, "positive numbers, at least one", "others");
    return;
  }
  values = std::move(given);
}

}  // namespace

GaussianProcess::GaussianProcess(GaussianProcessOptions options) : options_(std::move(options)) {
  if (!all_positive(options_.squared_lengths) || !all_positive(options_.noises) || options_.choosing_rows == 0) {
    throw std::invalid_argument("gp: lengths and noises to choose from must be positive");
  }
}

std::unique_ptr<Predictor> GaussianProcess::make(JsonReader options) {
  GaussianProcessOptions chosen;
  read_positive(options, "squared_lengths", chosen.squared_lengths);
  read_positive(options, "noises", chosen.noises);
  options.finish();
  return std::make_unique<GaussianProcess>(std::move(chosen));
}

Eigen::MatrixXd GaussianProcess::scaled(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  return (X.rowwise() - least_.transpose()) * range_.cwiseInverse().asDiagonal();
}

void GaussianProcess::fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  if (X.rows() != y.size()) throw std::invalid_argument("gp: as many values as rows are needed");
  if (X.rows() == 0) throw std::invalid_argument("gp: no rows");
  if (!X.allFinite() || !y.allFinite()) throw std::invalid_argument("gp: a value is not finite");
  least_ = X.colwise().minCoeff().transpose();
  range_ = X.colwise().maxCoeff().transpose() - least_;
  for (double& range : range_) range = range > 0 ? range : 1.0;  // what never changes is no distance
  rows_ = scaled(X);
  values_ = y;
  choose(y.array() - y.mean());
  solve();
}

// By the eigenvalues of a covariance, its inverse with any noise, and so the left-out errors (equation 5.12), cost
// little: e_i = [K^-1 y]_i / [K^-1]_ii.
void GaussianProcess::choose(const Eigen::VectorXd& centred) {
  const Eigen::Index all = rows_.rows();
  const Eigen::Index count = std::min(all, static_cast<Eigen::Index>(options_.choosing_rows));
  Eigen::MatrixXd rows(count, rows_.cols());
  Eigen::VectorXd values(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    rows.row(i) = rows_.row(i * all / count);
    values[i] = centred[i * all / count];
  }
  const Eigen::MatrixXd squared = squared_distances(rows, rows);
  const double mean = squared.mean();
  const double unit = mean > 0 ? mean : 1.0;
  double least = std::numeric_limits<double>::infinity();
  for (const double length : options_.squared_lengths) {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance(squared, length * unit));
    const Eigen::MatrixXd& vectors = solver.eigenvectors();
    const Eigen::VectorXd projected = vectors.transpose() * values;
    const Eigen::MatrixXd squares = vectors.cwiseAbs2();
    for (const double noise : options_.noises) {
      const Eigen::VectorXd inverse = (solver.eigenvalues().array().max(0.0) + noise).inverse();
      const Eigen::ArrayXd left_out = (vectors * inverse.cwiseProduct(projected)).array() / (squares * inverse).array();
      const double error = left_out.square().sum();
      if (!(error < least)) continue;
      least = error;
      squared_length_ = length * unit;
      noise_ = noise;
    }
  }
}

void GaussianProcess::solve() {
  const auto count = static_cast<double>(values_.size());
  mean_ = values_.mean();
  const Eigen::VectorXd centred = values_.array() - mean_;
  Eigen::MatrixXd noisy = covariance(squared_distances(rows_, rows_), squared_length_);
  noisy.diagonal().array() += noise_;
  const Eigen::LLT<Eigen::MatrixXd> factor(noisy);
  factor_ = factor.matrixL();
  weights_ = factor.solve(centred);
  variance_ = std::max(centred.dot(weights_) / count, std::numeric_limits<double>::min());
  const Eigen::MatrixXd half =
      factor_.triangularView<Eigen::Lower>().solve(Eigen::MatrixXd::Identity(values_.size(), values_.size()));
  const Eigen::ArrayXd inverse = half.colwise().squaredNorm().transpose();  // the diagonal of the inverse
  left_out_ = std::max((weights_.array() / inverse).square().mean(), std::numeric_limits<double>::min());
}

void GaussianProcess::check_rows(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  if (values_.size() == 0) throw std::logic_error("gp: predict before fit");
  if (X.cols() != range_.size()) throw std::invalid_argument("gp: another number of features than in fit");
  if (!X.allFinite()) throw std::invalid_argument("gp: a value is not finite");
}

Eigen::VectorXd GaussianProcess::predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_rows(X);
  if (X.rows() == 0) return Eigen::VectorXd(0);
  return (covariance(squared_distances(scaled(X), rows_), squared_length_) * weights_).array() + mean_;
}

Prediction GaussianProcess::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_rows(X);
  if (X.rows() == 0) return {Eigen::VectorXd(0), Eigen::VectorXd(0)};  // Eigen solves for no columns by null references
  const Eigen::MatrixXd shared = covariance(squared_distances(scaled(X), rows_), squared_length_);
  Prediction prediction;
  prediction.mean = (shared * weights_).array() + mean_;
  const Eigen::MatrixXd half = factor_.triangularView<Eigen::Lower>().solve(shared.transpose());
  const Eigen::ArrayXd known = half.colwise().squaredNorm().transpose();
  prediction.stddev = (variance_ * (1.0 + noise_ - known).max(noise_)).sqrt();
  return prediction;
}

double GaussianProcess::left_out_error() const {
  if (values_.size() == 0) throw std::logic_error("gp: no fit yet");
  return left_out_;
}

Json GaussianProcess::save() const {
  if (values_.size() == 0) throw std::logic_error("gp: save before fit");
  const auto list = [](const auto& values) {
    const Eigen::VectorXd flat = values.reshaped();
    return Json(std::vector<double>(flat.data(), flat.data() + flat.size()));
  };
  return {{"signature", signature}, {"squared_length", squared_length_},
          {"noise", noise_},        {"least", list(least_)},
          {"range", list(range_)},  {"rows", list(rows_)},
          {"values", list(values_)}};
}

void GaussianProcess::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "gp state");
  JsonReader root = document.root();
  if (root.string("signature") != signature) {
    root.note("signature", signature, describe(state.value("signature", Json())));
  }
  const double length = root.number("squared_length", {.least = std::numeric_limits<double>::min()});
  const double noise = root.number("noise", {.least = std::numeric_limits<double>::min()});
  const std::vector<double> least = root.numbers("least"), range = root.numbers("range");
  const std::vector<double> rows = root.numbers("rows"), values = root.numbers("values");
  if (values.empty() || range.size() != least.size() || !(range.empty() || all_positive(range)) ||
      rows.size() != range.size() * values.size()) {
    root.note("rows", "lengths that fit, and ranges above 0", "others");
  }
  root.finish();
  document.raise();
  const auto vector = [](const std::vector<double>& list) {
    return Eigen::Map<const Eigen::VectorXd>(list.data(), static_cast<Eigen::Index>(list.size()));
  };
  squared_length_ = length;
  noise_ = noise;
  least_ = vector(least);
  range_ = vector(range);
  values_ = vector(values);
  rows_ = Eigen::Map<const Eigen::MatrixXd>(rows.data(), values_.size(), range_.size());
  solve();
}

}  // namespace ridgeline
