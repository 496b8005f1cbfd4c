// Evolution of a search space: Wang, Zhang, Xu, Zhang, Wang and Yang, "SpaceEvo: Hardware-Friendly Search Space Design
// for Efficient INT8 Inference", 2023, arXiv:2303.08308. A space is scored by the best quality that its candidates
// reach within each of several costs on a device (the paper's Q-T score), and aging evolution (Real, Aggarwal, Huang
// and Le, 2019) looks for the sub-space (search/sub_spaces/sub_spaces.hpp) with the highest score. It begins with the
// choices that the front of the starting space uses most, where there are more sub-spaces than are scored.
//
// The best quality within each target comes from one short NSGA-II a sub-space, on predicted values alone, begun with
// the front of the starting space moved to the nearest choices that are left. A sub-space's score depends on the
// sub-space and the seed, not on when it is scored; none is scored twice. The result depends on the arguments alone.
// Departures from the paper: sub-spaces keep some choices of given dimensions in place of a stage's operator and width
// range; and predictors fitted on a study's trials take the place of a supernet that is trained block by block.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "search/sub_spaces/sub_spaces.hpp"
#include "search/trial.hpp"

namespace ridgeline {

// Candidates of the starting space as predicted trials: status ok, infeasible (a limit is broken) or failed; `values`
// are {minimised quality, cost}.
using PredictedTrials = std::function<std::vector<Trial>(std::span<const Genome>)>;

struct SpaceEvolutionSetup {
  std::uint64_t seed = 1;
  std::size_t spaces = 120;       // sub-spaces scored in all; fewer where there are not so many
  std::size_t population = 16;    // of sub-spaces, the latest
  std::size_t tournament = 4;     // of which the best is a parent
  double crossover = 0.5;         // chance of a second parent
  std::vector<double> targets{};  // costs; empty: target_count of them from the starting space's front
  std::size_t target_count = 5;
  std::size_t candidates = 40;   // a generation of the inner evolution
  std::size_t generations = 20;  // of it; four times as many for the starting space
  std::vector<Genome> known{};   // good candidates of the starting space, which its evolution begins with
  double worst_quality = 0;      // what a target that nothing meets counts as, natural
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

struct ScoredSpace {
  KeptGenes kept;
  std::vector<std::optional<double>> quality;  // natural, the best at each target; none where nothing meets it
  double score = 0;                            // their mean, worst_quality where there is none
  double least_cost = 0;                       // of any candidate met; infinite where there is none
};

struct SpaceEvolution {
  std::vector<double> targets;      // ascending
  ScoredSpace start;                // the starting space, by every candidate that was met in any sub-space too
  std::vector<ScoredSpace> scored;  // best first, by score, then by the least cost
  double sub_spaces = 0;            // how many there are
};

// `targets` from a front: evenly over the logarithm from the least cost (itself not among them, as one candidate alone
// meets it) to the greatest (the last): a space that is good only for small costs loses the rest of the front. Costs
// are above 0 and at least one.
std::vector<double> spread_targets(std::span<const double> front_costs, std::size_t count);

// `predicted` is called with candidates of sub_spaces.space(). Throws ConfigError: nothing in the space is predicted to
// have a cost above 0 within its limits, or no sub-space meets any target; std::invalid_argument: no spaces, a
// population or tournament of 0, targets that are not above 0 and finite.
SpaceEvolution evolve_space(const SubSpaces& sub_spaces, const PredictedTrials& predicted,
                            const SpaceEvolutionSetup& setup);

}  // namespace ridgeline
