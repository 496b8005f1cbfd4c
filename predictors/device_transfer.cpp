#include "predictors/device_transfer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "predictors/row_checks.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "transfer/2";
constexpr double least_error = std::numeric_limits<double>::min();

constexpr std::array<double, 3> penalties{0.3, 1.0, 3.0};
constexpr double reach = 10.0;  // predictions are up to so many times beyond the costs seen

void check_costs(const Eigen::Ref<const Eigen::MatrixXd>& costs) {
  if (!costs.allFinite() || (costs.size() > 0 && !(costs.minCoeff() > 0))) {
    throw std::invalid_argument("transfer: costs must be positive and finite");
  }
}

double scale_of(const Eigen::ArrayXd& values) {
  const double deviation = std::sqrt((values - values.mean()).square().mean());
  return deviation > 1e-12 * std::max(1.0, values.abs().maxCoeff()) ? deviation : 1.0;
}

// Columns of a description of rows, and what is combined of them: costs or their logarithms.
struct Kind {
  Eigen::Index first, count;
  bool logarithmic;
};

// A description has costs, amounts, logarithms of costs.
std::vector<Kind> kinds_of(Eigen::Index devices, Eigen::Index amounts) {
  std::vector<Kind> kinds{{0, devices, false}, {devices + amounts, devices, true}};
  if (amounts > 0) kinds.push_back({0, devices + amounts, false});
  return kinds;
}

// Coefficients of the kind's columns of X, 0 for the others, and an intercept, which no penalty draws.
Eigen::VectorXd combine(const Eigen::MatrixXd& X, const Kind& kind, const Eigen::VectorXd& y, double penalty) {
  const Eigen::RowVectorXd centre = X.colwise().mean();
  const Eigen::MatrixXd centred = (X.rowwise() - centre).middleCols(kind.first, kind.count);
  const Eigen::VectorXd off = y.array() - y.mean();
  Eigen::VectorXd combination = Eigen::VectorXd::Zero(X.cols() + 1);
  const double prior = 1.0 / static_cast<double>(kind.count);
  combination.segment(kind.first, kind.count) = nonnegative_ridge(centred, off, penalty, prior);
  combination[X.cols()] = y.mean() - centre * combination.head(X.cols());
  return combination;
}

double value_of(const Eigen::VectorXd& combination, const Eigen::RowVectorXd& row) {
  return row.dot(combination.head(row.size())) + combination[row.size()];
}

std::vector<Eigen::Index> all_but(Eigen::Index count, Eigen::Index left_out) {
  std::vector<Eigen::Index> kept;
  for (Eigen::Index j = 0; j < count; ++j) {
    if (j != left_out) kept.push_back(j);
  }
  return kept;
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

DeviceTransfer::DeviceTransfer(const Eigen::Ref<const Eigen::MatrixXd>& pool, Eigen::Index amounts)
    : amounts_(amounts) {
  if (pool.rows() == 0 || amounts < 0 || pool.cols() <= amounts) {
    throw std::invalid_argument("transfer: no designs, or no other device");
  }
  devices_ = pool.cols() - amounts;
  const Eigen::MatrixXd rows = described(pool);
  centre_ = rows.colwise().mean().transpose();
  scale_.resize(rows.cols());
  for (Eigen::Index j = 0; j < rows.cols(); ++j) scale_[j] = scale_of(rows.col(j).array());
}

Eigen::MatrixXd DeviceTransfer::described(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  if (X.cols() != devices_ + amounts_) {
    throw std::invalid_argument("transfer: another number of devices or amounts than in the pool");
  }
  check_costs(X.leftCols(devices_));
  if (!X.allFinite()) throw std::invalid_argument("transfer: amounts must be finite");
  Eigen::MatrixXd rows(X.rows(), 2 * devices_ + amounts_);
  rows << X, X.leftCols(devices_).array().log().matrix();
  return rows;
}

Eigen::MatrixXd DeviceTransfer::standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  return (described(X).rowwise() - centre_.transpose()) * scale_.cwiseInverse().asDiagonal();
}

// Within reach of the costs seen: what is below a tenth of the least goes on towards 0 from there.
Eigen::ArrayXXd DeviceTransfer::within_reach(const Eigen::ArrayXXd& costs) const {
  const double low = least_ / reach, high = most_ * reach;
  return (costs < low).select(low * (costs / low - 1.0).exp().max(1e-300), costs.min(high));
}

// By combination, a column each.
Eigen::MatrixXd DeviceTransfer::costs_of(const Eigen::MatrixXd& rows) const {
  Eigen::MatrixXd each = rows * combinations_.topRows(rows.cols());
  each.rowwise() += combinations_.row(rows.cols());
  const auto kinds = kinds_of(devices_, amounts_);
  for (Eigen::Index c = 0; c < each.cols(); ++c) {
    if (kinds[static_cast<std::size_t>(c) / penalties.size()].logarithmic) {
      each.col(c) = each.col(c).array().min(std::log(most_ * reach)).exp();
    }
  }
  return each;
}

void DeviceTransfer::fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  check_fit("transfer", X, y);
  check_costs(y);
  const Eigen::MatrixXd rows = standardised(X);
  const Eigen::VectorXd logs = y.array().log();
  const Eigen::Index count = rows.rows();
  const auto kinds = kinds_of(devices_, amounts_);
  least_ = y.minCoeff();
  most_ = y.maxCoeff();
  combinations_.resize(rows.cols() + 1, static_cast<Eigen::Index>(kinds.size() * penalties.size()));
  Eigen::MatrixXd left_out = Eigen::MatrixXd::Zero(count, combinations_.cols());
  for (Eigen::Index c = 0; c < combinations_.cols(); ++c) {
    const Kind& kind = kinds[static_cast<std::size_t>(c) / penalties.size()];
    const double penalty = penalties[static_cast<std::size_t>(c) % penalties.size()];
    const Eigen::VectorXd& target = kind.logarithmic ? logs : Eigen::VectorXd(y);
    const double unit = scale_of(target.array());  // so that equal coefficients are a prior whatever the new device
    combinations_.col(c) = combine(rows, kind, target / unit, penalty) * unit;
    for (Eigen::Index i = 0; i < count && count > 1; ++i) {
      const auto kept = all_but(count, i);
      const Eigen::VectorXd without = combine(rows(kept, Eigen::all), kind, target(kept) / unit, penalty);
      const double found = value_of(without, rows.row(i)) * unit;
      left_out(i, c) = (kind.logarithmic ? std::exp(std::min(found, std::log(most_ * reach))) : found) - y[i];
    }
  }
  const Eigen::ArrayXd errors = left_out.array().abs().colwise().mean().transpose().max(1e-12 * scale_of(y.array()));
  shares_ = (errors / errors.minCoeff()).pow(-8.0);
  shares_ /= shares_.sum();
  left_out_ = std::max((left_out * shares_).squaredNorm() / static_cast<double>(count), least_error);
}

Prediction DeviceTransfer::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  if (shares_.size() == 0) throw std::logic_error("transfer: predict before fit");
  const Eigen::MatrixXd each = costs_of(standardised(X));
  const Eigen::VectorXd mean = each * shares_;
  const Eigen::MatrixXd squares = (each.colwise() - mean).cwiseAbs2();
  const Eigen::VectorXd apart = squares * shares_;
  return {within_reach(mean.array()).matrix(), (apart.array() + left_out_).sqrt()};
}

double DeviceTransfer::left_out_error() const {
  if (shares_.size() == 0) throw std::logic_error("transfer: no fit yet");
  return left_out_;
}

Json DeviceTransfer::save() const {
  if (shares_.size() == 0) throw std::logic_error("transfer: save before fit");
  const auto list = [](const auto& values) {
    const Eigen::VectorXd flat = values.reshaped();
    return Json(std::vector<double>(flat.data(), flat.data() + flat.size()));
  };
  return {{"signature", signature}, {"amounts", amounts_},     {"centre", list(centre_)},
          {"scale", list(scale_)},  {"shares", list(shares_)}, {"combinations", list(combinations_)},
          {"least", least_},        {"most", most_},           {"left_out", left_out_}};
}

void DeviceTransfer::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "transfer state");
  JsonReader root = document.root();
  if (root.string("signature") != signature) {
    root.note("signature", signature, describe(state.value("signature", Json())));
  }
  const std::vector<double> centre = root.numbers("centre"), scale = root.numbers("scale"),
                            combinations = root.numbers("combinations"), shares = root.numbers("shares");
  const double least = root.number("least", {.least = least_error});
  const double most = root.number("most", {.least = least});
  const double left_out = root.number("left_out", {.least = least_error});
  const auto amounts = root.integer("amounts", {.least = 0, .most = static_cast<std::int64_t>(scale.size())});
  const auto columns = static_cast<std::int64_t>(centre.size()) - amounts;  // costs and their logarithms
  const bool above = std::ranges::all_of(scale, [](double value) { return value > 0; });
  const bool devices = columns >= 2 && columns % 2 == 0;
  if (!devices || scale.size() != centre.size() || !above ||
      shares.size() != penalties.size() * kinds_of(columns / 2, amounts).size() ||
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
  amounts_ = amounts;
  devices_ = columns / 2;
  least_ = least;
  most_ = most;
  left_out_ = left_out;
}

}  // namespace ridgeline
