#include "spaces/proxies.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace ridgeline {
namespace {

// The longest way to a node, counted in layers.
struct Way {
  int layers = 0;
  double log_width = 0;  // sum over the layers
  NodeId from = 0;       // the input it came by; the node itself at its start

  bool shorter_than(const Way& other) const {
    return layers != other.layers ? layers < other.layers : log_width < other.log_width;
  }
};

struct Layer {
  const Op* op;
  double log_width;
  std::int64_t channels_in;
  std::int64_t pixels_in, pixels_out;
};

std::int64_t channels_of(const Shape& shape) { return shape.size() == 4 ? shape[1] : shape.back(); }
std::int64_t pixels_of(const Shape& shape) { return elements(shape) / (shape[0] * channels_of(shape)); }
bool is_layer(const Op& op) { return op.kind == OpKind::conv2d || op.kind == OpKind::linear; }

double log_width(const Op& op, const Shape& in) {
  if (op.kind == OpKind::linear) return std::log(static_cast<double>(in.back()));
  const std::int64_t width = in[1] / op.groups * op.kernel[0] * op.kernel[1];
  return std::log(static_cast<double>(width));
}

std::vector<Way> longest_ways(const Network& network) {
  std::vector<Way> ways(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    const Op& op = network.op(node);
    Way& way = ways[node];
    way.from = node;
    auto inputs = network.inputs(node);
    if (op.kind == OpKind::zero || inputs.empty()) continue;
    if (op.kind == OpKind::mul && network.shape(inputs[0]) != network.shape(inputs[1])) inputs = inputs.first(1);
    NodeId best = inputs[0];
    for (const NodeId input : inputs.subspan(1)) {
      if (ways[best].shorter_than(ways[input])) best = input;
    }
    way = ways[best];
    way.from = best;
    if (is_layer(op)) {
      ++way.layers;
      way.log_width += log_width(op, network.shape(inputs[0]));
    }
  }
  return ways;
}

struct MainPath {
  std::vector<Layer> layers;
  std::int64_t channels_out = 0;  // of the last scored tensor
};

MainPath main_path(const Network& network) {
  const std::vector<Way> ways = longest_ways(network);
  const auto outputs = network.outputs();
  MainPath path;
  if (outputs.empty()) return path;
  NodeId node = outputs[0];
  for (const NodeId output : outputs.subspan(1)) {
    if (ways[node].shorter_than(ways[output])) node = output;
  }
  std::vector<NodeId> nodes{node};
  while (ways[node].from != node) nodes.push_back(node = ways[node].from);
  for (std::size_t i = nodes.size() - 1; i-- > 0;) {  // from the input, which is no layer, to the output
    const Op& op = network.op(nodes[i]);
    const Shape& in = network.shape(nodes[i + 1]);
    const Shape& out = network.shape(nodes[i]);
    if (!path.layers.empty() && (op.kind == OpKind::global_avg_pool || op.kind == OpKind::flatten)) break;
    path.channels_out = channels_of(out);
    if (!is_layer(op)) continue;
    path.layers.push_back(
        {&op, log_width(op, in), op.kind == OpKind::linear ? in.back() : in[1], pixels_of(in), pixels_of(out)});
  }
  return path;
}

bool is_depthwise(const Layer& layer) { return layer.op->groups > 1 && layer.op->groups == layer.channels_in; }

// Does layer `i` only prepare the strided convolution behind it? See the header.
bool prepares_next(const std::vector<Layer>& layers, std::size_t i) {
  if (i == 0 || i + 1 >= layers.size()) return false;
  const Layer& next = layers[i + 1];
  const Op& op = *layers[i].op;
  const bool pointwise =
      op.kind == OpKind::conv2d && op.kernel == std::array<int, 2>{1, 1} && layers[i].pixels_in == layers[i].pixels_out;
  return pointwise && next.pixels_in == layers[i].pixels_out && next.pixels_out != next.pixels_in &&
         !is_depthwise(layers[i - 1]);
}

bool ends_stage(const std::vector<Layer>& layers, std::size_t i) {
  if (i + 1 == layers.size()) return true;
  if (prepares_next(layers, i)) return false;
  return layers[i + 1].pixels_out != layers[i].pixels_out || prepares_next(layers, i + 1);
}

}  // namespace

ProxyScore score(const Network& network) {
  const MainPath path = main_path(network);
  const std::vector<Layer>& layers = path.layers;
  ProxyScore score;
  double log_widths = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    log_widths += layers[i].log_width;
    if (!ends_stage(layers, i)) continue;
    const bool last = i + 1 == layers.size();
    const std::int64_t channels = last ? path.channels_out : layers[i + 1].channels_in;
    const double weight = last ? 8.0 : 1.0;
    score.entropy += weight * std::log(static_cast<double>(layers[i].pixels_out * channels)) * log_widths;
  }
  if (!layers.empty()) {
    const auto depth = static_cast<double>(layers.size());
    score.effectiveness = depth / std::exp(log_widths / depth);
  }
  return score;
}

}  // namespace ridgeline
