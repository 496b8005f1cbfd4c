// Fuzzy C-means clusters of embeddings, and an ensemble of linear heads weighted by membership (GENNAPE: Mills et al.,
// AAAI 2023; the clusters: Bezdek, 1981, with fuzzifier 2).
//
//   membership  u_k(z) = w_k / sum_j w_j, w_k = 1 / (|z - c_k|^2 + 1e-6)
//   prediction  f(z) = sum_k u_k(z) (a_k z + b_k)
#pragma once

#include "predictors/graph/network_graph.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

class FuzzyClusters {
 public:
  FuzzyClusters() = default;  // none: one cluster that everything belongs to
  // Rows of `embeddings` (n x d, n >= 1, finite) in `count` >= 1 clusters; fewer where there are fewer distinct rows.
  // Alternating optimisation from centres that `rng` draws among the rows, until nothing moves or 100 times.
  FuzzyClusters(const RowMatrix& embeddings, std::size_t count, Rng& rng);
  explicit FuzzyClusters(RowMatrix centres) : centres_(std::move(centres)) {}

  Eigen::Index count() const { return centres_.rows() > 1 ? centres_.rows() : 1; }
  const RowMatrix& centres() const { return centres_; }      // count x d; or nothing
  RowMatrix memberships(const RowMatrix& embeddings) const;  // n x count, rows sum to 1
  // The gradient for the embeddings, from that for the memberships: n x d.
  RowMatrix backward(const RowMatrix& embeddings, const RowMatrix& d_memberships) const;

 private:
  RowMatrix weights(const RowMatrix& embeddings) const;  // n x count: w
  RowMatrix centres_;
};

// The heads' inputs side by side: u_k, u_k z for every k; n x count (1 + d). The ensemble is linear in them.
RowMatrix head_inputs(const RowMatrix& embeddings, const RowMatrix& memberships);
// The gradient for the embeddings, from that for the ensemble's values (one a row); n x d.
RowMatrix heads_backward(const FuzzyClusters& clusters, const RowMatrix& embeddings, const RowMatrix& memberships,
                         const Eigen::VectorXd& coefficients, const Eigen::VectorXd& d_values);

}  // namespace ridgeline
