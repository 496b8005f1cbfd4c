#include "search/predicted/value_shape.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ridgeline {

ValueShape ValueShape::logarithmic(std::span<const double> values) {
  ValueShape shape;
  if (values.empty()) return shape;
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double tenth = sorted[(sorted.size() - 1) / 10];
  shape.least_ = sorted.front();
  shape.unit_ = (tenth > sorted.front() ? tenth : sorted.back()) - sorted.front();
  return shape;
}

double ValueShape::operator()(double value) const {
  if (plain()) return value;
  const double steps = (value - least_) / unit_;
  return steps < 0.0 ? steps : std::log1p(steps);
}

double ValueShape::inverse(double shaped) const {
  if (plain()) return shaped;
  return least_ + unit_ * (shaped < 0.0 ? shaped : std::expm1(shaped));
}

}  // namespace ridgeline
