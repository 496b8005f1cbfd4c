// How much hypervolume each point of a front holds alone, in gains: what is won over the reference in each objective,
// so that a point's box stands on the origin and more is better.
#pragma once

#include <span>
#include <vector>

namespace ridgeline {

// Three objectives, O(n log n): Emmerich and Fonseca, "Computing hypervolume contributions in low dimensions" (2011).
// `gains`: n x 3, positive, a row a point; none dominates or equals another, which is not checked.
std::vector<double> contributions_of_three(std::span<const double> gains);

}  // namespace ridgeline
