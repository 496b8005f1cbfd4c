// The controllers that choose a candidate together: one for all dimensions, or an agent for each group of them.
//
// A candidate is chosen along a ChoiceWalk: the agent that a dimension belongs to decides on it, among the choices that
// conditions and constraints leave (illegal actions have probability 0). Agents are decentralised: each has its own
// parameters and sees only its own choices and the context; what ties them together is the reward. A dimension that is
// inactive, has one choice or belongs to nobody is passed over.
//
// From a position of the order on a candidate may be at rest: its genes there are those of another candidate where they
// are allowed, else the first choice that is. They are decisions all the same, with one choice allowed and so the
// log-probability 0: what follows reads them.
//
// Parameters stay within +-100. Not thread-safe.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "search/policies/adam.hpp"
#include "search/policies/recurrent_policy.hpp"
#include "spaces/choice_walk.hpp"

namespace ridgeline {

struct Decision {
  std::uint32_t agent = 0, dim = 0;  // dim: of the agent's own
  std::uint16_t choice = 0;
  std::vector<std::uint8_t> allowed;  // one entry a choice
};
using Script = std::vector<Decision>;  // of a candidate, in the order of choosing

// A script gone through by the agents: what each decision's distribution was.
class Rollout {
 public:
  Rollout(std::span<const RecurrentPolicy> agents, const Script& script, std::span<const double> context);
  std::size_t size() const { return places_.size(); }
  double log_probability(std::size_t i) const { return passes_[places_[i].agent].log_probability(places_[i].step); }
  double entropy(std::size_t i) const { return passes_[places_[i].agent].entropy(places_[i].step); }
  double value(std::size_t i) const { return passes_[places_[i].agent].value(places_[i].step); }
  // Adds to one gradient an agent, given an objective's gradient by every decision's outcomes.
  void backward(std::span<const StepGradient> by_decision, std::span<Eigen::VectorXd> gradients) const;

 private:
  struct Place {
    std::uint32_t agent;
    std::size_t step;
  };
  std::vector<Pass> passes_;  // one an agent
  std::vector<Place> places_;
};

// The first `length` positions chosen, by the policy flattened by `temperature`, the others at rest.
struct Draw {
  std::span<const double> context;
  std::size_t length;
  const Genome* rest;
  double temperature = 1;
};

class Team {
 public:
  // `agents`: the dimensions of each, together those of the space with several choices, each once. The space must
  // outlive the team.
  Team(const SearchSpace& space, const std::vector<std::vector<std::uint32_t>>& agents, std::size_t context,
       std::size_t hidden, Rng& rng);

  std::size_t positions() const { return walk_.order().size(); }
  std::span<const RecurrentPolicy> agents() const { return controllers_; }

  // A candidate, and nothing where a mask could not decide and the walk came to a dead end.
  std::optional<Genome> draw(const Draw& how, Rng& rng);
  // How a valid, normalised candidate is chosen, at rest from position `length` on.
  Script script(const Genome& genome, std::size_t length);

  std::vector<Eigen::VectorXd> no_gradients() const;  // zeros, one vector an agent
  void ascend(std::span<const Eigen::VectorXd> gradients, double learning_rate);

  Json save() const;
  void load(JsonReader& reader, const std::string& key);  // notes problems

 private:
  static constexpr std::uint32_t nobody = 0xffffffff;
  struct Owner {
    std::uint32_t agent = nobody, dim = 0;
  };

  ChoiceWalk walk_;
  std::vector<Owner> owners_;  // by dimension
  std::vector<RecurrentPolicy> controllers_;
  std::vector<Adam> optimisers_;
};

// One agent for all dimensions that have several choices; an agent for each group of genes, or where only one group has
// any, for each dimension. At least one agent where a dimension has several choices, else none.
std::vector<std::vector<std::uint32_t>> one_agent(const SearchSpace& space);
std::vector<std::vector<std::uint32_t>> agents_by_group(const SearchSpace& space);

}  // namespace ridgeline
