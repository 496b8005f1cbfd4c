// Which format each layer gets: the problem, a plan and its costs, as plain values.
//
//   minimise    sum over layers l of penalty(l, choice of l)
//   subject to  sum over layers l of cost_b(l, choice of l)
//               + sum over boundaries of size * conversion_b(format of producer, format of consumer) <= limit_b
//
// for every budget b, with tied layers taking the same choice: the integer program of HAWQ-V3 (Yao et al., 2021,
// equations 9 to 11) with any number of choices and budgets, and with the conversions that mixed formats need. A
// penalty is a layer's sensitivity to the choice (a loss increase, trace * squared error, relevance * noise ...);
// penalties add up and may be negative, as measured ones are. Costs may not.
//
// Metrics: where layers are judged by metrics that cannot be compared (MixDQ, Zhao et al., 2024), each layer names its
// own, and every limited budget is divided among the metrics' layers: each group of layers may spend its least cost
// plus the same share of what it would spend freely above that. The penalty is then the sum over metrics of (penalty -
// least) / (most - least), each in 0..1, so that the metrics' units do not matter.
//
// Everything here is a value; functions are pure and thread-safe.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ridgeline {

// One way of computing a layer.
struct AllocationChoice {
  std::string name;           // "int4", "w4a8"
  std::string format;         // what boundaries see, "a8"; empty: the name
  double penalty = 0.0;       // in the unit of the layer's metric
  std::vector<double> costs;  // one a budget, in its unit, >= 0
};

struct AllocationLayer {
  std::string name;
  std::size_t metric = 0;  // index into AllocationProblem::metrics
  std::vector<AllocationChoice> choices;
};

// A cost that is added up, and its upper limit.
struct Budget {
  std::string name;  // "weight_bytes"
  std::string unit;  // "B"
  double limit = std::numeric_limits<double>::infinity();
};

// What one unit of a boundary's size costs where the producer's format is `from` and the consumer's is another, `to`.
// "*" is any format. The first conversion that fits counts; none means that it is free.
struct FormatConversion {
  std::string from, to;
  std::vector<double> costs;  // one a budget, in its unit for each unit of size, >= 0
};

// A tensor that `consumer` reads from `producer`.
struct FormatBoundary {
  std::size_t producer = 0, consumer = 0;  // indices of layers
  double size = 1.0;                       // elements, bytes or 1, as the conversions are given
  // Where what two choices cost together is known of this boundary: in place of the problem's conversions, and also
  // for equal formats.
  std::vector<FormatConversion> conversions{};
};

struct AllocationProblem {
  std::vector<Budget> budgets;
  std::vector<AllocationLayer> layers;
  std::vector<std::vector<std::size_t>> ties;  // layers that take the choice of the same name
  std::vector<FormatConversion> conversions;
  std::vector<FormatBoundary> boundaries;
  std::vector<std::string> metrics;  // empty: one, without a name
};

// A choice for every layer, and what follows from it.
struct AllocationPlan {
  std::vector<std::size_t> choices;      // one a layer: index into its choices
  double penalty = 0.0;                  // what is minimised
  std::vector<double> metric_penalties;  // one a metric (at least one), in its own unit
  std::vector<double> costs;             // one a budget, boundaries included
};

enum class AllocationStatus {
  optimal,     // the plan keeps every limit, and no other one is better (proved)
  feasible,    // the plan keeps every limit
  infeasible,  // no plan keeps every limit (proved)
  unsolved,    // no plan was found, and none was excluded
};

struct Allocation {
  AllocationStatus status = AllocationStatus::unsolved;
  std::optional<AllocationPlan> plan;  // where the status is optimal or feasible
  std::optional<double> bound;         // proved: no plan has a smaller penalty
  // One a budget: its smallest cost when the others do not matter. A lower bound where there are boundaries, unless the
  // exact allocator says infeasible.
  std::vector<double> least;
  std::string why;  // why there is no plan: the tightest budget and what it would need
  // What a better plan could still win; nothing where nothing was proved.
  std::optional<double> gap() const;
};

// The plan of these choices, one index a layer.
AllocationPlan allocation_plan(const AllocationProblem& problem, std::span<const std::size_t> choices);

// Throws ConfigError with every problem: a layer without a name or choices, two of one name, a penalty or a cost that
// is not finite, a negative cost, size or limit, a cost missing, ties of layers whose choices have other names or that
// have another metric, a layer in two ties, an index out of range. `origin` stands in messages. Costs may be negative
// where nothing is allocated and sums alone are asked for.
void check_allocation(const AllocationProblem& problem, const std::string& origin, bool negative_costs = false);

// Costs are sums of doubles, whose order may not decide: a cost keeps its limit up to this share of it.
inline constexpr double limit_tolerance = 1e-12;
inline bool keeps_limit(double cost, double limit) { return cost <= limit + limit_tolerance * limit; }

}  // namespace ridgeline
