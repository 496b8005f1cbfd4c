#include "search/allocation/memory_mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "search/allocation/exact_allocation.hpp"
#include "search/policies/policy.hpp"

namespace ridgeline {
namespace {

// The bytes of the fast memory that are taken, step by step.
class Occupancy {
 public:
  explicit Occupancy(const MappingProblem& problem) : capacity_(problem.capacity_bytes), taken_(problem.steps(), 0.0) {}

  bool fits(const MappedTensor& tensor) const {
    return std::all_of(at(tensor.first_step), at(tensor.last_step + 1),
                       [&](double taken) { return taken + tensor.bytes <= capacity_; });
  }
  void take(const MappedTensor& tensor) {
    for (std::size_t k = tensor.first_step; k <= tensor.last_step; ++k) taken_[k] += tensor.bytes;
  }
  double peak() const { return taken_.empty() ? 0.0 : *std::ranges::max_element(taken_); }

 private:
  std::vector<double>::const_iterator at(std::size_t step) const {
    return taken_.begin() + static_cast<std::ptrdiff_t>(step);
  }
  double capacity_;
  std::vector<double> taken_;
};

// In this order, each that is wanted and fits.
std::vector<bool> taken_in_order(const MappingProblem& problem, const std::vector<std::size_t>& order,
                                 const std::vector<bool>& wanted) {
  Occupancy occupancy(problem);
  std::vector<bool> fast(problem.tensors.size(), false);
  for (const std::size_t t : order) {
    if (!wanted[t] || !occupancy.fits(problem.tensors[t])) continue;
    occupancy.take(problem.tensors[t]);
    fast[t] = true;
  }
  return fast;
}

std::vector<std::size_t> all_of(const MappingProblem& problem) {
  std::vector<std::size_t> order(problem.tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

// One binary choice a tensor. What is decoded does not matter: nothing is built.
SearchSpace mapping_space(std::size_t tensors) {
  const std::string text = fmt::format(
      R"({{"ridgeline_space": 1, "name": "memory_mapping", "about": "which tensors lie in the fast memory",
           "dimensions": [{{"name": "fast", "repeat": {}, "choices": [false, true]}}],
           "network": {{"input": [1, 1, 1], "body": [{{"if": "fast[0]", "then": [{{"op": "relu"}}]}}]}}}})",
      tensors);
  return SearchSpace::parse(JsonDocument::parse(text, "memory mapping"));
}

double largest_saving(const MappingProblem& problem) {
  double saving = 0;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    if (problem.tensors[t].bytes <= problem.capacity_bytes) saving += std::max(problem.saving(t), 0.0);
  }
  return saving;
}

// The bytes alive at a step as a budget; steps whose tensors are all alive at another step say nothing new.
std::vector<std::vector<std::size_t>> maximal_steps(const MappingProblem& problem) {
  std::vector<std::vector<std::size_t>> alive(problem.steps());
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    for (std::size_t k = problem.tensors[t].first_step; k <= problem.tensors[t].last_step; ++k) alive[k].push_back(t);
  }
  std::vector<std::vector<std::size_t>> kept;
  for (std::size_t k = 0; k < alive.size(); ++k) {
    bool within = false;
    for (std::size_t other = 0; other < alive.size() && !within; ++other) {
      within = other != k && std::ranges::includes(alive[other], alive[k]) && (alive[other] != alive[k] || other < k);
    }
    if (!within) kept.push_back(alive[k]);
  }
  return kept;
}

AllocationProblem allocation_of(const MappingProblem& problem) {
  AllocationProblem allocation;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    AllocationLayer layer;
    layer.name = fmt::format("{} {}", t, problem.tensors[t].name);
    layer.choices = {{"slow", "", problem.tensors[t].slow_cost, {}}, {"fast", "", problem.tensors[t].fast_cost, {}}};
    allocation.layers.push_back(std::move(layer));
  }
  for (const std::vector<std::size_t>& alive : maximal_steps(problem)) {
    double all = 0;
    for (const std::size_t t : alive) all += problem.tensors[t].bytes;
    if (all <= problem.capacity_bytes) continue;  // everything may be fast
    allocation.budgets.push_back({fmt::format("step {}", allocation.budgets.size()), "B", problem.capacity_bytes});
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
      allocation.layers[t].choices[0].costs.push_back(0.0);
      allocation.layers[t].choices[1].costs.push_back(std::ranges::binary_search(alive, t) ? problem.tensors[t].bytes
                                                                                           : 0.0);
    }
  }
  return allocation;
}

// A policy that differs from these choices in about three tensors a game.
void lean_towards(ChoicePolicy& policy, const std::vector<bool>& fast) {
  const double other = std::min(0.3, 3.0 / static_cast<double>(fast.size()));
  const double logit = 0.5 * std::log((1 - other) / other);
  PolicyState state = policy.save();
  for (std::size_t t = 0; t < fast.size(); ++t) {
    state.logits[2 * t] = fast[t] ? -logit : logit;
    state.logits[2 * t + 1] = -state.logits[2 * t];
  }
  policy.load(std::move(state));
}

}  // namespace

std::size_t MappingProblem::steps() const {
  std::size_t count = 0;
  for (const MappedTensor& tensor : tensors) count = std::max(count, tensor.last_step + 1);
  return count;
}

MemoryMapping mapping_of(const MappingProblem& problem, std::vector<bool> fast) {
  if (fast.size() != problem.tensors.size()) throw std::invalid_argument("one place a tensor was expected");
  Occupancy occupancy(problem);
  MemoryMapping mapping;
  for (std::size_t t = 0; t < fast.size(); ++t) {
    mapping.cost += fast[t] ? problem.tensors[t].fast_cost : problem.tensors[t].slow_cost;
    if (fast[t]) occupancy.take(problem.tensors[t]);
  }
  mapping.peak_bytes = occupancy.peak();
  if (mapping.peak_bytes > problem.capacity_bytes) throw std::invalid_argument("more than the fast memory holds");
  mapping.fast = std::move(fast);
  return mapping;
}

MemoryMapping greedy_mapping(const MappingProblem& problem) {
  std::vector<std::size_t> order = all_of(problem);
  const auto density = [&](std::size_t t) { return problem.saving(t) / problem.tensors[t].bytes; };
  const auto life = [&](std::size_t t) { return problem.tensors[t].last_step - problem.tensors[t].first_step; };
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return density(a) != density(b) ? density(a) > density(b) : life(a) < life(b);
  });
  std::vector<bool> wanted;
  for (std::size_t t = 0; t < order.size(); ++t) wanted.push_back(problem.saving(t) > 0);
  return mapping_of(problem, taken_in_order(problem, order, wanted));
}

MemoryMapping exact_mapping(const MappingProblem& problem, double time_limit_s) {
  MemoryMapping greedy = greedy_mapping(problem);
  if (problem.tensors.empty()) return greedy;
  const Allocation found = exact_allocation(allocation_of(problem), {time_limit_s});
  MemoryMapping best = greedy;
  if (found.plan) {
    std::vector<bool> fast;
    for (const std::size_t choice : found.plan->choices) fast.push_back(choice == 1);
    best = mapping_of(problem, std::move(fast));
    if (greedy.cost < best.cost) best = std::move(greedy);
  }
  best.bound = found.bound;
  return best;
}

MappingPolicyResult policy_mapping(const MappingProblem& problem, const MappingPolicyOptions& options) {
  const std::size_t count = problem.tensors.size();
  std::vector<std::size_t> order = all_of(problem);
  std::ranges::stable_sort(order, {}, [&](std::size_t t) { return problem.tensors[t].first_step; });
  MappingPolicyResult result;
  const double all_slow = mapping_of(problem, std::vector<bool>(count, false)).cost, most = largest_saving(problem);
  result.best = options.from_greedy ? greedy_mapping(problem) : mapping_of(problem, std::vector<bool>(count, false));
  if (count == 0 || most <= 0) return result;
  const SearchSpace space = mapping_space(count);
  ChoicePolicy policy(space, all_of(problem), Genome{std::vector<std::uint16_t>(count, 0)},
                      {options.learning_rate, 0.95});
  if (options.from_greedy) lean_towards(policy, result.best.fast);
  Rng rng(options.seed, "memory mapping");
  double sum = 0;
  const std::size_t tenth = std::max<std::size_t>(options.games / 10, 1);
  for (std::size_t game = 0; game < options.games; ++game) {
    const std::optional<Genome> genome = policy.sample(rng);
    std::vector<bool> wanted;
    for (const std::uint16_t gene : genome.value().genes) wanted.push_back(gene == 1);
    MemoryMapping played = mapping_of(problem, taken_in_order(problem, order, wanted));
    sum += played.cost;
    const double left = 1.0 - static_cast<double>(game) / static_cast<double>(options.games);
    policy.update(*genome, (all_slow - played.cost) / most, options.entropy_bonus * left);
    if (played.cost < result.best.cost) {
      result.best = std::move(played);
      result.best_game = game;
    }
    if ((game + 1) % tenth == 0) {
      result.mean_cost.push_back(sum / static_cast<double>(tenth));
      sum = 0;
    }
  }
  return result;
}

}  // namespace ridgeline
