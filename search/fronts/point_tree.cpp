#include "search/fronts/point_tree.hpp"

#include <algorithm>
#include <numeric>

namespace ridgeline {
namespace {

constexpr std::size_t leaf = 8;  // points that are looked at one by one

}  // namespace

PointTree::PointTree(const std::vector<std::vector<double>>& points)
    : width_(points[0].size()), order_(points.size()), axes_(points.size(), 0) {
  for (const std::vector<double>& point : points) values_.insert(values_.end(), point.begin(), point.end());
  std::iota(order_.begin(), order_.end(), 0U);
  build(0, order_.size());
}

// On the axis on which the points are widest apart.
void PointTree::build(std::size_t begin, std::size_t end) {
  if (end - begin <= leaf) return;
  double widest = -1;
  std::size_t axis = 0;
  for (std::size_t k = 0; k < width_; ++k) {
    double low = value(order_[begin], k), high = low;
    for (std::size_t i = begin; i < end; ++i) {
      low = std::min(low, value(order_[i], k));
      high = std::max(high, value(order_[i], k));
    }
    if (high - low <= widest) continue;
    widest = high - low;
    axis = k;
  }
  const std::size_t middle = begin + (end - begin) / 2;
  const auto at = [&](std::size_t i) { return order_.begin() + static_cast<std::ptrdiff_t>(i); };
  std::nth_element(at(begin), at(middle), at(end),
                   [&](std::uint32_t a, std::uint32_t b) { return value(a, axis) < value(b, axis); });
  axes_[middle] = static_cast<std::uint8_t>(axis);
  build(begin, middle);
  build(middle + 1, end);
}

// `found` is a heap, the farthest first. A half is left out only where all of it is farther than the farthest found: a
// sum of squares is no less than any of them, rounded or not.
void PointTree::look(std::size_t begin, std::size_t end, std::span<const double> query, std::size_t count,
                     std::vector<Near>& found) const {
  const auto visit = [&](std::uint32_t point) {
    double squared = 0;
    for (std::size_t k = 0; k < width_; ++k) {
      squared += (query[k] - value(point, k)) * (query[k] - value(point, k));
    }
    const Near near{squared, point};
    if (found.size() == count && !(near < found.front())) return;
    if (found.size() == count) {
      std::ranges::pop_heap(found);
      found.pop_back();
    }
    found.push_back(near);
    std::ranges::push_heap(found);
  };
  if (end - begin <= leaf) {
    for (std::size_t i = begin; i < end; ++i) visit(order_[i]);
    return;
  }
  const std::size_t middle = begin + (end - begin) / 2;
  const double beyond = query[axes_[middle]] - value(order_[middle], axes_[middle]);
  const bool low = beyond < 0;
  low ? look(begin, middle, query, count, found) : look(middle + 1, end, query, count, found);
  visit(order_[middle]);
  if (found.size() == count && beyond * beyond > found.front().squared) return;
  low ? look(middle + 1, end, query, count, found) : look(begin, middle, query, count, found);
}

std::vector<std::uint32_t> PointTree::nearest(std::span<const double> query, std::size_t count) const {
  std::vector<Near> found;
  count = std::min(count, order_.size());
  if (count == 0) return {};
  found.reserve(count + 1);
  look(0, order_.size(), query, count, found);
  std::ranges::sort(found);
  std::vector<std::uint32_t> indices;
  for (const Near& near : found) indices.push_back(near.index);
  return indices;
}

}  // namespace ridgeline
