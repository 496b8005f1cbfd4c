// The nearest of many points in few dimensions: a k-d tree (Friedman, Bentley and Finkel, 1977). Immutable; a query may
// come from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ridgeline {

class PointTree {
 public:
  // Points of equal length, at least one; at least one number each.
  explicit PointTree(const std::vector<std::vector<double>>& points);

  // The `count` nearest (all, where there are no more) by the sum of squared differences, the nearest first; of equally
  // near ones those of lower index.
  std::vector<std::uint32_t> nearest(std::span<const double> query, std::size_t count) const;

 private:
  struct Near {
    double squared;
    std::uint32_t index;
    friend auto operator<=>(const Near&, const Near&) = default;
  };

  void build(std::size_t begin, std::size_t end);
  void look(std::size_t begin, std::size_t end, std::span<const double> query, std::size_t count,
            std::vector<Near>& found) const;
  double value(std::uint32_t point, std::size_t axis) const { return values_[point * width_ + axis]; }

  std::size_t width_;
  std::vector<double> values_;        // a row a point
  std::vector<std::uint32_t> order_;  // the middle of a range splits it: what is before is no greater on its axis
  std::vector<std::uint8_t> axes_;    // by place in order_, of the ranges that are split there
};

}  // namespace ridgeline
