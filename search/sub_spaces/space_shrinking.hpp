// Shrinking a search space by quality and diversity: Chen, Peng, Fu and Ling, "One-Shot Neural Ensemble Architecture
// Search by Diversity-Guided Search Space Shrinking" (NEAS), 2021, arXiv:2104.00597. Over several rounds the choices
// with the lowest scores are dropped; a score mixes how good candidates with the choice are with how different they are
// from those with another choice in its place.
//
// Candidates are drawn from what is left of the space and ranked by their predicted values, by non-dominated fronts;
// the best of them are the contexts. In each context a dimension's choices take each other's place:
//   quality     of a choice: the mean place in the ranking, 1 the best and 0 the worst, of the contexts with it
//   diversity   the mean distance of the contexts with it to those with each other choice that is left, in predicted
//               objectives over their standard deviation; over the largest of the round
//   score       (1 - share) * quality + share * diversity
// A pass drops the lowest, at most one of a dimension; passes with new scores follow until the round has reached its
// size. What would leave nothing valid is kept. The result depends on the arguments alone.
// Departures from the paper: predictors fitted on a study's trials take the place of a supernet that is trained between
// rounds, and distances of their values that of the divergence of two paths' class probabilities.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "search/sub_spaces/space_evolution.hpp"

namespace ridgeline {

struct SpaceShrinkingSetup {
  std::uint64_t seed = 1;
  std::vector<Objective> objectives{};  // of the predicted values
  std::size_t rounds = 4;
  std::optional<double> log10_size{};  // to be reached; half of the space's where there is none
  std::size_t least = 1;               // choices left of each dimension
  double diversity = 0.25;             // its share of a score
  std::size_t candidates = 400;        // drawn for each scoring
  std::size_t contexts = 32;           // for each dimension
  std::vector<Genome> known{};         // good candidates, which are looked at beside those drawn
  std::function<void(std::size_t done, std::size_t total)> progress{};  // rounds
};

struct ScoredChoice {
  std::size_t dim = 0;
  std::uint16_t gene = 0;  // of the whole space
  double quality = 0, diversity = 0, score = 0;
};

struct ShrinkingRound {
  double log10_before = 0, log10_after = 0;
  std::vector<ScoredChoice> dropped;  // in the order of dropping
};

struct SpaceShrinking {
  KeptGenes kept;
  std::vector<ShrinkingRound> rounds;
  bool reached = false;  // the size that was asked for
};

// The scores of what a space that keeps `kept` may drop: of dimensions with more than setup.least choices.
std::vector<ScoredChoice> choice_scores(const SearchSpace& space, const KeptGenes& kept,
                                        const PredictedTrials& predicted, const SpaceShrinkingSetup& setup);

// `predicted` is called with candidates of `space` and gives minimised values, one an objective. Throws ConfigError: a
// size that is not below the space's; std::invalid_argument: no rounds, candidates, contexts or least choices, a share
// beyond 0 to 1.
SpaceShrinking shrink_space(const SearchSpace& space, const PredictedTrials& predicted,
                            const SpaceShrinkingSetup& setup);

}  // namespace ridgeline
