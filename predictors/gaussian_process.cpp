#include "predictors/gaussian_process.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <stdexcept>

#include "predictors/row_checks.hpp"
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

// The diagonal of (L L')^-1: the squared columns of L^-1, which has nothing above its diagonal either.
Eigen::ArrayXd inverse_diagonal(const Eigen::MatrixXd& lower) {
  constexpr Eigen::Index block = 64;
  const Eigen::Index count = lower.rows();
  Eigen::ArrayXd diagonal(count);
  for (Eigen::Index begin = 0; begin < count; begin += block) {
    const Eigen::Index width = std::min(block, count - begin), below = count - begin;
    Eigen::MatrixXd part = Eigen::MatrixXd::Identity(below, width);
    lower.bottomRightCorner(below, below).triangularView<Eigen::Lower>().solveInPlace(part);
    diagonal.segment(begin, width) = part.colwise().squaredNorm().transpose();
  }
  return diagonal;
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

// K + noise I = L L' for one length and noise.
struct GaussianProcess::Factor {
  double squared_length = 0, noise = 0;
  Eigen::MatrixXd lower;   // n x n: L
  Eigen::ArrayXd inverse;  // n: the diagonal of (K + noise I)^-1
};

// What follows from the rows, whatever their values are.
struct GaussianProcess::Known {
  struct Spectrum {
    double squared_length = 0;
    Eigen::VectorXd values;
    Eigen::MatrixXd vectors, squares;  // squares: of the vectors' elements
  };
  Eigen::MatrixXd rows;
  std::vector<Spectrum> spectra;                       // of the rows that are chosen by, one a length tried
  Eigen::MatrixXd squared;                             // n x n: distances
  std::vector<std::shared_ptr<const Factor>> factors;  // those asked for
};

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
  check_fit("gp", X, y);
  least_ = X.colwise().minCoeff().transpose();
  range_ = X.colwise().maxCoeff().transpose() - least_;
  for (Eigen::Index j = 0; j < range_.size(); ++j) {  // what never changes but for rounding is no distance
    if (!(range_[j] > 1e-12 * std::abs(least_[j]))) range_[j] = 1.0;
  }
  rows_ = scaled(X);
  values_ = y;
  know_rows();
  choose(y.array() - y.mean());
  solve();
}

void GaussianProcess::know_rows() {
  if (known_ && known_->rows.cols() == rows_.cols() && known_->rows.rows() == rows_.rows() && known_->rows == rows_) {
    return;
  }
  known_ = std::make_shared<Known>();
  known_->rows = rows_;
  known_->squared = squared_distances(rows_, rows_);
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
    const auto same = [&](const Known::Spectrum& one) {
      return one.squared_length == length * unit && one.values.size() == count;
    };
    auto known = std::ranges::find_if(known_->spectra, same);
    if (known == known_->spectra.end()) {
      const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance(squared, length * unit));
      known_->spectra.push_back(
          {length * unit, solver.eigenvalues(), solver.eigenvectors(), solver.eigenvectors().cwiseAbs2()});
      known = std::prev(known_->spectra.end());
    }
    const Eigen::VectorXd projected = known->vectors.transpose() * values;
    for (const double noise : options_.noises) {
      const Eigen::VectorXd inverse = (known->values.array().max(0.0) + noise).inverse();
      const Eigen::ArrayXd left_out =
          (known->vectors * inverse.cwiseProduct(projected)).array() / (known->squares * inverse).array();
      const double error = left_out.square().sum();
      if (!(error < least)) continue;
      least = error;
      squared_length_ = length * unit;
      noise_ = noise;
    }
  }
}

std::shared_ptr<const GaussianProcess::Factor> GaussianProcess::factor() {
  for (const auto& one : known_->factors) {
    if (one->squared_length == squared_length_ && one->noise == noise_) return one;
  }
  Eigen::MatrixXd noisy = covariance(known_->squared, squared_length_);
  noisy.diagonal().array() += noise_;
  auto made = std::make_shared<Factor>();
  made->squared_length = squared_length_;
  made->noise = noise_;
  made->lower = Eigen::LLT<Eigen::MatrixXd>(noisy).matrixL();
  made->inverse = inverse_diagonal(made->lower);
  known_->factors.push_back(made);
  return made;
}

void GaussianProcess::solve() {
  const auto count = static_cast<double>(values_.size());
  mean_ = values_.mean();
  const Eigen::VectorXd centred = values_.array() - mean_;
  factor_ = factor();
  const auto lower = factor_->lower.triangularView<Eigen::Lower>();
  weights_ = lower.transpose().solve(lower.solve(centred));
  variance_ = std::max(centred.dot(weights_) / count, std::numeric_limits<double>::min());
  left_out_ = std::max((weights_.array() / factor_->inverse).square().mean(), std::numeric_limits<double>::min());
}

Eigen::VectorXd GaussianProcess::predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("gp", values_.size() > 0, X, range_.size());
  if (X.rows() == 0) return Eigen::VectorXd(0);
  return (covariance(squared_distances(scaled(X), rows_), squared_length_) * weights_).array() + mean_;
}

Prediction GaussianProcess::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("gp", values_.size() > 0, X, range_.size());
  if (X.rows() == 0) return {Eigen::VectorXd(0), Eigen::VectorXd(0)};  // Eigen solves for no columns by null references
  const Eigen::MatrixXd shared = covariance(squared_distances(scaled(X), rows_), squared_length_);
  Prediction prediction;
  prediction.mean = (shared * weights_).array() + mean_;
  const Eigen::MatrixXd half = factor_->lower.triangularView<Eigen::Lower>().solve(shared.transpose());
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
  know_rows();
  solve();
}

}  // namespace ridgeline
