#include "search/predicted/improvement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "search/fronts/points.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

double density(double z) { return std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi); }
double cumulative(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

}  // namespace

double expected_excess(double bound, const Normal& value) {
  const double excess = bound - value.mean;
  if (!(value.deviation > 0.0)) return std::max(excess, 0.0);
  const double z = excess / value.deviation;
  return std::max(0.0, excess * cumulative(z) + value.deviation * density(z));
}

double probability_below(double bound, const Normal& value) {
  if (!(value.deviation > 0.0)) return value.mean <= bound ? 1.0 : 0.0;
  return cumulative((bound - value.mean) / value.deviation);
}

HypervolumeImprovement::HypervolumeImprovement(std::vector<Point> front, Point reference, std::size_t samples)
    : front_(std::move(front)), reference_(std::move(reference)) {
  if (!front_.empty()) check_points(front_, reference_.size());
  std::ranges::sort(front_);
  if (reference_.size() < 3) return;
  Rng rng(1, "hypervolume improvement", 0);
  draws_.assign(samples, std::vector<double>(reference_.size()));
  for (std::vector<double>& draw : draws_) {
    for (double& value : draw) value = rng.normal();
  }
}

double HypervolumeImprovement::expected(std::span<const Normal> values) const {
  if (reference_.size() == 1) {
    return expected_excess(front_.empty() ? reference_[0] : std::min(reference_[0], front_[0][0]), values[0]);
  }
  if (reference_.size() == 2) return of_two(values);
  double sum = 0;
  Point point(values.size());
  for (const std::vector<double>& draw : draws_) {
    for (std::size_t k = 0; k < point.size(); ++k) point[k] = values[k].mean + values[k].deviation * draw[k];
    sum += gain(point);
  }
  return sum / static_cast<double>(draws_.size());
}

// Strip i lies between the first values of members i - 1 and i, and reaches down from the second value of member i - 1
// (of the reference in the first strip). A candidate (x, y) fills (right - max(x, left)) (top - y) of it where both are
// positive: the excess below right less that below left, times the excess below top.
double HypervolumeImprovement::of_two(std::span<const Normal> values) const {
  double sum = 0, left = 0, top = reference_[1];
  for (std::size_t i = 0; i <= front_.size(); ++i) {
    const double right = expected_excess(i < front_.size() ? front_[i][0] : reference_[0], values[0]);
    sum += (right - left) * expected_excess(top, values[1]);
    left = right;
    if (i < front_.size()) top = front_[i][1];
  }
  return std::max(0.0, sum);
}

double HypervolumeImprovement::gain(const Point& point) const {
  double box = 1.0;
  for (std::size_t k = 0; k < point.size(); ++k) {
    if (point[k] >= reference_[k]) return 0.0;
    box *= reference_[k] - point[k];
  }
  std::vector<Point> cut;  // what the front holds of the box
  for (const Point& member : front_) {
    Point corner(point.size());
    for (std::size_t k = 0; k < point.size(); ++k) corner[k] = std::max(point[k], member[k]);
    cut.push_back(std::move(corner));
  }
  std::vector<Point> outline;
  for (const std::size_t i : non_dominated(cut)) outline.push_back(std::move(cut[i]));
  return std::max(0.0, box - (outline.empty() ? 0.0 : hypervolume(outline, reference_)));
}

}  // namespace ridgeline
