// A stochastic policy over a space: for each chosen dimension a categorical distribution of its own, the softmax of one
// logit a choice, learned by REINFORCE (Williams, 1992, Machine Learning 8). What it draws is rewarded one candidate at
// a time, so it can lead a training while that goes on; it is no Searcher, which proposes batches and is told trials.
//
// A gene that is inactive in a candidate says nothing: its dimension has no part in the candidate's log-probability, in
// its entropy or in an update. The other dimensions, which the policy does not choose, have the genes of a base.
//
// An update climbs (reward - baseline) log p(candidate) + bonus * entropy by Adam (Kingma and Ba, 2015,
// arXiv:1412.6980), the baseline being a moving average of the rewards before. A dimension's moments change only with
// candidates in which it is active. Candidates that break a constraint are drawn again; log-probabilities are those of
// one draw, not of the draws that remain.
//
// Not thread-safe. Same space, options, candidates and rewards: the same state, bit for bit, also when it was saved and
// loaded in between.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

struct PolicyOptions {
  double learning_rate = 0.05;   // of Adam, whose decays are 0.9 and 0.999
  double baseline_decay = 0.95;  // of the moving average of rewards
};

// Choices lie in the order of the policy's dimensions, one number a choice.
struct PolicyState {
  std::vector<double> logits, first_moments, second_moments;
  std::vector<std::uint64_t> updates;  // one a dimension
  double baseline = 0;
  std::uint64_t rewards = 0;  // seen
};

class ChoicePolicy {
 public:
  // Uniform at first. `dims`: indices into space.dims(), each once; `base`: a genome of the space, which outlives the
  // policy. Throws std::invalid_argument.
  ChoicePolicy(const SearchSpace& space, std::vector<std::size_t> dims, Genome base, const PolicyOptions& options = {});

  // Whether a valid candidate will do; empty: every one will.
  using Accept = std::function<bool(const Genome&)>;
  // Normalised. Nothing where `most_draws` draws were all refused, by a constraint of the space or by `accept`.
  static constexpr int most_draws = 1000;
  std::optional<Genome> sample(Rng& rng, const Accept& accept = {}) const;
  // The likeliest choice of every dimension; where that is refused, the likeliest of many draws.
  std::optional<Genome> most_likely(Rng& rng, const Accept& accept = {}) const;

  std::span<const std::size_t> dims() const { return dims_; }
  std::span<const double> logits() const { return state_.logits; }
  std::vector<double> probabilities() const;  // one a choice
  double log_probability(const Genome& genome) const;
  std::vector<double> log_probability_gradient(const Genome& genome) const;  // one a logit
  // Of the dimensions that are active in the candidate, in nats: their sum.
  double entropy(const Genome& genome) const;
  std::vector<double> entropy_gradient(const Genome& genome) const;  // one a logit
  double most_entropy(const Genome& genome) const;                   // that of uniform choices

  // Throws std::invalid_argument: a reward or bonus that is not finite, a genome of another space.
  void update(const Genome& genome, double reward, double entropy_bonus = 0);

  const PolicyState& save() const { return state_; }
  void load(PolicyState state);  // throws std::invalid_argument when it is of other dimensions or not finite

 private:
  std::size_t choices(std::size_t i) const { return space_->dims()[dims_[i]].choices.size(); }
  std::span<const double> of(std::size_t i, const std::vector<double>& values) const {
    return std::span(values).subspan(offsets_[i], choices(i));
  }
  std::vector<std::size_t> active(const Genome& genome) const;  // indices into dims_

  const SearchSpace* space_;
  std::vector<std::size_t> dims_, offsets_;
  Genome base_;
  PolicyOptions options_;
  PolicyState state_;
};

}  // namespace ridgeline
