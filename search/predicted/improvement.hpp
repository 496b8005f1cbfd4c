// How much better than what is known an uncertain candidate is expected to be. Values are minimised, and independent
// normal variables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/fronts/pareto.hpp"

namespace ridgeline {

struct Normal {
  double mean = 0;
  double deviation = 0;  // 0: the mean for certain
};

// E[max(bound - X, 0)]: of one objective the expected improvement on the value `bound` (Mockus, 1975; Jones, Schonlau
// and Welch, 1998).
double expected_excess(double bound, const Normal& value);

double probability_below(double bound, const Normal& value);  // P[X <= bound]; a certain value of just that counts

// Expected growth of the hypervolume of `front` (non-dominated, within the reference) by one candidate. Two objectives
// exactly, as a sum over the front's strips of products of expected excesses (Emmerich, Deutz and Klinkenberg, 2011);
// others by the mean of `samples` draws that are the same at every call, so that candidates are compared fairly.
class HypervolumeImprovement {
 public:
  // Throws std::invalid_argument on points of unequal length. One objective: the excess below the least value.
  HypervolumeImprovement(std::vector<Point> front, Point reference, std::size_t samples = 64);
  double expected(std::span<const Normal> values) const;

 private:
  double of_two(std::span<const Normal> values) const;
  double gain(const Point& point) const;

  std::vector<Point> front_;  // by ascending first value
  Point reference_;
  std::vector<std::vector<double>> draws_;  // samples x objectives, standard normal
};

}  // namespace ridgeline
