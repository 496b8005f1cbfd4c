// What an encoder learns without labels: free statistics, and which networks are alike in them. Losses are means over
// rows, with their exact gradients.
#pragma once

#include <Eigen/Core>

#include "predictors/graph/network_graph.hpp"

namespace ridgeline {

struct LossAndGradient {
  double loss = 0;
  RowMatrix gradient;  // of the first argument, its shape
};

// Mean of the squared differences of all entries; both n x s.
LossAndGradient squared_loss(const RowMatrix& predicted, const RowMatrix& truth);

// How little the likeness of projections agrees with that of statistics (contrastive learning with soft targets, as
// GENNAPE: Mills et al., AAAI 2023, with free statistics in the place of spectra). For every row i the others are a
// distribution p_i(j) ~ exp(-|s_i - s_j|^2 / spread), and q_i(j) ~ exp(cos(x_i, x_j) / temperature); the loss is the
// cross-entropy of q under p less p's own entropy, so that 0 is the least. projections: n x c, statistics: n x s,
// standardised; below two rows there is nothing to compare and the loss is 0.
struct SimilarityShape {
  double temperature = 0.2, spread = 2.0;
};
LossAndGradient similarity_loss(const RowMatrix& projections, const RowMatrix& statistics,
                                const SimilarityShape& shape = {});

}  // namespace ridgeline
