#include "search/predicted/confidence_descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ridgeline {
namespace {

constexpr double augmentation = 0.05;
constexpr double excess_weight = 10.0;  // a tenth of the range beyond a limit outweighs what an objective can gain
constexpr double difference = 1e-3;     // of central differences
constexpr double damping = 1e-2;        // of curvature, so that flat directions are not taken at once
constexpr double beta_1 = 0.9, beta_2 = 0.99;

}  // namespace

ConfidenceBounds::ConfidenceBounds(std::vector<Value> values, double aleatoric, double epistemic)
    : values_(std::move(values)), aleatoric_(aleatoric), epistemic_(epistemic) {}

ConfidenceBounds::Bound ConfidenceBounds::bound(std::size_t k, const Eigen::Ref<const Eigen::MatrixXd>& X,
                                                bool slopes) const {
  MlpEnsemble::PartSlopes of;
  const MlpEnsemble::Parts parts = values_[k].model->parts(X, slopes ? &of : nullptr);
  Bound bound{parts.mean - aleatoric_ * parts.aleatoric - epistemic_ * parts.epistemic, parts.epistemic, {}, {}};
  if (!slopes) return bound;
  bound.slope = of.mean - aleatoric_ * of.aleatoric - epistemic_ * of.epistemic;
  bound.epistemic_slope = std::move(of.epistemic);
  return bound;
}

double ConfidenceBounds::judge(std::span<const Bound> bounds, const Aim& aim, Eigen::Index i,
                               Eigen::RowVectorXd* gradient) const {
  const auto add = [&](double weight, const Eigen::MatrixXd& slope) {
    if (gradient != nullptr) *gradient += weight * slope.row(i);
  };
  double worth = 0, most = -std::numeric_limits<double>::infinity(), weight_of_most = 0;
  const Bound* which = nullptr;  // that has the most
  std::size_t number = 0;        // of an optimised value
  for (std::size_t k = 0; k < values_.size(); ++k) {
    if (values_[k].optimised && aim.uncertainty) {
      worth -= bounds[k].epistemic[i];
      add(-1.0, bounds[k].epistemic_slope);
    } else if (values_[k].optimised) {
      const double weight = aim.weights[number++], weighted = weight * bounds[k].value[i];
      worth += augmentation * weighted;
      add(augmentation * weight, bounds[k].slope);
      if (weighted > most) {
        most = weighted;
        weight_of_most = weight;
        which = &bounds[k];
      }
    }
    if (!values_[k].limit || bounds[k].value[i] <= *values_[k].limit) continue;
    worth += excess_weight * (bounds[k].value[i] - *values_[k].limit);
    add(excess_weight, bounds[k].slope);
  }
  if (which == nullptr) return worth;
  add(weight_of_most, which->slope);
  return worth + most;
}

Eigen::VectorXd ConfidenceBounds::operator()(const Eigen::Ref<const Eigen::MatrixXd>& X, std::span<const Aim> aims,
                                             Eigen::MatrixXd* gradients) const {
  std::vector<Bound> bounds;
  for (std::size_t k = 0; k < values_.size(); ++k) bounds.push_back(bound(k, X, gradients != nullptr));
  if (gradients != nullptr) gradients->resize(X.rows(), X.cols());
  Eigen::VectorXd worth(X.rows());
  for (Eigen::Index i = 0; i < X.rows(); ++i) {
    Eigen::RowVectorXd gradient = Eigen::RowVectorXd::Zero(X.cols());
    worth[i] = judge(bounds, aims[static_cast<std::size_t>(i)], i, gradients != nullptr ? &gradient : nullptr);
    if (gradients != nullptr) gradients->row(i) = gradient;
  }
  return worth;
}

Eigen::MatrixXd descended(const ConfidenceBounds& bounds, Eigen::MatrixXd X, std::span<const Aim> aims,
                          const InputDescentOptions& options, Rng& rng) {
  Eigen::MatrixXd best = X, gradient;
  Eigen::VectorXd least = Eigen::VectorXd::Constant(X.rows(), std::numeric_limits<double>::infinity());
  Eigen::ArrayXXd first = Eigen::ArrayXXd::Zero(X.rows(), X.cols()), second = first;
  double power_1 = 1, power_2 = 1;
  for (std::size_t step = 0; step <= options.steps; ++step) {
    const Eigen::VectorXd worth = bounds(X, aims, &gradient);
    for (Eigen::Index i = 0; i < X.rows(); ++i) {
      if (!(worth[i] < least[i])) continue;
      least[i] = worth[i];
      best.row(i) = X.row(i);
    }
    if (step == options.steps) break;
    Eigen::ArrayXXd curvature = gradient.array();
    if (options.second_order) {
      Eigen::ArrayXXd signs(X.rows(), X.cols());
      for (Eigen::Index j = 0; j < signs.cols(); ++j) {
        for (Eigen::Index i = 0; i < signs.rows(); ++i) signs(i, j) = rng.chance(0.5) ? 1.0 : -1.0;
      }
      Eigen::MatrixXd ahead, behind;
      bounds(X + difference * signs.matrix(), aims, &ahead);
      bounds(X - difference * signs.matrix(), aims, &behind);
      curvature = signs * (ahead - behind).array() / (2 * difference);
    }
    first = beta_1 * first + (1 - beta_1) * gradient.array();
    second = beta_2 * second + (1 - beta_2) * curvature.square();
    power_1 *= beta_1;
    power_2 *= beta_2;
    const Eigen::ArrayXXd move = (first / (1 - power_1)) / ((second / (1 - power_2)).sqrt() + damping);
    const double far = 2 * options.rate;
    X.array() -= (options.rate * move).max(-far).min(far);
    X = X.cwiseMax(0.0).cwiseMin(1.0);
  }
  return best;
}

}  // namespace ridgeline
