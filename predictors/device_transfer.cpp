#include "predictors/device_transfer.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "transfer/1";
constexpr double least_error = std::numeric_limits<double>::min();

struct Form {
  bool nonnegative;
  double penalty;
};
constexpr std::array<Form, 8> forms{
    {{true, 0.01}, {true, 0.1}, {true, 1.0}, {true, 5.0}, {false, 0.01}, {false, 0.1}, {false, 1.0}, {false, 5.0}}};

void check_costs(const Eigen::Ref<const Eigen::MatrixXd>& costs) {
  if (!costs.allFinite() || (costs.size() > 0 && !(costs.minCoeff() > 0))) {
    throw std::invalid_argument("transfer: costs must be positive and finite");
  }
}

double scale_of(const Eigen::ArrayXd& values) {
  const double deviation = std::sqrt((values - values.mean()).square().mean());
  return deviation > 1e-12 * std::max(1.0, values.abs().maxCoeff()) ? deviation : 1.0;
}

// Coefficients and an intercept, which no penalty draws.
Eigen::VectorXd combine(const Eigen::MatrixXd& X, const Eigen::VectorXd& y, const Form& form) {
  const Eigen::RowVectorXd centre = X.colwise().mean();
  const Eigen::MatrixXd centred = X.rowwise() - centre;
  const Eigen::VectorXd off = y.array() - y.mean();
  const double prior = 1.0 / static_cast<double>(X.cols());
  Eigen::VectorXd combination(X.cols() + 1);
  if (form.nonnegative) {
    combination.head(X.cols()) = nonnegative_ridge(centred, off, form.penalty, prior);
  } else {
    Eigen::MatrixXd gram = centred.transpose() * centred;
    gram.diagonal().array() += form.penalty;
    const Eigen::VectorXd right = (centred.transpose() * off).array() + form.penalty * prior;
    combination.head(X.cols()) = gram.llt().solve(right);
  }
  combination[X.cols()] = y.mean() - centre * combination.head(X.cols());
  return combination;
}

double value_of(const Eigen::VectorXd& combination, const Eigen::RowVectorXd& row) {
  return row.dot(combination.head(row.size())) + combination[row.size()];
}

}  // namespace

Eigen::VectorXd nonnegative_ridge(const Eigen::Ref<const Eigen::MatrixXd>& X,
                                  const Eigen::Ref<const Eigen::VectorXd>& y, double penalty, double prior) {
  if (X.rows() != y.size() || X.cols() == 0) throw std::invalid_argument("nonnegative ridge: sizes do not fit");
  if (!X.allFinite() || !y.allFinite() || !(penalty >= 0) || !std::isfinite(penalty) || !std::isfinite(prior)) {
    throw std::invalid_argument("nonnegative ridge: finite values and a penalty from 0 are needed");
  }
  const Eigen::MatrixXd gram = X.transpose() * X;
  const Eigen::VectorXd right = X.transpose() * y;
  Eigen::VectorXd w = Eigen::VectorXd::Constant(X.cols(), std::max(prior, 0.0));
  for (int round = 0; round < 10'000; ++round) {
    double moved = 0;
    for (Eigen::Index j = 0; j < w.size(); ++j) {
      const double curvature = gram(j, j) + penalty;
      if (!(curvature > 0)) continue;  // decides nothing
      const double slope = right[j] - gram.row(j).dot(w) - penalty * (w[j] - prior);
      const double next = std::max(0.0, w[j] + slope / curvature);
      moved = std::max(moved, std::abs(next - w[j]));
      w[j] = next;
    }
    if (moved <= 1e-10 * std::max(1.0, w.maxCoeff())) break;
  }
  return w;
}

DeviceTransfer::DeviceTransfer(const Eigen::Ref<const Eigen::MatrixXd>& pool) {
  if (pool.rows() == 0 || pool.cols() == 0) throw std::invalid_argument("transfer: no designs, or no other device");
  check_costs(pool);
  const Eigen::MatrixXd logs = pool.array().log();
  centre_ = logs.colwise().mean().transpose();
  scale_.resize(pool.cols());
  for (Eigen::Index j = 0; j < pool.cols(); ++j) scale_[j] = scale_of(logs.col(j).array());
}

Eigen::MatrixXd DeviceTransfer::standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  if (X.cols() != centre_.size()) throw std::invalid_argument("transfer: another number of devices than in the pool");
  check_costs(X);
  const Eigen::MatrixXd logs = X.array().log();
  return (logs.rowwise() - centre_.transpose()) * scale_.cwiseInverse().asDiagonal();
}

void DeviceTransfer::fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  if (X.rows() != y.size()) throw std::invalid_argument("transfer: as many values as rows are needed");
  if (X.rows() == 0) throw std::invalid_argument("transfer: no rows");
  check_costs(y);
  const Eigen::MatrixXd rows = standardised(X);
  const Eigen::VectorXd logs = y.array().log();
  const double unit = scale_of(logs.array());  // so that equal coefficients are a prior whatever the new device
  const Eigen::VectorXd values = logs / unit;
  const Eigen::Index count = rows.rows();
  combinations_.resize(rows.cols() + 1, static_cast<Eigen::Index>(forms.size()));
  Eigen::MatrixXd left_out = Eigen::MatrixXd::Zero(count, combinations_.cols());
  for (Eigen::Index c = 0; c < combinations_.cols(); ++c) {
    const Form& form = forms[static_cast<std::size_t>(c)];
    combinations_.col(c) = combine(rows, values, form) * unit;
    for (Eigen::Index i = 0; i < count && count > 1; ++i) {
      std::vector<Eigen::Index> kept;
      for (Eigen::Index j = 0; j < count; ++j) {
        if (j != i) kept.push_back(j);
      }
      left_out(i, c) = value_of(combine(rows(kept, Eigen::all), values(kept), form), rows.row(i)) * unit - logs[i];
    }
  }
  const Eigen::ArrayXd errors = left_out.array().abs().colwise().mean().transpose().max(1e-12);
  shares_ = (errors / errors.minCoeff()).pow(-8.0);
  shares_ /= shares_.sum();
  const Eigen::VectorXd mixed = left_out * shares_;
  const Eigen::ArrayXd off = mixed.array();
  noise_ = std::max(off.square().mean(), least_error);
  left_out_ = std::max((y.array() * (off.exp() - 1.0)).square().mean(), least_error);
}

Prediction DeviceTransfer::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  if (shares_.size() == 0) throw std::logic_error("transfer: predict before fit");
  const Eigen::MatrixXd rows = standardised(X);
  Eigen::MatrixXd each = rows * combinations_.topRows(rows.cols());
  each.rowwise() += combinations_.row(rows.cols());
  const Eigen::VectorXd mean = each * shares_;
  const Eigen::MatrixXd squares = (each.colwise() - mean).cwiseAbs2();
  const Eigen::VectorXd apart = squares * shares_;
  Prediction prediction;
  prediction.mean = mean.array().exp();
  prediction.stddev = prediction.mean.array() * (apart.array() + noise_).sqrt();
  return prediction;
}

double DeviceTransfer::left_out_error() const {
  if (shares_.size() == 0) throw std::logic_error("transfer: no fit yet");
  return left_out_;
}

Eigen::VectorXd DeviceTransfer::coefficients() const {
  if (shares_.size() == 0) throw std::logic_error("transfer: no fit yet");
  return combinations_.topRows(centre_.size()) * shares_;
}

Json DeviceTransfer::save() const {
  if (shares_.size() == 0) throw std::logic_error("transfer: save before fit");
  const auto list = [](const auto& values) {
    const Eigen::VectorXd flat = values.reshaped();
    return Json(std::vector<double>(flat.data(), flat.data() + flat.size()));
  };
  return {{"signature", signature},  {"centre", list(centre_)},
          {"scale", list(scale_)},   {"combinations", list(combinations_)},
          {"shares", list(shares_)}, {"noise", noise_},
          {"left_out", left_out_}};
}

void DeviceTransfer::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "transfer state");
  JsonReader root = document.root();
  if (root.string("signature") != signature) {
    root.note("signature", signature, describe(state.value("signature", Json())));
  }
  const std::vector<double> centre = root.numbers("centre"), scale = root.numbers("scale"),
                            combinations = root.numbers("combinations"), shares = root.numbers("shares");
  const double noise = root.number("noise", {.least = least_error});
  const double left_out = root.number("left_out", {.least = least_error});
  const bool positive = std::ranges::all_of(scale, [](double value) { return value > 0; });
  if (centre.empty() || scale.size() != centre.size() || !positive || shares.empty() ||
      combinations.size() != shares.size() * (centre.size() + 1)) {
    root.note("combinations", "lengths that fit, and scales above 0", "others");
  }
  root.finish();
  document.raise();
  const auto vector = [](const std::vector<double>& list) {
    return Eigen::Map<const Eigen::VectorXd>(list.data(), static_cast<Eigen::Index>(list.size()));
  };
  centre_ = vector(centre);
  scale_ = vector(scale);
  shares_ = vector(shares);
  combinations_ = Eigen::Map<const Eigen::MatrixXd>(combinations.data(), centre_.size() + 1, shares_.size());
  noise_ = noise;
  left_out_ = left_out;
}

}  // namespace ridgeline
