// Regression by an ensemble of multilayer perceptrons: Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable
// Predictive Uncertainty Estimation using Deep Ensembles", NeurIPS 2017; for architecture search, BANANAS (White,
// Neiswanger and Savani, AAAI 2021).
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "predictors/perceptron.hpp"
#include "predictors/predictor.hpp"

namespace ridgeline {

struct MlpOptions {
  std::size_t members = 6;
  std::vector<Eigen::Index> hidden{32, 32};  // units a layer
  std::size_t most_epochs = 300;
  std::size_t patience = 40;  // epochs without a better one, by the rows left out
  std::size_t batch = 32;     // rows a step
  double learning_rate = 0.01;
  double weight_decay = 0.01;  // of Adam's steps, decoupled (Loshchilov and Hutter, 2019)
  bool variances = false;      // every member also learns how uncertain a row is
  std::uint64_t seed = 1;      // decides initial weights, which rows a member leaves out and the order of the others
};

// The predictor. Features and values are standardised. Every member leaves a share of the rows out, another one each,
// begins elsewhere, and is what it was at the epoch (Adam, Kingma and Ba, 2015) that predicts its left-out rows best.
// The mean is that of the members; the variance how far they disagree and what they expect themselves, both times one
// factor, so that left-out rows are as far off as the variances say. One thread.
class MlpEnsemble final : public Predictor {
 public:
  explicit MlpEnsemble(MlpOptions options = {});  // throws std::invalid_argument: out of range
  static std::unique_ptr<Predictor> make(JsonReader options);

  void fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) override;
  Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  Eigen::VectorXd predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  double left_out_error() const override;

  // A prediction with what makes it uncertain apart, as deviations: aleatoric is what the members expect of the rows
  // themselves, epistemic how far the members disagree. The squares of both add up to that of predict().stddev where
  // neither is below a millionth of the values' deviation, which stands for less.
  struct Parts {
    Eigen::VectorXd mean, aleatoric, epistemic;  // n
  };
  struct PartSlopes {                            // by each feature
    Eigen::MatrixXd mean, aleatoric, epistemic;  // n x d
  };
  Parts parts(const Eigen::Ref<const Eigen::MatrixXd>& X, PartSlopes* slopes = nullptr) const;  // as predict()
  Json save() const override;
  void load(const Json& state) override;

  // The mean as layers on features as they are given: the sum over members of what the last of their layers says, silu
  // between layers, plus a linear function. Each of the members' shares is part of their last layers.
  struct Layer {
    Eigen::MatrixXd weights;  // outputs x inputs
    Eigen::VectorXd biases;   // outputs
  };
  struct Layers {
    std::vector<std::vector<Layer>> members;
    Eigen::VectorXd straight;  // d: the linear function of all members together
    double intercept = 0;
  };
  Layers layers() const;  // throws std::logic_error before fit

 private:
  struct Spread {
    Eigen::ArrayXd mean, variance;  // n; of standardised values, before the factor
  };
  Eigen::MatrixXd columns(const Eigen::Ref<const Eigen::MatrixXd>& X) const;  // d x n, standardised
  Spread spread(const Eigen::MatrixXd& columns) const;
  Eigen::VectorXd train(const Perceptron& network, std::size_t member, const Eigen::MatrixXd& columns,
                        const Eigen::VectorXd& y) const;
  void judge(const Eigen::MatrixXd& columns, const Eigen::VectorXd& y);  // noise_, factor_ and left_out_

  MlpOptions options_;
  std::vector<Eigen::Index> shape_;       // hidden units of the latest fit or load
  std::vector<Eigen::VectorXd> members_;  // parameters
  Eigen::VectorXd centre_, scale_;        // d
  bool variances_ = false;                // of the latest fit or load
  double mean_ = 0, deviation_ = 1;       // of the values
  double noise_ = 1, factor_ = 1;         // noise_: the variance of members that have none of their own
  double left_out_ = 0;                   // in the values' unit, squared
};

}  // namespace ridgeline
