// Every operator on random shapes, strides, dilations, groups and odd channel counts, in every executed format: one
// operator between two small convolutions (so that its operands and its result are stored in the format under test).
// f32 is compared with the reference loops, bf16 and int8 with the same rounding done in plain loops.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <optional>

#include "compare.hpp"
#include "nets.hpp"
#include "simulate.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

constexpr std::array<std::int64_t, 9> odd_channels{1, 3, 5, 7, 16, 17, 24, 31, 48};

template <typename T, std::size_t N>
T pick(Rng& rng, const std::array<T, N>& values) {
  return values[rng.below(N)];
}

std::string describe(const Network& network) {
  std::string text;
  for (NodeId node = 0; node < network.size(); ++node) {
    const Op& op = network.op(node);
    text += fmt::format("  {}: {} {} <- {}", node, name_of(op.kind), shape_text(network.shape(node)),
                        fmt::join(network.inputs(node), ","));
    text += fmt::format(" k{} s{} d{} p{} g{} axis {}\n", fmt::join(op.kernel, "x"), fmt::join(op.stride, "x"),
                        fmt::join(op.dilation, "x"), fmt::join(op.padding, ","), op.groups, op.axis);
  }
  return text;
}

struct Tolerance {
  double worst, rms;
};

Tolerance tolerance_of(const Network& network, const Format& format) {
  // A value that lies between two stored ones may be rounded either way when sums are taken in another order: a few
  // elements of a stored tensor are then one step off, and what reads them averages over that.
  if (format == f32) return {2e-5, 5e-6};
  bool softmax = false;
  for (NodeId node = 0; node < network.size(); ++node) softmax |= network.op(node).kind == OpKind::softmax;
  if (format == bf16 && softmax) return {1.5e-2, 8e-3};  // oneDNN keeps the exponentials themselves in bf16
  if (format == bf16) return {4e-3, 5e-4};
  return has_exact_int8() ? Tolerance{1e-2, 1e-3} : Tolerance{0.4, 0.25};
}

void check(Design design, const Format& format, std::uint64_t seed) {
  SCOPED_TRACE(fmt::format("{} seed {}\n{}", format.text(), seed, describe(design.network)));
  const std::vector<float> input = seeded_input(design.network.shape(input_of(design.network)), seed);
  ExecutableOptions options;
  if (format.is_quantized()) calibrate(design, input);
  std::optional<Executable> executable;
  try {
    executable.emplace(design, options);
  } catch (const Unsupported& reason) {  // 8-bit matmul on a CPU that cannot
    ASSERT_FALSE(has_exact_int8()) << reason.what();
    return;
  }
  const std::vector<float> found = run_once(*executable, input);
  const std::vector<float> expected = simulate(design, input, options);
  const Tolerance tolerance = tolerance_of(design.network, format);
  EXPECT_LE(relative_error(found, expected), tolerance.worst);
  EXPECT_LE(rms_error(found, expected), tolerance.rms);
  if (format == f32) {
    EXPECT_LE(relative_error(found, run_reference(design, input)[design.network.outputs()[0]].values), tolerance.worst);
  }
  for (const StepInfo& step : executable->steps()) EXPECT_FALSE(step.signature.empty());
}

// An image network: convolution, the operator under test, convolution.
using AddOperator = std::function<void(NetBuilder&, Rng&)>;

void check_image_operator(const AddOperator& operate, int cases, bool rectified = false) {
  for (const Format& format : executed_formats()) {
    for (int i = 0; i < cases; ++i) {
      const auto seed = static_cast<std::uint64_t>(i);
      Rng rng(seed, "operators");
      NetBuilder net({rng.chance(0.3) ? 3 : 1, pick(rng, odd_channels), 5 + static_cast<std::int64_t>(rng.below(12)),
                      5 + static_cast<std::int64_t>(rng.below(12))});
      net.conv(pick(rng, odd_channels), 1, 1, 1, true);
      if (rectified || rng.chance(0.5)) net.apply(OpKind::relu);
      operate(net, rng);
      net.conv(pick(rng, odd_channels), 1, 1, 1, true);
      check(trained(net.finish(), format, seed), format, seed);
    }
  }
}

Op random_conv(NetBuilder& net, Rng& rng) {
  const Shape shape = net.network.shape(net.last);
  Op op = NetBuilder::op_of(OpKind::conv2d);
  op.kernel = {pick<int, 4>(rng, {1, 2, 3, 5}), pick<int, 4>(rng, {1, 2, 3, 5})};
  op.stride = {pick<int, 3>(rng, {1, 1, 2}), pick<int, 3>(rng, {1, 1, 2})};
  op.dilation = {pick<int, 3>(rng, {1, 1, 2}), pick<int, 3>(rng, {1, 1, 2})};
  for (int& padding : op.padding) padding = static_cast<int>(rng.below(3));
  for (int side : {0, 1}) {  // keep at least one position
    const auto i = static_cast<std::size_t>(side);
    if (std::int64_t{op.dilation[i]} * (op.kernel[i] - 1) >= shape[2 + i]) op.dilation[i] = 1;
  }
  op.bias = rng.chance(0.5);
  op.channels = pick(rng, odd_channels);
  if (rng.chance(0.3)) {  // depthwise
    op.groups = static_cast<int>(shape[1]);
    op.channels = shape[1] * (rng.chance(0.2) ? 2 : 1);
  } else if (rng.chance(0.3)) {
    for (const int groups : {4, 3, 2}) {
      if (shape[1] % groups == 0) op.groups = groups;
    }
    op.channels = op.groups * static_cast<std::int64_t>(1 + rng.below(17));
  }
  return op;
}

TEST(Operators, Conv2d) {
  check_image_operator([](NetBuilder& net, Rng& rng) { net.add(random_conv(net, rng), {net.last}); }, 60);
}

// Shapes of which the library has a direct kernel beside the one that it takes first: depthwise ones, few input
// channels, and small products in 8 bits, each with and without a rest of channels.
TEST(Operators, Conv2dOfShapesWithDirectKernels) {
  constexpr std::array<std::int64_t, 8> whole{16, 32, 48, 64, 80, 24, 40, 17};
  check_image_operator(
      [&](NetBuilder& net, Rng& rng) {
        const int form = static_cast<int>(rng.below(3));
        net.conv(form == 0 ? 1 + static_cast<std::int64_t>(rng.below(4)) : pick(rng, whole), 1);
        if (rng.chance(0.6)) net.apply(OpKind::relu);
        const NodeId before = net.last;
        Op op = random_conv(net, rng);
        op.dilation = {1, 1};
        op.groups = form == 1 ? static_cast<int>(net.network.shape(before)[1]) : 1;
        op.channels = form == 1 ? net.network.shape(before)[1] : pick(rng, whole);
        net.add(op, {before});
        if (rng.chance(0.7)) net.norm();
        if (rng.chance(0.7)) net.apply(pick<OpKind, 3>(rng, {OpKind::relu, OpKind::relu6, OpKind::hard_swish}));
        if (net.network.shape(net.last) == net.network.shape(before) && rng.chance(0.7)) net.add_to(before);
      },
      120);
}

TEST(Operators, Conv2dWithFoldedNormAndActivation) {
  check_image_operator(
      [](NetBuilder& net, Rng& rng) {
        net.add(random_conv(net, rng), {net.last});
        if (rng.chance(0.8)) net.norm();
        net.apply(pick<OpKind, 7>(rng, {OpKind::relu, OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid,
                                        OpKind::sigmoid, OpKind::swish, OpKind::gelu}));
      },
      60);
}

TEST(Operators, Conv2dWithResidualAdditionAndActivation) {
  check_image_operator(
      [](NetBuilder& net, Rng& rng) {
        const NodeId other = net.last;
        const std::int64_t channels = net.network.shape(other)[1];
        net.conv(pick(rng, odd_channels), 3);
        net.apply(OpKind::relu);
        net.conv(channels, pick<int, 2>(rng, {1, 3}));
        if (rng.chance(0.5)) net.norm();
        net.add_to(other);
        if (rng.chance(0.7)) {
          net.apply(pick<OpKind, 4>(rng, {OpKind::relu, OpKind::relu6, OpKind::hard_swish, OpKind::swish}));
        }
      },
      40);
}

TEST(Operators, Activations) {
  for (const OpKind kind : {OpKind::relu, OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid, OpKind::sigmoid,
                            OpKind::swish, OpKind::gelu}) {
    check_image_operator(
        [kind](NetBuilder& net, Rng&) {
          net.add(NetBuilder::op_of(OpKind::max_pool), {net.last});  // nothing to be fused into
          net.apply(kind);
        },
        6);
  }
}

TEST(Operators, StandaloneNorm) {
  check_image_operator(
      [](NetBuilder& net, Rng& rng) {
        net.add(NetBuilder::op_of(OpKind::max_pool), {net.last});
        net.norm();
        if (rng.chance(0.5)) net.apply(OpKind::relu);
      },
      15);
}

TEST(Operators, AddAndMul) {
  for (const OpKind kind : {OpKind::add, OpKind::mul}) {
    check_image_operator(
        [kind](NetBuilder& net, Rng& rng) {
          const NodeId start = net.last;
          const NodeId a = net.conv(pick(rng, odd_channels), 1);
          net.last = start;
          const NodeId b = net.conv(net.network.shape(a)[1], 3);
          // Pools keep the operands from being fused, so that this tests the operator by itself.
          const NodeId left = net.add(NetBuilder::op_of(OpKind::max_pool), {a});
          const NodeId right = net.add(NetBuilder::op_of(OpKind::max_pool), {b});
          net.add(NetBuilder::op_of(kind), {left, right});
          if (rng.chance(0.5)) net.apply(pick<OpKind, 2>(rng, {OpKind::relu, OpKind::hard_swish}));
        },
        15);
  }
}

TEST(Operators, AddOfATensorToItself) {
  check_image_operator(
      [](NetBuilder& net, Rng& rng) {
        net.conv(pick(rng, odd_channels), 3);
        net.add_to(net.last);
      },
      5);
}

TEST(Operators, SpreadAddAndMul) {
  for (const OpKind kind : {OpKind::add, OpKind::mul}) {
    check_image_operator(
        [kind](NetBuilder& net, Rng& rng) {
          const NodeId x = net.last;
          net.apply(OpKind::global_avg_pool);
          net.conv(net.network.shape(x)[1], 1, 1, 1, true);
          if (rng.chance(0.5)) net.apply(OpKind::sigmoid);
          net.add(NetBuilder::op_of(kind), {x, net.last});
        },
        15);
  }
}

TEST(Operators, SqueezeExcite) {
  check_image_operator([](NetBuilder& net, Rng& rng) { net.squeeze_excite(pick(rng, odd_channels)); }, 20);
}

TEST(Operators, Concat) {
  for (const int axis : {1, 2, 3, 0, -1, -3}) {
    check_image_operator(
        [axis](NetBuilder& net, Rng& rng) {
          const NodeId start = net.last;
          std::vector<NodeId> parts;
          const std::int64_t channels = pick(rng, odd_channels);
          for (std::uint64_t i = 0; i < 2 + rng.below(2); ++i) {
            net.last = start;
            const bool free = axis == 1 || axis == -3;
            parts.push_back(net.conv(free ? pick(rng, odd_channels) : channels, 1));
            if (rng.chance(0.5)) parts.back() = net.apply(OpKind::relu);
          }
          Op op = NetBuilder::op_of(OpKind::concat);
          op.axis = axis;
          net.last = net.network.add(op, parts);
        },
        6);
  }
}

TEST(Operators, Pools) {
  for (const OpKind kind : {OpKind::max_pool, OpKind::avg_pool}) {
    check_image_operator(
        [kind](NetBuilder& net, Rng& rng) {
          Op op = NetBuilder::op_of(kind);
          op.kernel = {1 + static_cast<int>(rng.below(4)), 1 + static_cast<int>(rng.below(4))};
          op.stride = {1 + static_cast<int>(rng.below(2)), 1 + static_cast<int>(rng.below(2))};
          for (std::size_t i = 0; i < 4; ++i) {
            op.padding[i] = static_cast<int>(rng.below(static_cast<std::uint64_t>(op.kernel[i % 2] + 1) / 2));
          }
          op.count_include_pad = kind == OpKind::avg_pool && rng.chance(0.5);
          net.add(op, {net.last});
        },
        25);
  }
}

TEST(Operators, GlobalAveragePool) {
  check_image_operator([](NetBuilder& net, Rng&) { net.apply(OpKind::global_avg_pool); }, 15);
}

TEST(Operators, ZeroAndIdentity) {
  check_image_operator(
      [](NetBuilder& net, Rng& rng) {
        const NodeId x = net.apply(OpKind::identity);
        Op zero = NetBuilder::op_of(OpKind::zero);
        const NodeId nothing = net.add(zero, {x});
        net.add(NetBuilder::op_of(OpKind::add), {x, nothing});
        if (rng.chance(0.5)) {
          Op concat = NetBuilder::op_of(OpKind::concat);
          net.add(concat, {net.last, nothing});
        }
      },
      8);
}

TEST(Operators, FlattenOfAnImageAndLinear) {
  for (const Format& format : executed_formats()) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      Rng rng(seed, "flatten");
      NetBuilder net({rng.chance(0.5) ? 3 : 1, pick(rng, odd_channels), 4, 5});
      net.conv(pick(rng, odd_channels), 3);
      if (rng.chance(0.5)) net.apply(OpKind::relu);
      net.apply(OpKind::flatten);
      net.linear(pick(rng, odd_channels));
      if (rng.chance(0.5)) net.norm();
      if (rng.chance(0.5)) net.apply(OpKind::hard_swish);
      net.linear(pick(rng, odd_channels));
      check(trained(net.finish(), format, seed), format, seed);
    }
  }
}

// Tokens: linear, the operator under test, linear.
void check_token_operator(const AddOperator& operate, int cases) {
  for (const Format& format : executed_formats()) {
    for (int i = 0; i < cases; ++i) {
      const auto seed = static_cast<std::uint64_t>(i);
      Rng rng(seed, "tokens");
      NetBuilder net({rng.chance(0.4) ? 3 : 1, 2 + static_cast<std::int64_t>(rng.below(9)), pick(rng, odd_channels)});
      net.linear(pick(rng, odd_channels));
      operate(net, rng);
      net.linear(pick(rng, odd_channels));
      check(trained(net.finish(), format, seed), format, seed);
    }
  }
}

TEST(Operators, LayerNorm) {
  check_token_operator([](NetBuilder& net, Rng&) { net.apply(OpKind::layer_norm); }, 12);
}

TEST(Operators, LinearWithActivationAndAddition) {
  check_token_operator(
      [](NetBuilder& net, Rng& rng) {
        const NodeId x = net.last;
        net.linear(pick(rng, odd_channels));
        net.apply(pick<OpKind, 3>(rng, {OpKind::gelu, OpKind::relu, OpKind::swish}));
        net.linear(net.network.shape(x)[2]);
        net.add_to(x);
      },
      15);
}

TEST(Operators, Softmax) {
  for (const int axis : {-1, 1, 2}) {
    check_token_operator(
        [axis](NetBuilder& net, Rng&) {
          Op op = NetBuilder::op_of(OpKind::softmax);
          op.axis = axis;
          net.add(op, {net.last});
        },
        6);
  }
}

TEST(Operators, MatmulTransposedAndPlain) {
  check_token_operator(
      [](NetBuilder& net, Rng& rng) {
        const NodeId x = net.last;
        const std::int64_t width = pick(rng, odd_channels);
        const NodeId q = net.linear(width);
        net.last = x;
        const NodeId k = net.linear(width);
        net.last = x;
        const NodeId v = net.linear(pick(rng, odd_channels));
        Op scores = NetBuilder::op_of(OpKind::matmul);
        scores.transpose_b = true;
        net.add(scores, {q, k});
        Op softmax = NetBuilder::op_of(OpKind::softmax);
        softmax.axis = -1;
        net.add(softmax, {net.last});
        net.add(NetBuilder::op_of(OpKind::matmul), {net.last, v});
      },
      15);
}

TEST(Operators, ReshapeAndTransposeIntoHeads) {
  check_token_operator(
      [](NetBuilder& net, Rng&) {
        const Shape shape = net.network.shape(net.last);
        net.linear(12);
        Op split = NetBuilder::op_of(OpKind::reshape);
        split.shape = {shape[1], 3, 4};
        net.add(split, {net.last});
        Op swap = NetBuilder::op_of(OpKind::transpose);
        swap.shape = {0, 2, 1, 3};
        const NodeId heads = net.add(swap, {net.last});
        Op scores = NetBuilder::op_of(OpKind::matmul);
        scores.transpose_b = true;
        net.add(scores, {heads, heads});
        net.add(NetBuilder::op_of(OpKind::matmul), {net.last, heads});
        net.add(swap, {net.last});
        Op join = NetBuilder::op_of(OpKind::reshape);
        join.shape = {shape[1], 12};
        net.add(join, {net.last});
      },
      12);
}

TEST(Operators, ImageToTokensAndBack) {
  check_image_operator(
      [](NetBuilder& net, Rng& rng) {
        const Shape shape = net.network.shape(net.last);
        Op flat = NetBuilder::op_of(OpKind::reshape);
        flat.shape = {shape[1], shape[2] * shape[3]};
        net.add(flat, {net.last});
        Op swap = NetBuilder::op_of(OpKind::transpose);
        swap.shape = {0, 2, 1};
        net.add(swap, {net.last});
        const std::int64_t width = pick(rng, odd_channels);
        net.linear(width);
        net.add(swap, {net.last});
        Op image = NetBuilder::op_of(OpKind::reshape);
        image.shape = {width, shape[2], shape[3]};
        net.add(image, {net.last});
      },
      12);
}

}  // namespace
}  // namespace ridgeline::testing
