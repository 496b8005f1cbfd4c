// How many dimensions a policy is free to choose, and when it is given more: a curriculum whose threshold tightens on
// success, as in Patel et al., "Curriculum reinforcement learning for quantum architecture search under hardware
// errors", 2024 (after Ostaszewski et al., 2021), and its random halting of episodes.
//
// A stage frees a further share of the dimensions, in the order of choosing; the others are at rest. A candidate
// succeeds when its reward, in [-1, 1], is above the threshold, 0 at first, and is then rewarded by 1 in its place.
// After `successes` of them the threshold goes half way from where it is to 1 (to 0.9 at most), and after `patience`
// candidates without that it goes back one such step, to 0 at least; either way the next stage begins, so that no stage
// lasts for ever.
//
// Halting ends an episode early, at random: after each dimension with chance `halting`, at the failures-th time, so
// that the number of dimensions chosen has a negative binomial distribution; what remains is at rest. It leads to
// candidates that differ from the rest in few choices: short or cheap ones where the rest is.
#pragma once

#include "spaces/json_reader.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

struct CurriculumOptions {
  std::size_t stages = 1;  // 1: none, everything is free and rewards are as they are
  std::size_t successes = 5;
  std::size_t patience = 50;
  double halting = 0;  // chance after a dimension; 0: never
  std::size_t failures = 1;
};

class Curriculum {
 public:
  Curriculum(const CurriculumOptions& options, std::size_t dims) : options_(options), dims_(dims) {}

  std::size_t free() const;            // of the dimensions, at least 1
  std::size_t length(Rng& rng) const;  // of an episode: halted, or free()
  double judge(double reward);         // what the reward counts for; counts the candidate
  std::size_t stage() const { return stage_; }
  double threshold() const { return threshold_; }

  Json save() const;
  void load(JsonReader& reader, const std::string& key);  // notes problems

 private:
  void next_stage(double threshold);

  CurriculumOptions options_;
  std::size_t dims_;
  std::size_t stage_ = 1, successes_ = 0, waited_ = 0;
  double threshold_ = 0;
};

}  // namespace ridgeline
