#include "predictors/graph/fuzzy_heads.hpp"

#include <limits>
#include <stdexcept>

namespace ridgeline {
namespace {

constexpr double nearest = 1e-6;  // keeps a weight finite at a centre
constexpr int most_iterations = 100;

// `count` rows that differ, spread by farthest-first choice from a drawn one.
RowMatrix first_centres(const RowMatrix& rows, std::size_t count, Rng& rng) {
  RowMatrix centres(0, rows.cols());
  auto next = static_cast<Eigen::Index>(rng.below(static_cast<std::uint64_t>(rows.rows())));
  Eigen::VectorXd distance = Eigen::VectorXd::Constant(rows.rows(), std::numeric_limits<double>::infinity());
  for (std::size_t k = 0; k < count; ++k) {
    centres.conservativeResize(centres.rows() + 1, Eigen::NoChange);
    centres.row(centres.rows() - 1) = rows.row(next);
    distance = distance.cwiseMin((rows.rowwise() - rows.row(next)).rowwise().squaredNorm());
    if (distance.maxCoeff(&next) < 1e-12) break;
  }
  return centres;
}

}  // namespace

FuzzyClusters::FuzzyClusters(const RowMatrix& embeddings, std::size_t count, Rng& rng) {
  if (count < 1 || embeddings.rows() < 1 || !embeddings.allFinite()) {
    throw std::invalid_argument("clusters need rows that are finite and a count of at least 1");
  }
  centres_ = first_centres(embeddings, count, rng);
  for (int i = 0; i < most_iterations && centres_.rows() > 1; ++i) {
    const RowMatrix squares = memberships(embeddings).cwiseAbs2();
    const Eigen::RowVectorXd totals = squares.colwise().sum();
    const RowMatrix moved = (squares.transpose() * embeddings).array().colwise() / totals.transpose().array();
    const double change = (moved - centres_).squaredNorm();
    centres_ = moved;
    if (change < 1e-12 * (1 + centres_.squaredNorm())) break;
  }
}

RowMatrix FuzzyClusters::weights(const RowMatrix& embeddings) const {
  RowMatrix result(embeddings.rows(), centres_.rows());
  for (Eigen::Index k = 0; k < centres_.rows(); ++k) {
    result.col(k) = 1 / ((embeddings.rowwise() - centres_.row(k)).rowwise().squaredNorm().array() + nearest);
  }
  return result;
}

RowMatrix FuzzyClusters::memberships(const RowMatrix& embeddings) const {
  if (centres_.rows() <= 1) return RowMatrix::Ones(embeddings.rows(), 1);
  const RowMatrix w = weights(embeddings);
  return w.array().colwise() / w.rowwise().sum().array();
}

RowMatrix FuzzyClusters::backward(const RowMatrix& embeddings, const RowMatrix& d_memberships) const {
  RowMatrix d_embeddings = RowMatrix::Zero(embeddings.rows(), embeddings.cols());
  if (centres_.rows() <= 1) return d_embeddings;
  const RowMatrix w = weights(embeddings);
  const Eigen::VectorXd total = w.rowwise().sum();
  const RowMatrix u = w.array().colwise() / total.array();
  const Eigen::VectorXd mean = d_memberships.cwiseProduct(u).rowwise().sum();
  for (Eigen::Index k = 0; k < centres_.rows(); ++k) {
    const Eigen::VectorXd d_weight = (d_memberships.col(k) - mean).array() / total.array();
    const Eigen::VectorXd factor = -2.0 * d_weight.array() * w.col(k).array().square();
    d_embeddings.array() += (embeddings.rowwise() - centres_.row(k)).array().colwise() * factor.array();
  }
  return d_embeddings;
}

RowMatrix head_inputs(const RowMatrix& embeddings, const RowMatrix& memberships) {
  const Eigen::Index size = embeddings.cols() + 1;
  RowMatrix inputs(embeddings.rows(), memberships.cols() * size);
  for (Eigen::Index k = 0; k < memberships.cols(); ++k) {
    inputs.col(k * size) = memberships.col(k);
    inputs.middleCols(k * size + 1, size - 1) = embeddings.array().colwise() * memberships.col(k).array();
  }
  return inputs;
}

RowMatrix heads_backward(const FuzzyClusters& clusters, const RowMatrix& embeddings, const RowMatrix& memberships,
                         const Eigen::VectorXd& coefficients, const Eigen::VectorXd& d_values) {
  const Eigen::Index size = embeddings.cols() + 1;
  if (coefficients.size() != memberships.cols() * size) throw std::invalid_argument("a coefficient for every input");
  RowMatrix d_embeddings = RowMatrix::Zero(embeddings.rows(), embeddings.cols());
  RowMatrix d_memberships(embeddings.rows(), memberships.cols());
  for (Eigen::Index k = 0; k < memberships.cols(); ++k) {
    const auto slope = coefficients.segment(k * size + 1, size - 1);
    d_memberships.col(k) = d_values.array() * ((embeddings * slope).array() + coefficients[k * size]);
    d_embeddings += (d_values.cwiseProduct(memberships.col(k))) * slope.transpose();
  }
  return d_embeddings + clusters.backward(embeddings, d_memberships);
}

}  // namespace ridgeline
