// What is compared with: an order that does not look at the scratchpad, and a replacement that decides step by step.
//
// What is missing is placed by first fit (loads, then the output, then the weights, each at the lowest offset). Where
// something does not fit, one tensor that the operator does not need is evicted and all is tried again:
//  * lru: the one whose last use is longest ago;
//  * farthest: the one whose next use in the order is farthest away (Belady, IBM Systems Journal 5(2), 1966).
// Tensors that nobody reads any more are dropped at once, for nothing. Where only operands are left and gaps between
// them are too small, these go in the same way, and come back elsewhere.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "hwmodels/scratchpad/plan.hpp"

namespace ridgeline {

enum class Replacement : std::uint8_t { lru, farthest };

enum class OperatorOrder : std::uint8_t {
  network,        // as the network lists them
  depth_first,    // what can run and reads what was made last
  breadth_first,  // what could run first
  least_memory    // what leaves the fewest bytes alive; greedy
};
std::span<const std::string> operator_order_names();  // in the order of OperatorOrder

std::vector<std::size_t> operator_order(const ScratchpadProblem& problem, OperatorOrder order);
ScratchpadPlan replace_in_order(const ScratchpadProblem& problem, const std::vector<std::size_t>& order,
                                Replacement replacement);
// What the same decisions would move beyond the compulsory if tensors could be cut to fit any gaps: what is above it in
// replace_in_order() is the price of first fit.
std::int64_t bytes_without_gaps(const ScratchpadProblem& problem, const std::vector<std::size_t>& order,
                                Replacement replacement);

}  // namespace ridgeline
