// Training-free scores of a network.
//
// entropy, effectiveness: DeepMAD (Shen et al., CVPR 2023, arXiv:2303.02165), equations as cited at each function.
#pragma once

#include "spaces/design.hpp"

namespace ridgeline {

struct ProxyScore {
  double entropy;        // weighted sum over the stages of the network's entropy; larger is better
  double effectiveness;  // rho = depth / geometric-mean width; DeepMAD keeps it under a limit so that it stays trainable
};

}  // namespace ridgeline
