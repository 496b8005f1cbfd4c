#include "predictors/graph/graph_losses.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace ridgeline {
namespace {

constexpr double least_norm = 1e-9;

// exp(values) of the entries other than `own`, made a distribution; 0 at `own`.
Eigen::RowVectorXd distribution(Eigen::RowVectorXd values, Eigen::Index own) {
  values[own] = -std::numeric_limits<double>::infinity();
  values = (values.array() - values.maxCoeff()).exp();
  return values / values.sum();
}

}  // namespace

LossAndGradient squared_loss(const RowMatrix& predicted, const RowMatrix& truth) {
  if (predicted.rows() != truth.rows() || predicted.cols() != truth.cols() || predicted.size() == 0) {
    throw std::invalid_argument("a loss compares two matrices of one shape with entries");
  }
  const auto count = static_cast<double>(predicted.size());
  const RowMatrix off = predicted - truth;
  return {off.squaredNorm() / count, off * (2.0 / count)};
}

LossAndGradient similarity_loss(const RowMatrix& projections, const RowMatrix& statistics,
                                const SimilarityShape& shape) {
  const Eigen::Index rows = projections.rows();
  if (statistics.rows() != rows) throw std::invalid_argument("as many statistics as projections are compared");
  LossAndGradient result{0, RowMatrix::Zero(rows, projections.cols())};
  if (rows < 2) return result;
  const Eigen::VectorXd norms = projections.rowwise().norm().array() + least_norm;
  const RowMatrix unit = projections.array().colwise() / norms.array();
  const RowMatrix cosines = unit * unit.transpose();
  RowMatrix d_cosines(rows, rows);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const Eigen::RowVectorXd distances = (statistics.rowwise() - statistics.row(i)).rowwise().squaredNorm().transpose();
    const Eigen::RowVectorXd p = distribution(-distances / shape.spread, i);
    const Eigen::RowVectorXd q = distribution(cosines.row(i) / shape.temperature, i);
    for (Eigen::Index j = 0; j < rows; ++j) {
      if (j == i || p[j] <= 0) continue;
      result.loss += p[j] * (std::log(p[j]) - std::log(std::max(q[j], std::numeric_limits<double>::min())));
    }
    d_cosines.row(i) = (q - p) / (shape.temperature * static_cast<double>(rows));
  }
  result.loss /= static_cast<double>(rows);
  const RowMatrix d_unit = (d_cosines + d_cosines.transpose()) * unit;
  for (Eigen::Index i = 0; i < rows; ++i) {
    // unit = x / (|x| + least_norm); the second term is its change along x.
    const double length = norms[i] - least_norm;
    result.gradient.row(i) = d_unit.row(i) / norms[i];
    if (length > 0) {
      const double along = d_unit.row(i).dot(unit.row(i)) / length;
      result.gradient.row(i) -= along * projections.row(i) / norms[i];
    }
  }
  return result;
}

}  // namespace ridgeline
