// A graph neural network that learns from free statistics first and from few labels then.
//
// pretrain() trains one encoder (graph_encoder.hpp) for all spaces: to predict the statistics of a network,
// standardised within its space (FBNetV3: Dai et al., CVPR 2021), and to make networks alike that are alike in them
// (contrastive, as GENNAPE: Mills et al., AAAI 2023). Embeddings are then standardised within each space, so that what
// is large, deep or slow for its space is so in the same direction in all: labels of one space say something of
// another (AIO-P: Mills et al., AAAI 2023, with standardised labels). They are clustered, and each cluster has a linear
// head (fuzzy_heads.hpp).
//
// fit() is an ensemble; member m does not see every members-th label, which gives the left-out error. A member's heads
// are a ridge regression on the pre-trained embedding, its penalty by leave-one-out error; then encoder and heads are
// tuned together for some steps. Without pretrain() a member's encoder begins at random, with one cluster, and all of
// it is trained. Labels are standardised. One thread computes everything.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "predictors/graph/fuzzy_heads.hpp"
#include "predictors/graph/graph_encoder.hpp"
#include "predictors/graph/graph_predictor.hpp"

namespace ridgeline {

struct GraphRegressorOptions {
  EncoderShape shape{};
  std::uint64_t seed = 1;
  // Pre-training: Adam, its rate falling to 0 as a cosine does.
  int pretrain_epochs = 10;
  std::size_t batch = 64;  // networks a step, of one space
  double pretrain_rate = 3e-3;
  double similarity = 0.1;       // weight of similarity_loss beside the statistics
  Eigen::Index projection = 16;  // what it compares
  std::size_t clusters = 3;
  // Labels. Each step looks at all of them.
  std::size_t members = 3;
  int tune_steps = 20;  // after pre-training; 0 leaves the encoder as it is
  double tune_rate = 1e-3;
  int steps = 60;  // from a random start
  double rate = 1e-2;
  double decay = 1e-3;
};

class GraphRegressor final : public GraphPredictor {
 public:
  // Throws std::invalid_argument: counts below 1, rates and weights that are negative or not finite.
  explicit GraphRegressor(const GraphRegressorOptions& options = {});

  void pretrain(std::span<const GraphSpace> spaces,
                const std::function<void(std::size_t, std::size_t)>& progress = {}) override;
  void fit(std::span<const GraphTask> tasks) override;
  Prediction predict(GraphSpan graphs, std::size_t space = 0) const override;
  double left_out_error() const override;
  Json save() const override;
  void load(const Json& state) override;

  // The pre-trained embedding, standardised within its space: graphs x embedding. Throws std::logic_error before
  // pretrain().
  RowMatrix embedding(GraphSpan graphs, std::size_t space = 0) const;
  const FuzzyClusters& clusters() const { return clusters_; }
  bool pretrained() const { return pretrained_; }

 private:
  struct Alignment {  // of embeddings within a space
    Eigen::RowVectorXd centre, spread;
  };
  struct Scale {  // of a space's labels
    bool labelled = false;
    double mean = 0, spread = 1;
  };
  struct Member {
    Eigen::VectorXd encoder;  // empty: the pre-trained one
    Eigen::VectorXd heads;    // clusters (1 + embedding)
  };
  struct Rows;  // labels of all tasks, in standard units

  void align(std::span<const GraphSpace> spaces, Rng& rng);
  const Alignment& alignment(std::size_t space) const;
  RowMatrix embedded(const Eigen::VectorXd& encoder, const GraphBatch& batch, std::span<const std::size_t> spaces,
                     GraphEncoder::Trace* trace = nullptr) const;
  Rows rows_of(std::span<const GraphTask> tasks);
  Member fitted(const Rows& rows, std::uint64_t number) const;
  void descend(const Rows& rows, int steps, double rate, Member& member) const;
  Eigen::VectorXd values(const Member& member, GraphSpan graphs, std::span<const std::size_t> spaces) const;

  GraphRegressorOptions options_;
  GraphEncoder encoder_;
  EncoderScale scale_;
  bool pretrained_ = false, fitted_ = false;
  Eigen::VectorXd parameters_;         // of the pre-trained encoder
  std::vector<Alignment> alignments_;  // one a space
  FuzzyClusters clusters_;
  std::vector<Scale> scales_;  // one a space
  std::size_t first_labelled_ = 0;
  std::vector<Member> members_;
  double left_out_ = 0;
};

}  // namespace ridgeline
