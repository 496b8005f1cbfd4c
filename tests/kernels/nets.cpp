#include "nets.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/executable.hpp"

namespace ridgeline::testing {

NodeId NetBuilder::conv(std::int64_t channels, int kernel, int stride, int groups, bool bias) {
  Op op = op_of(OpKind::conv2d);
  op.channels = channels;
  op.kernel = {kernel, kernel};
  op.stride = {stride, stride};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  op.groups = groups;
  op.bias = bias;
  return add(op, {last});
}

NodeId NetBuilder::norm() { return add(op_of(OpKind::batch_norm), {last}); }
NodeId NetBuilder::apply(OpKind kind) { return add(op_of(kind), {last}); }

NodeId NetBuilder::linear(std::int64_t channels) {
  Op op = op_of(OpKind::linear);
  op.channels = channels;
  op.bias = true;
  return add(op, {last});
}

NodeId NetBuilder::squeeze_excite(std::int64_t squeezed) {
  const NodeId x = last;
  const std::int64_t channels = network.shape(x)[1];
  apply(OpKind::global_avg_pool);
  conv(squeezed, 1, 1, 1, true);
  apply(OpKind::relu);
  conv(channels, 1, 1, 1, true);
  const NodeId gate = apply(OpKind::hard_sigmoid);
  return add(op_of(OpKind::mul), {x, gate});
}

namespace {

void classify(NetBuilder& net, std::int64_t classes) {
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(classes);
}

struct InvertedResidual {
  std::int64_t expanded, channels;
  int kernel, stride;
  OpKind activation;
  std::int64_t squeezed;  // 0: no squeeze-excite
};

void inverted_residual(NetBuilder& net, const InvertedResidual& block) {
  const NodeId input = net.last;
  const std::int64_t in = net.network.shape(input)[1];
  if (block.expanded != in) {
    net.conv(block.expanded, 1);
    net.norm();
    net.apply(block.activation);
  }
  net.conv(block.expanded, block.kernel, block.stride, static_cast<int>(block.expanded));
  net.norm();
  net.apply(block.activation);
  if (block.squeezed > 0) net.squeeze_excite(block.squeezed);
  net.conv(block.channels, 1);
  net.norm();
  if (block.stride == 1 && in == block.channels) net.add_to(input);
}

void bottleneck(NetBuilder& net, std::int64_t width, int stride) {
  const NodeId input = net.last;
  const std::int64_t out = width * 4;
  net.conv(width, 1);
  net.norm();
  net.apply(OpKind::relu);
  net.conv(width, 3, stride);
  net.norm();
  net.apply(OpKind::relu);
  net.conv(out, 1);
  const NodeId branch = net.norm();
  NodeId shortcut = input;
  if (stride != 1 || net.network.shape(input)[1] != out) {
    net.last = input;
    net.conv(out, 1, stride);
    shortcut = net.norm();
  }
  net.last = branch;
  net.add_to(shortcut);
  net.apply(OpKind::relu);
}

void basic_block(NetBuilder& net, std::int64_t width, int stride) {
  const NodeId input = net.last;
  net.conv(width, 3, stride);
  net.norm();
  net.apply(OpKind::relu);
  net.conv(width, 3);
  const NodeId branch = net.norm();
  NodeId shortcut = input;
  if (stride != 1 || net.network.shape(input)[1] != width) {
    net.last = input;
    net.conv(width, 1, stride);
    shortcut = net.norm();
  }
  net.last = branch;
  net.add_to(shortcut);
  net.apply(OpKind::relu);
}

void resnet_stem(NetBuilder& net, std::int64_t width) {
  net.conv(width, 7, 2);
  net.norm();
  net.apply(OpKind::relu);
  Op pool = NetBuilder::op_of(OpKind::max_pool);
  pool.kernel = {3, 3};
  pool.stride = {2, 2};
  pool.padding = {1, 1, 1, 1};
  net.add(pool, {net.last});
}

}  // namespace

Network mobilenet_v2(std::int64_t resolution, std::int64_t classes, std::int64_t batch, double width) {
  const auto scaled = [&](int channels) { return std::max<std::int64_t>(8, std::llround(channels * width / 8.0) * 8); };
  NetBuilder net({batch, 3, resolution, resolution});
  net.conv(scaled(32), 3, 2);
  net.norm();
  net.apply(OpKind::relu6);
  struct Stage {
    int expansion, channels, repeats, stride;
  };
  for (const Stage& stage : {Stage{1, 16, 1, 1}, Stage{6, 24, 2, 2}, Stage{6, 32, 3, 2}, Stage{6, 64, 4, 2},
                             Stage{6, 96, 3, 1}, Stage{6, 160, 3, 2}, Stage{6, 320, 1, 1}}) {
    for (int i = 0; i < stage.repeats; ++i) {
      const std::int64_t in = net.network.shape(net.last)[1];
      inverted_residual(net,
                        {in * stage.expansion, scaled(stage.channels), 3, i == 0 ? stage.stride : 1, OpKind::relu6, 0});
    }
  }
  net.conv(std::max<std::int64_t>(1280, scaled(1280)), 1);
  net.norm();
  net.apply(OpKind::relu6);
  classify(net, classes);
  return net.finish();
}

Network mobilenet_v3_like(std::int64_t resolution, std::int64_t batch) {
  NetBuilder net({batch, 3, resolution, resolution});
  net.conv(16, 3, 2);
  net.norm();
  net.apply(OpKind::hard_swish);
  inverted_residual(net, {16, 16, 3, 1, OpKind::relu, 0});
  inverted_residual(net, {64, 24, 3, 2, OpKind::relu, 0});
  inverted_residual(net, {72, 24, 3, 1, OpKind::relu, 0});
  inverted_residual(net, {72, 40, 5, 2, OpKind::relu, 24});
  inverted_residual(net, {120, 40, 5, 1, OpKind::relu, 32});
  inverted_residual(net, {240, 80, 3, 2, OpKind::hard_swish, 0});
  inverted_residual(net, {200, 80, 3, 1, OpKind::hard_swish, 0});
  inverted_residual(net, {480, 112, 3, 1, OpKind::hard_swish, 120});
  inverted_residual(net, {672, 160, 5, 2, OpKind::hard_swish, 168});
  inverted_residual(net, {960, 160, 5, 1, OpKind::hard_swish, 240});
  net.conv(960, 1);
  net.norm();
  net.apply(OpKind::hard_swish);
  net.apply(OpKind::global_avg_pool);
  net.conv(1280, 1, 1, 1, true);
  net.apply(OpKind::hard_swish);
  net.apply(OpKind::flatten);
  net.linear(1000);
  return net.finish();
}

Network resnet50_like(std::int64_t resolution, std::int64_t classes, std::int64_t batch) {
  NetBuilder net({batch, 3, resolution, resolution});
  resnet_stem(net, 64);
  const int repeats[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    for (int i = 0; i < repeats[stage]; ++i) bottleneck(net, 64 << stage, i == 0 && stage > 0 ? 2 : 1);
  }
  classify(net, classes);
  return net.finish();
}

Network resnet18_like(std::int64_t resolution, std::int64_t classes, std::int64_t width) {
  NetBuilder net({1, 3, resolution, resolution});
  resnet_stem(net, width);
  for (int stage = 0; stage < 4; ++stage) {
    for (int i = 0; i < 2; ++i) basic_block(net, width << stage, i == 0 && stage > 0 ? 2 : 1);
  }
  classify(net, classes);
  return net.finish();
}

Design trained(Network network, const Format& format, std::uint64_t seed) {
  Design design = untrained(std::move(network), format);
  design.weights = std::make_shared<const Weights>(random_weights(design.network, seed));
  return design;
}

Design untrained(Network network, const Format& format) {
  Design design{std::move(network), {}, nullptr};
  Format weights = format;
  if (format.is_quantized()) weights.granularity = Format::Granularity::channel;
  design.precision = PrecisionPlan::uniform(design.network, weights, format);
  return design;
}

void calibrate(Design& design, std::span<const float> input) {
  design.quantization = std::make_shared<const Quantization>(Quantization{activation_ranges(design, input)});
}

}  // namespace ridgeline::testing
