// Learned functions from networks to a score, with uncertainty: what Predictor is for rows of features.
//
// Contract: pretrain() looks at networks without labels, of one space or of several, and forgets everything learnt
// before; it may be left out. fit() replaces the labels learnt before and needs at least one; predict() is pure and
// thread-safe, gives one mean and one standard deviation a graph, no graphs included, and does not depend on the order
// of a graph's nodes (the last bits excepted). The same data gives the same predictions; save() then load() predicts
// identically. Values that are not finite and sizes that do not fit throw std::invalid_argument, predict() and save()
// before fit() throw std::logic_error, and load() of another signature or a damaged state throws ConfigError.
#pragma once

#include <functional>
#include <span>

#include "predictors/graph/network_graph.hpp"
#include "predictors/predictor.hpp"

namespace ridgeline {

using GraphSpan = std::span<const NetworkGraph* const>;

// Networks of one space with what is free to know of each: logarithms of MACs and weights, an estimated latency ...
struct GraphSpace {
  GraphSpan graphs;      // at least 2
  RowMatrix statistics;  // graphs x statistics, as many columns in every space; any scale
};

// Labels of one task on networks of one space, which goes by its place in pretrain()'s list (0 without one).
struct GraphTask {
  std::size_t space = 0;
  GraphSpan graphs;
  Eigen::VectorXd values;  // one a graph
};

class GraphPredictor {
 public:
  virtual ~GraphPredictor() = default;
  // `progress`: steps done, of how many.
  virtual void pretrain(std::span<const GraphSpace> spaces,
                        const std::function<void(std::size_t, std::size_t)>& progress = {}) = 0;
  // Several tasks share what is learnt, each with a scale of its own.
  virtual void fit(std::span<const GraphTask> tasks) = 0;
  // Of networks of a space. Of one that no task was in, the values are in the first task's scale: their order is what
  // they say.
  virtual Prediction predict(GraphSpan graphs, std::size_t space = 0) const = 0;
  // Mean squared error of the latest fit's labels, each predicted without it; in units of their tasks' variance.
  virtual double left_out_error() const = 0;
  virtual Json save() const = 0;
  virtual void load(const Json& state) = 0;
};

}  // namespace ridgeline
