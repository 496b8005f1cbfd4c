// Training-free scores of a network: proxies for accuracy, not measurements of it.
//
// DeepMAD: Shen et al., "DeepMAD: Mathematical Architecture Design for Deep Convolutional Neural Network", CVPR 2023,
// arXiv:2303.02165. A network is a chain of L layers; layer j reads c_j channels with a k_j x k_j kernel in g_j groups.
//
//   width of layer j        w_j = c_j k_j^2 / g_j
//   entropy of stage i      H_i = log(r_i^2 C_i) * sum over j = 1 .. L_i of log w_j
//                           (r_i, C_i: resolution and channels at the end of the stage; L_i: layers up to there)
//   entropy                 H = sum over i of alpha_i H_i, alpha = 1, ..., 1, 8
//   effectiveness           rho = L / w, w = exp(1/L * sum over all j of log w_j), the geometric mean width
//
// DeepMAD maximises H under rho <= rho_0 (0.3 to 0.5 for its larger networks), because a network that is deep for its
// width does not train well. Depthwise layers count k^2 wide, so mobile networks need a higher limit: rho is 0.014 for
// ResNet-18, 0.087 for ResNet-50 and 0.94 for MobileNetV2. The authors' program halves every log w_j, which scales H
// and changes no ranking, and also subtracts a penalty for stages of unequal depth, which is left out here.
//
// What is a layer in any graph:
//  * Layers are the conv2d and linear nodes of the main path: the path to an output with most of them, ties going to
//    the larger sum of log w. A mul whose second input is spread over the first (squeeze-excite) passes its first input
//    on only, so that gates are no depth, and projections beside a block are not on the path, both as in the authors'
//    blocks. A zero passes nothing on.
//  * The path stops at its first global_avg_pool or flatten behind a layer: the classifier is not scored.
//  * A stage is a run of layers of equal output resolution (r^2 = elements / (batch * channels); 1 for [N, C]). A 1x1
//    convolution right before a strided convolution belongs to the strided one's stage, as it is of its block, unless
//    it stands behind a depthwise convolution, where it ends a block. C_i is what the next stage's first layer reads.
#pragma once

#include "spaces/network.hpp"

namespace ridgeline {

struct ProxyScore {
  double entropy = 0;        // H, natural logarithms; larger is better; 0 without a layer
  double effectiveness = 0;  // rho; smaller trains more easily; 0 without a layer
};

ProxyScore score(const Network& network);

}  // namespace ridgeline
