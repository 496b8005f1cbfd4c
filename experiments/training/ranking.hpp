// Does a supernet order candidates as training each alone would? Candidates over the range of sizes are trained from
// scratch, through number formats where the supernet was, and both accuracies compared.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/training/supernet.hpp"
#include "experiments/training/train.hpp"

namespace ridgeline {

struct RankingConfig {
  std::size_t candidates = 12;
  std::uint64_t seed = 1;
  std::string folder;  // of the candidates' checkpoints; what is finished there is not trained again
  TrainConfig alone;   // how each is trained
};

struct RankedCandidate {
  Genome genome;
  std::int64_t macs = 0, parameters = 0;
  double inherited_accuracy = 0, alone_accuracy = 0;  // on the validation split, 0 to 1
};

struct SupernetRanking {
  std::vector<RankedCandidate> candidates;  // by ascending MACs
  double kendall = 0, spearman = 0;         // between the two accuracies
  // How much better, trained alone, the supernet's best is than the mean of all, in percent of it (Yu et al.,
  // Evaluating the search phase of NAS, 2020, arXiv:1902.08142).
  double relative_improvement = 0;
  double mean_loss = 0;  // of accuracy, of what is inherited against what was trained alone
  bool stopped = false;
};

// So many candidates, no two alike, at even quantiles of the multiply-accumulates of random ones, ascending. Throws
// ConfigError where the space has fewer.
std::vector<Genome> spread_candidates(const SearchSpace& space, std::size_t count, std::uint64_t seed);

struct RankingHooks {
  // Before candidate i is trained, and its training's own progress.
  std::function<void(std::size_t i, std::size_t count)> candidate;
  TrainHooks train;
};
// Throws as train_model and Supernet.
SupernetRanking rank_candidates(const Supernet& supernet, const Resources& resources, const RankingConfig& config,
                                const RankingHooks& hooks);

}  // namespace ridgeline
