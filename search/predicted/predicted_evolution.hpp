// Multi-objective evolution on predicted values: which candidates a predictor-assisted searcher should try next.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "predictors/gaussian_process.hpp"
#include "search/predicted/feature_set.hpp"
#include "search/predicted/trial_memory.hpp"
#include "search/predicted/value_shape.hpp"

namespace ridgeline {

// Those that a search needs predicted, as indices: all but the ones that are neither optimised nor limited.
std::vector<std::size_t> modelled_objectives(std::span<const Objective> objectives);

// What is left to choose is decided by the least left_out_error(), for each objective by itself: among ridge on genes,
// pairs and network, a Gaussian process on genes, on architecture and on profile, and where costs are given both on
// genes and costs; between shapes by its share of the variance.
struct PredictionOptions {
  std::string predictor = "auto";  // or a name of predictors/
  FeatureChoice features = FeatureChoice::automatic;
  bool shaped = false;  // an objective may be predicted logarithmically (search/predicted/value_shape.hpp)
  GivenFeatures given{};
};

// "predictor" and "features" of a searcher's options, with what holds where they are absent; and "device", the devices
// that `given.costs` are of. Notes features that are not given, and a device that they do not look at.
PredictionOptions read_prediction_options(JsonReader& options, const PredictionOptions& fallback,
                                          const GivenFeatures& given = {});

// Makes the given features that the options ask for and the space alone decides, once for all fits.
void make_given(PredictionOptions& options, const SearchSpace& space);

// What an objective is predicted by.
struct PredictedBy {
  std::string predictor;
  FeatureChoice features = FeatureChoice::genes;
  std::string text() const;                                          // "ridge on pairs"
  static std::optional<PredictedBy> parse(const std::string& text);  // nullopt: not what text() gives
  friend bool operator==(const PredictedBy&, const PredictedBy&) = default;
};

// A predictor of each of some objectives, fitted on told trials. Pure once made.
class PredictedObjectives {
 public:
  // `modelled`: indices of setup.objectives, those with limits among them. `rows`: which of `trials`; at least one, all
  // with values. Ridge on genes it is where a set has no features, or pairs too many for a quick fit (10,000). On
  // pairs, and by Gaussian processes, the last 600 rows are looked at. The space and the setup must outlive this.
  PredictedObjectives(const SearchSpace& space, const SearcherSetup& setup, std::span<const std::size_t> modelled,
                      const PredictionOptions& options, std::span<const Trial> trials,
                      std::span<const std::size_t> rows);

  const PredictedBy& predicted_by(std::size_t k) const { return by_[k]; }  // modelled[k]
  const ValueShape& shape(std::size_t k) const { return shapes_[k]; }      // in which it is predicted

  // genomes.size() x modelled: minimised values, a row a genome.
  Eigen::MatrixXd predict(std::span<const Genome> genomes) const;
  struct Uncertain {
    Eigen::MatrixXd mean, deviation;  // genomes.size() x modelled, minimised, in the objectives' shapes
  };
  Uncertain predict_uncertain(std::span<const Genome> genomes) const;
  // Trials as the predictions have them: infeasible where a predicted value breaks its limit, failed where one is not
  // finite; objectives that are not modelled have the value 0.
  std::vector<Trial> trials(std::span<const Genome> genomes) const;

 private:
  void fit(const SearchSpace& space, FeatureChoice choice, const GivenFeatures& given,
           std::span<const std::string> names, std::span<const Trial> trials, std::span<const std::size_t> rows);
  void fit_shape(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values, const ValueShape& shape,
                 const PredictedBy& by, std::size_t k, GaussianProcess& known);

  const SearcherSetup* setup_;
  std::vector<std::size_t> modelled_;
  std::map<FeatureChoice, std::shared_ptr<const FeatureSet>> sets_;  // those looked at
  bool shaped_;
  std::vector<PredictedBy> by_;  // by modelled objective
  std::vector<ValueShape> shapes_;
  std::vector<double> unexplained_;  // left-out error in the place of all that the values differ
  std::vector<std::unique_ptr<Predictor>> predictors_;
};

struct PredictedEvolution {
  std::size_t population = 60;
  std::size_t generations = 40;
  double near = 0.5;  // the share of what is returned that is bred from the best told, in one generation
};

// At most `count` candidates that are not remembered, best first by the predictions: `near` of them among children of
// the best told, bred by crossover and about one mutation, where the predictions are least far from what is known; the
// others among all that NSGA-II met when run on the predictions from the best told. Of either: the predicted front,
// thinned where it is larger by dropping the most crowded one at a time, then the next fronts. Decided by the arguments
// alone.
std::vector<Genome> predicted_best(const SearchSpace& space, const SearcherSetup& setup,
                                   const PredictedObjectives& models, const TrialMemory& memory,
                                   const PredictedEvolution& options, std::uint64_t seed, std::size_t count);

}  // namespace ridgeline
