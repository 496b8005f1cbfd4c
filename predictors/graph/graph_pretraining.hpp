// The loss that an encoder is pre-trained by: squared_loss of a linear head on the statistics, and similarity_loss of a
// projection. Pure; encoder, head (embedding x statistics), bias and projection (embedding x c) stand in one vector.
#pragma once

#include "predictors/graph/graph_encoder.hpp"

namespace ridgeline {

class GraphPretraining {
 public:
  // The encoder must outlive it. `similarity`: the weight of similarity_loss, 0 or more.
  GraphPretraining(const GraphEncoder& encoder, Eigen::Index statistics, Eigen::Index projection, double similarity)
      : encoder_(encoder), statistics_(statistics), projection_(projection), similarity_(similarity) {}

  Eigen::VectorXd initial(Rng& rng) const;
  // `statistics`: graphs of the batch x statistics. `gradient` is overwritten: one entry a parameter.
  double loss(const Eigen::VectorXd& parameters, const EncoderScale& scale, const GraphBatch& batch,
              const RowMatrix& statistics, Eigen::VectorXd& gradient) const;
  RowMatrix head(const Eigen::VectorXd& parameters) const;
  Eigen::RowVectorXd bias(const Eigen::VectorXd& parameters) const;

 private:
  Eigen::Index size() const { return encoder_.shape().embedding; }
  Eigen::Index total() const { return encoder_.parameters() + (size() + 1) * statistics_ + size() * projection_; }

  const GraphEncoder& encoder_;
  Eigen::Index statistics_, projection_;
  double similarity_;
};

}  // namespace ridgeline
