// An allocation problem as both allocators work on it: ties made into groups, boundaries inside a group added to its
// costs, and every limit a row. For the members' names and units, see the problem.
//
// Rows 0 to budgets - 1 are the budgets; where the problem has two metrics or more, a row for each metric and limited
// budget follows, which counts the costs of the metric's layers without boundaries. Immutable, thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "search/allocation/allocation.hpp"

namespace ridgeline {

// What a metric's penalty can be, by the choices of every layer alone.
struct PenaltyRange {
  double least = 0.0, most = 0.0;
  double normalised(double penalty) const { return most > least ? (penalty - least) / (most - least) : 0.0; }
};
std::vector<PenaltyRange> penalty_ranges(const AllocationProblem& problem);  // one a metric

// What a boundary costs for each unit of its size where its layers have these choices; null where it is free.
const FormatConversion* find_conversion(const AllocationProblem& problem, const FormatBoundary& boundary,
                                        const AllocationChoice& producer, const AllocationChoice& consumer);

struct GroupChoice {
  double penalty = 0.0;             // of all members, normalised where there are two metrics or more
  std::vector<double> costs;        // one a row
  std::vector<std::size_t> layers;  // the choice of each member
};

struct AllocationGroup {
  std::vector<std::size_t> layers;  // members
  std::vector<GroupChoice> choices;
  double least_penalty() const;
  double least_cost(std::size_t row) const;
};

// A boundary between two groups whose conversions cost something.
struct GroupBoundary {
  std::size_t producer = 0, consumer = 0;                  // groups
  std::vector<std::size_t> producer_format;                // by choice of the producer's group
  std::vector<std::size_t> consumer_format;                // by choice of the consumer's group
  std::vector<std::vector<std::vector<double>>> cost;      // [producer's format][consumer's format][budget]
  std::span<const double> at(std::size_t producer_choice,  // one a budget
                             std::size_t consumer_choice) const {
    return cost[producer_format[producer_choice]][consumer_format[consumer_choice]];
  }
};

class AllocationModel {
 public:
  // The problem must be checked, and outlive the model.
  explicit AllocationModel(const AllocationProblem& problem);

  const AllocationProblem& problem() const { return *problem_; }
  const std::vector<AllocationGroup>& groups() const { return groups_; }
  const std::vector<GroupBoundary>& boundaries() const { return boundaries_; }
  // Indices into boundaries() of those at a group.
  const std::vector<std::size_t>& boundaries_of(std::size_t group) const { return boundaries_of_[group]; }
  const std::vector<double>& limits() const { return limits_; }  // one a row; infinite where there is none
  std::size_t budgets() const { return problem_->budgets.size(); }

  // `choices`: one a group.
  AllocationPlan plan(std::span<const std::size_t> choices) const;
  std::vector<double> costs(std::span<const std::size_t> choices) const;  // one a row
  double penalty(std::span<const std::size_t> choices) const;
  bool feasible(std::span<const std::size_t> choices) const;

 private:
  void make_groups();
  AllocationGroup group_of(const std::vector<std::size_t>& members, std::span<const PenaltyRange> ranges) const;
  void make_boundaries();
  void divide_limits();

  const AllocationProblem* problem_;
  std::vector<AllocationGroup> groups_;
  std::vector<GroupBoundary> boundaries_;
  std::vector<std::vector<std::size_t>> boundaries_of_;
  std::vector<double> limits_;
};

// One a budget: the least cost of every group alone. With boundaries, which cost more, it may not be reached.
std::vector<double> least_costs(const AllocationModel& model);
// Of the budgets whose smallest cost is above their limit, the tightest: "latency_s cannot be below 3.6 ms, limit 3
// ms". Empty where there is none.
std::string tightest_budget(const AllocationProblem& problem, std::span<const double> least);

}  // namespace ridgeline
