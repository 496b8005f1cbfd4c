// Internal: where a channel can be scaled without any operator's noticing: from the operator that makes it to the
// conv2d and linear layers that read it, through operators that commute with positive factors.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "spaces/network.hpp"

namespace ridgeline {

struct ChannelReader {
  NodeId node;        // a conv2d or linear
  std::size_t inner;  // of a linear: consecutive features of one channel, which repeat after all channels
};

struct ChannelPath {
  NodeId producer;  // a conv2d, linear, batch_norm or layer_norm
  std::size_t channels;
  std::vector<ChannelReader> readers;
  bool shifts;  // does a constant added to a channel come out of it unchanged, everywhere a reader looks?
};

// One for each live operator that makes channels which none but conv2d and linear layers read in the end; ascending.
std::vector<ChannelPath> channel_paths(const Network& network);

// Calls visit(channel, output channel, index) for every number of the reader's kernel.
template <typename Visit>
void for_each_weight(const Network& network, const ChannelReader& reader, std::size_t channels, const Visit& visit) {
  const Op& op = network.op(reader.node);
  const auto outputs = static_cast<std::size_t>(op.channels);
  if (op.kind == OpKind::linear) {
    const auto features = static_cast<std::size_t>(network.shape(network.inputs(reader.node)[0]).back());
    for (std::size_t output = 0; output < outputs; ++output) {
      for (std::size_t feature = 0; feature < features; ++feature) {
        visit(feature / reader.inner % channels, output, output * features + feature);
      }
    }
    return;
  }
  const auto groups = static_cast<std::size_t>(op.groups);
  const std::size_t area = static_cast<std::size_t>(op.kernel[0]) * static_cast<std::size_t>(op.kernel[1]);
  const std::size_t taps = channels / groups * area;
  for (std::size_t output = 0; output < outputs; ++output) {
    const std::size_t first = output / (outputs / groups) * (channels / groups);
    for (std::size_t tap = 0; tap < taps; ++tap) visit(first + tap / area, output, output * taps + tap);
  }
}

}  // namespace ridgeline
