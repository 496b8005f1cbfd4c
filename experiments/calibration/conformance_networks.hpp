// The networks of device_conformance.hpp.
#pragma once

#include <string>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

struct ProbeShape {
  std::int64_t channels = 16, resolution = 16, batch = 1;
};

// A convolution, an inverted residual with its addition, a pool and a classifier.
Network probe_network(const ProbeShape& shape);
Network mobilenet_v2_network();  // width 1, 224 x 224, 1,000 classes

struct OperatorNetwork {
  OpKind kind;
  Network network;
};
// One network of every kind of operator but the input.
std::vector<OperatorNetwork> operator_networks();

}  // namespace ridgeline
