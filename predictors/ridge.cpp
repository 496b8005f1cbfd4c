#include "predictors/ridge.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "predictors/row_checks.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "ridge/3";

Eigen::VectorXd or_constant(const Eigen::VectorXd& given, Eigen::Index size, double constant) {
  if (given.size() == 0) return Eigen::VectorXd::Constant(size, constant);
  if (given.size() != size) throw std::invalid_argument("ridge: a vector of another length");
  if (!given.allFinite()) throw std::invalid_argument("ridge: a value is not finite");
  return given;
}

Json to_json(const Eigen::Ref<const Eigen::VectorXd>& values) {
  return Json(std::vector<double>(values.data(), values.data() + values.size()));
}

Eigen::VectorXd to_vector(const std::vector<double>& values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

// X = left diag(sqrt(squares)) (basis mix)', singular values of 0 left out.
struct ThinDecomposition {
  Eigen::MatrixXd left;     // n x r
  Eigen::VectorXd squares;  // r, ascending
  Eigen::MatrixXd basis;    // d x k
  Eigen::MatrixXd mix;      // k x r
};

// By the smaller of the two Gram matrices, and with the product of basis and mix left undone, so that many features
// with few rows cost little.
ThinDecomposition decompose(const Eigen::MatrixXd& X) {
  if (X.cols() == 0) return {Eigen::MatrixXd(X.rows(), 0), {}, Eigen::MatrixXd(0, 0), Eigen::MatrixXd(0, 0)};
  const bool wide = X.rows() < X.cols();
  const Eigen::Index size = std::min(X.rows(), X.cols());
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(size, size);  // its lower half, which is all that is read
  if (wide) {
    gram.selfadjointView<Eigen::Lower>().rankUpdate(X);
  } else {
    gram.selfadjointView<Eigen::Lower>().rankUpdate(X.transpose());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const Eigen::VectorXd& values = solver.eigenvalues();
  const double most = values.size() > 0 ? values[values.size() - 1] : 0.0;
  const double zero = most * static_cast<double>(values.size()) * std::numeric_limits<double>::epsilon();
  const Eigen::Index rank = (values.array() > std::max(zero, 0.0)).count();
  ThinDecomposition thin;
  thin.squares = values.tail(rank);
  const Eigen::MatrixXd known = solver.eigenvectors().rightCols(rank);
  const Eigen::VectorXd inverse = thin.squares.cwiseSqrt().cwiseInverse();
  thin.left = wide ? known : Eigen::MatrixXd(X * known * inverse.asDiagonal());
  thin.basis = wide ? Eigen::MatrixXd(X.transpose()) : known;
  thin.mix = wide ? Eigen::MatrixXd(known * inverse.asDiagonal()) : Eigen::MatrixXd::Identity(rank, rank);
  return thin;
}

}  // namespace

RidgeSolution solve_ridge(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y,
                          const RidgeProblem& problem) {
  check_fit("ridge", X, y);
  const Eigen::VectorXd weight = or_constant(problem.weight, X.rows(), 1.0);
  const Eigen::VectorXd prior = or_constant(problem.prior, X.cols(), 0.0);
  const Eigen::VectorXd penalty = or_constant(problem.penalty, X.cols(), 1.0);
  if (weight.minCoeff() < 0 || (penalty.size() > 0 && penalty.minCoeff() < 0)) {
    throw std::invalid_argument("ridge: a weight or penalty is negative");
  }
  const Eigen::VectorXd root = weight.cwiseSqrt();
  const Eigen::MatrixXd weighted = root.asDiagonal() * X;
  const Eigen::VectorXd offset = y - X * prior;  // what the prior leaves to explain
  Eigen::MatrixXd normal = weighted.transpose() * weighted;
  normal.diagonal() += penalty;
  const Eigen::LLT<Eigen::MatrixXd> factor(normal);
  if (factor.info() != Eigen::Success) throw std::invalid_argument("ridge: the data do not determine a coefficient");
  RidgeSolution solution;
  solution.coefficients = prior + factor.solve(weighted.transpose() * (root.asDiagonal() * offset));
  // H = L^-1 Xw' has columns whose squared norms are the leverages.
  const Eigen::MatrixXd half = factor.matrixL().solve(weighted.transpose());
  solution.leverage = half.colwise().squaredNorm().transpose();
  const Eigen::VectorXd residual = y - X * solution.coefficients;
  const double tiny = std::numeric_limits<double>::epsilon();
  solution.loo_residual = residual.array() / (1.0 - solution.leverage.array()).max(tiny);
  return solution;
}

Ridge::Ridge(RidgeOptions options) : options_(std::move(options)) {
  if (options_.penalties.empty()) throw std::invalid_argument("ridge: no penalty to choose from");
  for (const double penalty : options_.penalties) {
    if (!(penalty > 0) || !std::isfinite(penalty)) throw std::invalid_argument("ridge: a penalty is not positive");
  }
}

std::unique_ptr<Predictor> Ridge::make(JsonReader options) {
  RidgeOptions chosen;
  if (options.has("penalties")) {
    chosen.penalties = options.numbers("penalties");
    for (const double penalty : chosen.penalties) {
      if (penalty > 0) continue;
      options.note("penalties", "positive numbers", std::to_string(penalty));
      chosen.penalties = RidgeOptions{}.penalties;
      break;
    }
    if (chosen.penalties.empty()) chosen = {};
  }
  options.finish();
  return std::make_unique<Ridge>(std::move(chosen));
}

Eigen::MatrixXd Ridge::standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  return (X.rowwise() - centre_.transpose()) * scale_.cwiseInverse().asDiagonal();
}

void Ridge::fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  check_fit("ridge", X, y);
  rows_ = static_cast<double>(X.rows());
  centre_ = X.colwise().mean().transpose();
  const Eigen::MatrixXd centred = X.rowwise() - centre_.transpose();
  scale_ = (centred.colwise().squaredNorm() / rows_).cwiseSqrt().transpose();
  // A feature that is constant but for rounding says nothing.
  for (Eigen::Index j = 0; j < scale_.size(); ++j) {
    if (!(scale_[j] > 1e-12 * std::abs(centre_[j]))) scale_[j] = 1.0;
  }
  intercept_ = y.mean();
  const Eigen::MatrixXd scaled = standardised(X);
  const Eigen::VectorXd centred_y = y.array() - intercept_;
  // Every penalty from one decomposition: with s^2 its squares, the fit is U diag(s^2 / (s^2 + penalty)) U' y.
  ThinDecomposition thin = decompose(scaled);
  const Eigen::VectorXd projected = thin.left.transpose() * centred_y;
  const Eigen::MatrixXd left_squares = thin.left.cwiseAbs2();
  double least = std::numeric_limits<double>::infinity();
  for (const double penalty : options_.penalties) {
    const Eigen::VectorXd shrunk = thin.squares.array() / (thin.squares.array() + penalty);
    // The intercept takes 1/n of every row's leverage.
    const Eigen::ArrayXd residual = centred_y - thin.left * shrunk.cwiseProduct(projected);
    const Eigen::ArrayXd left = (1.0 - (left_squares * shrunk).array() - 1.0 / rows_).max(1e-12);
    const double error = (residual / left).square().sum();
    if (!(error < least)) continue;
    least = error;
    penalty_ = penalty;
    noise_variance_ = least / rows_;
  }
  const Eigen::ArrayXd damped = thin.squares.array() + penalty_;
  const Eigen::VectorXd along = thin.squares.array().sqrt() / damped * projected.array();
  coefficients_ = thin.basis * (thin.mix * along);
  // Outside the row space the penalty alone decides.
  const Eigen::VectorXd inside = (1.0 / penalty_ - 1.0 / damped).sqrt();
  basis_ = std::move(thin.basis);
  mix_ = thin.mix * inside.asDiagonal();
  fitted_ = true;
}

Eigen::VectorXd Ridge::predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("ridge", fitted_, X, centre_.size());
  return (standardised(X) * coefficients_).array() + intercept_;
}

Prediction Ridge::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("ridge", fitted_, X, centre_.size());
  const Eigen::MatrixXd scaled = standardised(X);
  Prediction prediction;
  prediction.mean = (scaled * coefficients_).array() + intercept_;
  const Eigen::MatrixXd known = scaled * basis_ * mix_;
  const Eigen::ArrayXd unknown = scaled.rowwise().squaredNorm() / penalty_ - known.rowwise().squaredNorm();
  prediction.stddev = (noise_variance_ * (1.0 + 1.0 / rows_ + unknown.max(0.0))).sqrt();
  return prediction;
}

Ridge::Coefficients Ridge::coefficients() const {
  if (!fitted_) throw std::logic_error("ridge: no fit yet");
  const Eigen::VectorXd slopes = coefficients_.cwiseQuotient(scale_);
  return {slopes, intercept_ - slopes.dot(centre_)};
}

double Ridge::left_out_error() const {
  if (!fitted_) throw std::logic_error("ridge: no fit yet");
  return noise_variance_;
}

Json Ridge::save() const {
  if (!fitted_) throw std::logic_error("ridge: save before fit");
  return {{"signature", signature},
          {"penalty", penalty_},
          {"intercept", intercept_},
          {"rows", rows_},
          {"noise_variance", noise_variance_},
          {"centre", to_json(centre_)},
          {"scale", to_json(scale_)},
          {"coefficients", to_json(coefficients_)},
          {"basis", to_json(basis_.reshaped())},
          {"mix", to_json(mix_.reshaped())}};
}

void Ridge::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "ridge state");
  JsonReader root = document.root();
  if (root.string("signature") != signature)
    root.note("signature", signature, describe(state.value("signature", Json())));
  const double penalty = root.number("penalty", {.least = 0.0}), intercept = root.number("intercept");
  const double rows = root.number("rows", {.least = 1.0}), noise = root.number("noise_variance", {.least = 0.0});
  const std::vector<double> centre = root.numbers("centre"), scale = root.numbers("scale");
  const std::vector<double> coefficients = root.numbers("coefficients");
  const std::vector<double> basis = root.numbers("basis"), mix = root.numbers("mix");
  const std::size_t d = centre.size(), width = d == 0 ? 0 : basis.size() / d;
  const std::size_t rank = width == 0 ? 0 : mix.size() / width;
  if (scale.size() != d || coefficients.size() != d || basis.size() != d * width || mix.size() != width * rank) {
    root.note("coefficients", "vectors of equal lengths", "lengths that do not fit");
  }
  root.finish();
  document.raise();
  penalty_ = penalty;
  intercept_ = intercept;
  rows_ = rows;
  noise_variance_ = noise;
  centre_ = to_vector(centre);
  scale_ = to_vector(scale);
  coefficients_ = to_vector(coefficients);
  const auto middle = static_cast<Eigen::Index>(width);
  basis_ = Eigen::Map<const Eigen::MatrixXd>(basis.data(), static_cast<Eigen::Index>(d), middle);
  mix_ = Eigen::Map<const Eigen::MatrixXd>(mix.data(), middle, static_cast<Eigen::Index>(rank));
  fitted_ = true;
}

}  // namespace ridgeline
