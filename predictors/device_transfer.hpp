// What a design costs on a new device, from few measurements there and its costs on other devices: few-shot transfer.
// The task is that of HELP (Lee, Lee, Shin and Hwang, NeurIPS 2021) and MAPLE (Abbasi, Wong and Shafiee, 2022).
//
// The cost is a combination of the others' costs, each in units of its own spread, with coefficients that are nowhere
// negative, as what is slower on one device is seldom faster on another, each drawn towards the same coefficient by a
// penalty; and of the same with amounts of the design itself beside them, its operators of each kind, say, for what
// another mix of them decides on the new device. Of either kind there are three, by their penalties. A prediction is
// their mean, weighted by the inverse eighth power of their mean absolute leave-one-out errors.
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

// Features of a row: its costs on the other devices, positive, as are the values, then amounts of the design, not
// negative where they are costly. fit() refuses costs that are not positive by std::invalid_argument. Predictions are
// positive: what a combination puts below a tenth of the least cost seen goes on towards 0 from there.
class DeviceTransfer final : public Predictor {
 public:
  // `pool`: m x (d + amounts), a row for each design there is, or for some: what features are in units of. The last
  // `amounts` columns are of the designs. Throws std::invalid_argument: no row or no device, costs that are not
  // positive and finite.
  explicit DeviceTransfer(const Eigen::Ref<const Eigen::MatrixXd>& pool, Eigen::Index amounts = 0);

  void fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) override;
  Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  double left_out_error() const override;
  Json save() const override;
  void load(const Json& state) override;

  // How much of the prediction each feature decides, in units of its spread: the mean coefficients. d + amounts.
  Eigen::VectorXd coefficients() const;

 private:
  Eigen::MatrixXd standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const;
  Eigen::ArrayXd positive(const Eigen::ArrayXd& values) const;

  Eigen::Index amounts_;
  Eigen::VectorXd centre_, scale_;  // d + amounts
  Eigen::MatrixXd combinations_;    // (d + amounts + 1) x combinations: coefficients, then the intercept
  Eigen::VectorXd shares_;          // of the combinations; empty before fit
  double least_ = 1;                // a tenth of the least cost seen
  double left_out_ = 0;
};

}  // namespace ridgeline
