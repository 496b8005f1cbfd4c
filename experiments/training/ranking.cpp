#include "experiments/training/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "experiments/training/evaluate.hpp"
#include "kernels/pinning.hpp"
#include "predictors/metrics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t draws_a_candidate = 20;

}  // namespace

std::vector<Genome> spread_candidates(const SearchSpace& space, std::size_t count, std::uint64_t seed) {
  struct Draw {
    std::int64_t macs;
    Genome genome;
    auto operator<=>(const Draw&) const = default;
  };
  std::vector<Draw> draws;
  Rng rng(seed, "candidates to rank");
  while (draws.size() < count * draws_a_candidate) {
    Genome genome = space.sample(rng);
    draws.push_back({macs(space.decode(genome).network), std::move(genome)});
  }
  std::ranges::sort(draws);
  draws.erase(std::unique(draws.begin(), draws.end()), draws.end());
  if (draws.size() < count) {
    throw ConfigError(Problem{"--candidates", "", fmt::format("at most {}", draws.size()), std::to_string(count),
                              "space '" + space.name() + "' has few candidates"});
  }
  std::vector<Genome> spread;
  for (std::size_t i = 0; i < count; ++i) {
    spread.push_back(draws[count == 1 ? draws.size() / 2 : i * (draws.size() - 1) / (count - 1)].genome);
  }
  return spread;
}

SupernetRanking rank_candidates(const Supernet& supernet, const Resources& resources, const RankingConfig& config,
                                const RankingHooks& hooks) {
  const Dataset data = load_dataset(config.alone.data);
  supernet.check_data(data);
  const Recalibration recalibration(data.train, supernet.normalisation(), Recalibration::usual_images,
                                    config.alone.threads);
  TrainConfig training = config.alone;
  if (const std::string formats = trained_formats(supernet.checkpoint()); !formats.empty()) {
    training.quantize = TrainingFormats{formats, RoundingWay::fake};
  }
  const std::vector<Genome> genomes = spread_candidates(supernet.space(), config.candidates, config.seed);
  SupernetRanking ranking;
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    if (hooks.candidate) hooks.candidate(i, genomes.size());
    ModelSource model = supernet.checkpoint().model;
    model.genome = genomes[i];
    const std::string path = (std::filesystem::path(config.folder) / fmt::format("candidate_{:02}.ckpt", i)).string();
    const TrainResult trained = train_model(model, resources, training, path, hooks.train);
    if (trained.stopped) {
      ranking.stopped = true;
      return ranking;
    }
    const PinnedThreads pinned(config.alone.threads);
    const Design inherited = supernet.candidate(genomes[i], recalibration).executed();
    const ClassificationScores scores =
        evaluate_classifier(inherited, data.validation, supernet.normalisation(),
                            {.threads = config.alone.threads, .emulation = Emulation::missing});
    ranking.candidates.push_back({genomes[i], trained.macs, trained.parameters, scores.accuracy,
                                  trained.checkpoint.history.back().validation_accuracy});
  }
  std::vector<double> inherited, alone;
  double mean = 0;
  for (const RankedCandidate& one : ranking.candidates) {
    ranking.mean_loss += (one.alone_accuracy - one.inherited_accuracy) / static_cast<double>(ranking.candidates.size());
    inherited.push_back(one.inherited_accuracy);
    alone.push_back(one.alone_accuracy);
    mean += one.alone_accuracy / static_cast<double>(ranking.candidates.size());
  }
  ranking.kendall = kendall_tau_b(inherited, alone);
  ranking.spearman = spearman(inherited, alone);
  const auto best = std::ranges::max_element(inherited) - inherited.begin();
  ranking.relative_improvement = mean > 0 ? 100 * (alone[static_cast<std::size_t>(best)] - mean) / mean : 0;
  return ranking;
}

}  // namespace ridgeline
