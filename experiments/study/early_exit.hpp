// Early exit (Termritthikun et al., "EEEA-Net: an early exit evolutionary neural architecture search", 2021,
// arXiv:2108.06156): candidates whose cost is beyond a threshold are rejected before they are evaluated, in the first
// population and among all that is bred later, and others take their place.
//
//   {"name": "parameters", "limit": 5e6, "early_exit": true, "from": {"evaluator": "count", "quantity": "parameters"}}
//
// It is the space that refuses them (SearchSpace::refusing), so that every searcher keeps to it. The cost must be a
// computed one (of Fidelity::analytic), because it is asked for of every candidate that is only thought of. A candidate
// that its evaluator has no answer for is not rejected: the study finds out why.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "experiments/evaluator.hpp"
#include "experiments/study/study_config.hpp"

namespace ridgeline {

class EarlyExit {
 public:
  struct Rule {
    Objective objective;  // its limit is the threshold
    std::unique_ptr<Evaluator> evaluator;
  };

  // `space`: the one without early exit.
  EarlyExit(StudyConfig config, SearchSpace space, std::vector<Rule> rules);

  // Why the candidate is rejected; nullopt where it is not. Thread-safe; each candidate is computed once.
  std::optional<std::string> operator()(const Genome& genome);

  // How many different candidates each rule rejected, by its words; those that rejected any.
  std::vector<std::pair<std::string, std::int64_t>> rejected() const;

 private:
  std::size_t rule_broken(const Genome& genome);  // rules_.size(): none

  StudyConfig config_;
  SearchSpace space_;
  std::vector<Rule> rules_;
  std::vector<std::string> words_;
  std::vector<std::int64_t> counts_;
  std::unordered_map<std::uint64_t, std::size_t> known_;  // genome -> rule
  mutable std::mutex mutex_;
};

}  // namespace ridgeline
