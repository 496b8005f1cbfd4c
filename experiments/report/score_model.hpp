// What a learnt score (experiments/report/learned_score.hpp) consists of: from candidates of a space to one value.
//
// Three kinds: a predictor on rows of features; the transfer from costs on other devices; a network on graphs. Values
// are as they are given to fit(). predict() gives NaN for a candidate that cannot be predicted: nothing is known of it
// that the kind looks at. Pure and thread-safe once fitted or loaded; the space must outlive a model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "experiments/cost_features.hpp"
#include "experiments/other_costs.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {

class ScoreModel {
 public:
  virtual ~ScoreModel() = default;
  virtual void fit(std::span<const Genome> genomes, const Eigen::VectorXd& values) = 0;  // at least one
  virtual Prediction predict(std::span<const Genome> genomes) const = 0;
  virtual Eigen::VectorXd predict_mean(std::span<const Genome> genomes) const { return predict(genomes).mean; }
  virtual Json save() const = 0;
  virtual void load(const Json& state) = 0;  // throws ConfigError
  // Of a kind that has rows of features, else null.
  virtual const FeatureSet* features() const { return nullptr; }
  virtual const Predictor* predictor() const { return nullptr; }
};

// Throws ConfigError where the space has no such features; `known`: candidates that are, for features of networks.
std::unique_ptr<ScoreModel> make_row_model(const SearchSpace& space, const PredictedBy& by,
                                           std::shared_ptr<const CostFeatures> costs, std::span<const Genome> known);

std::unique_ptr<ScoreModel> make_transfer_model(std::shared_ptr<const OtherCosts> others);

struct GraphScoreOptions {
  std::size_t pretrain = 0;        // random candidates that it is trained on without labels; 0: none
  std::string device = "pixel_6";  // whose estimated latency is then among what is free to know
  std::uint64_t seed = 1;
  std::function<void(std::size_t done, std::size_t total)> progress{};
};
// A graph predictor (predictors/graph/graph_regressor.hpp) on candidates' networks in `precision`, where that is given.
std::unique_ptr<ScoreModel> make_graph_model(const SearchSpace& space, const Resources& resources,
                                             const std::optional<std::string>& precision,
                                             const GraphScoreOptions& options);

}  // namespace ridgeline
