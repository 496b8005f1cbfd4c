#include "kernels/quantization/channel_path.hpp"

#include <algorithm>
#include <optional>

namespace ridgeline {
namespace {

struct Place {
  NodeId tensor;
  std::size_t axis;   // that the channels lie along
  std::size_t inner;  // consecutive positions of one channel there
};

std::optional<Place> made_by(const Network& network, NodeId node) {
  const std::size_t rank = network.shape(node).size();
  switch (network.op(node).kind) {
    case OpKind::conv2d:
    case OpKind::batch_norm:
      return Place{node, 1, 1};
    case OpKind::linear:
    case OpKind::layer_norm:
      return Place{node, rank - 1, 1};
    default:
      return std::nullopt;
  }
}

bool is_padded(const Op& op) {
  return std::ranges::any_of(op.padding, [](int padding) { return padding != 0; });
}

class PathFinder {
 public:
  explicit PathFinder(const Network& network) : network_(network), live_(network.size()), is_output_(network.size()) {
    for (const NodeId node : network.live_nodes()) live_[node] = true;
    for (const NodeId node : network.outputs()) is_output_[node] = true;
  }

  std::optional<ChannelPath> from(NodeId producer) const {
    const std::optional<Place> made = live_[producer] ? made_by(network_, producer) : std::nullopt;
    if (!made) return std::nullopt;
    const auto channels = static_cast<std::size_t>(network_.shape(producer)[made->axis]);
    ChannelPath path{producer, channels, {}, true};
    std::vector<Place> open{*made};
    while (!open.empty()) {
      const Place place = open.back();
      open.pop_back();
      if (is_output_[place.tensor]) return std::nullopt;
      for (const NodeId reader : network_.consumers(place.tensor)) {
        if (live_[reader] && !follow(place, reader, path, open)) return std::nullopt;
      }
    }
    return path;
  }

 private:
  // False where `reader` sees what the channel's factor is.
  bool follow(const Place& place, NodeId reader, ChannelPath& path, std::vector<Place>& open) const {
    const Op& op = network_.op(reader);
    const Shape& shape = network_.shape(place.tensor);
    switch (op.kind) {
      case OpKind::conv2d:
        if (place.axis != 1) return false;
        if (is_padded(op)) path.shifts = false;
        path.readers.push_back({reader, 1});
        return true;
      case OpKind::linear:
        if (place.axis + 1 != shape.size()) return false;
        path.readers.push_back({reader, place.inner});
        return true;
      case OpKind::relu:
        path.shifts = false;
        break;
      case OpKind::avg_pool:
        if (is_padded(op) && op.count_include_pad) path.shifts = false;
        [[fallthrough]];
      case OpKind::max_pool:
      case OpKind::global_avg_pool:
        if (place.axis != 1) return false;
        break;
      case OpKind::flatten: {
        std::size_t inner = place.inner;
        for (std::size_t axis = place.axis + 1; axis < shape.size(); ++axis) {
          inner *= static_cast<std::size_t>(shape[axis]);
        }
        open.push_back({reader, 1, inner});
        return true;
      }
      case OpKind::identity:
        break;
      default:
        return false;
    }
    open.push_back({reader, place.axis, place.inner});
    return true;
  }

  const Network& network_;
  std::vector<bool> live_, is_output_;
};

}  // namespace

std::vector<ChannelPath> channel_paths(const Network& network) {
  const PathFinder finder(network);
  std::vector<ChannelPath> paths;
  for (NodeId node = 0; node < network.size(); ++node) {
    if (std::optional<ChannelPath> path = finder.from(node)) paths.push_back(std::move(*path));
  }
  return paths;
}

}  // namespace ridgeline
