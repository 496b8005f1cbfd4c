// What a policy is rewarded with, for any number of objectives, and the best candidates to imitate.
//
// The reward of a candidate is its place among the candidates told last (the window): the share of them that it beats
// less the share that beats it, in [-1, 1]; where all are alike it is 0. A failed candidate has -1. Candidates compare
// by constraint domination: the smaller violation first, then, of feasible ones, the smaller distance along a
// direction: the weighted Tchebycheff distance from the best values of the elites, in their ranges (Zhang and Li, 2007,
// equation 5). So the reward needs no unit, no penalty for what is infeasible and no bound on what objectives may be,
// and no value, however large, can upset the policy; that a candidate which is only a little better is rewarded as one
// that is much better is the price.
//
// With several objectives there are several directions, spread evenly, and the policy is told which one a candidate is
// for: one policy that knows a way to every part of the front, non-convex ones included, where the mean over random
// weights would know one compromise, and the hypervolume's growth would reward ever less what was good.
//
// Elites: the best distinct candidates of each direction. Not thread-safe (buffers).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "search/fronts/population.hpp"

namespace ridgeline {

struct RewardMemoryOptions {
  std::size_t window = 100;     // candidates, at least 1
  std::size_t elites = 10;      // of a direction, at least 1
  std::size_t directions = 10;  // at most, for several objectives
};

class RewardMemory {
 public:
  // Throws ConfigError when no objective is optimised.
  RewardMemory(const SearchSpace& space, const SearcherSetup& setup, const RewardMemoryOptions& options);

  std::size_t directions() const { return directions_.size(); }
  std::span<const double> direction(std::size_t i) const { return directions_[i]; }  // a weight an objective

  void add(const Trial& trial);
  double reward(const Trial& trial, std::size_t direction) const;  // of one that was added
  bool knows(const Genome& genome) const;                          // in the window or an elite
  // The elites of a direction, the best first.
  std::size_t elites(std::size_t direction) const { return best_[direction].size(); }
  Genome elite(std::size_t direction, std::size_t rank) const { return elites_.genome(best_[direction][rank]); }

  Json save() const;
  void load(JsonReader& reader, const std::string& key);  // notes problems

 private:
  struct Worth {  // the smaller the better, the first number before the second
    double violation, distance;
    friend auto operator<=>(const Worth&, const Worth&) = default;
  };
  Worth worth(const Population& population, std::size_t member, std::size_t direction) const;
  void rank();
  bool is_elite(const Population& population, std::size_t member) const;

  RewardMemoryOptions options_;
  std::vector<std::vector<double>> directions_;
  Population window_, elites_;
  Population told_;                               // the one told last
  std::vector<double> ideal_, range_;             // of the feasible elites, by objective
  std::vector<std::vector<std::uint32_t>> best_;  // elites by direction
};

}  // namespace ridgeline
