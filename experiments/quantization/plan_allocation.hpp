// Precision plans by integer programming: the costs of layers and a table of penalties as an allocation problem
// (search/allocation/allocation.hpp), and the plans that are best at latency limits between the fastest and the most
// careful one.
//
// The format a tensor is stored in follows from all of its readers, and additions carry it on through a whole stage of
// a residual network; the integer program knows layers and pairs of them. So PlanLatency::predict is projected: over a
// number of random plans, every pair of layers that meet at a boundary is given all pairs of choices, and what they
// cost beyond the sum of the two becomes the boundary's cost (the terms of first and second order of a functional
// decomposition, Hoeffding, 1948). Where predict() is a sum over layers and boundaries, as for every chain of layers,
// the projection equals it.
#pragma once

#include <span>
#include <vector>

#include "experiments/quantization/layer_costs.hpp"
#include "search/allocation/allocation.hpp"

namespace ridgeline {

// Budgets of the problem, in their order.
enum class PlanBudget : std::uint8_t { latency_s, weight_bytes, bit_operations };

// One layer a dimension, in their order, whose choices are named after formats; where latency has a part that no choice
// changes, a last layer with one choice. bit_operations: MACs * bits of a weight * bits of an activation. Limits are
// infinite.
//
// `penalties`: [dimension][choice of the space]; those of choices that were left out are not looked at. Throws
// ConfigError: a wrong number of penalties; one that is not finite.
AllocationProblem allocation_problem(const PlanLatency& latency, std::span<const std::vector<double>> penalties,
                                     std::uint64_t seed = 1);

// The choices of a plan of such a problem as genes.
Genome plan_genome(const PlanLatency& latency, const AllocationPlan& plan);

struct AllocatedPlan {
  Genome genome;
  double predicted_s = 0.0;  // PlanLatency::predict
  double penalty = 0.0;
  bool exact = false;  // of a limit; false: a step of the greedy descent
};

struct AllocatedPlansOptions {
  std::size_t count = 8;      // latency limits, at least 1
  double time_limit_s = 5.0;  // for each
  std::uint64_t seed = 1;
};

// The plans of least penalty at `count` latency limits, evenly spread from the least latency that a plan reaches to
// that of the plan of least penalty, and every plan of the greedy descent between the two; each once, fastest first;
// none that is slower than another and loses no less. A limit that could not be solved in its time gives the best plan
// found. Deterministic while no time limit is reached. Throws ConfigError as allocation_problem does.
std::vector<AllocatedPlan> allocated_plans(const PlanLatency& latency, std::span<const std::vector<double>> penalties,
                                           const AllocatedPlansOptions& options = {});

}  // namespace ridgeline
