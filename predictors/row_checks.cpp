#include "predictors/row_checks.hpp"

#include <stdexcept>

namespace ridgeline {

void check_fit(const std::string& name, const Eigen::Ref<const Eigen::MatrixXd>& X,
               const Eigen::Ref<const Eigen::VectorXd>& y) {
  if (X.rows() != y.size()) throw std::invalid_argument(name + ": as many values as rows are needed");
  if (X.rows() == 0) throw std::invalid_argument(name + ": no rows");
  if (!X.allFinite() || !y.allFinite()) throw std::invalid_argument(name + ": a value is not finite");
}

void check_predict(const std::string& name, bool fitted, const Eigen::Ref<const Eigen::MatrixXd>& X,
                   Eigen::Index features) {
  if (!fitted) throw std::logic_error(name + ": predict before fit");
  if (X.cols() != features) throw std::invalid_argument(name + ": another number of features than in fit");
  if (!X.allFinite()) throw std::invalid_argument(name + ": a value is not finite");
}

}  // namespace ridgeline
