// What a design costs on a new device, from few measurements there and its costs on other devices: few-shot transfer.
// The task is that of HELP (Lee, Lee, Shin and Hwang, NeurIPS 2021) and MAPLE (Abbasi, Wong and Shafiee, 2022).
//
// The logarithm of the cost is a combination of the standardised logarithms of the others' costs. Four combinations
// are fitted with coefficients that are nowhere negative, as what is slower on one device is seldom faster on another,
// and four with any sign, each drawn towards the same coefficient for all devices by a penalty of its own. A prediction
// is their mean, weighted by the inverse eighth power of their mean absolute leave-one-out errors: the others' alike
// are found by few samples, and measurements far off do not decide alone.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "predictors/predictor.hpp"

namespace ridgeline {

// argmin_w |y - X w|^2 + penalty |w - prior|^2 with w >= 0: coordinate descent to the relative precision 1e-10, at most
// 10,000 rounds. X: n x d. Throws std::invalid_argument: sizes, values that are not finite, a penalty below 0, no
// column.
Eigen::VectorXd nonnegative_ridge(const Eigen::Ref<const Eigen::MatrixXd>& X,
                                  const Eigen::Ref<const Eigen::VectorXd>& y, double penalty, double prior);

// Features of a row: its costs on the other devices, positive, as are the values. fit() refuses others by
// std::invalid_argument; deviations are those of the logarithm, times the mean.
class DeviceTransfer final : public Predictor {
 public:
  // `pool`: m x d, costs on the other devices of the designs there are, a row a design: what they are standardised by.
  // Throws std::invalid_argument: no row or column, values that are not positive and finite.
  explicit DeviceTransfer(const Eigen::Ref<const Eigen::MatrixXd>& pool);

  void fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) override;
  Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  double left_out_error() const override;  // in natural units
  Json save() const override;
  void load(const Json& state) override;

  // How much of the prediction each other device decides: the mean coefficients. d.
  Eigen::VectorXd coefficients() const;

 private:
  Eigen::MatrixXd standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const;

  Eigen::VectorXd centre_, scale_;   // d, of logarithms
  Eigen::MatrixXd combinations_;     // (d + 1) x combinations: coefficients, then the intercept
  Eigen::VectorXd shares_;           // of the combinations; empty before fit
  double noise_ = 0, left_out_ = 0;  // noise_: variance of the logarithm
};

}  // namespace ridgeline
