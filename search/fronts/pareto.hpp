// Dominance, fronts and their quality. Everything minimises; points are rows of equal length.
//
// a dominates b when a is no worse in every value and better in one. Constraint domination (Deb et al., 2002): a
// feasible point beats an infeasible one, of two infeasible ones the smaller violation wins, of two feasible ones
// dominance decides.
//
// Every function that takes points throws std::invalid_argument when their lengths differ, when they have no values, or
// when a value is NaN; the two measures of quality also refuse infinities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/trial.hpp"

namespace ridgeline {

using Point = std::vector<double>;

// Of equal length and free of NaN, which is not checked here: this is the inner loop of much else.
bool dominates(std::span<const double> a, std::span<const double> b);

// Indices of the points no other point dominates, ascending; of equal points the first stays. O(n log n) for two and
// three objectives, O(n log^(m-2) n) for m > 3 by divide and conquer (Kung, Luccio and Preparata, 1975).
std::vector<std::size_t> non_dominated(std::span<const Point> points);

// Exact hypervolume of the union of boxes between each point and `reference`; points not better than the reference in
// every value add nothing. Any number of objectives: sweeps for 2 and 3, WFG (While, Bradstreet and Barone, 2012)
// above.
double hypervolume(std::span<const Point> points, const Point& reference);

// Inverted generational distance: mean Euclidean distance from each point of `target` to the nearest of `points`, after
// scaling every objective by the target's range (by 1 where that is 0). Infinite when `points` is empty; throws
// std::invalid_argument when `target` is.
double inverted_generational_distance(std::span<const Point> points, std::span<const Point> target);

// The non-dominated set of the feasible trials of one fidelity, kept as trials are added. Insertion order does not
// change the set; of trials with equal values the lowest id stays.
class ParetoArchive {
 public:
  // `objectives` decides which values count: constraint-only ones do not. Throws std::invalid_argument when none
  // counts.
  ParetoArchive(std::vector<Objective> objectives, Fidelity fidelity);

  // Trials of another fidelity or a cheaper rung, without values or infeasible, are not taken. Returns whether the
  // trial is now on the front. O(log n) for a trial that two objectives leave behind. Throws std::invalid_argument when
  // the number of values is not that of the objectives or a counted one is not finite.
  bool add(const Trial& trial);
  std::span<const Trial> front() const { return front_; }  // by ascending counted values, the first of them first

 private:
  std::span<const double> row(std::size_t i) const { return {points_.data() + i * counted_.size(), counted_.size()}; }
  bool blocked(std::size_t place, std::int64_t id) const;
  void drop_dominated(std::size_t place);

  std::size_t values_;
  std::vector<std::size_t> counted_;
  Fidelity fidelity_;
  std::vector<Trial> front_;
  std::vector<double> points_;     // front_.size() x counted_.size(): what front_[i] counts for, in one block
  std::vector<double> candidate_;  // the counted values of the trial being added
};

}  // namespace ridgeline
