// Rows to fit: a linear function of normal features, with noise.
#pragma once

#include <Eigen/Core>

#include "spaces/rng.hpp"

namespace ridgeline {

struct Data {
  Eigen::MatrixXd X;
  Eigen::VectorXd y;
};

inline Data random_data(Eigen::Index n, Eigen::Index d, double noise, std::uint64_t seed) {
  Rng rng(seed);
  Data data{Eigen::MatrixXd(n, d), Eigen::VectorXd(n)};
  for (double& value : data.X.reshaped()) value = rng.normal();
  for (Eigen::Index i = 0; i < n; ++i) {
    data.y[i] = 3.0 + noise * rng.normal();
    for (Eigen::Index j = 0; j < d; ++j) data.y[i] += static_cast<double>(j + 1) * data.X(i, j);
  }
  return data;
}

}  // namespace ridgeline
