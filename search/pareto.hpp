// Dominance, fronts and their quality. Everything minimises; points are rows of equal length.
//
// a dominates b when a is no worse in every value and better in one. Constraint domination (Deb et al., 2002): a feasible
// point beats an infeasible one, of two infeasible ones the smaller violation wins, of two feasible ones dominance decides.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/trial.hpp"

namespace ridgeline {

using Point = std::vector<double>;

bool dominates(std::span<const double> a, std::span<const double> b);

// Indices of the points no other point dominates, ascending; of equal points the first stays.
std::vector<std::size_t> non_dominated(std::span<const Point> points);

// Exact hypervolume of the union of boxes between each point and `reference`; points not better than the reference in
// every value add nothing. Any number of objectives: sweeps for 2 and 3, WFG (While, Bradstreet and Barone, 2012) above.
double hypervolume(std::span<const Point> points, const Point& reference);

// Inverted generational distance: mean Euclidean distance from each point of `target` to the nearest of `points`, after
// scaling every objective by the target's range. Infinite when `points` is empty.
double inverted_generational_distance(std::span<const Point> points, std::span<const Point> target);

// The non-dominated set of the feasible trials of one fidelity, kept as trials are added. Insertion order does not
// change the set; of trials with equal values the lowest id stays.
class ParetoArchive {
 public:
  // `objectives` decides which values count: constraint-only ones do not. Trials of another fidelity, without values
  // or infeasible, are not taken. Returns whether the trial is now on the front.
  ParetoArchive(std::vector<Objective> objectives, Fidelity fidelity);
  bool add(const Trial& trial);
  std::span<const Trial> front() const { return front_; }  // by ascending first counted value

 private:
  std::vector<std::size_t> counted_;
  Fidelity fidelity_;
  std::vector<Trial> front_;
};

}  // namespace ridgeline
