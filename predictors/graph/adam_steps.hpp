// Adam (Kingma and Ba, ICLR 2015) over one vector of parameters.
#pragma once

#include <Eigen/Core>
#include <cmath>

namespace ridgeline {

class AdamSteps {
 public:
  explicit AdamSteps(Eigen::Index parameters)
      : first_(Eigen::VectorXd::Zero(parameters)), second_(Eigen::VectorXd::Zero(parameters)) {}

  // One step down `gradient`; both vectors have as many entries as the constructor was told. `decay` is taken off the
  // parameters themselves (Loshchilov and Hutter, ICLR 2019), times the rate.
  void step(Eigen::Ref<Eigen::VectorXd> parameters, const Eigen::Ref<const Eigen::VectorXd>& gradient, double rate,
            double decay = 0.0) {
    ++count_;
    first_ = keep_first * first_ + (1 - keep_first) * gradient;
    second_ = keep_second * second_ + (1 - keep_second) * gradient.cwiseAbs2();
    const double first_share = 1 - std::pow(keep_first, count_), second_share = 1 - std::pow(keep_second, count_);
    parameters *= 1 - rate * decay;
    parameters.array() -= rate * (first_.array() / first_share) / ((second_.array() / second_share).sqrt() + 1e-8);
  }

 private:
  static constexpr double keep_first = 0.9, keep_second = 0.999;
  Eigen::VectorXd first_, second_;  // moments of the gradient
  double count_ = 0;
};

}  // namespace ridgeline
