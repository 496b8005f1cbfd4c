// Multi-objective evolution on predicted values: which candidates a predictor-assisted searcher should try next.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "predictors/predictor.hpp"
#include "search/genome_features.hpp"
#include "search/network_features.hpp"
#include "search/trial_memory.hpp"

namespace ridgeline {

// Those that a search needs predicted, as indices: all but the ones that are neither optimised nor limited.
std::vector<std::size_t> modelled_objectives(std::span<const Objective> objectives);

// From what an objective is predicted: GenomeFeatures, PairFeatures, NetworkFeatures, or the one of them with the least
// left_out_error(), of each objective by itself.
enum class FeatureChoice : std::uint8_t { automatic, genes, pairs, network };
std::span<const std::string> feature_choice_names();  // "auto", "genes", "pairs", "network"

struct PredictionOptions {
  std::string predictor = "ridge";  // a name of predictors/
  FeatureChoice features = FeatureChoice::automatic;
};

// A predictor of each of some objectives, fitted on told trials. Pure once made.
class PredictedObjectives {
 public:
  // `modelled`: indices of setup.objectives, those with limits among them. `rows`: which of `trials`; at least one, all
  // with values. Genes it is where a set has no features, or pairs too many for a quick fit (10,000; of more than 600
  // rows the last are looked at). The space and the setup must outlive this.
  PredictedObjectives(const SearchSpace& space, const SearcherSetup& setup, std::span<const std::size_t> modelled,
                      const PredictionOptions& options, std::span<const Trial> trials,
                      std::span<const std::size_t> rows);

  FeatureChoice features_of(std::size_t k) const { return features_[k]; }  // of modelled[k]; not automatic

  // genomes.size() x modelled: minimised values, a row a genome.
  Eigen::MatrixXd predict(std::span<const Genome> genomes) const;
  // Trials as the predictions have them: infeasible where a predicted value breaks its limit, failed where one is not
  // finite; objectives that are not modelled have the value 0.
  std::vector<Trial> trials(std::span<const Genome> genomes) const;

 private:
  void fit(const SearchSpace& space, FeatureChoice choice, const std::string& name, std::span<const Trial> trials,
           std::span<const std::size_t> rows);

  const SearcherSetup* setup_;
  std::vector<std::size_t> modelled_;
  std::map<FeatureChoice, std::unique_ptr<FeatureSet>> sets_;  // those looked at
  std::vector<FeatureChoice> features_;                        // by modelled objective
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
