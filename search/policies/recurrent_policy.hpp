// A recurrent policy over choices: Zoph and Le, "Neural architecture search with reinforcement learning", 2017,
// section 3.1, with the embeddings of ENAS (Pham et al., 2018, arXiv:1802.03268).
//
// One LSTM (Hochreiter and Schmidhuber, 1997; one layer, no peepholes) takes a step a dimension. It reads the embedding
// of the choice made last, at the first step a learnt vector plus a learnt linear map of the context (the weights of
// the objectives, say). A dimension has a softmax of its own over the hidden state, in which forbidden choices have
// probability 0; one linear head gives the value of the state, for learning with a critic. A controller of one
// dimension makes one step, for which an LSTM is of no use: its hidden state is tanh of the input.
//
// All parameters are doubles in one flat vector: start (H), context map (H x context), embeddings (H x choices), LSTM
// (4H x 2H, rows input, forget, candidate, output gate; 4H biases), logits (H x choices; biases), value (H; bias).
// Matrices by column. Drawn uniformly from +-0.1 but for the logits and the value, which begin at 0, so that the first
// policy is uniform, and the bias of the forget gate, 1.
//
// A Pass is one walk through a controller, drawn or repeated, and what back-propagation through time needs of it. It
// refers to the controller, whose parameters must stay as they are meanwhile. Not thread-safe.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <vector>

#include "spaces/rng.hpp"

namespace ridgeline {

struct RecurrentShape {
  std::vector<std::size_t> choices;  // by dimension, at least one of each
  std::size_t context = 0;           // numbers given at the first step
  std::size_t hidden = 16;           // H, at least 1
};

class RecurrentPolicy {
 public:
  RecurrentPolicy(RecurrentShape shape, Rng& rng);  // throws std::invalid_argument: no dimension, or 0 of anything

  const RecurrentShape& shape() const { return shape_; }
  const Eigen::VectorXd& parameters() const { return parameters_; }
  // Throws std::invalid_argument: another number of them, or not finite.
  void set_parameters(const Eigen::Ref<const Eigen::VectorXd>& parameters);

 private:
  friend class Pass;

  // Where each part begins in the flat vector.
  struct Layout {
    Eigen::Index start, context, embeddings, gates, gate_biases, logits, logit_biases, value, size;
  };
  bool recurrent() const { return shape_.choices.size() > 1; }

  RecurrentShape shape_;
  std::vector<Eigen::Index> first_;  // choice of each dimension; all of them at the end
  Layout layout_{};
  Eigen::VectorXd parameters_;
};

// How an objective changes with what a step gave.
struct StepGradient {
  double log_probability = 0, entropy = 0, value = 0;
};

class Pass {
 public:
  Pass(const RecurrentPolicy& controller, std::span<const double> context);

  // The next step's distribution over the choices of a dimension; `allowed` as for softmax(), whose logits are divided
  // by `temperature` (> 0) first. Only what was decided at temperature 1 may go backward.
  std::span<const double> decide(std::size_t dim, std::span<const std::uint8_t> allowed, double temperature = 1.0);
  void take(std::uint16_t choice);  // of the dimension decided on

  std::size_t size() const { return steps_.size(); }
  double log_probability(std::size_t step) const;  // of the choice taken
  double entropy(std::size_t step) const;          // in nats, of the allowed choices
  double value(std::size_t step) const { return steps_[step].value; }

  // Adds the gradient of an objective by the parameters, given its gradient by each step's outcomes.
  void backward(std::span<const StepGradient> by_step, Eigen::Ref<Eigen::VectorXd> gradient) const;

 private:
  using Vector = Eigen::VectorXd;
  struct Step {
    std::size_t dim = 0;
    std::uint16_t choice = 0;
    Eigen::Index embedding = -1;    // the choice read, of all dimensions; -1: the first step
    Vector read;                    // 2H: what is read, the hidden state before
    Vector gates;                   // 4H, after their functions
    Vector cell, squashed, hidden;  // H; squashed: tanh of the cell
    std::vector<double> probabilities;
    double value = 0;
  };
  struct Flow {  // back through time
    Vector hidden, cell;
  };

  Vector input() const;
  void recur(Step& step) const;
  Vector backward_heads(const Step& step, const StepGradient& by, Eigen::Ref<Vector> gradient) const;
  Vector backward_gates(std::size_t t, const Vector& by_hidden, Flow& later, Eigen::Ref<Vector> gradient) const;
  void backward_input(const Step& step, const Vector& by_input, Eigen::Ref<Vector> gradient) const;

  const RecurrentPolicy* controller_;
  Vector context_;
  std::vector<Step> steps_;
};

}  // namespace ridgeline
