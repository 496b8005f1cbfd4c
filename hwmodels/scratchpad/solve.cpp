#include "hwmodels/scratchpad/solve.hpp"

#include <algorithm>
#include <array>

#include "hwmodels/scratchpad/layouts.hpp"
#include "hwmodels/scratchpad/placement.hpp"
#include "hwmodels/scratchpad/residency.hpp"

namespace ridgeline {
namespace {

void keep_better(const ScratchpadProblem& problem, ScratchpadSolution& best, ScratchpadPlan plan) {
  const ScratchpadTraffic traffic = evaluate_plan(problem, plan);
  if (!best.plan.steps.empty() && traffic.beyond_bytes() >= best.traffic.beyond_bytes()) return;
  best.plan = std::move(plan);
  best.traffic = traffic;
}

// Bytes alive behind each step of an order.
std::vector<std::int64_t> alive_after(const ScratchpadProblem& problem, const std::vector<std::size_t>& order) {
  std::vector<std::int64_t> alive(order.size(), 0);
  std::vector<std::size_t> step_of(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) step_of[order[k]] = k;
  for (const ScratchTensor& tensor : problem.tensors) {
    if (tensor.readers.empty()) continue;
    std::size_t first = order.size(), last = 0;
    for (const std::size_t reader : tensor.readers) {
      first = std::min(first, step_of[reader]);
      last = std::max(last, step_of[reader]);
    }
    if (tensor.producer != ScratchTensor::no_producer) first = step_of[tensor.producer];
    for (std::size_t k = first; k < last; ++k) alive[k] += tensor.bytes;
  }
  return alive;
}

// Cuts [begin, end) of an order until no part is too large, where the fewest bytes are alive; ties near the middle.
void cut_parts(const std::vector<std::int64_t>& alive, std::size_t begin, std::size_t end, std::size_t most,
               std::vector<bool>& cut_behind) {
  if (end - begin <= most) return;
  const std::size_t middle = (begin + end) / 2, margin = (end - begin) / 8;
  std::size_t best = middle;
  for (std::size_t k = begin + margin; k + 1 + margin < end; ++k) {
    const auto distance = [&](std::size_t at) { return at > middle ? at - middle : middle - at; };
    if (alive[k] < alive[best] || (alive[k] == alive[best] && distance(k) < distance(best))) best = k;
  }
  cut_behind[best] = true;
  cut_parts(alive, begin, best + 1, most, cut_behind);
  cut_parts(alive, best + 1, end, most, cut_behind);
}

std::vector<std::size_t> parts_of(const ScratchpadProblem& problem, const std::vector<std::size_t>& order,
                                  std::size_t most) {
  std::vector<bool> cut_behind(order.size(), false);
  cut_parts(alive_after(problem, order), 0, order.size(), std::max<std::size_t>(most, 1), cut_behind);
  std::vector<std::size_t> parts(order.size());
  std::size_t part = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    parts[order[k]] = part;
    if (cut_behind[k]) ++part;
  }
  return parts;
}

ScratchpadSolution in_order(const ScratchpadProblem& problem, Replacement replacement, OperatorOrder order) {
  ScratchpadSolution found;
  const std::vector<std::size_t> operators = operator_order(problem, order);
  keep_better(problem, found, replace_in_order(problem, operators, replacement));
  found.without_gaps_bytes = bytes_without_gaps(problem, operators, replacement);
  found.bound_bytes = crossing_bound(problem);
  return found;
}

ScratchpadSolution divided(const ScratchpadProblem& problem, const ScratchpadEffort& effort) {
  ScratchpadSolution best;
  best.bound_bytes = crossing_bound(problem);
  const ResidencyRules rules(problem);
  for (const OperatorOrder one : {OperatorOrder::network, OperatorOrder::least_memory, OperatorOrder::depth_first,
                                  OperatorOrder::breadth_first}) {
    keep_better(problem, best, replace_in_order(problem, operator_order(problem, one), Replacement::farthest));
  }
  for (const OperatorOrder one : {OperatorOrder::least_memory, OperatorOrder::network}) {
    if (best.optimal()) break;
    LayoutOptions options;
    options.width = effort.width;
    options.limit = best.traffic.beyond_bytes() - 1;
    options.parts = parts_of(problem, operator_order(problem, one), effort.part_ops);
    if (std::optional<ScratchpadPlan> plan = search_layouts(rules, options).plan) {
      keep_better(problem, best, std::move(*plan));
    }
  }
  return best;
}

// Offsets for the fewest bytes where room is counted: several of the moves that reach them are tried.
void place_bound(const ResidencyRules& rules, ResidencyBound& bound, const ScratchpadEffort& effort,
                 ScratchpadSolution& best) {
  constexpr std::uint64_t variants = 8;
  for (std::uint64_t variant = 0; variant < variants && !best.optimal(); ++variant) {
    std::optional<ScratchpadPlan> plan = place(rules, bound.best_moves(variant), effort.most_attempts / variants);
    if (plan) keep_better(rules.problem(), best, std::move(*plan));
  }
}

// Raises the limit from the bound until a layout is found or nothing below the best plan is left.
void search_within(const ResidencyRules& rules, ResidencyBound& bound, const ScratchpadEffort& effort,
                   ScratchpadSolution& best) {
  bool proving = true;
  for (std::int64_t limit = best.bound_bytes; limit < best.traffic.beyond_bytes();) {
    LayoutOptions options;
    options.limit = limit;
    options.most_states = effort.most_layouts;
    options.to_go = [&](const Residency& residency) {
      const std::optional<std::int64_t> rest = bound.to_go(residency);
      return rest ? *rest : rules.pending_bytes(residency);
    };
    LayoutResult found = search_layouts(rules, options);
    if (found.plan) return keep_better(rules.problem(), best, std::move(*found.plan));
    proving = proving && found.complete;
    if (!proving) return;
    limit = std::min(found.next_limit.value_or(best.traffic.beyond_bytes()), best.traffic.beyond_bytes());
    best.bound_bytes = limit;
  }
}

ScratchpadSolution exact(const ScratchpadProblem& problem, const ScratchpadEffort& effort) {
  ScratchpadSolution best = divided(problem, effort);
  if (best.optimal()) return best;
  const ResidencyRules rules(problem);
  ResidencyBound bound(rules, effort.most_states);
  const std::optional<std::int64_t> fewest = bound.to_go(rules.start());
  best.states = bound.states();
  if (!fewest) return best;
  best.bound_bytes = std::max(best.bound_bytes, *fewest);
  if (!best.optimal()) place_bound(rules, bound, effort, best);
  if (!best.optimal()) search_within(rules, bound, effort, best);
  best.states = bound.states();
  return best;
}

}  // namespace

std::span<const std::string> scratchpad_solver_names() {
  static const std::array<std::string, 4> names{"lru", "greedy", "divide", "exact"};
  return names;
}

ScratchpadSolution solve_scratchpad(const ScratchpadProblem& problem, ScratchpadSolver solver,
                                    const ScratchpadEffort& effort) {
  switch (solver) {
    case ScratchpadSolver::lru:
      return in_order(problem, Replacement::lru, effort.order);
    case ScratchpadSolver::greedy:
      return in_order(problem, Replacement::farthest, effort.order);
    case ScratchpadSolver::divide:
      return divided(problem, effort);
    case ScratchpadSolver::exact:
      break;
  }
  return exact(problem, effort);
}

}  // namespace ridgeline
