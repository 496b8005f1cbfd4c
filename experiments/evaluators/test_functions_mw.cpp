// MW: Ma and Wang, "Evolutionary Constrained Multiobjective Optimization: Test Suite Construction and Performance
// Comparisons", IEEE Transactions on Evolutionary Computation 23(6), 2019. The first m - 1 variables place a point, the
// others its distance g; constraints are local adjustments of the sum, the angle or the height.

#include <array>
#include <cmath>
#include <limits>

#include "experiments/evaluators/test_function_families.hpp"

namespace ridgeline::test_functions {
namespace {

double squared(double x) { return x * x; }

// ---- distances, of variables from 0 to `most`; 1 is the least ----
double g1(X x, std::size_t m = 2) {
  const auto n = static_cast<double>(x.size());
  double g = 1.0;
  for (std::size_t i = m - 1; i < x.size(); ++i) {
    const double z = std::pow(x[i], n - static_cast<double>(m)) - 0.5 - static_cast<double>(i) / (2.0 * n);
    g += 1.0 - std::exp(-10.0 * z * z);
  }
  return g;
}
double g2(X x, std::size_t m = 2, double most = 1.0) {
  const auto n = static_cast<double>(x.size());
  double g = 1.0;
  for (std::size_t i = m - 1; i < x.size(); ++i) {
    const double away = most * x[i] - static_cast<double>(i) / n, z = 1.0 - std::exp(-10.0 * away * away);
    g += 1.5 + 0.1 / n * z * z - 1.5 * std::cos(2.0 * pi * z);
  }
  return g;
}
double g3(X x, std::size_t m = 2, double most = 1.0) {
  double g = 1.0;
  for (std::size_t i = m - 1; i < x.size(); ++i) {
    g += 2.0 * squared(most * x[i] + squared(most * x[i - 1] - 0.5) - 1.0);
  }
  return g;
}

// ---- lines: constraints in s = f1 + ... + fm and l, across them ----
double slope(Out out) { return std::numbers::sqrt2 * (out[1] - out[0]); }
double mw1_bound(double l) { return 1.0 + 0.5 * std::pow(std::sin(2.0 * pi * l), 8.0); }
void mw1(X x, const Sizes&, Out out) {
  out[0] = x[0];
  out[1] = g1(x) - 0.85 * x[0];
  out[2] = out[0] + out[1] - mw1_bound(slope(out));
}
void mw2(X x, const Sizes&, Out out) {
  out[0] = x[0];
  out[1] = g2(x) - x[0];
  out[2] = out[0] + out[1] - 1.0 - 0.5 * std::pow(std::sin(3.0 * pi * slope(out)), 8.0);
}
double mw3_bound(double l) { return 0.85 + 0.3 * squared(std::sin(0.75 * pi * l)); }
void mw3(X x, const Sizes&, Out out) {
  out[0] = x[0];
  out[1] = g3(x) - x[0];
  const double sum = out[0] + out[1], l = slope(out);
  out[2] = sum - 1.05 - 0.45 * std::pow(std::sin(0.75 * pi * l), 6.0);
  out[3] = mw3_bound(l) - sum;
}
void on_simplex(X x, std::size_t m, double scale, Out out) {
  for (std::size_t i = 0; i + 1 < m; ++i) {
    out[m - 1 - i] = scale * x[i];
    scale *= 1.0 - x[i];
  }
  out[0] = scale;
}
void mw4(X x, const Sizes& shape, Out out) {
  const std::size_t m = shape.objectives;
  on_simplex(x, m, g1(x, m), out);
  const double sum = std::accumulate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(m), 0.0);
  out[m] = sum - 1.0 - 0.4 * std::pow(std::sin(2.5 * pi * (2.0 * out[m - 1] - sum)), 8.0);
}

// ---- circles: constraints of the radius, by the angle ----
double angle(Out out) { return std::atan2(out[1], out[0]); }
void on_circle(double g, double position, double radius, Out out) {
  out[0] = g * position;
  out[1] = g * std::sqrt(std::max(0.0, radius * radius - position * position));
}
// The wave of MW5's inner bounds, alike on both sides of 45 degrees.
double mw5_wave(double at) {
  const double from_axis = 0.5 * pi - 2.0 * std::abs(at - 0.25 * pi);
  return std::sin(6.0 * std::pow(from_axis, 3.0));
}
void mw5(X x, const Sizes&, Out out) {
  on_circle(g1(x), x[0], 1.0, out);
  const double square = squared(out[0]) + squared(out[1]), at = angle(out), wave = mw5_wave(at);
  out[2] = square - squared(1.7 - 0.2 * std::sin(2.0 * at));
  out[3] = squared(1.0 + 0.5 * wave) - square;
  out[4] = squared(1.0 - 0.45 * wave) - square;
}
void mw6(X x, const Sizes&, Out out) {
  on_circle(g2(x, 2, 1.1), 1.1 * x[0], 1.1, out);
  const double wave = std::pow(std::cos(6.0 * std::pow(angle(out), 4.0)), 10.0);
  out[2] = squared(out[0] / (1.0 + 0.15 * wave)) + squared(out[1] / (1.0 + 0.75 * wave)) - 1.0;
}
double mw7_bound(double at) { return 1.15 - 0.2 * std::pow(std::sin(4.0 * at), 8.0); }
void mw7(X x, const Sizes&, Out out) {
  on_circle(g3(x), x[0], 1.0, out);
  const double square = squared(out[0]) + squared(out[1]), at = angle(out);
  out[2] = square - squared(1.2 + 0.4 * std::pow(std::sin(4.0 * at), 16.0));
  out[3] = squared(mw7_bound(at)) - square;
}
void on_sphere(X x, std::size_t m, double radius, Out out) {
  for (std::size_t i = 0; i + 1 < m; ++i) {
    out[m - 1 - i] = radius * std::sin(0.5 * pi * x[i]);
    radius *= std::cos(0.5 * pi * x[i]);
  }
  out[0] = radius;
}
void mw8(X x, const Sizes& shape, Out out) {
  const std::size_t m = shape.objectives;
  const double g = g2(x, m);
  on_sphere(x, m, g, out);
  const double wave = std::sin(6.0 * std::asin(std::clamp(out[m - 1] / g, 0.0, 1.0)));
  out[m] = g * g - squared(1.25 - 0.5 * wave * wave);
}

// ---- heights: f1 = g x, f2 = g height(x), and constraints by lines over f1 ----
using Line = double (*)(double f1, double f2);  // above 0 below the line; falls with f2 by 0.49 to 1.51
struct Band {
  Line one, other;
  double sign;  // 1: between the lines, -1: not between them
  double value(double f1, double f2) const { return sign * one(f1, f2) * other(f1, f2); }
};
struct Banded {
  double most;  // position
  double (*height)(double position);
  std::vector<Band> bands;
  bool any;       // one of the bands is enough, and they are one constraint
  double widest;  // f1 beyond any front's
  void evaluate(double g, double position, Out out) const {
    out[0] = g * position;
    out[1] = g * height(position);
    constrain(out[0], out[1], out.subspan(2));
  }
  void constrain(double f1, double f2, Out out) const {
    if (any) {
      out[0] = bands[0].value(f1, f2);
      for (std::size_t i = 1; i < bands.size(); ++i) out[0] = std::min(out[0], bands[i].value(f1, f2));
    } else {
      for (std::size_t i = 0; i < bands.size(); ++i) out[i] = bands[i].value(f1, f2);
    }
  }
};

const Banded& mw9_bands() {
  static const Banded banded{1.0,
                             [](double x) { return 1.0 - std::pow(x, 0.6); },
                             {{[](double a, double b) { return 1.0 - 0.64 * a * a - b; },
                               [](double a, double b) { return 1.0 - 0.36 * a * a - b; }, 1.0},
                              {[](double a, double b) { return squared(1.35) - squared(a + 0.35) - b; },
                               [](double a, double b) { return squared(1.15) - squared(a + 0.15) - b; }, 1.0}},
                             true,
                             1.1};
  return banded;
}
const Banded& mw10_bands() {
  static const Banded banded{1.0,
                             [](double x) { return 1.0 - x * x; },
                             {{[](double a, double b) { return 2.0 - 4.0 * a * a - b; },
                               [](double a, double b) { return 2.0 - 8.0 * a * a - b; }, -1.0},
                              {[](double a, double b) { return 2.0 - 2.0 * a * a - b; },
                               [](double a, double b) { return 2.0 - 16.0 * a * a - b; }, 1.0},
                              {[](double a, double b) { return 1.0 - a * a - b; },
                               [](double a, double b) { return 1.2 - 1.2 * a * a - b; }, 1.0}},
                             false,
                             1.1};
  return banded;
}
const Banded& mw11_bands() {
  static const Banded banded{std::numbers::sqrt2,
                             [](double x) { return std::sqrt(std::max(0.0, 2.0 - x * x)); },
                             {{[](double a, double b) { return 3.0 - a * a - b; },
                               [](double a, double b) { return 3.0 - 2.0 * a * a - b; }, -1.0},
                              {[](double a, double b) { return 3.0 - 0.625 * a * a - b; },
                               [](double a, double b) { return 3.0 - 7.0 * a * a - b; }, 1.0},
                              {[](double a, double b) { return 1.62 - 0.18 * a * a - b; },
                               [](double a, double b) { return 1.125 - 0.125 * a * a - b; }, -1.0},
                              {[](double a, double b) { return 2.07 - 0.23 * a * a - b; },
                               [](double a, double b) { return 0.63 - 0.07 * a * a - b; }, 1.0}},
                             false,
                             2.2};
  return banded;
}
double wavy(double value, double phase) { return value + 0.08 * std::sin(2.0 * pi * phase); }
const Banded& mw12_bands() {
  static const Banded banded{1.0,
                             [](double x) { return 0.85 - 0.8 * x - 0.08 * std::abs(std::sin(3.2 * pi * x)); },
                             {{[](double a, double b) { return wavy(1.0 - 0.625 * a - b, b - a / 1.6); },
                               [](double a, double b) { return wavy(1.4 - 0.875 * a - b, b / 1.4 - a / 1.6); }, -1.0},
                              {[](double a, double b) { return wavy(1.0 - 0.8 * a - b, b - a / 1.5); },
                               [](double a, double b) { return wavy(1.8 - 1.125 * a - b, b / 1.8 - a / 1.6); }, 1.0}},
                             false,
                             1.4};
  return banded;
}
double waved(double value, double f1) { return value - 0.5 * std::sin(3.0 * pi * f1); }
const Banded& mw13_bands() {
  static const Banded banded{1.5,
                             [](double x) { return 5.0 - std::exp(x) - 0.5 * std::abs(std::sin(3.0 * pi * x)); },
                             {{[](double a, double b) { return waved(4.0 - a - 0.5 * a * a - b, a); },
                               [](double a, double b) { return waved(4.0 - 0.7 * a - b, a); }, -1.0},
                              {[](double a, double b) { return waved(5.0 - std::exp(a) - b, a); },
                               [](double a, double b) { return waved(4.0 - 0.4 * a - b, a); }, 1.0}},
                             false,
                             1.6};
  return banded;
}
void mw9(X x, const Sizes&, Out out) { mw9_bands().evaluate(g1(x), x[0], out); }
void mw10(X x, const Sizes&, Out out) {
  mw10_bands().evaluate(g2(x), std::pow(x[0], static_cast<double>(x.size())), out);
}
void mw11(X x, const Sizes&, Out out) {
  mw11_bands().evaluate(g3(x, 2, std::numbers::sqrt2), std::numbers::sqrt2 * x[0], out);
}
void mw12(X x, const Sizes&, Out out) { mw12_bands().evaluate(g1(x), x[0], out); }
void mw13(X x, const Sizes&, Out out) { mw13_bands().evaluate(g2(x, 2, 1.5), 1.5 * x[0], out); }

double mw14_wave(double f) { return 1.5 * std::sin(1.1 * pi * f * f); }
double mw14_height(double f) { return 6.0 - std::exp(f) - mw14_wave(f); }
void on_sum(X x, std::size_t m, double scale, Out out) {
  double height = 0.0;
  for (std::size_t i = 0; i + 1 < m; ++i) height += mw14_height(out[i] = 1.5 * x[i]);
  out[m - 1] = scale * height / static_cast<double>(m - 1);
}
void mw14(X x, const Sizes& shape, Out out) {
  const std::size_t m = shape.objectives;
  on_sum(x, m, g3(x, m, 1.5), out);
  double bound = 0.0;
  for (const double f : out.first(m - 1)) bound += 5.1 - f - 0.5 * f * f - mw14_wave(f);
  out[m] = out[m - 1] - bound / static_cast<double>(m - 1);
}

// ---- fronts ----
// s and l turned back to objectives, where f1 is within its range.
std::optional<Point> turned(double s, double l) {
  const double difference = l / std::numbers::sqrt2, f1 = (s - difference) / 2.0;
  if (f1 < 0.0 || f1 > 1.0) return std::nullopt;
  return Point{f1, (s + difference) / 2.0};
}
double slope_at(double t) { return 2.0 * (2.0 * t - 1.0); }
Point at_angle(double radius, double at) { return {radius * std::cos(at), radius * std::sin(at)}; }

std::vector<Point> mw1_front(const Sizes&) {
  return along([](double t) -> std::optional<Point> {
    const double l = slope_at(t), s = (1.0 - 0.075 * l / std::numbers::sqrt2) / 0.925;  // where g is 1
    return s <= mw1_bound(l) ? turned(s, l) : std::nullopt;
  });
}
std::vector<Point> mw2_front(const Sizes&) {
  return along([](double t) -> std::optional<Point> { return Point{t, 1.0 - t}; });
}
std::vector<Point> mw3_front(const Sizes&) {
  return along([](double t) { return turned(std::max(1.0, mw3_bound(slope_at(t))), slope_at(t)); });
}
// On the simplex the constraint holds everywhere. The variables of distance are at their best where g is 1.
std::vector<Point> mw4_front(const Sizes& shape) {
  return front_by_position([](X x, const Sizes& sizes, Out out) { on_simplex(x, sizes.objectives, 1.0, out); }, shape,
                           0.0);
}
// Points where both inner bounds are 1, each the end of an arc, and what of the arcs at the axes is not dominated.
std::vector<Point> mw5_front(const Sizes&) {
  std::vector<Point> points = along([](double t) -> std::optional<Point> {
    const double at = t * pi / 2.0, wave = mw5_wave(at);
    return at_angle(1.0 + std::max(0.5 * wave, -0.45 * wave), at);
  });
  for (int k = 0;; ++k) {
    const double from_axis = std::cbrt(k * pi / 6.0);
    if (from_axis > pi / 2.0) break;
    points.push_back(at_angle(1.0, from_axis / 2.0));
    points.push_back(at_angle(1.0, (pi - from_axis) / 2.0));
  }
  return kept(std::move(points));
}
std::vector<Point> mw6_front(const Sizes&) {
  return along([](double t) -> std::optional<Point> {
    const Point point = at_angle(1.1, t * pi / 2.0);
    const double wave = std::pow(std::cos(6.0 * std::pow(t * pi / 2.0, 4.0)), 10.0);
    if (squared(point[0] / (1.0 + 0.15 * wave)) + squared(point[1] / (1.0 + 0.75 * wave)) > 1.0) return std::nullopt;
    return point;
  });
}
std::vector<Point> mw7_front(const Sizes&) {
  return along(
      [](double t) -> std::optional<Point> { return at_angle(std::max(1.0, mw7_bound(t * pi / 2.0)), t * pi / 2.0); });
}
bool mw8_holds(double latitude) { return squared(std::sin(6.0 * latitude)) <= 0.5; }
std::vector<Point> mw8_front(const Sizes& shape) {
  std::vector<Point> front =
      front_by_position([](X x, const Sizes& sizes, Out out) { on_sphere(x, sizes.objectives, 1.0, out); }, shape, 0.0);
  std::erase_if(front, [](const Point& point) { return !mw8_holds(std::asin(std::min(1.0, point.back()))); });
  return front;
}

// Where a line has its zero over f1. Steps of the line's own value shrink by half at least, as its slope is near -1.
double height_of(Line line, double f1) {
  double f2 = 0.0;
  for (int i = 0; i < 100; ++i) {
    const double step = line(f1, f2);
    f2 += step;
    if (std::abs(step) < 1e-15) break;
  }
  return f2;
}
// The lowest feasible point over each f1: where g allows no lower one, or on a line.
std::vector<Point> banded_front(const Banded& banded) {
  constexpr double rounding = 1e-12;
  double steepest = std::numeric_limits<double>::infinity();  // least height over position so far
  std::array<double, 4> constraints{};
  return along([&](double t) -> std::optional<Point> {
    const double f1 = t * banded.widest, position = std::min(f1, banded.most);
    if (position > 0.0) steepest = std::min(steepest, banded.height(position) / position);
    std::vector<double> heights = {position > 0.0 ? f1 * steepest : banded.height(0.0)};
    for (const Band& band : banded.bands) {
      for (const Line line : {band.one, band.other}) {
        const double height = height_of(line, f1);
        if (height > heights[0]) heights.push_back(height);
      }
    }
    std::ranges::sort(heights);
    for (const double f2 : heights) {
      banded.constrain(f1, f2, constraints);
      if (std::ranges::all_of(constraints, [](double value) { return value <= rounding; })) return Point{f1, f2};
    }
    return std::nullopt;
  });
}
std::vector<Point> mw9_front(const Sizes&) { return banded_front(mw9_bands()); }
std::vector<Point> mw10_front(const Sizes&) { return banded_front(mw10_bands()); }
// One point, where three lines touch the circle, is feasible alone.
std::vector<Point> mw11_front(const Sizes&) {
  std::vector<Point> points = banded_front(mw11_bands());
  points.push_back({1.0, 1.0});
  return kept(std::move(points));
}
std::vector<Point> mw12_front(const Sizes&) { return banded_front(mw12_bands()); }
std::vector<Point> mw13_front(const Sizes&) { return banded_front(mw13_bands()); }
std::vector<Point> mw14_front(const Sizes& shape) {
  return front_by_position([](X x, const Sizes& sizes, Out out) { on_sum(x, sizes.objectives, 1.0, out); }, shape, 0.0);
}

// ---- hypervolumes ----
double mw4_volume(const Sizes& shape, const Point& reference) {
  return box(reference) - 1.0 / std::tgamma(static_cast<double>(shape.objectives) + 1.0);
}
// Of the sphere only belts are feasible. Below a height fm the outermost allowed latitude has the smallest ball in the
// other objectives, so that the volume is one integral over fm.
double mw8_volume(const Sizes& shape, const Point& reference) {
  constexpr int steps = 200'000;
  const double others = static_cast<double>(shape.objectives) - 1.0, width = reference.back() / steps;
  const double ball = std::pow(pi, others / 2.0) / std::tgamma(others / 2.0 + 1.0) / std::pow(2.0, others);
  const double around = std::pow(reference[0], others);
  double radius = 1.0, volume = 0.0;
  for (int i = 0; i < steps; ++i) {
    const double latitude = std::asin(std::min(1.0, (i + 0.5) * width));
    if (mw8_holds(latitude)) radius = std::cos(latitude);
    volume += (around - ball * std::pow(radius, others)) * width;
  }
  return volume;
}
// As dtlz7: the lowest height so far, in each objective by itself.
double mw14_volume(const Sizes& shape, const Point& reference) {
  constexpr int steps = 200'000;
  const double width = reference[0] / steps;
  double lowest = mw14_height(0.0), integral = 0.0;
  for (int i = 0; i < steps; ++i) {
    const double f = (i + 0.5) * width;
    if (f <= 1.5) lowest = std::min(lowest, mw14_height(f));
    integral += lowest * width;
  }
  const auto others = static_cast<double>(shape.objectives) - 1.0;
  return std::pow(reference[0], others) * reference.back() - std::pow(reference[0], others - 1.0) * integral;
}

}  // namespace

std::span<const Function> mw_functions() {
  static const std::array<Function, 14> all = {{
      {"mw1", mw1, mw1_front, nullptr, 3, 2, 1, 1.1, 1.1},
      {"mw2", mw2, mw2_front, nullptr, 2, 2, 1, 1.1, 1.1},
      {"mw3", mw3, mw3_front, nullptr, 2, 2, 2, 1.265, 1.265},
      {"mw4", mw4, mw4_front, mw4_volume, 3, 15, 1, 1.1, 1.1, 3},
      {"mw5", mw5, mw5_front, nullptr, 3, 2, 3, 1.1, 1.1},
      {"mw6", mw6, mw6_front, nullptr, 2, 2, 1, 1.21, 1.21},
      {"mw7", mw7, mw7_front, nullptr, 2, 2, 2, 1.265, 1.265},
      {"mw8", mw8, mw8_front, mw8_volume, 2, 15, 1, 1.1, 1.1, 3},
      {"mw9", mw9, mw9_front, nullptr, 3, 2, 1, 1.1, 1.1},
      {"mw10", mw10, mw10_front, nullptr, 2, 2, 3, 1.1, 1.2486},
      {"mw11", mw11, mw11_front, nullptr, 2, 2, 4, 2.2731, 2.2422},
      {"mw12", mw12, mw12_front, nullptr, 3, 2, 2, 1.46, 1.1},
      {"mw13", mw13, mw13_front, nullptr, 2, 2, 2, 1.65, 4.4},
      {"mw14", mw14, mw14_front, mw14_volume, 2, 15, 1, 1.65, 5.5, 3},
  }};
  return all;
}

}  // namespace ridgeline::test_functions
