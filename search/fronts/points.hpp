// Checks of the points that enter the functions of search/fronts/pareto.hpp: each has `m` values, at least one, none of
// them NaN (or, for check_finite, infinite). Both return m and throw std::invalid_argument naming the first bad point.
#pragma once

#include <cstddef>
#include <span>

#include "search/fronts/pareto.hpp"

namespace ridgeline {

std::size_t check_points(std::span<const Point> points, std::size_t m);
std::size_t check_finite(std::span<const Point> points, std::size_t m);

}  // namespace ridgeline
