// Regression by a Gaussian process (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006).
#pragma once

#include <Eigen/Core>
#include <memory>
#include <vector>

#include "predictors/predictor.hpp"

namespace ridgeline {

struct GaussianProcessOptions {
  // Tried in turn with each other; the pair with the least squared leave-one-out error wins. Squared lengths are times
  // the mean squared distance of two rows, noise is a share of the variance that the process explains.
  std::vector<double> squared_lengths{0.25, 0.5, 1, 2, 4, 8};
  std::vector<double> noises{1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1};
  std::size_t choosing_rows = 150;  // the most that the choice looks at, spread evenly over all
};

// The predictor: constant mean, covariance v exp(-|x - x'|^2 / (2 l^2)) of features scaled to their range, so that rows
// of choices (one feature each) are as far apart as the choices in which they differ. v follows from the rows. The cost
// of a fit grows with the cube of the rows.
class GaussianProcess final : public Predictor {
 public:
  explicit GaussianProcess(
      GaussianProcessOptions options = {});  // throws std::invalid_argument: nothing to choose from
  static std::unique_ptr<Predictor> make(JsonReader options);

  // What `other` found out of its rows alone, however they were valued, is not found out again by a fit on the same
  // rows, which costs a fraction then. The result is the same. Not while either is being fitted on another thread.
  void share(const GaussianProcess& other) { known_ = other.known_; }
  void fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) override;
  Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  Eigen::VectorXd predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  double left_out_error() const override;  // the mean stays that of all rows
  Json save() const override;
  void load(const Json& state) override;

  double squared_length() const { return squared_length_; }  // those chosen
  double noise() const { return noise_; }

 private:
  struct Known;
  struct Factor;
  Eigen::MatrixXd scaled(const Eigen::Ref<const Eigen::MatrixXd>& X) const;
  void know_rows();
  void choose(const Eigen::VectorXd& centred);  // lengths and noise
  std::shared_ptr<const Factor> factor();       // of the choice
  void solve();                                 // what follows from rows_, values_ and the choice

  GaussianProcessOptions options_;
  Eigen::VectorXd least_, range_;  // d
  Eigen::MatrixXd rows_;           // n x d, scaled
  Eigen::VectorXd values_;         // n
  double squared_length_ = 1, noise_ = 1, mean_ = 0, variance_ = 0, left_out_ = 0;
  Eigen::VectorXd weights_;  // n: (K + noise I)^-1 (y - mean)
  std::shared_ptr<const Factor> factor_;
  std::shared_ptr<Known> known_;  // of rows_
};

}  // namespace ridgeline
