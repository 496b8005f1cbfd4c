// The objectives that policies climb, as what they give and how they change with every decision's outcome. Pure, so
// that their gradients can be held against finite differences.
#pragma once

#include <vector>

#include "search/policies/team.hpp"

namespace ridgeline {

struct Gradient {
  double value = 0;  // of the objective
  std::vector<StepGradient> by_decision;
};

// REINFORCE (Williams, 1992): advantage * log-probability of the whole candidate + entropy_bonus * its entropy.
Gradient reinforce(const Rollout& rollout, double advantage, double entropy_bonus);

struct PpoOptions {
  double clip = 0.2;
  double critic = 0.5;  // the weight of the value's squared error
  double entropy_bonus = 0.01;
};

// Proximal policy optimisation (Schulman et al., 2017, arXiv:1707.06347, equations 7 and 9), the means of a candidate's
// decisions replaced by sums: over the decisions, min(r A, clip(r, 1 - e, 1 + e) A) - critic * (value - reward)^2 +
// entropy_bonus * entropy, where r is the probability beside the one it was drawn with. One entry a decision in both
// spans. The reward comes with the last decision and is not discounted, so that it is every state's return.
struct Experience {
  std::span<const double> log_probabilities;  // when it was drawn
  std::span<const double> advantages;
  double reward = 0;
};
Gradient ppo(const Rollout& rollout, const Experience& experience, const PpoOptions& options);

}  // namespace ridgeline
