// Analytic problems with known fronts, on variables in [0, 1] (scaled to a function's own range inside). All outputs
// are minimised; a constraint holds where it is at most 0.
//
//   zdt1 zdt2 zdt3 zdt4 zdt6     Zitzler, Deb and Thiele, 2000; two objectives
//   dtlz1 ... dtlz7              Deb, Thiele, Laumanns and Zitzler, 2002; two objectives or more, 5 and 6 at most three
//                                (with more, parts of the published front are not optimal)
//   mw1 ... mw14                 Ma and Wang, 2019; two objectives (mw4, mw8 and mw14: two or more, usually three), one
//                                to four constraints
//   separable                    two sums over categorical variables of k choices each: the j-th choice of a variable,
//                                in an order of its own, adds j / (n (k - 1)) to f1 and (1 - j / (k - 1))^2 / n to f2
//
// Fronts: of `separable` exact, n (k - 1) + 1 points, because the second sum is convex, so that even shares are best.
// Of the others a dense sample of the continuous front, which variables of few levels need not reach; the hypervolumes
// of dtlz1 to dtlz4, dtlz7, mw4, mw8 and mw14 are closed forms or one integral, those of curves come from 20,001 points
// (5 digits). Points of mw5's and mw11's fronts stand alone, at the tip of a feasible region. Immutable and
// thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/fronts/pareto.hpp"

namespace ridgeline {

struct TestFunctionShape {
  std::size_t variables = 0;
  std::size_t objectives = 2;
  std::size_t levels = 0;  // choices of each variable; only `separable` asks, which needs the same of all
};

namespace test_functions {
struct Function;
}

class TestFunction {
 public:
  static std::vector<std::string> names();
  static std::size_t usual_objectives(const std::string& name);  // where nothing is said; 2 for an unknown name
  // Throws ConfigError: an unknown name; a number of variables, objectives or levels that the function does not take.
  TestFunction(const std::string& name, const TestFunctionShape& shape);

  const std::string& name() const { return name_; }
  const TestFunctionShape& shape() const { return shape_; }
  std::size_t constraints() const;
  // x: one a variable, 0 to 1. outputs: the objectives, then the constraints.
  void evaluate(std::span<const double> x, std::span<double> outputs) const;

  std::vector<Point> front() const;
  Point reference() const;     // 1.1 times the largest value of the front, or of the range it lies in
  double hypervolume() const;  // of the front, above reference()

 private:
  std::string name_;
  TestFunctionShape shape_;
  const test_functions::Function* function_;
};

}  // namespace ridgeline
