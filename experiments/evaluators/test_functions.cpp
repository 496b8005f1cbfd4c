#include "experiments/evaluators/test_functions.hpp"

#include <fmt/format.h>

#include <cmath>

#include "experiments/evaluators/test_function_families.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace test_functions {

std::vector<Point> kept(std::vector<Point> points) {
  std::vector<Point> front;
  for (const std::size_t i : non_dominated(points)) front.push_back(std::move(points[i]));
  return front;
}

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

}  // namespace test_functions

namespace {

using test_functions::Function;

std::vector<const Function*> functions() {
  std::vector<const Function*> all;
  for (const auto family : {test_functions::zdt_functions(), test_functions::dtlz_functions(),
                            test_functions::mw_functions(), test_functions::sum_functions()}) {
    for (const Function& function : family) all.push_back(&function);
  }
  return all;
}

const Function* find(const std::string& name) {
  const std::vector<const Function*> all = functions();
  const auto found = std::ranges::find_if(all, [&](const Function* one) { return one->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace

std::vector<std::string> TestFunction::names() {
  std::vector<std::string> names;
  for (const Function* function : functions()) names.emplace_back(function->name);
  return names;
}

TestFunction::TestFunction(const std::string& name, const TestFunctionShape& shape) : name_(name), shape_(shape) {
  function_ = find(name);
  if (function_ == nullptr) {
    throw ConfigError({"", "function", "the name of a test function", "'" + name + "'", known_words(name, names())});
  }
  const std::size_t m = shape.objectives;
  if (m < 2 || m > function_->most_objectives) {
    throw ConfigError({"", "objectives",
                       function_->most_objectives == 2 ? "2" : fmt::format("2 to {}", function_->most_objectives),
                       std::to_string(m), ""});
  }
  const std::size_t least = function_->least_variables + m - 2;
  if (shape.variables < least) {
    throw ConfigError({"", "function", fmt::format("a space of at least {} dimensions for '{}'", least, name),
                       std::to_string(shape.variables), "raise its parameter \"variables\""});
  }
  if (name == "separable" && shape.levels < 2) {
    throw ConfigError(
        {"", "function", "a space whose dimensions all have one number of choices, at least 2", "another", ""});
  }
}

std::size_t TestFunction::usual_objectives(const std::string& name) {
  const Function* const function = find(name);
  return function == nullptr ? 2 : function->usual_objectives;
}

std::size_t TestFunction::constraints() const { return function_->constraints; }

void TestFunction::evaluate(std::span<const double> x, std::span<double> outputs) const {
  function_->evaluate(x, shape_, outputs);
}

std::vector<Point> TestFunction::front() const { return function_->front(shape_); }

Point TestFunction::reference() const {
  Point reference(shape_.objectives, function_->reference);
  reference.back() = name_ == "dtlz7" ? 2.2 * static_cast<double>(shape_.objectives) : function_->last_reference;
  return reference;
}

double TestFunction::hypervolume() const {
  if (function_->hypervolume != nullptr) return function_->hypervolume(shape_, reference());
  return ridgeline::hypervolume(front(), reference());
}

}  // namespace ridgeline
