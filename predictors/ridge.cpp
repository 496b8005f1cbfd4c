#include "predictors/ridge.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "ridge/1";

void check(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  if (X.rows() != y.size()) throw std::invalid_argument("ridge: as many values as rows are needed");
  if (X.rows() == 0) throw std::invalid_argument("ridge: no rows");
  if (!X.allFinite() || !y.allFinite()) throw std::invalid_argument("ridge: a value is not finite");
}

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

}  // namespace

RidgeSolution solve_ridge(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y,
                          const RidgeProblem& problem) {
  check(X, y);
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
  check(X, y);
  rows_ = static_cast<double>(X.rows());
  centre_ = X.colwise().mean().transpose();
  const Eigen::MatrixXd centred = X.rowwise() - centre_.transpose();
  scale_ = (centred.colwise().squaredNorm() / rows_).cwiseSqrt().transpose();
  for (double& scale : scale_) scale = scale > 0 ? scale : 1.0;  // a constant feature says nothing
  intercept_ = y.mean();
  const Eigen::MatrixXd scaled = standardised(X);
  const Eigen::VectorXd centred_y = y.array() - intercept_;
  double least = std::numeric_limits<double>::infinity();
  for (const double penalty : options_.penalties) {
    RidgeProblem problem;
    problem.penalty = Eigen::VectorXd::Constant(X.cols(), penalty);
    const RidgeSolution solution = solve_ridge(scaled, centred_y, problem);
    // The intercept takes 1/n of every row's leverage.
    const Eigen::ArrayXd residual = centred_y - scaled * solution.coefficients;
    const Eigen::ArrayXd left = (1.0 - solution.leverage.array() - 1.0 / rows_).max(1e-12);
    const double error = (residual / left).square().sum();
    if (!(error < least)) continue;
    least = error;
    penalty_ = penalty;
    coefficients_ = solution.coefficients;
    noise_variance_ = least / rows_;
  }
  Eigen::MatrixXd normal = scaled.transpose() * scaled;
  normal.diagonal().array() += penalty_;
  covariance_ = Eigen::LLT<Eigen::MatrixXd>(normal).solve(Eigen::MatrixXd::Identity(X.cols(), X.cols()));
  fitted_ = true;
}

Prediction Ridge::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  if (!fitted_) throw std::logic_error("ridge: predict before fit");
  if (X.cols() != centre_.size()) throw std::invalid_argument("ridge: another number of features than in fit");
  if (!X.allFinite()) throw std::invalid_argument("ridge: a value is not finite");
  const Eigen::MatrixXd scaled = standardised(X);
  Prediction prediction;
  prediction.mean = (scaled * coefficients_).array() + intercept_;
  const Eigen::ArrayXd spread = (scaled * covariance_).cwiseProduct(scaled).rowwise().sum().array();
  prediction.stddev = (noise_variance_ * (1.0 + 1.0 / rows_ + spread)).sqrt();
  return prediction;
}

Json Ridge::save() const {
  if (!fitted_) throw std::logic_error("ridge: save before fit");
  const Eigen::Map<const Eigen::VectorXd> flat(covariance_.data(), covariance_.size());
  return {{"signature", signature},
          {"penalty", penalty_},
          {"intercept", intercept_},
          {"rows", rows_},
          {"noise_variance", noise_variance_},
          {"centre", to_json(centre_)},
          {"scale", to_json(scale_)},
          {"coefficients", to_json(coefficients_)},
          {"covariance", to_json(flat)}};
}

void Ridge::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "ridge state");
  JsonReader root = document.root();
  if (root.string("signature") != signature)
    root.note("signature", signature, describe(state.value("signature", Json())));
  const double penalty = root.number("penalty", {.least = 0.0}), intercept = root.number("intercept");
  const double rows = root.number("rows", {.least = 1.0}), noise = root.number("noise_variance", {.least = 0.0});
  const std::vector<double> centre = root.numbers("centre"), scale = root.numbers("scale");
  const std::vector<double> coefficients = root.numbers("coefficients"), covariance = root.numbers("covariance");
  const std::size_t d = centre.size();
  if (scale.size() != d || coefficients.size() != d || covariance.size() != d * d) {
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
  const auto n = static_cast<Eigen::Index>(d);
  covariance_ = Eigen::Map<const Eigen::MatrixXd>(covariance.data(), n, n);
  fitted_ = true;
}

}  // namespace ridgeline
