// What a design costs on a new device, from few measurements there and its costs on other devices: few-shot transfer.
// The task is that of HELP (Lee, Lee, Shin and Hwang, NeurIPS 2021) and MAPLE (Abbasi, Wong and Shafiee, 2022).
//
// The cost is a combination of the others' costs, each in units of its own spread, with coefficients that are nowhere
// negative, as what is slower on one device is seldom faster on another, each drawn towards the same coefficient by a
// penalty. There are three kinds: of the costs; of their logarithms, for the logarithm; and of the costs and amounts of
// the design itself, its operators of each kind, say, for what another mix of them decides on the new device. Of each
// kind there are three, by their penalties. A prediction is their mean, weighted by the inverse eighth power of their
// mean absolute leave-one-out errors.
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

// Features of a row: its costs on the other devices, positive, as are the values, then amounts of the design, which
// make it no cheaper. fit() refuses costs that are not positive by std::invalid_argument. Predictions are positive:
// what is below a tenth of the least cost seen goes on towards 0 from there, and ten times the largest is the most.
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

  Eigen::Index devices() const { return devices_; }

 private:
  Eigen::MatrixXd described(const Eigen::Ref<const Eigen::MatrixXd>& X) const;
  Eigen::MatrixXd standardised(const Eigen::Ref<const Eigen::MatrixXd>& X) const;
  Eigen::ArrayXXd within_reach(const Eigen::ArrayXXd& costs) const;
  Eigen::MatrixXd costs_of(const Eigen::MatrixXd& rows) const;

  Eigen::Index devices_ = 0, amounts_;
  Eigen::VectorXd centre_, scale_;  // of costs, amounts and logarithms of costs
  Eigen::MatrixXd combinations_;    // (those + 1) x combinations: coefficients, then the intercept
  Eigen::VectorXd shares_;          // of the combinations; empty before fit
  double least_ = 1, most_ = 1;     // costs seen
  double left_out_ = 0;
};

}  // namespace ridgeline
