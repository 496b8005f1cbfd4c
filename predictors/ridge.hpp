// Linear regression with a Gaussian prior on its coefficients (Hoerl and Kennard, 1970; as Bayesian linear regression
// in Bishop, Pattern Recognition and Machine Learning, section 3.3).
#pragma once

#include <Eigen/Core>
#include <vector>

#include "predictors/predictor.hpp"

namespace ridgeline {

// argmin_w  sum_i weight_i (y_i - X_i w)^2 + sum_j penalty_j (w_j - prior_j)^2, with the posterior it implies.
// penalty_j = 0 leaves a coefficient free; the system must still be determined by the data then.
struct RidgeProblem {
  Eigen::VectorXd weight;   // n, >= 0; empty = all 1
  Eigen::VectorXd prior;    // d; empty = all 0
  Eigen::VectorXd penalty;  // d, >= 0; empty = all 1
};
struct RidgeSolution {
  Eigen::VectorXd coefficients;  // d
  Eigen::VectorXd loo_residual;  // n: y_i minus the prediction of a fit without row i (exact, by the hat matrix)
  Eigen::VectorXd leverage;      // n: diagonal of the hat matrix, in [0, 1]
};
// Throws std::invalid_argument: sizes, values that are not finite, negative weights; a system that is not determined.
RidgeSolution solve_ridge(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y,
                          const RidgeProblem& problem = {});

struct RidgeOptions {
  // Tried in turn; the one with the least squared leave-one-out error wins. Of standardised features.
  std::vector<double> penalties{1e-6, 1e-4, 1e-2, 1e-1, 1, 10, 100};
};

// The predictor: standardised features, a free intercept, the penalty by exact leave-one-out error.
class Ridge final : public Predictor {
 public:
  explicit Ridge(RidgeOptions options = {});  // throws std::invalid_argument: no penalty, or one that is not positive
  static std::unique_ptr<Predictor> make(JsonReader options);

  void fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) override;
  Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  Eigen::VectorXd predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  double left_out_error() const override;
  Json save() const override;
  void load(const Json& state) override;

  double penalty() const { return penalty_; }  // the one chosen
  // The mean is the intercept plus the product of slopes and features as they are given.
  struct Coefficients {
    Eigen::VectorXd slopes;  // d
    double intercept = 0;
  };
  Coefficients coefficients() const;  // throws std::logic_error before fit

 private:
  Eigen::MatrixXd standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const;

  RidgeOptions options_;
  bool fitted_ = false;
  double penalty_ = 0, intercept_ = 0, noise_variance_ = 0, rows_ = 0;
  Eigen::VectorXd centre_, scale_, coefficients_;  // d
  // The inverse of (X'X + penalty I), X the standardised features, is I / penalty - known known' with known = basis_
  // mix_: d x k and k x r, k the smaller of d and the rows, r the rank. Their product is larger than both where there
  // are many features, and not needed for the mean.
  Eigen::MatrixXd basis_, mix_;
};

}  // namespace ridgeline
