#include "search/predicted/cross_validation.hpp"

#include <algorithm>
#include <stdexcept>

namespace ridgeline {

std::vector<OutOfSampleErrors> cross_validated(const SearchSpace& space, const SearcherSetup& setup,
                                               std::span<const std::size_t> modelled, const PredictionOptions& options,
                                               std::span<const Trial> trials, std::span<const std::size_t> rows,
                                               std::size_t folds) {
  if (rows.size() < 2 || folds < 2) throw std::invalid_argument("cross_validated: fewer than two rows or folds");
  folds = std::min(folds, rows.size());
  std::vector<std::size_t> order(rows.begin(), rows.end());
  Rng rng(setup.seed, "cross-validation");
  rng.shuffle<std::size_t>(order);
  std::vector<OutOfSampleErrors> errors(modelled.size());
  for (std::size_t fold = 0; fold < folds; ++fold) {
    std::vector<std::size_t> others, held;
    for (std::size_t i = 0; i < order.size(); ++i) (i % folds == fold ? held : others).push_back(order[i]);
    const PredictedObjectives models(space, setup, modelled, options, trials, others);
    std::vector<Genome> genomes;
    for (const std::size_t row : held) genomes.push_back(trials[row].genome);
    const Eigen::MatrixXd values = models.predict(genomes);
    for (std::size_t k = 0; k < modelled.size(); ++k) {
      for (std::size_t i = 0; i < held.size(); ++i) {
        errors[k].add(values(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(k)),
                      trials[held[i]].values[modelled[k]]);
      }
      errors[k].end_round();
    }
  }
  return errors;
}

}  // namespace ridgeline
