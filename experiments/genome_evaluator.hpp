// An evaluator whose values come from the genome alone: a table's, a formula's. Candidate::design may be null for it,
// and its evaluate() may be called by several threads at once, so that a benchmark need not build networks to ask it.
#pragma once

#include "experiments/evaluator.hpp"

namespace ridgeline {

class GenomeEvaluator : public Evaluator {
 public:
  // True: candidates whose networks compute the same function have values of their own.
  virtual bool tells_genomes_apart() const { return false; }
};

}  // namespace ridgeline
