// A score learnt from stored trials, kept in a file of its own: it stands in for the evaluator that gave them, in any
// study of the same space (evaluator "predictor"), at a fraction of its time (ArchGym's proxy cost models, Krishnan et
// al., ISCA 2023).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/report/score_model.hpp"
#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "predictors/agreement.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {

// How far predictions were from values that they were not fitted on; natural units.
struct LearnedError {
  std::size_t trials = 0;
  double rmse = 0, mean_absolute = 0;
  double least = 0, most = 0;  // of the values, so that their range is most - least
  double spearman = 0;
  // In what was fitted; none of a score read from its file, and of values that have no logarithm where it is fitted.
  std::optional<PredictionAgreement> agreement{};
  double share() const { return most > least ? rmse / (most - least) : 0.0; }  // RMSE of the range
};

enum class ScoreKind : std::uint8_t { rows, transfer, graph };  // the kinds of ScoreModel

// What is fitted: a predictor on features, the transfer from other devices, or a network on graphs; of the values or of
// their logarithms.
struct LearnedForm {
  PredictedBy by;  // of rows
  bool logarithm = false;
  ScoreKind kind = ScoreKind::rows;
  std::string text() const;  // "xgboost on genes, of the logarithm", "transfer", "graph"
};

// What a form looks at beside the genes; null and empty where it does not.
struct ScoreSources {
  std::shared_ptr<const CostFeatures> costs{};  // of the space, where the features have costs
  std::shared_ptr<const OtherCosts> others{};   // of a transfer
  const Resources* resources = nullptr;         // of a graph network, to be trained without labels first
  std::optional<std::string> precision{};       // the format of everything in its networks
  GraphScoreOptions graph{};
};

class LearnedScore {
 public:
  std::string study, space_name, objective, unit;
  std::uint64_t space_fingerprint = 0;
  LearnedForm form;
  std::size_t trials = 0;  // that it was fitted on
  LearnedError held_out;   // of the same fit without these
  ScoreSources sources;

  // Throws ConfigError: unreadable, damaged, of another space than this, or of a device or table that has changed
  // since.
  static LearnedScore load(const std::string& path, std::shared_ptr<const SearchSpace> space,
                           const Resources& resources);
  Json save() const;

  // `values` natural, one a genome, at least one; all positive where the form is of logarithms. A graph network that
  // was fitted before keeps what it learnt without labels.
  void fit(std::shared_ptr<const SearchSpace> space, std::span<const Genome> genomes, const Eigen::VectorXd& values);
  // Natural units; NaN for a candidate of which nothing is known that the form looks at.
  Eigen::VectorXd predict(std::span<const Genome> genomes) const;
  // With deviations, of the values or, where the form says so, of their logarithms.
  Prediction predict_fitted(std::span<const Genome> genomes) const;

  const ScoreModel& model() const { return *model_; }  // once fitted or loaded
  const SearchSpace& space() const { return *space_; }

 private:
  std::unique_ptr<ScoreModel> make_model(std::span<const Genome> known) const;
  void save_sources(Json& json) const;
  void read_sources(JsonReader& root, const Resources& resources);

  std::shared_ptr<const SearchSpace> space_;
  std::unique_ptr<ScoreModel> model_;
};

struct LearningOptions {
  std::string study, objective;
  // Predictor: also "transfer" or "graph", the other kinds of ScoreModel. Features: any but network; what they say
  // nothing of is tried, costs where there are devices.
  PredictionOptions prediction{};
  std::vector<std::string> devices{};  // whose costs are features
  OtherCostSource from{};              // of a transfer
  GraphScoreOptions graph{};           // of a graph network
  double held_out = 0.2;               // the share of the trials that judge
  std::uint64_t seed = 1;              // decides which these are
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

// Which form, is decided by five-fold cross-validation on the trials that are not held out; in the end all are fitted.
// Throws ConfigError: no such study or objective, too few trials with values, features that need a decoded network.
LearnedScore learn_score(const Store& store, const Resources& resources, const LearningOptions& options);

// Of a study's trials of that objective, which it was not fitted on.
LearnedError judge_score(const LearnedScore& score, const Store& store, const StudyRecord& study);

// Seconds a candidate, of fresh ones drawn from the study's space: what gave its values, and the score in its place. On
// one thread; decoding, which a search does for either, is left out.
struct LearnedSpeed {
  std::size_t candidates = 0;
  double evaluator_s = 0, score_s = 0;
};
LearnedSpeed time_score(const LearnedScore& score, const Store& store, const Resources& resources,
                        const std::string& study);

}  // namespace ridgeline
