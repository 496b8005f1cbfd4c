// A multilayer perceptron that predicts a normal distribution, and the gradient of its loss: the part of an ensemble
// (predictors/mlp_ensemble.hpp) that has no data and no training of its own.
//
// Of a row x: h_0 = x, h_k = silu(W_k h_{k-1} + b_k), mean = v h_last + s x + c with a linear way past the layers
// ("wide and deep", Cheng et al., 2016), and a logarithm of the variance, bounded to (-8, 8). Parameters are one
// vector: W_k by columns and b_k layer by layer, then the outputs' 2 x h weights, their 2 biases, and s. Immutable and
// thread-safe.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "spaces/rng.hpp"

namespace ridgeline {

class Perceptron {
 public:
  // Throws std::invalid_argument: negative inputs, no hidden layer, or one without units.
  Perceptron(Eigen::Index inputs, std::vector<Eigen::Index> hidden);

  Eigen::Index size() const { return size_; }  // of the vector of parameters
  // Hidden weights normal with variance 2 / inputs of the layer (He et al., 2015); all that leads to the outputs 0, so
  // that the mean is 0 everywhere.
  Eigen::VectorXd initial(Rng& rng) const;

  struct Outputs {
    Eigen::ArrayXd mean, log_variance;  // n
  };
  struct InputSlopes {                   // by each input
    Eigen::MatrixXd mean, log_variance;  // d x n
  };
  // `columns`: d x n. Writes the outputs' derivatives by the inputs where asked for.
  Outputs outputs(const Eigen::VectorXd& parameters, const Eigen::Ref<const Eigen::MatrixXd>& columns,
                  InputSlopes* slopes = nullptr) const;

  // The parameters that decide the mean, apart.
  struct Parts {
    std::vector<Eigen::MatrixXd> weights;    // W_k
    std::vector<Eigen::VectorXd> biases;     // b_k
    Eigen::VectorXd mean_weights, straight;  // v, s
    double mean_bias = 0;                    // c
  };
  Parts parts(const Eigen::VectorXd& parameters) const;

  // Mean over the samples of (s + (y - mean)^2 exp(-s)) / 2, s the logarithm of the variance: the negative
  // log-likelihood without its constant; without `variances` s is 0 and left alone. Writes its gradient where asked
  // for. A column of `columns` (d x n) is a sample, n >= 1.
  double loss(const Eigen::VectorXd& parameters, const Eigen::Ref<const Eigen::MatrixXd>& columns,
              const Eigen::Ref<const Eigen::VectorXd>& y, bool variances, Eigen::VectorXd* gradient = nullptr) const;

 private:
  struct Pass;
  // The derivative of one of the outputs, before the logarithm of the variance is bounded.
  Eigen::MatrixXd input_slopes(const Eigen::VectorXd& parameters, const Pass& pass, Eigen::Index output) const;
  Pass pass(const Eigen::VectorXd& parameters, const Eigen::Ref<const Eigen::MatrixXd>& columns) const;

  Eigen::Index inputs_, size_ = 0;
  std::vector<Eigen::Index> hidden_;
};

}  // namespace ridgeline
