#include "predictors/predictor_network.hpp"

#include "predictors/mlp_ensemble.hpp"
#include "predictors/ridge.hpp"

namespace ridgeline {
namespace {

class Builder {
 public:
  explicit Builder(Eigen::Index features) { features_ = design_.network.add_input({1, features}, "features"); }

  NodeId features() const { return features_; }

  // weights: outputs x inputs.
  NodeId linear(NodeId input, const Eigen::MatrixXd& weights, const Eigen::VectorXd& biases) {
    Op op;
    op.kind = OpKind::linear;
    op.channels = weights.rows();
    op.bias = true;
    const NodeId node = design_.network.add(op, {input});
    NodeWeights& numbers = weights_of(node);
    for (Eigen::Index i = 0; i < weights.rows(); ++i) {
      for (Eigen::Index j = 0; j < weights.cols(); ++j) numbers.kernel.push_back(static_cast<float>(weights(i, j)));
      numbers.bias.push_back(static_cast<float>(biases[i]));
    }
    return node;
  }
  NodeId plain(OpKind kind, std::initializer_list<NodeId> inputs) {
    Op op;
    op.kind = kind;
    return design_.network.add(op, inputs);
  }

  Design finish(NodeId output) {
    design_.network.mark_output(output);
    weights_of(static_cast<NodeId>(design_.network.size() - 1));
    design_.weights = std::make_shared<const Weights>(std::move(weights_));
    return std::move(design_);
  }

 private:
  NodeWeights& weights_of(NodeId node) {
    if (weights_.size() <= node) weights_.resize(node + 1);
    return weights_[node];
  }

  Design design_;
  Weights weights_;
  NodeId features_ = 0;
};

Design network_of(const Ridge::Coefficients& ridge) {
  Builder builder(ridge.slopes.size());
  return builder.finish(
      builder.linear(builder.features(), ridge.slopes.transpose(), Eigen::VectorXd::Constant(1, ridge.intercept)));
}

Design network_of(const MlpEnsemble::Layers& ensemble) {
  Builder builder(ensemble.straight.size());
  NodeId sum = builder.linear(builder.features(), ensemble.straight.transpose(),
                              Eigen::VectorXd::Constant(1, ensemble.intercept));
  for (const std::vector<MlpEnsemble::Layer>& member : ensemble.members) {
    NodeId node = builder.features();
    for (std::size_t k = 0; k < member.size(); ++k) {
      node = builder.linear(node, member[k].weights, member[k].biases);
      if (k + 1 < member.size()) node = builder.plain(OpKind::swish, {node});
    }
    sum = builder.plain(OpKind::add, {sum, node});
  }
  return builder.finish(sum);
}

}  // namespace

std::optional<Design> predictor_network(const Predictor& predictor) {
  if (const auto* ridge = dynamic_cast<const Ridge*>(&predictor)) {
    const Ridge::Coefficients coefficients = ridge->coefficients();
    if (coefficients.slopes.size() > 0) return network_of(coefficients);
  }
  if (const auto* mlp = dynamic_cast<const MlpEnsemble*>(&predictor)) {
    const MlpEnsemble::Layers layers = mlp->layers();
    if (layers.straight.size() > 0) return network_of(layers);
  }
  return std::nullopt;
}

}  // namespace ridgeline
