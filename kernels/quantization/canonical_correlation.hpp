// Canonical correlation analysis (Hotelling, Relations between two sets of variates, 1936): how much two sets of
// features of the same samples are linear functions of each other, whatever invertible linear map either went through.
//
// Features are a matrix [samples, columns], row-major: a row is a sample. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ridgeline {

// An orthonormal basis of centred features: their leading principal components, each of length 1 (SVCCA, Raghu et al.,
// 2017). Columns that are constant add nothing.
struct CanonicalBasis {
  std::size_t samples = 0, components = 0;
  std::vector<double> values;  // [components, samples]
};

struct CanonicalOptions {
  double variance = 1.0;       // share of the variance that the components kept explain
  std::size_t components = 0;  // kept at most; 0: all
};

// Throws std::invalid_argument where `features` is no whole number of rows, or holds numbers that are not finite.
CanonicalBasis canonical_basis(std::span<const float> features, std::size_t columns,
                               const CanonicalOptions& options = {});

// The singular values of the product of both bases, largest first, within 0..1: as many as the smaller one has
// components. Throws std::invalid_argument where the samples differ in number.
std::vector<double> canonical_correlations(const CanonicalBasis& a, const CanonicalBasis& b);

// The share of a's components that a linear function of b explains: the mean over a's components of their R^2, which is
// the sum of squared canonical correlations / components of a (R^2_CCA of Kornblith et al., Similarity of Neural
// Network Representations Revisited, 2019). Corrected for chance, 1 - (1 - R^2) (n - 1) / (n - 1 - components of b)
// (Wherry, 1931), and not below 0: of independent features it is near 0 for few samples too. 1 where a has no
// components (a constant follows from anything), 0 where only b has none. Needs more samples than b has components + 1.
double explained_share(const CanonicalBasis& a, const CanonicalBasis& b);

}  // namespace ridgeline
