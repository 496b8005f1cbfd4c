#include "experiments/evaluators/test_functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr double pi = std::numbers::pi;
constexpr std::size_t curve_points = 20'001;

using X = std::span<const double>;
using Out = std::span<double>;
using Sizes = TestFunctionShape;

double sum_from(X x, std::size_t first) {
  return std::accumulate(x.begin() + static_cast<std::ptrdiff_t>(first), x.end(), 0.0);
}
double linear_g(X x) { return 1.0 + 9.0 * sum_from(x, 1) / static_cast<double>(x.size() - 1); }

// ---- ZDT ----
void zdt1(X x, const Sizes&, Out out) {
  const double g = linear_g(x);
  out[0] = x[0];
  out[1] = g * (1.0 - std::sqrt(x[0] / g));
}
void zdt2(X x, const Sizes&, Out out) {
  const double g = linear_g(x);
  out[0] = x[0];
  out[1] = g * (1.0 - (x[0] / g) * (x[0] / g));
}
void zdt3(X x, const Sizes&, Out out) {
  const double g = linear_g(x);
  out[0] = x[0];
  out[1] = g * (1.0 - std::sqrt(x[0] / g) - x[0] / g * std::sin(10.0 * pi * x[0]));
}
void zdt4(X x, const Sizes&, Out out) {
  double g = 1.0 + 10.0 * static_cast<double>(x.size() - 1);
  for (std::size_t i = 1; i < x.size(); ++i) {
    const double y = 10.0 * x[i] - 5.0;
    g += y * y - 10.0 * std::cos(4.0 * pi * y);
  }
  out[0] = x[0];
  out[1] = g * (1.0 - std::sqrt(x[0] / g));
}
void zdt6(X x, const Sizes&, Out out) {
  const double g = 1.0 + 9.0 * std::pow(sum_from(x, 1) / static_cast<double>(x.size() - 1), 0.25);
  out[0] = 1.0 - std::exp(-4.0 * x[0]) * std::pow(std::sin(6.0 * pi * x[0]), 6.0);
  out[1] = g * (1.0 - (out[0] / g) * (out[0] / g));
}

// ---- DTLZ: the first m - 1 variables place a point on the front, the others its distance ----
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

// ---- MW: distances, then constraints in s = f1 + f2 and l = sqrt(2) (f2 - f1), or in the angle ----
double mw_g1(X x) {
  const auto n = static_cast<double>(x.size());
  double g = 1.0;
  for (std::size_t i = 1; i < x.size(); ++i) {
    const double z = std::pow(x[i], n - 2.0) - 0.5 - static_cast<double>(i) / (2.0 * n);
    g += 1.0 - std::exp(-10.0 * z * z);
  }
  return g;
}
double mw_g2(X x) {
  const auto n = static_cast<double>(x.size());
  double g = 1.0;
  for (std::size_t i = 1; i < x.size(); ++i) {
    const double away = x[i] - static_cast<double>(i) / n, z = 1.0 - std::exp(-10.0 * away * away);
    g += 1.5 + 0.1 / n * z * z - 1.5 * std::cos(2.0 * pi * z);
  }
  return g;
}
double mw_g3(X x) {
  double g = 1.0;
  for (std::size_t i = 1; i < x.size(); ++i) {
    const double off = x[i] + (x[i - 1] - 0.5) * (x[i - 1] - 0.5) - 1.0;
    g += 2.0 * off * off;
  }
  return g;
}
double slope(Out out) { return std::numbers::sqrt2 * (out[1] - out[0]); }
double mw1_bound(double l) { return 1.0 + 0.5 * std::pow(std::sin(2.0 * pi * l), 8.0); }
void mw1(X x, const Sizes&, Out out) {
  out[0] = x[0];
  out[1] = mw_g1(x) - 0.85 * x[0];
  out[2] = out[0] + out[1] - mw1_bound(slope(out));
}
void mw2(X x, const Sizes&, Out out) {
  out[0] = x[0];
  out[1] = mw_g2(x) - x[0];
  out[2] = out[0] + out[1] - 1.0 - 0.5 * std::pow(std::sin(3.0 * pi * slope(out)), 8.0);
}
double mw3_bound(double l) { return 0.85 + 0.3 * std::pow(std::sin(0.75 * pi * l), 2.0); }
void mw3(X x, const Sizes&, Out out) {
  out[0] = x[0];
  out[1] = mw_g3(x) - x[0];
  const double sum = out[0] + out[1], l = slope(out);
  out[2] = sum - 1.05 - 0.45 * std::pow(std::sin(0.75 * pi * l), 6.0);
  out[3] = mw3_bound(l) - sum;
}
double mw7_bound(double angle) { return 1.15 - 0.2 * std::pow(std::sin(4.0 * angle), 8.0); }
void mw7(X x, const Sizes&, Out out) {
  const double g = mw_g3(x);
  out[0] = g * x[0];
  out[1] = g * std::sqrt(std::max(0.0, 1.0 - x[0] * x[0]));
  const double square = out[0] * out[0] + out[1] * out[1], angle = std::atan2(out[1], out[0]);
  const double outer = 1.2 + 0.4 * std::pow(std::sin(4.0 * angle), 16.0), inner = mw7_bound(angle);
  out[2] = square - outer * outer;
  out[3] = inner * inner - square;
}

// ---- sums over categorical variables ----
// Each variable has an order of its own: turned by its position, every second one backwards.
void separable(X x, const Sizes& shape, Out out) {
  const double last = static_cast<double>(shape.levels - 1);
  double first = 0.0, second = 0.0;
  for (std::size_t i = 0, turn = 0; i < x.size(); ++i) {
    std::size_t step = static_cast<std::size_t>(x[i] * last + 0.5) + turn;
    if (step >= shape.levels) step -= shape.levels;
    const double share = static_cast<double>(step) / last, own = i % 2 == 0 ? share : 1.0 - share;
    first += own;
    second += (1.0 - own) * (1.0 - own);
    turn = turn + 1 == shape.levels ? 0 : turn + 1;
  }
  out[0] = first / static_cast<double>(x.size());
  out[1] = second / static_cast<double>(x.size());
}

// ---- fronts ----
std::vector<Point> kept(std::vector<Point> points) {
  std::vector<Point> front;
  for (const std::size_t i : non_dominated(points)) front.push_back(std::move(points[i]));
  return front;
}
// Of a curve over t in [0, 1].
template <typename Curve>
std::vector<Point> along(const Curve& curve) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < curve_points; ++i) {
    std::optional<Point> point = curve(static_cast<double>(i) / static_cast<double>(curve_points - 1));
    if (point) points.push_back(std::move(*point));
  }
  return kept(std::move(points));
}
// s and l turned back to objectives, where f1 is within its range.
std::optional<Point> turned(double s, double l) {
  const double difference = l / std::numbers::sqrt2, f1 = (s - difference) / 2.0;
  if (f1 < 0.0 || f1 > 1.0) return std::nullopt;
  return Point{f1, (s + difference) / 2.0};
}
double slope_at(double t) { return 2.0 * (2.0 * t - 1.0); }

// With the variables of distance at `best`; a grid of about curve_points over those of position.
std::vector<Point> front_by_position(void (*function)(X, const Sizes&, Out), const Sizes& shape, double best) {
  const std::size_t positions = shape.objectives - 1;
  const auto exponent = 1.0 / static_cast<double>(positions);
  const auto side =
      static_cast<std::size_t>(std::lround(std::pow(static_cast<double>(curve_points - 1), exponent))) + 1;
  std::vector<double> x(shape.variables, best);
  std::vector<std::size_t> at(positions, 0);
  std::vector<Point> points;
  for (bool more = true; more;) {
    for (std::size_t i = 0; i < positions; ++i) x[i] = static_cast<double>(at[i]) / static_cast<double>(side - 1);
    Point point(shape.objectives);
    function(x, shape, point);
    points.push_back(std::move(point));
    more = false;
    for (std::size_t i = 0; i < positions && !more; ++i) {
      more = ++at[i] < side;
      if (!more) at[i] = 0;
    }
  }
  return kept(std::move(points));
}

std::vector<Point> zdt1_front(const Sizes& shape) { return front_by_position(zdt1, shape, 0.0); }
std::vector<Point> zdt2_front(const Sizes& shape) { return front_by_position(zdt2, shape, 0.0); }
std::vector<Point> zdt3_front(const Sizes& shape) { return front_by_position(zdt3, shape, 0.0); }
std::vector<Point> zdt4_front(const Sizes& shape) { return front_by_position(zdt4, shape, 0.5); }
std::vector<Point> zdt6_front(const Sizes&) {
  constexpr double least = 0.2807753191;  // of f1, which takes every value from there to 1
  return along([](double t) -> std::optional<Point> {
    const double f1 = least + t * (1.0 - least);
    return Point{f1, 1.0 - f1 * f1};
  });
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
std::vector<Point> mw7_front(const Sizes&) {
  return along([](double t) -> std::optional<Point> {
    const double angle = t * pi / 2.0, radius = std::max(1.0, mw7_bound(angle));
    return Point{radius * std::cos(angle), radius * std::sin(angle)};
  });
}
std::vector<Point> separable_front(const Sizes& shape) {
  const std::size_t steps = shape.levels - 1, n = shape.variables;
  const auto loss = [&](std::size_t j) {
    const double rest = 1.0 - static_cast<double>(j) / static_cast<double>(steps);
    return rest * rest;
  };
  std::vector<Point> front;
  for (std::size_t total = 0; total <= n * steps; ++total) {
    const std::size_t each = total / n, more = total % n;  // `more` variables have one step more than the others
    const double lower = static_cast<double>(n - more) * loss(each);
    const double upper = more == 0 ? 0.0 : static_cast<double>(more) * loss(each + 1);
    front.push_back(
        {static_cast<double>(total) / static_cast<double>(n * steps), (lower + upper) / static_cast<double>(n)});
  }
  return front;
}

// ---- hypervolumes in closed form ----
double box(const Point& reference) {
  return std::accumulate(reference.begin(), reference.end(), 1.0, std::multiplies<>());
}
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

struct TestFunction::Entry {
  const char* name;
  void (*evaluate)(X, const Sizes&, Out);
  std::vector<Point> (*front)(const Sizes&);
  double (*hypervolume)(const Sizes&, const Point&);  // null: of the front's sample
  std::size_t least_variables, most_objectives, constraints;
  double reference;  // of every objective but the last of dtlz7
};

std::span<const TestFunction::Entry> TestFunction::entries() {
  static const std::array<Entry, 17> all = {{
      {"zdt1", zdt1, zdt1_front, nullptr, 2, 2, 0, 1.1},
      {"zdt2", zdt2, zdt2_front, nullptr, 2, 2, 0, 1.1},
      {"zdt3", zdt3, zdt3_front, nullptr, 2, 2, 0, 1.1},
      {"zdt4", zdt4, zdt4_front, nullptr, 2, 2, 0, 1.1},
      {"zdt6", zdt6, zdt6_front, nullptr, 2, 2, 0, 1.1},
      {"dtlz1", dtlz1, dtlz1_front, simplex_volume, 2, 15, 0, 0.55},
      {"dtlz2", dtlz2, sphere_front, sphere_volume, 2, 15, 0, 1.1},
      {"dtlz3", dtlz3, sphere_front, sphere_volume, 2, 15, 0, 1.1},
      {"dtlz4", dtlz4, sphere_front, sphere_volume, 2, 15, 0, 1.1},
      {"dtlz5", dtlz5, circle_front, nullptr, 2, 3, 0, 1.1},
      {"dtlz6", dtlz6, circle_front, nullptr, 2, 3, 0, 1.1},
      {"dtlz7", dtlz7, dtlz7_front, dtlz7_volume, 2, 15, 0, 1.1},
      {"mw1", mw1, mw1_front, nullptr, 3, 2, 1, 1.1},
      {"mw2", mw2, mw2_front, nullptr, 2, 2, 1, 1.1},
      {"mw3", mw3, mw3_front, nullptr, 2, 2, 2, 1.265},
      {"mw7", mw7, mw7_front, nullptr, 2, 2, 2, 1.265},
      {"separable", separable, separable_front, nullptr, 1, 2, 0, 1.1},
  }};
  return all;
}

std::vector<std::string> TestFunction::names() {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) names.emplace_back(entry.name);
  return names;
}

TestFunction::TestFunction(const std::string& name, const TestFunctionShape& shape) : name_(name), shape_(shape) {
  const auto all = entries();
  const auto found = std::ranges::find_if(all, [&](const Entry& entry) { return entry.name == name; });
  if (found == all.end()) {
    throw ConfigError({"", "function", "the name of a test function", "'" + name + "'", known_words(name, names())});
  }
  entry_ = &*found;
  const std::size_t m = shape.objectives;
  if (m < 2 || m > entry_->most_objectives) {
    throw ConfigError({"", "objectives",
                       entry_->most_objectives == 2 ? "2" : fmt::format("2 to {}", entry_->most_objectives),
                       std::to_string(m), ""});
  }
  const std::size_t least = std::max(entry_->least_variables, m > 2 ? m : entry_->least_variables);
  if (shape.variables < least) {
    throw ConfigError({"", "function", fmt::format("a space of at least {} dimensions for '{}'", least, name),
                       std::to_string(shape.variables), "raise its parameter \"variables\""});
  }
  if (name == "separable" && shape.levels < 2) {
    throw ConfigError(
        {"", "function", "a space whose dimensions all have one number of choices, at least 2", "another", ""});
  }
}

std::size_t TestFunction::constraints() const { return entry_->constraints; }

void TestFunction::evaluate(std::span<const double> x, std::span<double> outputs) const {
  entry_->evaluate(x, shape_, outputs);
}

std::vector<Point> TestFunction::front() const { return entry_->front(shape_); }

Point TestFunction::reference() const {
  Point reference(shape_.objectives, entry_->reference);
  if (name_ == "dtlz7") reference.back() = 2.2 * static_cast<double>(shape_.objectives);
  return reference;
}

double TestFunction::hypervolume() const {
  if (entry_->hypervolume != nullptr) return entry_->hypervolume(shape_, reference());
  return ridgeline::hypervolume(front(), reference());
}

}  // namespace ridgeline
