// Number formats, and with `all` the architecture, searched while a supernet trains and without training again after
// it: FLIQS (Dotzel et al., 2023, arXiv:2308.03290).
//
// A policy (search/policies/policy.hpp) draws one candidate a step, which is trained beside the others of that step,
// and learns from its reward: the accuracy on the step's own images before the update, less how far its cost is from
// the target (TuNAS's absolute reward, Bender et al., 2020, arXiv:2008.06120). Until then the supernet trains as
// without it. The entropy bonus falls to 0 by half a cosine, so that the policy explores first and decides last.
//
// A candidate that the cost's model does not support is drawn again, as one that breaks a constraint. Costs are of one
// image and are remembered by the function that the candidate computes. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "experiments/evaluator.hpp"
#include "experiments/training/train.hpp"
#include "search/policies/policy.hpp"

namespace ridgeline {

// quality - weight * |cost / target - 1|.
double absolute_reward(double quality, double cost, const ControllerConfig& config);

class Controller {
 public:
  // Throws ConfigError: a space without precision genes, a cost that nothing gives, a target that is none.
  Controller(const ModelSource& model, const Resources& resources, const ControllerConfig& config, std::uint64_t seed,
             std::uint64_t total_steps);
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  bool leads(std::uint64_t step) const { return step >= first_step_; }  // steps are counted from 0
  // Of that step; the same for the same policy, seed and step. Throws ConfigError where nothing that can be drawn has a
  // cost.
  Genome draw(std::uint64_t step);
  void learn(std::uint64_t step, const Genome& genome, double quality);

  Genome most_likely();
  // Of the most likely candidate's dimensions: 1 where their choices are uniform, 0 where they are decided.
  double entropy_share();
  std::optional<double> cost(const Genome& genome);
  std::uint64_t costs_fingerprint() const { return costs_->fingerprint(); }  // of a device's numbers; 0: counted
  const ChoicePolicy& policy() const { return *policy_; }

  Json save() const;
  void load(const Json& state);  // throws std::invalid_argument when it is of another policy

  // What the training ends with: "most_likely", with its "layers", and beside it the same architecture in each
  // "uniform" choice that all its precision dimensions have; those without a cost or against a constraint are left out.
  // Each with "genes", "cost" and "accuracy".
  Json found(const std::function<double(const Genome&)>& accuracy);

 private:
  Score score(const Genome& genome, const Design& design, std::uint64_t hash);
  std::vector<std::pair<Json, Genome>> uniform(const Genome& like) const;
  void check_costs();

  ControllerConfig config_;
  Resources resources_;
  SearchSpace space_;  // of one image
  std::unique_ptr<Evaluator> costs_;
  std::unique_ptr<ChoicePolicy> policy_;
  std::map<std::uint64_t, Score> known_;
  std::uint64_t seed_, first_step_, total_steps_;
};

}  // namespace ridgeline
