// From graphs to one vector each by message passing, with exact gradients.
//
//   state 0   h = silu(W0 x + b0), x the standardised features of a node
//   round l   h' = h + silu(Ws h + Wi mean(h of the nodes that it reads) + Wo mean(h of its readers) + b)
//   embedding z = silu(Wm mean(h) + Wa sum(h) / nodes_scale + b), over all nodes of the graph
//
// Graph convolution along both directions of the edges with a residual (Kipf and Welling, ICLR 2017; BRP-NAS: Dudziak
// et al., NeurIPS 2020); the mean says what a network is made of, the sum how much of it there is.
//
// All parameters stand in one vector, which the caller keeps; the class is the shape alone. Pure.
#pragma once

#include <vector>

#include "predictors/graph/graph_batch.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

struct EncoderShape {
  Eigen::Index width = 32;      // of a node's state
  int rounds = 3;               // of messages
  Eigen::Index embedding = 32;  // numbers a graph
};

// How features are brought to one scale, and how many nodes a graph has.
struct EncoderScale {
  Eigen::RowVectorXd centre, spread;  // one a feature; a spread is 1 where a feature is constant
  double nodes = 1;
  // Of the nodes of these graphs, at least one.
  static EncoderScale of(std::span<const NetworkGraph* const> graphs);
};

class GraphEncoder {
 public:
  GraphEncoder(Eigen::Index features, const EncoderShape& shape);

  const EncoderShape& shape() const { return shape_; }
  Eigen::Index parameters() const { return parameters_; }
  Eigen::VectorXd initial(Rng& rng) const;  // normal, of variance 1 / inputs; biases 0

  // What backward() looks at again.
  struct Trace {
    std::vector<RowMatrix> states;         // rounds + 1: what came out
    std::vector<RowMatrix> inputs;         // rounds + 1: what silu was given
    std::vector<RowMatrix> read, readers;  // rounds: the means
    RowMatrix mean, sum, before;           // graphs x width, twice, and what silu was given
    RowMatrix features;                    // standardised
  };
  // graphs x embedding, row = graph. `trace`: filled where it is not null.
  RowMatrix forward(const Eigen::VectorXd& parameters, const EncoderScale& scale, const GraphBatch& batch,
                    Trace* trace = nullptr) const;
  // The gradient of a sum over d_embedding .* embedding, added to `gradient` (one entry a parameter).
  void backward(const Eigen::VectorXd& parameters, const EncoderScale& scale, const GraphBatch& batch,
                const Trace& trace, const RowMatrix& d_embedding, Eigen::Ref<Eigen::VectorXd> gradient) const;

 private:
  struct Matrix {  // rows x cols from a place in the vector on; a bias has one row
    Eigen::Index begin, rows, cols;
  };
  struct Round {
    Matrix self, inputs, readers, bias;
  };
  Matrix take(Eigen::Index rows, Eigen::Index cols);
  static Eigen::Map<const RowMatrix> view(const Eigen::VectorXd& parameters, const Matrix& matrix);
  static Eigen::Map<RowMatrix> view(Eigen::Ref<Eigen::VectorXd>& parameters, const Matrix& matrix);

  EncoderShape shape_;
  Eigen::Index parameters_ = 0;
  Matrix first_{}, first_bias_{};
  std::vector<Round> rounds_;
  Matrix from_mean_{}, from_sum_{}, last_bias_{};
};

}  // namespace ridgeline
