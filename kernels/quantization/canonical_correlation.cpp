#include "kernels/quantization/canonical_correlation.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace ridgeline {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Index = Eigen::Index;

Eigen::Map<const Matrix> view(const CanonicalBasis& basis) {
  return {basis.values.data(), static_cast<Index>(basis.components), static_cast<Index>(basis.samples)};
}

void check_samples(const CanonicalBasis& a, const CanonicalBasis& b) {
  if (a.samples != b.samples) throw std::invalid_argument("features of different samples have no correlation");
}

}  // namespace

CanonicalBasis canonical_basis(std::span<const float> features, std::size_t columns, const CanonicalOptions& options) {
  if (columns == 0 || features.size() % columns != 0) throw std::invalid_argument("features are no whole rows");
  const std::size_t samples = features.size() / columns;
  Eigen::MatrixXd centred = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
                                features.data(), static_cast<Index>(samples), static_cast<Index>(columns))
                                .cast<double>();
  if (!centred.allFinite()) throw std::invalid_argument("a feature is not finite");
  CanonicalBasis basis{samples, 0, {}};
  if (samples == 0) return basis;
  const double largest = centred.cwiseAbs().maxCoeff();
  centred.rowwise() -= centred.colwise().mean().eval();
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(centred, Eigen::ComputeThinU);
  const Eigen::VectorXd& lengths = svd.singularValues();
  // What f32 rounds is no direction of its own.
  const double noise = 1e-7 * std::max(lengths.size() > 0 ? lengths[0] : 0.0, largest);
  const double wanted = options.variance * lengths.squaredNorm();
  double explained = 0;
  Index kept = 0;
  while (kept < lengths.size() && lengths[kept] > noise && explained < wanted &&
         (options.components == 0 || kept < static_cast<Index>(options.components))) {
    explained += lengths[kept] * lengths[kept];
    ++kept;
  }
  basis.components = static_cast<std::size_t>(kept);
  basis.values.resize(basis.components * samples);
  Eigen::Map<Matrix>(basis.values.data(), kept, static_cast<Index>(samples)) = svd.matrixU().leftCols(kept).transpose();
  return basis;
}

std::vector<double> canonical_correlations(const CanonicalBasis& a, const CanonicalBasis& b) {
  check_samples(a, b);
  if (a.components == 0 || b.components == 0) return {};
  const Eigen::MatrixXd product = view(a) * view(b).transpose();
  const Eigen::VectorXd found = Eigen::BDCSVD<Eigen::MatrixXd>(product).singularValues();
  std::vector<double> correlations(found.begin(), found.end());
  for (double& one : correlations) one = std::clamp(one, 0.0, 1.0);
  return correlations;
}

double explained_share(const CanonicalBasis& a, const CanonicalBasis& b) {
  check_samples(a, b);
  if (a.components == 0) return 1.0;
  if (b.components == 0) return 0.0;
  if (b.components + 1 >= b.samples) throw std::invalid_argument("more components than samples can tell apart");
  // The squared norm of the product is the sum of the squared correlations.
  const double share = (view(a) * view(b).transpose()).squaredNorm() / static_cast<double>(a.components);
  const auto freedom = static_cast<double>(b.samples - 1);
  const double corrected = 1.0 - (1.0 - share) * freedom / (freedom - static_cast<double>(b.components));
  return std::clamp(corrected, 0.0, 1.0);
}

}  // namespace ridgeline
