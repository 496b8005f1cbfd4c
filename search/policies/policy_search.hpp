// Reinforcement learning of a policy over the choices of a space, as three searchers with one core.
//
// - `reinforce`: a recurrent controller chooses dimension after dimension (Zoph and Le, 2017) and climbs (reward -
//   baseline) * log-probability + "entropy" * entropy (Williams, 1992). The baseline is a moving average of the rewards
//   of a direction.
// - `ppo`: the same controller with a critic and "epochs" steps a batch on the clipped surrogate (Schulman et al.,
//   2017). Advantages are reward less value, standardised over the batch.
// - `multi-agent`: an agent for each group of genes (architecture, precision, hardware ...), or where only one group
// has
//   several choices for each dimension, decentralised with a shared reward (Krishnan et al., "Multi-agent reinforcement
//   learning for microprocessor design space exploration", 2022).
// All by Adam. Rewards, directions and constraints: reward_memory.hpp. Masks, decisions: team.hpp. A candidate that is
// remembered is drawn again, at ever higher temperature, up to 10 times; a walk that comes to a dead end as well, after
// which a random candidate takes its place. A trial that is told again teaches nothing more, but raises the temperature
// at which drawing begins until new ones come again.
//
// Options: "batch" (episodes an update, default 4), "hidden" (LSTM units, 16; 8 for multi-agent), "learning_rate"
// (0.02; 0.03 for REINFORCE), "entropy" (bonus, 0.01), "window" (candidates that a reward compares with, 100),
// "directions" (at most, 10), "replay" (elites of a direction that are imitated, 8; 0: none) and "replay_weight" (1);
// of ppo "epochs" (4), "clip" (0.2) and "critic" (weight of the value's error, 0.5); of reinforce "baseline" (decay of
// the moving average, 0.9). multi-agent has "update", "ppo" (default) or "reinforce", and the options of both. "replay"
// is priority queue training (Abolafia et al., 2018, arXiv:1801.03526): beside every episode one of the best candidates
// of its direction is made more likely. Importance weights would do the same without a bias, but the ratio of two
// policies over tens of decisions is either near 0 or unbounded. Curriculum (curriculum.hpp): "curriculum" (stages, 1:
// none), "successes", "patience", "halting" (0: none), "failures", and "rest": what the dimensions that are not chosen
// are: "best", the best candidate known, or "first", the first choice of each (default where episodes are halted).
//
// State: parameters and moments of the agents, baselines, curriculum, the window and the elites, episodes that wait for
// an update, the next new trial's id. Its size does not grow with the run; it is about 60 bytes a parameter.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_reinforce(const SearchSpace& space, const SearcherSetup& setup);
std::unique_ptr<Searcher> make_ppo(const SearchSpace& space, const SearcherSetup& setup);
std::unique_ptr<Searcher> make_multi_agent(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
