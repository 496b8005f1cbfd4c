// Directions spread evenly over the objectives (Das and Dennis, "Normal-boundary intersection", 1998): all vectors of
// multiples of 1 / divisions that sum to 1.
#pragma once

#include <cstddef>
#include <vector>

namespace ridgeline {

// In lexicographic order. objectives >= 1; divisions >= 1, or 0 for the one direction in the middle.
std::vector<std::vector<double>> reference_directions(std::size_t objectives, std::size_t divisions);

// The most divisions whose directions are at most `most`; 0 where even one division has more, and with one objective.
std::size_t divisions_within(std::size_t objectives, std::size_t most);

}  // namespace ridgeline
