// Descent of an optimistic bound on a candidate's values, by its gradient with respect to the features, which may take
// any values from 0 to 1 on the way: GOBI and BOSHNAS's search (Tuli, Casale and Jennings, 2021; Tuli, Dedhia, Tuli and
// Jha, "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?", JAIR 2023, section 3.2).
#pragma once

#include <optional>
#include <vector>

#include "predictors/mlp_ensemble.hpp"

namespace ridgeline {

// What a point is judged by.
struct Aim {
  std::vector<double> weights;  // one an optimised value; they add up to 1
  bool uncertainty = false;     // where most can be learnt instead: the least certain means
};

// bound_k(x) = mean_k - aleatoric weight x aleatoric_k - epistemic weight x epistemic_k of each value k, minimised. A
// point is worth the augmented Tchebycheff function of its optimised bounds, max_k w_k bound_k + 0.05 sum_k w_k
// bound_k, and 10 times what the limited ones are above their limits; with `uncertainty`, less the sum of the epistemic
// deviations in place of the first. Less is better. Refers to the models.
class ConfidenceBounds {
 public:
  struct Value {
    const MlpEnsemble* model = nullptr;
    bool optimised = true;
    std::optional<double> limit{};  // as the model's values
  };
  ConfidenceBounds(std::vector<Value> values, double aleatoric, double epistemic);

  // Row i of X (n x d) is judged by aims[i]. Writes the gradients (n x d) where asked for.
  Eigen::VectorXd operator()(const Eigen::Ref<const Eigen::MatrixXd>& X, std::span<const Aim> aims,
                             Eigen::MatrixXd* gradients = nullptr) const;

 private:
  struct Bound {                             // of one value, a row a point
    Eigen::VectorXd value, epistemic;        // n
    Eigen::MatrixXd slope, epistemic_slope;  // n x d; empty where not asked for
  };
  Bound bound(std::size_t k, const Eigen::Ref<const Eigen::MatrixXd>& X, bool slopes) const;
  // Of point i. Adds to the gradient where there is one.
  double judge(std::span<const Bound> bounds, const Aim& aim, Eigen::Index i, Eigen::RowVectorXd* gradient) const;

  std::vector<Value> values_;
  double aleatoric_, epistemic_;
};

struct InputDescentOptions {
  std::size_t steps = 30;
  double rate = 0.1;         // of the range of a feature, at most twice that a step
  bool second_order = true;  // AdaHessian (Yao et al., AAAI 2021), else Adam
};

// Each row of X on its own, kept from 0 to 1: the best point that it passed, itself among them. AdaHessian's diagonal
// of the Hessian is z * Hz for a z of random signs (Hutchinson), Hz by central differences of the gradient.
Eigen::MatrixXd descended(const ConfidenceBounds& bounds, Eigen::MatrixXd X, std::span<const Aim> aims,
                          const InputDescentOptions& options, Rng& rng);

}  // namespace ridgeline
