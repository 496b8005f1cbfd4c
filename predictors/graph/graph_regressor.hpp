// A graph neural network that learns from free statistics first and from few labels then.
//
// pretrain() trains one encoder (graph_encoder.hpp) for all spaces: to predict the statistics of a network,
// standardised within its space (FBNetV3: Dai et al., CVPR 2021), and to make networks alike that are alike in them
// (contrastive, as GENNAPE: Mills et al., AAAI 2023). What labels are learnt from is
//
//   x = (s, share z), s the predicted statistics, z the embedding, each standardised within its space,
//
// so that what is large, deep or slow for its space is so in the same direction in all. Networks are clustered by s,
// and each cluster has a linear head on it (fuzzy_heads.hpp), which all spaces share; z has an adapter a space, so that
// what only holds in one space is not carried to another (AIO-P: Mills et al., AAAI 2023, with standardised labels).
//
// fit() is an ensemble; member m does not see every members-th label, which gives the left-out error. A member's heads
// are a ridge regression, its penalty by leave-one-out error, and its adapters another of what these leave; then
// encoder and heads are tuned together for some steps. Without pretrain() a member's encoder begins at random, with one
// head on z, and all of it is trained. Labels are standardised; those further than three robust deviations from the
// median are drawn in to there, so that the few networks that did not train at all do not decide everything. One thread
// computes everything.
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
  double embedding_share = 0.3;  // of z beside s: how much less the ridge trusts it
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

  // The pre-trained x: graphs x (statistics + embedding). Throws std::logic_error before pretrain().
  RowMatrix embedding(GraphSpan graphs, std::size_t space = 0) const;
  // What fit() descends once a member has begun: the mean squared error of the labels in standard units, for these
  // parameters of an encoder and then of heads and adapters, label_parameters() of them; and its gradient. Throws
  // std::invalid_argument as fit() does, and for another number of parameters.
  Eigen::Index label_parameters() const;
  double label_loss(std::span<const GraphTask> tasks, const Eigen::VectorXd& parameters,
                    Eigen::VectorXd* gradient = nullptr) const;
  const FuzzyClusters& clusters() const { return clusters_; }
  bool pretrained() const { return pretrained_; }

 private:
  struct Alignment {  // of x within a space, before z's share
    Eigen::RowVectorXd centre, spread;
  };
  struct Scale {  // of a space's labels
    bool labelled = false;
    double mean = 0, spread = 1;
  };
  struct Member {
    Eigen::VectorXd encoder;  // empty: the pre-trained one
    Eigen::VectorXd heads;    // of the columns of inputs()
  };
  struct Rows;  // labels of all tasks, in standard units

  void align(std::span<const GraphSpace> spaces, Rng& rng);
  const Alignment& alignment(std::size_t space) const;
  Eigen::Index statistics() const { return statistics_bias_.size(); }  // 0 without pre-training
  Eigen::Index shared() const;                                         // columns of x that the clusters' heads look at
  RowMatrix with_statistics(const RowMatrix& z) const;                 // (s, z)
  RowMatrix embedded(const Eigen::VectorXd& encoder, const GraphBatch& batch, std::span<const std::size_t> spaces,
                     GraphEncoder::Trace* trace = nullptr) const;
  RowMatrix embedded(const Eigen::VectorXd& encoder, GraphSpan graphs, std::span<const std::size_t> spaces) const;
  // What a member's values are linear in: the heads' inputs, then every space's adapter.
  RowMatrix inputs(const RowMatrix& x, const RowMatrix& memberships, std::span<const std::size_t> spaces) const;
  // The gradient for z, from that for a member's values.
  RowMatrix backward(const Eigen::VectorXd& heads, const RowMatrix& x, const RowMatrix& memberships,
                     std::span<const std::size_t> spaces, const Eigen::VectorXd& d_values) const;
  Rows rows_of(std::span<const GraphTask> tasks);
  Member fitted(const Rows& rows, std::uint64_t number) const;
  double loss(const Rows& rows, const GraphBatch& batch, const Eigen::VectorXd& parameters,
              Eigen::VectorXd* gradient) const;
  void descend(const Rows& rows, int steps, double rate, Member& member) const;
  Eigen::VectorXd values(const Member& member, GraphSpan graphs, std::span<const std::size_t> spaces) const;

  GraphRegressorOptions options_;
  GraphEncoder encoder_;
  EncoderScale scale_;
  bool pretrained_ = false, fitted_ = false;
  Eigen::VectorXd parameters_;          // of the pre-trained encoder
  RowMatrix statistics_head_;           // embedding x statistics
  Eigen::RowVectorXd statistics_bias_;  // statistics
  std::vector<Alignment> alignments_;   // one a space
  FuzzyClusters clusters_;
  std::vector<Scale> scales_;  // one a space
  std::size_t first_labelled_ = 0;
  std::vector<Member> members_;
  double left_out_ = 0;
};

}  // namespace ridgeline
