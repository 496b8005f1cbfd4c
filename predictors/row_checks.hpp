// What every predictor of rows refuses, in one place. `name` begins the messages: "ridge".
#pragma once

#include <Eigen/Core>
#include <string>

namespace ridgeline {

// Of fit. Throws std::invalid_argument: no rows, another number of values, values that are not finite.
void check_fit(const std::string& name, const Eigen::Ref<const Eigen::MatrixXd>& X,
               const Eigen::Ref<const Eigen::VectorXd>& y);
// Of predict. Throws std::logic_error before a fit; std::invalid_argument: another number of features than `features`,
// values that are not finite.
void check_predict(const std::string& name, bool fitted, const Eigen::Ref<const Eigen::MatrixXd>& X,
                   Eigen::Index features);

}  // namespace ridgeline
