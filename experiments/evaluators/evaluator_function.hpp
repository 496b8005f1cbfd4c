// "function": an output of an analytic test function (test_functions.hpp), for spaces whose genes are its variables:
// {"function": "zdt1", "output": "f1"}, with "objectives": 3 where it is scalable. A gene of n choices is the variable
// gene / (n - 1); outputs are f1, f2 ... and, for constraints, c1, c2 ..., which hold where they are at most 0.
//
// {"rungs": [1, 0.25, 0.0625], "rung_error": 0.1}: rungs of these costs. On one of cost c the output is off by
// u rung_error sqrt(1 / c - 1), with a u from -1 to 1 that is the candidate's own on that rung, which is how far a mean
// over a share c of the images is off that over all.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/evaluators/test_functions.hpp"
#include "experiments/genome_evaluator.hpp"

namespace ridgeline {

struct FunctionRungs {
  std::vector<double> costs = {1.0};
  double error = 0.1;
};

class FunctionEvaluator : public GenomeEvaluator {
 public:
  // `output`: of TestFunction::evaluate. Throws ConfigError as TestFunction does.
  FunctionEvaluator(TestFunction function, const SearchSpace& space, std::size_t output, FunctionRungs rungs = {});

  Fidelity fidelity() const override { return Fidelity::analytic; }
  bool tells_genomes_apart() const override { return true; }
  std::uint64_t fingerprint() const override;
  std::vector<double> rung_costs() const override { return rungs_.costs; }
  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override;

  const TestFunction& function() const { return function_; }
  std::size_t output() const { return output_; }

 private:
  double error_of(const Candidate& candidate) const;  // on its rung

  TestFunction function_;
  std::size_t output_;
  FunctionRungs rungs_;
  std::vector<double> values_;        // of every choice, dimension by dimension
  std::vector<std::size_t> offsets_;  // where a dimension's begin
};

}  // namespace ridgeline
