#include "search/fronts/points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ridgeline {
namespace {

template <typename Good>
std::size_t check(std::span<const Point> points, std::size_t m, Good good) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].size() != m || m == 0) {
      throw std::invalid_argument(fmt::format("points[{}]: expected {} values, found {}", i,
                                              m == 0 ? "some" : fmt::to_string(m), points[i].size()));
    }
    const auto bad = std::find_if_not(points[i].begin(), points[i].end(), good);
    if (bad != points[i].end()) {
      throw std::invalid_argument(fmt::format("points[{}]: the value {} cannot be compared or measured", i, *bad));
    }
  }
  return m;
}

}  // namespace

std::size_t check_points(std::span<const Point> points, std::size_t m) {
  return check(points, m, [](double v) { return !std::isnan(v); });
}

std::size_t check_finite(std::span<const Point> points, std::size_t m) {
  return check(points, m, [](double v) { return std::isfinite(v); });
}

}  // namespace ridgeline
