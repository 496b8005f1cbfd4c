// In which front each of many points stands: 0 where no other point dominates it, else one more than the greatest of
// those that do. Everything minimises.
//
// By divide and conquer over the objectives (Jensen, "Reducing the run-time complexity of multiobjective EAs", 2003,
// in the corrected form of Buzdalov and Shalyto, 2014): O(n log^(m-1) n) for m >= 3 objectives, whatever the number of
// fronts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ridgeline {

// `values`: n x m, a row a point; the rows are different and in lexicographic order, which is not checked. m >= 2.
std::vector<std::uint32_t> dominance_ranks(std::span<const double> values, std::size_t m);

}  // namespace ridgeline
