// Networks trained through number formats: against reference loops, finite differences and the executor.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "kernels/executable.hpp"
#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/reference.hpp"
#include "kernels/training/executed_formats.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "kernels/training/trainer.hpp"
#include "spaces/rng.hpp"
#include "spaces/search_space.hpp"
#include "tests/kernels/compare.hpp"
#include "tests/kernels/nets.hpp"
#include "tests/kernels/pictures.hpp"

namespace ridgeline {
namespace {

using Kind = ParameterBlock::Kind;
using testing::NetBuilder;
using testing::Pictures;
using testing::rms_error;

// conv, relu, conv, relu, pool, linear: a chain, so that what is read is what was made.
Network chain() {
  NetBuilder net({3, 2, 5, 5});
  net.conv(4, 3, 1, 1, true);
  net.apply(OpKind::relu);
  net.conv(6, 3, 1, 2, true);
  net.apply(OpKind::relu);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(4);
  return net.finish();
}

struct Case {
  Network network = chain();
  PrecisionPlan plan;
  RoundingSites sites;
  std::vector<float> input, pull, parameters;  // with ranges
  std::vector<std::vector<float>> offsets;     // of every rounding: what it added, and was it inside the range
  std::vector<std::vector<bool>> inside;
  std::vector<float> ranges_then;

  explicit Case(const std::string& formats)
      : plan(PrecisionPlan::uniform(network, formats)),
        sites(rounding_sites(network, plan)),
        input(seeded_input(network.shape(0), 3)),
        pull(seeded_input(network.shape(network.outputs()[0]), 4)) {}

  // Over four fifths of the ranges that the first batch gives, so that something lies beyond them and nothing at them.
  std::vector<float> by_graph(const TrainingOptions& options) {
    TrainingGraph graph(network, options);
    std::copy(input.begin(), input.end(), graph.input().begin());
    const std::vector<float> own = flatten(network, random_weights(network, 3));
    std::copy(own.begin(), own.end(), graph.parameters().begin());
    std::copy(pull.begin(), pull.end(), graph.output_gradient().begin());
    graph.forward();
    for (float& range : graph.parameters().subspan(own.size())) range *= 0.8F;
    graph.forward();
    parameters.assign(graph.parameters().begin(), graph.parameters().end());
    graph.backward();
    output.assign(graph.output().begin(), graph.output().end());
    return {graph.gradient().begin(), graph.gradient().end()};
  }
  std::vector<float> output;

  // The numbers rounded by the codec over the parameters' range (recording), or moved by what that rounding added.
  std::vector<float> round(std::span<const float> x, std::size_t row_length, Format format, const ParameterBlock* block,
                           bool positive, std::span<const float> at, bool record, std::size_t site) {
    std::vector<float> y(x.size());
    if (positive && format.kind == Format::Kind::integer) format.kind = Format::Kind::unsigned_integer;
    Quantizer quantizer{.format = format};
    const auto range_of = [&](std::span<const float> from, std::size_t i) {
      return std::abs(from[block->offset + (block->size > 1 ? i / row_length : 0)]);
    };
    if (record) {
      for (std::size_t r = 0; block != nullptr && r < block->size; ++r) {
        const float range = std::abs(at[block->offset + r]);
        const bool no_sign = format.kind == Format::Kind::unsigned_integer;
        quantizer.ranges.push_back({no_sign ? 0.0F : -range, range});
      }
      fake_quantize_by_codec(x, y, row_length, quantizer);
      offsets.resize(std::max(offsets.size(), site + 1));
      inside.resize(std::max(inside.size(), site + 1));
      offsets[site].resize(x.size());
      inside[site].resize(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        inside[site][i] = block == nullptr || std::abs(x[i]) <= range_of(at, i);
        offsets[site][i] = y[i] - x[i];
      }
      return y;
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (block == nullptr) {
        y[i] = x[i] + offsets[site][i];
      } else if (inside[site][i]) {
        y[i] = x[i] + offsets[site][i] * range_of(at, i) / range_of(ranges_then, i);
      } else {
        y[i] = std::copysign(range_of(at, i), x[i]);
      }
    }
    return y;
  }

  double loss(std::span<const float> at, bool record) {
    Weights weights = random_weights(network, 3);
    unflatten(network, at.first(parameter_count(parameter_blocks(network))), weights);
    std::vector<Tensor> values{{network.shape(0), input}};
    std::size_t site = 0;
    const auto round_tensor = [&](NodeId node, const Format& format) {
      const ParameterBlock* block = sites.range(sites.range_of[node], Kind::tensor_range);
      values[node].values =
          round(values[node].values, values[node].values.size(), format, block, node > 0, at, record, site++);
    };
    const Format read = plan.at(1).activations;
    round_tensor(0, read);
    for (NodeId node = 1; node < network.size(); ++node) {
      std::vector<float>& kernel = weights[node].kernel;
      if (!kernel.empty()) {
        kernel = round(kernel, kernel.size() / static_cast<std::size_t>(network.op(node).channels),
                       plan.at(node).weights, sites.range(node, Kind::kernel_range), false, at, record, site++);
      }
      const Tensor* from = &values[network.inputs(node)[0]];
      values.push_back(reference_op(network.op(node), {&from, 1}, weights[node]));
      const OpKind kind = network.op(node).kind;
      if (kind == OpKind::relu || kind == OpKind::global_avg_pool) round_tensor(node, read);
    }
    double sum = 0;
    found = values.back().values;
    for (std::size_t i = 0; i < found.size(); ++i) sum += static_cast<double>(found[i]) * static_cast<double>(pull[i]);
    return sum;
  }
  std::vector<float> found;

  double steps(const ParameterBlock& block) const {  // of the largest binade, in the range
    const bool kernel = block.kind == Kind::kernel_range, positive = !kernel && sites.is_unsigned[block.node];
    const Format format = kernel ? plan.at(block.node).weights : plan.at(1).activations;
    if (format.kind == Format::Kind::minifloat) return 14;  // e4m3: 448 / 32
    return std::pow(2, format.width_bits - (positive ? 0 : 1)) - 1;
  }
  double numbers(const ParameterBlock& block) const {  // of one sample that share it
    if (block.kind == Kind::tensor_range) {
      return static_cast<double>(elements(network.shape(block.node)) / network.shape(block.node)[0]);
    }
    const NodeWeights weights = random_weights(network, 3)[block.node];
    return static_cast<double>(weights.kernel.size() / block.size);
  }
};

TEST(QuantizedTraining, IsTheReferenceOnRoundedNumbersAndItsGradientThatOfTheSurrogate) {
  for (const char* formats : {"int4@channel/int4", "int8", "e4m3@channel/e4m3", "int4/int6", "int4@group4/int8"}) {
    SCOPED_TRACE(formats);
    Case one(formats);
    TrainingOptions options;
    options.quantization.plan = one.plan;
    std::vector<float> gradient = one.by_graph(options);
    one.ranges_then = one.parameters;
    one.loss(one.parameters, true);
    EXPECT_LT(rms_error(one.output, one.found), 1e-5);
    std::vector<float> expected, at = one.parameters;
    for (float& value : at) {
      const float before = value, move = 4e-3F * std::max(0.1F, std::abs(before));
      value = before + move;
      const double above = one.loss(at, false), up = static_cast<double>(value);
      value = before - move;
      const double below = one.loss(at, false);
      expected.push_back(static_cast<float>((above - below) / (up - static_cast<double>(value))));
      value = before;
    }
    const std::size_t own = parameter_count(parameter_blocks(one.network));
    EXPECT_LT(rms_error(std::span(gradient).first(own), std::span(expected).first(own)), 0.01);
    for (const ParameterBlock& block : one.sites.ranges) {
      const double unit = std::sqrt(std::pow(one.steps(block), 3) / one.numbers(block));
      for (std::size_t i = block.offset; i < block.offset + block.size; ++i) {
        expected[i] *= static_cast<float>(unit);
      }
    }
    EXPECT_LT(rms_error(std::span(gradient).subspan(own), std::span(expected).subspan(own)), 0.02);
    options.threads = 2;
    const std::vector<float> first = gradient;
    gradient = one.by_graph(options);
    EXPECT_LT(rms_error(gradient, first), 1e-4);  // what oneDNN sums differs between numbers of threads
  }
}

TEST(QuantizedTraining, PlansWithoutRoundingChangeNoBit) {
  NetBuilder net({4, 3, 6, 6});
  net.conv(5, 3);
  net.norm();
  net.apply(OpKind::relu);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(3);
  const Network network = net.finish();
  const auto gradient = [&](const PrecisionPlan& plan) {
    TrainingOptions options;
    options.quantization.plan = plan;
    TrainingGraph graph(network, options);
    const std::vector<float> own = flatten(network, random_weights(network, 1)), x = seeded_input(network.shape(0), 2);
    EXPECT_EQ(graph.parameters().size(), own.size());
    std::copy(own.begin(), own.end(), graph.parameters().begin());
    std::copy(x.begin(), x.end(), graph.input().begin());
    graph.forward();
    std::fill(graph.output_gradient().begin(), graph.output_gradient().end(), 1.0F);
    graph.backward();
    return std::vector<float>(graph.gradient().begin(), graph.gradient().end());
  };
  EXPECT_EQ(gradient({}), gradient(PrecisionPlan::uniform(network, f32)));
  EXPECT_EQ(gradient({}), gradient(PrecisionPlan::uniform(network, "bf16")));
  EXPECT_THROW(gradient(PrecisionPlan::uniform(network, "ternary/int8")), Unsupported);
  EXPECT_THROW(gradient(PrecisionPlan::uniform(network, "int8@channel/uint8")), Unsupported);
}

// The executor's answers in the plan, with the statistics of the batch, against those of the training graph.
struct Compared {
  double with_f32 = 0;    // the training graph with the network in f32
  double with_moved = 0;  // the executor with itself, its input moved by a millionth
};
double executed_difference(const Network& network, const PrecisionPlan& plan, Emulation emulation,
                           Compared* compared = nullptr) {
  TrainingOptions options;
  options.gradients = false;
  options.quantization.plan = plan;
  TrainingGraph graph(network, options);
  Weights weights = random_weights(network, 5);
  const std::vector<float> own = flatten(network, weights), x = seeded_input(network.shape(0), 2);
  std::copy(own.begin(), own.end(), graph.parameters().begin());
  std::copy(x.begin(), x.end(), graph.input().begin());
  graph.forward();
  for (const BatchStatistics& one : graph.batch_statistics()) {
    weights[one.node].mean.assign(one.mean.begin(), one.mean.end());
    weights[one.node].variance.assign(one.variance.begin(), one.variance.end());
  }
  const std::span<const float> all = graph.parameters();
  const Design design = executed_in_formats(network, options.quantization.plan, weights, all.subspan(own.size()));
  Executable executable(design, {.emulation = emulation});
  const std::vector<float> found = testing::run_once(executable, x);
  if (compared != nullptr) {
    Executable plain(Design{network, {}, std::make_shared<Weights>(weights)}, {});
    compared->with_f32 = rms_error(testing::run_once(plain, x), graph.output());
    std::vector<float> moved = x;
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] *= i % 2 == 0 ? 1 + 1e-6F : 1 - 1e-6F;
    compared->with_moved = rms_error(testing::run_once(executable, moved), found);
  }
  return rms_error(found, graph.output());
}

double executed_difference(const Network& network, const std::string& formats, Emulation emulation,
                           Compared* compared = nullptr) {
  return executed_difference(network, PrecisionPlan::uniform(network, formats), emulation, compared);
}

// Residual blocks, one with an average pool in front of its shortcut's convolution; a join; a pool of largest numbers.
Network blocks() {
  NetBuilder net({4, 3, 16, 16});
  net.conv(8, 3);
  net.norm();
  const NodeId stem = net.apply(OpKind::relu);
  net.conv(8, 3, 2);
  const NodeId branch = net.norm();
  Op pool = NetBuilder::op_of(OpKind::avg_pool);
  pool.kernel = {2, 2};
  pool.stride = {2, 2};
  net.add(pool, {stem});
  net.conv(8, 1);
  net.norm();
  net.add_to(branch);
  const NodeId first = net.apply(OpKind::relu);
  net.conv(8, 3);
  net.norm();
  net.add_to(first);
  const NodeId second = net.apply(OpKind::relu);
  net.add(NetBuilder::op_of(OpKind::concat), {first, second});
  pool.kind = OpKind::max_pool;
  net.add(pool, {net.last});
  net.conv(12, 3);
  net.norm();
  net.apply(OpKind::relu6);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(5);
  return net.finish();
}

void expect_the_same_answers(const Network& network) {
  for (const char* formats : {"int4@channel/int4", "int4/int4", "int8", "e4m3@channel/e4m3"}) {
    Compared compared;
    const double difference = executed_difference(network, formats, Emulation::all, &compared);
    EXPECT_LT(difference, 0.2 * compared.with_f32) << formats;  // numbers between two codes fall to either side
    EXPECT_GT(compared.with_f32, 0.001) << formats;
  }
  if (!testing::has_exact_int8()) return;
  EXPECT_LT(executed_difference(network, "int8", Emulation::none), 0.01);
}

TEST(QuantizedTraining, ExecutedInTheSameFormatsGivesTheSameAnswers) {
  expect_the_same_answers(blocks());
  for (const std::string name : {"plain_cnn", "mobilenet_small", "vit_small"}) {
    SCOPED_TRACE(name);
    const SearchSpace space = SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/" + name + ".json",
                                                {.batch = 4, .parameters = {}});
    Rng rng(2, "candidates");
    expect_the_same_answers(space.decode(space.sample(rng)).network);
  }
}

// What is stored wider for one reader, as a shortcut is, has no range of its own: it may not be rounded by another.
TEST(QuantizedTraining, MixedPlansAreExecutedWithoutOtherRoundings) {
  if (!testing::has_exact_int8()) GTEST_SKIP() << "this CPU sums products of 8 bits in 16";
  const Network network = blocks();
  const PrecisionPlan whole = PrecisionPlan::uniform(network, int8);
  Rng rng(3, "plans");
  for (int draw = 0; draw < 24; ++draw) {
    PrecisionPlan plan = whole;
    for (OperatorFormats& one : plan.operators) {
      if (rng.uniform() < 0.5) one = {};
    }
    EXPECT_LT(executed_difference(network, plan, Emulation::none), 0.01) << draw;
    EXPECT_LT(executed_difference(network, plan, Emulation::all), 0.01) << draw;
  }
}

// A network of 50 layers with random weights carries a number that fell to another code to the end, and grows it: two
// ways to compute the same are no nearer than one way is to itself when its input moves by a few roundings of f32.
TEST(QuantizedTraining, DeepNetworksDifferAsMuchAsTheirInputsRoundingMakesThem) {
  const SearchSpace space = SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/resnet.json",
                                              {.batch = 2, .parameters = {{"classes", 10}}});
  Genome genome = space.normalise(Genome{std::vector<std::uint16_t>(space.dims().size(), 0)});
  Compared compared;
  const double difference = executed_difference(space.decode(genome).network, "int8", Emulation::all, &compared);
  EXPECT_LT(difference, 2 * compared.with_moved);
  EXPECT_LT(difference, compared.with_f32);
}

Network classifier(std::int64_t batch) {
  NetBuilder net({batch, 1, 8, 8});
  net.conv(12, 3);
  net.norm();
  const NodeId before = net.apply(OpKind::relu);
  net.conv(12, 3, 1, 12);
  net.norm();
  net.apply(OpKind::hard_swish);
  net.conv(12, 1);
  net.norm();
  net.add_to(before);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(4);
  return net.finish();
}

TrainerOptions options_for(const Network& network, const std::string& formats, RoundingWay way, std::uint64_t steps) {
  TrainerOptions options;
  options.descent.learning_rate = 0.1;
  options.descent.schedule.warmup_steps = 4;
  options.descent.total_steps = steps;
  options.descent.clip_norm = 5.0;
  options.descent.average_decay = 0.9;
  options.training.quantization = {PrecisionPlan::uniform(network, formats), way, 11};
  return options;
}

void train(Trainer& trainer, std::uint64_t until) {
  Pictures data(32);
  while (trainer.steps() < until) {
    data.draw(trainer.steps());
    const LossTerm term{data.targets};
    trainer.step(data.images, {&term, 1});
  }
}

TEST(QuantizedTraining, LearnsWeightsAndRangesThatEvaluateInTheirFormats) {
  const Network network = classifier(32);
  Pictures unseen(200);
  unseen.draw(1000);
  for (const RoundingWay way : {RoundingWay::fake, RoundingWay::noise}) {
    const TrainerOptions options = options_for(network, "int3@channel/int3", way, 80);
    Trainer trainer(network, initial_weights(network, 1), options);
    train(trainer, 1);
    const std::vector<float> first = trainer.save().parameters;
    train(trainer, 80);
    Executable executable(trainer.evaluated(200), {.emulation = Emulation::missing});
    EXPECT_GT(unseen.accuracy(testing::run_once(executable, unseen.images)), way == RoundingWay::fake ? 0.9 : 0.8);
    const std::vector<float> last = trainer.save().parameters;
    const std::size_t own = parameter_count(parameter_blocks(network));
    ASSERT_GT(last.size(), own);
    for (std::size_t i = own; i < last.size(); ++i) {
      EXPECT_GT(std::abs(first[i]), 0.0F) << i;
      const bool moves = way == RoundingWay::fake;  // noise moves them where something is cut off
      EXPECT_TRUE(!moves || first[i] != last[i]) << i;
    }
    EXPECT_NE(std::vector<float>(first.begin() + static_cast<std::ptrdiff_t>(own), first.end()),
              std::vector<float>(last.begin() + static_cast<std::ptrdiff_t>(own), last.end()));
  }
}

TEST(QuantizedTraining, WeightDecayLeavesRangesAlone) {
  const Network network = classifier(4);
  const std::vector<ParameterBlock> blocks = parameter_blocks(network, PrecisionPlan::uniform(network, "int8"));
  OptimizerOptions options;
  options.weight_decay = 0.5;
  Optimizer optimizer(options, blocks);
  std::vector<float> values(parameter_count(blocks), 1.0F);
  optimizer.step(values, std::vector<float>(values.size(), 0.0F), 0.1);
  for (const ParameterBlock& block : blocks) {
    EXPECT_EQ(values[block.offset] == 1.0F, block.kind != Kind::kernel);
  }
}

TEST(QuantizedTraining, GoesOnFromItsStateBitForBit) {
  const Network network = classifier(32);
  for (const RoundingWay way : {RoundingWay::fake, RoundingWay::noise}) {
    const TrainerOptions options = options_for(network, "int4@channel/e4m3", way, 10);
    Trainer whole(network, initial_weights(network, 5), options), first(network, initial_weights(network, 5), options);
    Trainer second(network, initial_weights(network, 6), options);
    train(whole, 10);
    train(first, 4);
    second.load(first.save());
    train(second, 10);
    EXPECT_EQ(whole.save().parameters, second.save().parameters);
    EXPECT_EQ(whole.save().averaged, second.save().averaged);
    EXPECT_EQ(whole.save().optimizer.moments, second.save().optimizer.moments);
  }
}

TEST(QuantizedTraining, Bfloat16IsNear) {
  Case one("int4@channel/int4"), two("int4@channel/int4");
  TrainingOptions options;
  options.quantization.plan = one.plan;
  one.by_graph(options);
  options.format = bf16;
  try {
    two.by_graph(options);
  } catch (const Unsupported& reason) {
    GTEST_SKIP() << reason.what();
  }
  EXPECT_LT(rms_error(two.output, one.output), 0.1);
}

}  // namespace
}  // namespace ridgeline
