// Gradient-boosted regression trees (Friedman, Greedy Function Approximation: A Gradient Boosting Machine, 2001), by
// XGBoost (Chen and Guestrin, 2016).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "predictors/predictor.hpp"

namespace ridgeline {

struct GradientBoostingOptions {
  std::size_t most_rounds = 1000;  // trees; how many of them are used is what predicts left-out rows best
  std::size_t depth = 6;
  double learning_rate = 0.1;
  double row_share = 0.8;  // of the rows that a tree is grown from, chosen anew for each
  std::size_t folds = 5;
};

// The predictor. One model for each fold, of the rows outside it, tells the error of left-out rows and the number of
// trees; one of all rows predicts. The deviation of a row is that error and how far the folds' models disagree about
// it. Features and values are rounded to 32 bits; one thread, so that the same rows give the same trees.
class GradientBoosting final : public Predictor {
 public:
  explicit GradientBoosting(GradientBoostingOptions options = {});  // throws std::invalid_argument: out of range
  static std::unique_ptr<Predictor> make(JsonReader options);
  ~GradientBoosting() override;

  void fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) override;
  Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  Eigen::VectorXd predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const override;
  double left_out_error() const override;
  Json save() const override;
  void load(const Json& state) override;

  std::size_t rounds() const { return rounds_; }  // trees of the latest fit

 private:
  class Booster;  // XGBoost's own
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  static Rows rounded(const Eigen::Ref<const Eigen::MatrixXd>& X);
  void choose_rounds(const Rows& X, const Eigen::VectorXf& y);

  GradientBoostingOptions options_;
  std::unique_ptr<Booster> all_;
  std::vector<std::unique_ptr<Booster>> folds_;
  std::size_t rounds_ = 0;
  Eigen::Index features_ = 0;
  double mean_ = 0, scale_ = 1;  // of the values: models predict (value - mean) / scale
  double left_out_ = 0;
};

}  // namespace ridgeline
