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

// What is fitted: a predictor on features, of the values or of their logarithms.
struct LearnedForm {
  PredictedBy by;
  bool logarithm = false;
  std::string text() const;  // "xgboost on genes, of the logarithm"
};

class LearnedScore {
 public:
  std::string study, space_name, objective, unit;
  std::uint64_t space_fingerprint = 0;
  LearnedForm form;
  std::size_t trials = 0;  // that it was fitted on
  LearnedError held_out;   // of the same fit without these

  // Throws ConfigError: unreadable, damaged, or of another space than this.
  static LearnedScore load(const std::string& path, std::shared_ptr<const SearchSpace> space);
  Json save() const;

  // `values` natural, one a genome, at least one; all positive where the form is of logarithms.
  void fit(std::shared_ptr<const SearchSpace> space, std::span<const Genome> genomes, const Eigen::VectorXd& values);
  Eigen::VectorXd predict(std::span<const Genome> genomes) const;  // natural units
  // With deviations, of the values or, where the form says so, of their logarithms.
  Prediction predict_fitted(std::span<const Genome> genomes) const;

 private:
  std::shared_ptr<const SearchSpace> space_;
  std::unique_ptr<FeatureSet> features_;
  std::unique_ptr<Predictor> predictor_;
};

struct LearningOptions {
  std::string study, objective;
  PredictionOptions prediction{};  // features: genes, architecture or pairs; what they say nothing of is tried
  double held_out = 0.2;           // the share of the trials that judge
  std::uint64_t seed = 1;          // decides which these are
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
