// Learned functions from features to a score, with uncertainty.
//
// Contract, held for every registered predictor by its conformance tests: fit() replaces what was learnt before and
// needs at least one row; predict() is pure and thread-safe and gives one mean and one standard deviation a row, zero
// rows included; the same data gives the same predictions; save() then load() predicts identically. Values that are not
// finite and matrices that do not fit throw std::invalid_argument, the const methods before fit() throw
// std::logic_error, and load() of another signature or a damaged state throws ConfigError.
#pragma once

#include <Eigen/Core>
#include <memory>
#include <span>
#include <string>

#include "spaces/json_reader.hpp"

namespace ridgeline {

struct Prediction {
  Eigen::VectorXd mean;    // n
  Eigen::VectorXd stddev;  // n, of one new observation (noise included)
};

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual void fit(const Eigen::Ref<const Eigen::MatrixXd>& X,                       // n x d, row = sample
                   const Eigen::Ref<const Eigen::VectorXd>& y) = 0;                  // n
  virtual Prediction predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const = 0;  // m x d
  // predict(X).mean, without the cost of the deviations where they have one of their own.
  virtual Eigen::VectorXd predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const { return predict(X).mean; }
  // Mean squared error of the rows of the latest fit, each predicted by a fit without it or without some rows that it
  // is among: how well other observations of that kind would be predicted. Saved with the state.
  virtual double left_out_error() const = 0;
  virtual Json save() const = 0;  // {"signature": "ridge/1", ...}
  virtual void load(const Json& state) = 0;
};

struct PredictorEntry {
  std::string name;
  std::string about;
  std::unique_ptr<Predictor> (*make)(JsonReader options);  // notes problems in the reader
};
std::span<const PredictorEntry> predictors();  // predictors/registry.cpp
// Throws ConfigError listing the known names. `options` is the predictor's own object, {} for its defaults.
std::unique_ptr<Predictor> make_predictor(const std::string& name, const Json& options = Json::object());

}  // namespace ridgeline
