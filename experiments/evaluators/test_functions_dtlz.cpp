// DTLZ: the first m - 1 variables place a point on the front, the others its distance.
#include "experiments/evaluators/test_function_families.hpp"

#include <array>
#include <cmath>

namespace ridgeline::test_functions {
namespace {

double rugged_g(X x, const Sizes& shape) {
  double g = static_cast<double>(x.size() - shape.objectives + 1);
  for (std::size_t i = shape.objectives - 1; i < x.size(); ++i) {
    g += (x[i] - 0.5) * (x[i] - 0.5) - std::cos(20.0 * pi * (x[i] - 0.5));
  }
  return 100.0 * g;
}
double square_g(X x, const Sizes& shape) {
  double g = 0.0;
  for (std::size_t i = shape.objectives - 1; i < x.size(); ++i) g += (x[i] - 0.5) * (x[i] - 0.5);
  return g;
}
// Angles in quarter turns.
void on_sphere(std::span<const double> angles, double radius, Out out) {
  const std::size_t m = angles.size() + 1;
  for (std::size_t k = 0; k < m; ++k) {
    double value = radius;
    for (std::size_t i = 0; i + k + 1 < m; ++i) value *= std::cos(angles[i] * pi / 2.0);
    if (k > 0) value *= std::sin(angles[m - 1 - k] * pi / 2.0);
    out[k] = value;
  }
}
void dtlz1(X x, const Sizes& shape, Out out) {
  const std::size_t m = shape.objectives;
  const double scale = 0.5 * (1.0 + rugged_g(x, shape));
  for (std::size_t k = 0; k < m; ++k) {
    double value = scale;
    for (std::size_t i = 0; i + k + 1 < m; ++i) value *= x[i];
    if (k > 0) value *= 1.0 - x[m - 1 - k];
    out[k] = value;
  }
}
void dtlz2(X x, const Sizes& shape, Out out) {
  on_sphere(x.first(shape.objectives - 1), 1.0 + square_g(x, shape), out);
}
void dtlz3(X x, const Sizes& shape, Out out) {
  on_sphere(x.first(shape.objectives - 1), 1.0 + rugged_g(x, shape), out);
}
void dtlz4(X x, const Sizes& shape, Out out) {
  std::vector<double> angles;
  for (std::size_t i = 0; i + 1 < shape.objectives; ++i) angles.push_back(std::pow(x[i], 100.0));
  on_sphere(angles, 1.0 + square_g(x, shape), out);
}
void on_curve(X x, const Sizes& shape, double g, Out out) {
  std::vector<double> angles = {x[0]};
  for (std::size_t i = 1; i + 1 < shape.objectives; ++i) angles.push_back((1.0 + 2.0 * g * x[i]) / (2.0 * (1.0 + g)));
  on_sphere(angles, 1.0 + g, out);
}
void dtlz5(X x, const Sizes& shape, Out out) { on_curve(x, shape, square_g(x, shape), out); }
void dtlz6(X x, const Sizes& shape, Out out) {
  double g = 0.0;
  for (std::size_t i = shape.objectives - 1; i < x.size(); ++i) g += std::pow(x[i], 0.1);
  on_curve(x, shape, g, out);
}
void dtlz7(X x, const Sizes& shape, Out out) {
  const std::size_t m = shape.objectives;
  const double g = 1.0 + 9.0 * sum_from(x, m - 1) / static_cast<double>(x.size() - m + 1);
  double h = static_cast<double>(m);
  for (std::size_t i = 0; i + 1 < m; ++i) {
    out[i] = x[i];
    h -= x[i] / (1.0 + g) * (1.0 + std::sin(3.0 * pi * x[i]));
  }
  out[m - 1] = (1.0 + g) * h;
}

std::vector<Point> dtlz1_front(const Sizes& shape) { return front_by_position(dtlz1, shape, 0.5); }
// Of dtlz2 to dtlz4: one front, and dtlz4's own variables would sample a corner of it.
std::vector<Point> sphere_front(const Sizes& shape) { return front_by_position(dtlz2, shape, 0.5); }
// Only the first variable tells its points apart.
std::vector<Point> circle_front(const Sizes& shape) {
  return along([&](double t) -> std::optional<Point> {
    std::vector<double> x(shape.variables, 0.5);
    x[0] = t;
    Point point(shape.objectives);
    dtlz5(x, shape, point);
    return point;
  });
}
std::vector<Point> dtlz7_front(const Sizes& shape) { return front_by_position(dtlz7, shape, 0.0); }

// ---- hypervolumes in closed form ----
// Below the simplex of dtlz1 and inside the sphere there is nothing.
double simplex_volume(const Sizes& shape, const Point& reference) {
  const auto m = static_cast<double>(shape.objectives);
  return box(reference) - std::pow(0.5, m) / std::tgamma(m + 1.0);
}
double sphere_volume(const Sizes& shape, const Point& reference) {
  const auto m = static_cast<double>(shape.objectives);
  return box(reference) - std::pow(pi, m / 2.0) / std::tgamma(m / 2.0 + 1.0) / std::pow(2.0, m);
}
// The last objective is 2 m - 2 (p(f1) + ... + p(f[m - 1])), p(u) = u (1 + sin(3 pi u)) / 2. What a box is cut to is
// the largest p so far, in each objective by itself, so that the volume is a sum of integrals of that.
double dtlz7_volume(const Sizes& shape, const Point& reference) {
  constexpr int steps = 200'000;
  const double end = reference[0], width = end / steps;
  double largest = 0.0, integral = 0.0;
  for (int i = 0; i < steps; ++i) {
    const double u = (i + 0.5) * width;
    if (u <= 1.0) largest = std::max(largest, u * (1.0 + std::sin(3.0 * pi * u)) / 2.0);
    integral += largest * width;
  }
  const auto m = static_cast<double>(shape.objectives);
  return std::pow(end, m - 1.0) * (reference.back() - 2.0 * m) + 2.0 * (m - 1.0) * std::pow(end, m - 2.0) * integral;
}

}  // namespace

std::span<const Function> dtlz_functions() {
  static const std::array<Function, 7> all = {{
      {"dtlz1", dtlz1, dtlz1_front, simplex_volume, 2, 15, 0, 0.55, 0.55},
      {"dtlz2", dtlz2, sphere_front, sphere_volume, 2, 15, 0, 1.1, 1.1},
      {"dtlz3", dtlz3, sphere_front, sphere_volume, 2, 15, 0, 1.1, 1.1},
      {"dtlz4", dtlz4, sphere_front, sphere_volume, 2, 15, 0, 1.1, 1.1},
      {"dtlz5", dtlz5, circle_front, nullptr, 2, 3, 0, 1.1, 1.1},
      {"dtlz6", dtlz6, circle_front, nullptr, 2, 3, 0, 1.1, 1.1},
      {"dtlz7", dtlz7, dtlz7_front, dtlz7_volume, 2, 15, 0, 1.1, 1.1},
  }};
  return all;
}

}  // namespace ridgeline::test_functions
