// ZDT, and sums over categorical variables.
#include "experiments/evaluators/test_function_families.hpp"

#include <array>
#include <cmath>

namespace ridgeline::test_functions {
namespace {

double linear_g(X x) { return 1.0 + 9.0 * sum_from(x, 1) / static_cast<double>(x.size() - 1); }

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

}  // namespace

std::span<const Function> zdt_functions() {
  static const std::array<Function, 5> all = {{
      {"zdt1", zdt1, zdt1_front, nullptr, 2, 2, 0, 1.1, 1.1},
      {"zdt2", zdt2, zdt2_front, nullptr, 2, 2, 0, 1.1, 1.1},
      {"zdt3", zdt3, zdt3_front, nullptr, 2, 2, 0, 1.1, 1.1},
      {"zdt4", zdt4, zdt4_front, nullptr, 2, 2, 0, 1.1, 1.1},
      {"zdt6", zdt6, zdt6_front, nullptr, 2, 2, 0, 1.1, 1.1},
  }};
  return all;
}

std::span<const Function> sum_functions() {
  static const std::array<Function, 1> all = {{{"separable", separable, separable_front, nullptr, 1, 2, 0, 1.1, 1.1}}};
  return all;
}

}  // namespace ridgeline::test_functions
