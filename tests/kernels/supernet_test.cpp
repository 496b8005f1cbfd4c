#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/executable.hpp"
#include "kernels/training/channel_order.hpp"
#include "kernels/training/sandwich.hpp"
#include "kernels/training/supernet_trainer.hpp"
#include "kernels/training/trainer.hpp"
#include "spaces/config_error.hpp"
#include "tests/kernels/compare.hpp"
#include "tests/kernels/pictures.hpp"

namespace ridgeline {
namespace {

using testing::Pictures;
using Kind = ParameterBlock::Kind;

SearchSpace shipped(const std::string& name, std::int64_t batch = 1) {
  return SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/" + name + ".json",
                           {.batch = batch, .parameters = {}});
}

// Depth, kernel with two steps, expansion, width, an operator that is chosen, on pictures of 8 x 8.
SearchSpace small_space(std::int64_t batch) {
  return SearchSpace::parse(JsonDocument::parse(R"({
    "ridgeline_space": 1, "name": "small",
    "dimensions": [
      {"name": "depth", "choices": [1, 2], "ordered": true},
      {"name": "kernel", "repeat": 2, "index": "slot", "choices": [1, 3, 5], "ordered": true,
       "active_if": "slot < depth"},
      {"name": "expand", "repeat": 2, "index": "slot", "choices": [1, 2, 4], "ordered": true,
       "active_if": "slot < depth"},
      {"name": "width", "choices": [6, 12], "ordered": true},
      {"name": "mixer", "choices": ["conv", "pool"]}
    ],
    "network": {"input": [1, 8, 8], "body": [
      {"op": "conv2d", "channels": "width", "kernel": 3},
      {"op": "batch_norm"},
      {"op": "relu"},
      {"switch": "mixer", "cases": {
        "conv": [{"op": "conv2d", "channels": "width", "kernel": 3}],
        "pool": [{"op": "avg_pool", "kernel": 3, "stride": 1, "padding": 1}]}},
      {"repeat": "depth", "index": "slot", "body": [
        {"as": "before"},
        {"op": "conv2d", "channels": "width * expand[slot]", "kernel": 1},
        {"op": "batch_norm"},
        {"op": "hard_swish"},
        {"op": "conv2d", "channels": "in_channels", "groups": "in_channels", "kernel": "kernel[slot]"},
        {"op": "batch_norm"},
        {"op": "relu"},
        {"op": "conv2d", "channels": "width", "kernel": 1},
        {"op": "batch_norm"},
        {"op": "add", "from": ["current", "before"]}
      ]},
      {"op": "global_avg_pool"},
      {"op": "flatten"},
      {"op": "linear", "channels": 4}
    ]}
  })",
                                                "small.json"),
                            {.batch = batch, .parameters = {}});
}

std::vector<float> random_numbers(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, "numbers");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

// Initial parameters with every norm and map disturbed, so that nothing is zero or the identity by chance.
std::vector<float> random_parameters(const SharedParameters& layout) {
  std::vector<float> values = layout.initial(3);
  Rng rng(4, "disturbed");
  for (const ParameterBlock& block : layout.parameter_blocks()) {
    const double size = block.kind == Kind::scale ? 0.3 : block.kind == Kind::kernel ? 0.0 : 0.1;
    for (std::size_t i = 0; i < block.size; ++i) values[block.offset + i] += static_cast<float>(size * rng.normal());
    if (block.kind != Kind::scale) continue;
    for (std::size_t i = 0; i < block.size; ++i) values[block.offset + i] += 0.5F;
  }
  return values;
}

// Statistics by the place and the channel, so that all candidates have the same.
void give_statistics(const SearchSpace& space, const Genome& genome, const Network& network, Weights& weights) {
  const std::vector<std::string> places = space.places(genome);
  for (NodeId node = 0; node < network.size(); ++node) {
    if (network.op(node).kind != OpKind::batch_norm) continue;
    const std::size_t channels = weights[node].scale.size();
    for (std::size_t c = 0; c < channels; ++c) {
      Rng rng(std::hash<std::string>()(places[node]), "statistics", c);
      weights[node].mean.push_back(static_cast<float>(0.1 * rng.normal()));
      weights[node].variance.push_back(static_cast<float>(1.0 + rng.uniform()));
    }
  }
}

std::vector<float> run(const Network& network, const Weights& weights) {
  Executable executable(Design{network, {}, std::make_shared<Weights>(weights)}, {});
  const std::vector<float> input = random_numbers(executable.input().size(), 9);
  std::copy(input.begin(), input.end(), executable.input().begin());
  executable.run();
  return {executable.output(0).begin(), executable.output(0).end()};
}

// What a candidate's kernel is, written into a kernel of the supernet's size whose other numbers are zero.
std::vector<float> widened(const std::vector<float>& small, const Extents4& from, const Extents4& to) {
  std::vector<float> large(static_cast<std::size_t>(to[0] * to[1] * to[2] * to[3]), 0.0F);
  const std::int64_t top = (to[2] - from[2]) / 2, left = (to[3] - from[3]) / 2;
  for (std::int64_t o = 0; o < from[0]; ++o) {
    for (std::int64_t i = 0; i < from[1]; ++i) {
      for (std::int64_t y = 0; y < from[2]; ++y) {
        for (std::int64_t x = 0; x < from[3]; ++x) {
          const auto value = small[static_cast<std::size_t>(((o * from[1] + i) * from[2] + y) * from[3] + x)];
          large[static_cast<std::size_t>(((o * to[1] + i) * to[2] + y + top) * to[3] + x + left)] = value;
        }
      }
    }
  }
  return large;
}

Extents4 extents_in(const Network& network, NodeId node, const std::vector<float>& kernel) {
  const Op& op = network.op(node);
  const bool conv = op.kind == OpKind::conv2d;
  const std::int64_t window = conv ? op.kernel[0] * op.kernel[1] : 1;
  return {op.channels, static_cast<std::int64_t>(kernel.size()) / op.channels / window, conv ? op.kernel[0] : 1,
          conv ? op.kernel[1] : 1};
}

// The large network with everything zero that the small one does not have.
Weights masked(const SearchSpace& space, const Genome& small, const Weights& small_weights,
               const Network& small_network, const Genome& large, const Network& large_network, Weights large_weights) {
  const std::vector<std::string> small_places = space.places(small), large_places = space.places(large);
  for (NodeId node = 0; node < large_network.size(); ++node) {
    if (!has_weights(large_network.op(node).kind)) continue;
    NodeWeights& own = large_weights[node];
    const auto there = std::ranges::find(small_places, large_places[node]);
    for (std::vector<float>* one : {&own.kernel, &own.bias, &own.scale, &own.shift}) std::ranges::fill(*one, 0.0F);
    if (there == small_places.end()) continue;
    const auto from = static_cast<NodeId>(there - small_places.begin());
    const NodeWeights& values = small_weights[from];
    if (!own.kernel.empty()) {
      own.kernel = widened(values.kernel, extents_in(small_network, from, values.kernel),
                           extents_in(large_network, node, own.kernel));
    }
    std::ranges::copy(values.bias, own.bias.begin());
    std::ranges::copy(values.scale, own.scale.begin());
    std::ranges::copy(values.shift, own.shift.begin());
  }
  return large_weights;
}

void expect_masking_equals_slicing(const SearchSpace& space, const std::set<std::string>& held, int candidates) {
  const SharedParameters layout(space);
  const std::vector<float> shared = random_parameters(layout);
  Rng rng(1, "candidates");
  for (int i = 0; i < candidates; ++i) {
    const Genome small = i == 0 ? space.normalise(smallest_genome(space)) : space.sample(rng);
    Genome large = largest_genome(space);
    Genome held_small = small;
    for (std::size_t d = 0; d < large.genes.size(); ++d) {
      const std::string name = space.dims()[d].name.substr(0, space.dims()[d].name.find('['));
      if (name == "resolution" || !space.dims()[d].ordered) large.genes[d] = held_small.genes[d];
      if (held.contains(name)) held_small.genes[d] = large.genes[d];
    }
    const Network a = space.decode(held_small).network, b = space.decode(large).network;
    Weights sliced = candidate_parameters(space, layout, shared, held_small, a).weights;
    Weights whole = candidate_parameters(space, layout, shared, large, b).weights;
    give_statistics(space, held_small, a, sliced);
    give_statistics(space, large, b, whole);
    whole = masked(space, held_small, sliced, a, large, b, std::move(whole));
    EXPECT_LT(testing::relative_error(run(a, sliced), run(b, whole)), 2e-4)
        << space.name() << " " << space.describe(held_small).dump();
  }
}

TEST(Supernet, CandidateIsTheLargestNetworkWithTheRestMasked) {
  expect_masking_equals_slicing(small_space(2), {}, 20);
  expect_masking_equals_slicing(shipped("mobilenet_v2"), {}, 4);
  expect_masking_equals_slicing(shipped("resnet"), {}, 3);
  // A layer norm over the embedding sees the channels that are masked.
  expect_masking_equals_slicing(shipped("vit_small"), {"embedding"}, 8);
}

TEST(Supernet, SmallerKernelsAreMappedCentres) {
  const SearchSpace space = small_space(1);
  const SharedParameters layout(space);
  const std::vector<float> shared = random_numbers(layout.size(), 5);
  Genome genome = largest_genome(space);
  genome.genes[1] = 0;  // a 1x1 kernel in the first slot: 5x5 -> 3x3 -> 1x1
  const Network network = space.decode(genome).network;
  const Weights weights = candidate_parameters(space, layout, shared, genome, network).weights;
  const auto slices = layout.slices(space, genome, network);
  const auto slice = std::ranges::find(slices, std::size_t{2}, &SharedParameters::Slice::window);
  ASSERT_NE(slice, slices.end());
  const SharedBlock& block = layout.blocks()[slice->shared];
  ASSERT_EQ(block.windows, (std::vector<Window>{{5, 5}, {3, 3}, {1, 1}}));
  const NodeId node = parameter_blocks(network)[static_cast<std::size_t>(slice - slices.begin())].node;
  for (std::size_t filter = 0; filter < 48; ++filter) {
    double middle = 0;
    for (std::size_t k = 0; k < 9; ++k) {
      const std::size_t place = (k / 3 + 1) * 5 + k % 3 + 1;
      middle += static_cast<double>(shared[block.map_offsets[0] + 4 * 9 + k]) *
                static_cast<double>(shared[block.offset + filter * 25 + place]);
    }
    EXPECT_NEAR(weights[node].kernel[filter], static_cast<double>(shared[block.map_offsets[1]]) * middle, 1e-4);
  }
}

TEST(Supernet, ScatterIsTheDerivativeOfGather) {
  for (const SearchSpace& space : {small_space(1), shipped("vit_small"), shipped("plain_cnn")}) {
    const SharedParameters layout(space);
    Rng rng(2, "candidates");
    for (int i = 0; i < 10; ++i) {
      const Genome genome = space.sample(rng);
      const Network network = space.decode(genome).network;
      const auto slices = layout.slices(space, genome, network);
      const std::size_t own_count = parameter_count(parameter_blocks(network));
      const std::vector<float> at = random_numbers(layout.size(), 11), along = random_numbers(layout.size(), 12);
      const std::vector<float> weights = random_numbers(own_count, 13);
      double slope = 0;
      for (const float sign : {1.0F, -1.0F}) {
        std::vector<float> moved = at, own(own_count);
        for (std::size_t k = 0; k < moved.size(); ++k) moved[k] += sign * 0.125F * along[k];
        layout.gather(slices, moved, own);
        for (std::size_t k = 0; k < own_count; ++k)
          slope += static_cast<double>(sign * own[k]) * static_cast<double>(weights[k]);
      }
      std::vector<float> gradient(layout.size(), 0.0F);
      layout.scatter(slices, at, weights, gradient);
      double expected = 0, size = 0;
      for (std::size_t k = 0; k < gradient.size(); ++k) {
        const double term = static_cast<double>(gradient[k]) * static_cast<double>(along[k]);
        expected += term;
        size += term * term;
      }
      // Products of three factors (two maps and a kernel) leave a third-order term of the step.
      EXPECT_NEAR(slope / 0.25, expected, 0.1 * std::sqrt(size)) << space.name();
    }
  }
}

TEST(Supernet, OrderedChannelsComputeTheSameAndTheImportantComeFirst) {
  for (const SearchSpace& space : {small_space(2), shipped("mobilenet_v2"), shipped("vit_small")}) {
    const SharedParameters layout(space);
    const std::vector<float> shared = random_parameters(layout);
    const std::vector<std::size_t> order = importance_order(space, layout, shared);
    std::vector<float> ordered = shared;
    reorder(order, ordered);
    std::size_t moved = 0;
    for (std::size_t i = 0; i < order.size(); ++i) moved += order[i] == i ? 0 : 1;
    EXPECT_GT(moved, layout.size() / 3) << space.name();
    Genome large = space.normalise(largest_genome(space));
    if (space.name() == "mobilenet_v2") large.genes[0] = 0;  // resolution 160
    const Network network = space.decode(large).network;
    Weights before = candidate_parameters(space, layout, shared, large, network).weights;
    Weights after = candidate_parameters(space, layout, ordered, large, network).weights;
    for (NodeId node = 0; node < network.size(); ++node) {  // alike for all channels, as those have moved
      if (network.op(node).kind != OpKind::batch_norm) continue;
      for (Weights* weights : {&before, &after}) {
        (*weights)[node].mean.assign((*weights)[node].scale.size(), 0.1F);
        (*weights)[node].variance.assign((*weights)[node].scale.size(), 1.5F);
      }
    }
    EXPECT_LT(testing::relative_error(run(network, before), run(network, after)), 2e-4) << space.name();
    // Once in order, they stay.
    const std::vector<std::size_t> again = importance_order(space, layout, ordered);
    for (std::size_t i = 0; i < again.size(); ++i) ASSERT_EQ(again[i], i) << space.name();
  }
}

SupernetOptions supernet_options(std::uint64_t steps) {
  SupernetOptions options;
  options.descent.learning_rate = 0.05;
  options.descent.total_steps = steps;
  options.descent.clip_norm = 5.0;
  options.descent.average_decay = 0.9;
  return options;
}

TrainingStep step(SupernetTrainer& trainer, const SearchSpace& space, const Pictures& pictures,
                  const SandwichOptions& options = {}) {
  const LossTerm term{pictures.targets};
  return trainer.step(sandwich(space, options, 1, trainer.steps()),
                      [&](const Shape&, std::span<float> out) { std::ranges::copy(pictures.images, out.begin()); },
                      {&term, 1});
}

double accuracy(const SearchSpace& space, const SupernetTrainer& trainer, const Genome& genome, Pictures& pictures) {
  const Network network = space.decode(genome).network;
  Weights weights = candidate_parameters(space, trainer.layout(), trainer.evaluated(), genome, network).weights;
  std::vector<float> ranges;
  recalibrate(network, {}, weights, ranges, 1, 8, [&](std::size_t batch, std::span<float> images) {
    pictures.draw(5000 + batch);
    std::ranges::copy(pictures.images, images.begin());
  });
  pictures.draw(1000);
  Executable executable(Design{network, {}, std::make_shared<Weights>(std::move(weights))}, {});
  std::ranges::copy(pictures.images, executable.input().begin());
  executable.run();
  return pictures.accuracy(executable.output(0));
}

TEST(Supernet, EveryCandidateLearns) {
  const SearchSpace space = small_space(32);
  SupernetTrainer trainer(space, 1, supernet_options(120));
  Pictures pictures(32);
  double first = 0, last = 0;
  while (trainer.steps() < 120) {
    pictures.draw(trainer.steps());
    if (trainer.steps() == 60) trainer.order_channels();
    last = step(trainer, space, pictures).loss;
    if (trainer.steps() == 1) first = last;
  }
  EXPECT_NEAR(first, std::log(4.0), 1.0);
  EXPECT_LT(last, 0.5 * first);
  Rng rng(8, "candidates");
  EXPECT_GT(accuracy(space, trainer, largest_genome(space), pictures), 0.9);
  EXPECT_GT(accuracy(space, trainer, smallest_genome(space), pictures), 0.8);
  for (int i = 0; i < 5; ++i) EXPECT_GT(accuracy(space, trainer, space.sample(rng), pictures), 0.8);
}

TEST(Supernet, OrderingChannelsKeepsWhatWasLearnt) {
  const SearchSpace space = small_space(32);
  SupernetTrainer trainer(space, 1, supernet_options(40));
  Pictures pictures(32);
  while (trainer.steps() < 40) {
    pictures.draw(trainer.steps());
    step(trainer, space, pictures);
  }
  const Genome largest = largest_genome(space);
  const double before = accuracy(space, trainer, largest, pictures);
  trainer.order_channels();
  EXPECT_EQ(accuracy(space, trainer, largest, pictures), before);
}

TEST(Supernet, GoesOnFromItsStateBitForBit) {
  const SearchSpace space = small_space(8);
  SupernetTrainer whole(space, 5, supernet_options(12)), first(space, 5, supernet_options(12));
  SupernetTrainer second(space, 6, supernet_options(12));
  Pictures pictures(8);
  const auto train = [&](SupernetTrainer& trainer, std::uint64_t until) {
    while (trainer.steps() < until) {
      pictures.draw(trainer.steps());
      if (trainer.steps() == 4) trainer.order_channels();
      step(trainer, space, pictures);
    }
  };
  train(whole, 12);
  train(first, 7);
  second.load(first.save());
  train(second, 12);
  const TrainingState a = whole.save(), b = second.save();
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.averaged, b.averaged);
  EXPECT_EQ(a.optimizer.moments, b.optimizer.moments);
  TrainingState cut = a;
  cut.parameters.pop_back();
  EXPECT_THROW(second.load(cut), std::invalid_argument);
}

TEST(Supernet, TheOthersLearnFromTheLargest) {
  const SearchSpace space = small_space(16);
  SupernetOptions options = supernet_options(1);
  Pictures pictures(16);
  pictures.draw(0);
  // The gradient of a step of two is that of the labels for the largest and of its answers for the other: with the
  // labels' part of the loss weighted 0, nothing but distillation moves the parameters.
  for (const double distillation : {0.0, 1.0}) {
    options.distillation = distillation;
    options.descent.optimizer.weight_decay = 0;
    SupernetTrainer trainer(space, 1, options);
    const std::vector<float> before = trainer.save().parameters;
    const LossTerm none{pictures.targets, 0.0};
    trainer.step(std::vector<Genome>{space.normalise(largest_genome(space)), space.normalise(smallest_genome(space))},
                 [&](const Shape&, std::span<float> out) { std::ranges::copy(pictures.images, out.begin()); },
                 {&none, 1});
    EXPECT_EQ(trainer.save().parameters != before, distillation > 0);
  }
}

TEST(Supernet, DivergenceLeavesTheParameters) {
  const SearchSpace space = small_space(8);
  SupernetTrainer trainer(space, 1, supernet_options(2));
  Pictures pictures(8);
  pictures.draw(0);
  const std::vector<float> before = trainer.save().parameters;
  pictures.images[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(step(trainer, space, pictures), Diverged);
  EXPECT_EQ(trainer.save().parameters, before);
}

SearchSpace space_of(const std::string& dimension, const std::string& body) {
  return SearchSpace::parse(JsonDocument::parse(R"({"ridgeline_space": 1, "name": "s", "dimensions": [)" + dimension +
                                                    R"(], "network": {"input": [4, 8, 8], "body": [)" + body +
                                                    R"(, {"op": "global_avg_pool"}, {"op": "flatten"},
                                                       {"op": "linear", "channels": 2}]}})",
                                                "s.json"),
                            {});
}

TEST(Supernet, WhatIsNoSupernetIsRefused) {
  const auto grouped = [](const std::string& choices) {
    return space_of(R"({"name": "group_count", "choices": )" + choices + R"(, "ordered": true})",
                    R"({"op": "conv2d", "channels": 4, "kernel": 3, "groups": "group_count"})");
  };
  EXPECT_NO_THROW(SharedParameters(grouped("[1, 4]")));
  EXPECT_NO_THROW(SharedParameters(grouped("[2]")));
  EXPECT_THROW(SharedParameters(grouped("[1, 2, 4]")), ConfigError);
  const auto joined = [](const std::string& first, const std::string& second) {
    return space_of(R"({"name": "width", "choices": [4, 8], "ordered": true})", R"({"op": "conv2d", "channels": )" +
                                                                                    first +
                                                                                    R"(, "kernel": 3, "as": "a"},
                       {"op": "conv2d", "channels": )" + second + R"(, "kernel": 3, "as": "b"},
                       {"op": "concat", "from": ["a", "b"], "axis": 1})");
  };
  EXPECT_NO_THROW(SharedParameters(joined("4", "\"width\"")));
  EXPECT_THROW(SharedParameters(joined("\"width\"", "4")), ConfigError);
}

TEST(Sandwich, EndsAndWhatLiesBetween) {
  const SearchSpace space = small_space(1);
  const std::vector<Genome> one = sandwich(space, {.candidates = 6}, 3, 9);
  ASSERT_EQ(one.size(), 6U);
  EXPECT_EQ(one, sandwich(space, {.candidates = 6}, 3, 9));
  EXPECT_NE(one, sandwich(space, {.candidates = 6}, 3, 10));
  const Json largest = space.describe(one[0]), smallest = space.describe(one[1]);
  EXPECT_EQ(largest["width"], 12);
  EXPECT_EQ(largest["kernel[1]"], 5);
  EXPECT_EQ(smallest["depth"], 1);
  EXPECT_EQ(smallest["kernel[0]"], 1);
  std::set<std::string> mixers;
  for (std::uint64_t number = 0; number < 20; ++number) {
    mixers.insert(space.describe(sandwich(space, {.candidates = 1}, 3, number)[0])["mixer"].get<std::string>());
  }
  EXPECT_EQ(mixers.size(), 2U);  // what has no order has no largest
}

TEST(Sandwich, NumbersHaveALargestWithoutBeingOrdered) {
  const SearchSpace space =
      space_of(R"({"name": "width", "choices": [8, 4, 12]})", R"({"op": "conv2d", "channels": "width", "kernel": 3})");
  const std::vector<Genome> candidates = sandwich(space, {.candidates = 2}, 1, 0);
  EXPECT_EQ(space.describe(candidates[0])["width"], 12);
  EXPECT_EQ(space.describe(candidates[1])["width"], 4);
}

TEST(Sandwich, ClosedDimensionsAreLargest) {
  const SearchSpace space = small_space(1);
  const SandwichOptions options{.candidates = 5, .all_open = false, .open = {"kernel"}};
  std::set<int> kernels;
  for (std::uint64_t number = 0; number < 50; ++number) {
    for (const Genome& genome : sandwich(space, options, 1, number)) {
      const Json choices = space.describe(genome);
      EXPECT_EQ(choices["width"], 12);
      EXPECT_EQ(choices["depth"], 2);
      EXPECT_EQ(choices["expand[1]"], 4);
      kernels.insert(choices["kernel[1]"].get<int>());
    }
  }
  EXPECT_EQ(kernels.size(), 3U);
  EXPECT_NO_THROW(check_names(space, options));
  EXPECT_THROW(check_names(space, {.all_open = false, .open = {"kernels"}}), ConfigError);
}

}  // namespace
}  // namespace ridgeline
