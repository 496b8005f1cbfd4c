// Layer-wise relevance propagation (Bach et al., On Pixel-Wise Explanations for Non-Linear Classifier Decisions by
// Layer-Wise Relevance Propagation, 2015): how much each number inside a network has to do with an answer. Relevance is
// given to the output and handed down, operator by operator, so that its sum stays the same.
//
// Rules, with x_i what an operator reads, w_ij its weights, z_ij = x_i w_ij and R_j the relevance of output j:
//   positive   R_i = sum_j z_ij+ / sum_k z_kj+ * R_j, the z+ rule (the alpha-beta rule of Bach et al. with alpha 1) for
//              inputs of both signs: relevance never changes its sign
//   epsilon    R_i = sum_j z_ij / (z_j + epsilon sign(z_j)) * R_j with z_j = sum_k z_kj (Bach et al., equation 58), and
//              epsilon in units of the root mean square of z, in one image and group; 0: the plain z rule
//   conv2d, linear           as above. Biases take nothing: z_j is without them
//   matmul                   as above with half for each operand (Achtibat et al., AttnLRP, 2024)
//   add, avg_pool            as above with weights of 1: by what each addend contributes; global_avg_pool too
//   max_pool                 all to the first largest number of the window
//   mul                      half for each operand (AttnLRP)
//   concat, reshape, transpose, flatten, identity   every number keeps its own
//   activations, softmax, batch_norm, layer_norm    passed through as it is
// Where all contributions to an output are 0, its relevance goes nowhere; that, and what epsilon and a `zero` operator
// take, is `absorbed`. So the relevance of the input and all that was absorbed add up to the relevance of the output,
// but for the rounding of f32: within 1e-4 of it by the positive rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/reference.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

enum class RelevanceRule : std::uint8_t { positive, epsilon };

struct RelevanceOptions {
  RelevanceRule rule = RelevanceRule::positive;
  double epsilon = 1e-2;  // of the epsilon rule; >= 0
};

struct Relevance {
  std::vector<Tensor> nodes;     // of each node's output; empty of nodes that no output is reachable from
  std::vector<double> absorbed;  // by each node, over the batch

  double total(NodeId node) const;  // over the batch
};

// `activations`: what every node made, in f32, as run_reference gives it; `output`: the relevance of the network's one
// output, in its shape. `design` has weights. Pure; thread-safe. Throws std::invalid_argument where sizes do not fit.
Relevance propagate_relevance(const Design& design, std::span<const Tensor> activations, std::span<const float> output,
                              const RelevanceOptions& options = {});

}  // namespace ridgeline
