// What the families of test functions (test_functions.hpp) are made of; nothing else includes it.
#pragma once

#include <algorithm>
#include <functional>
#include <numbers>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "experiments/evaluators/test_functions.hpp"

namespace ridgeline::test_functions {

constexpr double pi = std::numbers::pi;
constexpr std::size_t curve_points = 20'001;

using X = std::span<const double>;
using Out = std::span<double>;
using Sizes = TestFunctionShape;

struct Function {
  const char* name;
  void (*evaluate)(X, const Sizes&, Out);
  std::vector<Point> (*front)(const Sizes&);
  double (*hypervolume)(const Sizes&, const Point&);  // null: of the front's sample
  std::size_t least_variables;                        // with two objectives; one more for each other
  std::size_t most_objectives, constraints;
  double reference;                  // of every objective but the last
  double last_reference;             // of that; dtlz7's depends on their number
  std::size_t usual_objectives = 2;  // where nothing is said
};

std::span<const Function> zdt_functions();
std::span<const Function> dtlz_functions();
std::span<const Function> mw_functions();
std::span<const Function> sum_functions();

inline double sum_from(X x, std::size_t first) {
  return std::accumulate(x.begin() + static_cast<std::ptrdiff_t>(first), x.end(), 0.0);
}

inline double box(const Point& reference) {
  return std::accumulate(reference.begin(), reference.end(), 1.0, std::multiplies<>());
}

// The non-dominated ones.
std::vector<Point> kept(std::vector<Point> points);

// The front of a curve over t in [0, 1].
template <typename Curve>
std::vector<Point> along(const Curve& curve) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < curve_points; ++i) {
    std::optional<Point> point = curve(static_cast<double>(i) / static_cast<double>(curve_points - 1));
    if (point) points.push_back(std::move(*point));
  }
  return kept(std::move(points));
}

// With the variables of distance at `best`; a grid of about curve_points over those of position.
std::vector<Point> front_by_position(void (*function)(X, const Sizes&, Out), const Sizes& shape, double best);

}  // namespace ridgeline::test_functions
