// Well-known networks built node by node, whose sizes are published.
#pragma once

#include <array>
#include <vector>

#include "spaces/network.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline::test {

inline NodeId conv_norm(Network& network, const Op& op, NodeId x) {
  return network.add(make(OpKind::batch_norm), {network.add(op, {x})});
}

inline NodeId conv_norm_act(Network& network, const Op& op, NodeId x, OpKind act) {
  return network.add(make(act), {conv_norm(network, op, x)});
}

inline void classify(Network& network, NodeId x, std::int64_t classes) {
  const NodeId pooled = network.add(make(OpKind::flatten), {network.add(make(OpKind::global_avg_pool), {x})});
  network.mark_output(network.add(linear(classes), {pooled}));
}

// He et al., 2016; `bottleneck` blocks of three convolutions (stride in the 3x3, as in torchvision) or basic ones of
// two.
inline Network resnet(const std::array<int, 4>& depths, bool bottleneck, std::int64_t resolution = 224) {
  Network network;
  NodeId x = network.add_input({1, 3, resolution, resolution});
  x = conv_norm_act(network, conv(64, 7, 2), x, OpKind::relu);
  x = network.add(pool(OpKind::max_pool, 3, 2, 1), {x});
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const std::int64_t width = std::int64_t{64} << stage;
    const std::int64_t out = bottleneck ? 4 * width : width;
    for (int block = 0; block < depths[stage]; ++block) {
      const int stride = stage > 0 && block == 0 ? 2 : 1;
      NodeId y = x;
      if (bottleneck) y = conv_norm_act(network, conv(width, 1), y, OpKind::relu);
      y = conv_norm_act(network, conv(width, 3, stride), y, OpKind::relu);
      y = conv_norm(network, bottleneck ? conv(out, 1) : conv(out, 3), y);
      if (network.shape(x)[1] != out || stride != 1) x = conv_norm(network, conv(out, 1, stride), x);
      x = network.add(make(OpKind::relu), {network.add(make(OpKind::add), {y, x})});
    }
  }
  classify(network, x, 1000);
  return network;
}

// Sandler et al., 2018: (expansion, channels, blocks, stride of the first).
inline Network mobilenet_v2(std::int64_t resolution = 224) {
  struct Stage {
    int expansion, channels, blocks, stride;
  };
  const std::vector<Stage> stages{{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  Network network;
  NodeId x = network.add_input({1, 3, resolution, resolution});
  x = conv_norm_act(network, conv(32, 3, 2), x, OpKind::relu6);
  for (const Stage& stage : stages) {
    for (int block = 0; block < stage.blocks; ++block) {
      const std::int64_t in = network.shape(x)[1];
      const auto hidden = static_cast<int>(in * stage.expansion);
      NodeId y = x;
      if (stage.expansion != 1) y = conv_norm_act(network, conv(hidden, 1), y, OpKind::relu6);
      y = conv_norm_act(network, conv(hidden, 3, block == 0 ? stage.stride : 1, hidden), y, OpKind::relu6);
      y = conv_norm(network, conv(stage.channels, 1), y);
      x = network.shape(y) == network.shape(x) ? network.add(make(OpKind::add), {y, x}) : y;
    }
  }
  x = conv_norm_act(network, conv(1280, 1), x, OpKind::relu6);
  classify(network, x, 1000);
  return network;
}

}  // namespace ridgeline::test
