#include "search/policies/policy_gradient.hpp"

#include <algorithm>
#include <cmath>

namespace ridgeline {

Gradient reinforce(const Rollout& rollout, double advantage, double entropy_bonus) {
  Gradient made;
  for (std::size_t i = 0; i < rollout.size(); ++i) {
    made.value += advantage * rollout.log_probability(i) + entropy_bonus * rollout.entropy(i);
    made.by_decision.push_back({advantage, entropy_bonus, 0.0});
  }
  return made;
}

Gradient ppo(const Rollout& rollout, const Experience& experience, const PpoOptions& options) {
  Gradient made;
  for (std::size_t i = 0; i < rollout.size(); ++i) {
    const double advantage = experience.advantages[i];
    const double ratio = std::exp(rollout.log_probability(i) - experience.log_probabilities[i]);
    const double free = ratio * advantage;
    const double held = std::clamp(ratio, 1 - options.clip, 1 + options.clip) * advantage;
    const double error = rollout.value(i) - experience.reward;
    made.value += std::min(free, held) - options.critic * error * error + options.entropy_bonus * rollout.entropy(i);
    made.by_decision.push_back({free <= held ? free : 0.0, options.entropy_bonus, -2 * options.critic * error});
  }
  return made;
}

}  // namespace ridgeline
