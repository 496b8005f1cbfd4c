// Supernets whose candidates are trained through their own number formats.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/executable.hpp"
#include "kernels/training/executed_formats.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "kernels/training/sandwich.hpp"
#include "kernels/training/supernet_trainer.hpp"
#include "kernels/training/trainer.hpp"
#include "tests/kernels/compare.hpp"
#include "tests/kernels/pictures.hpp"

namespace ridgeline {
namespace {

using testing::Pictures;
using Kind = ParameterBlock::Kind;

// Width, kernel and depth, and a format for the stem and for each block.
SearchSpace space_in(const std::string& formats, std::int64_t batch) {
  const std::string text = R"({
    "ridgeline_space": 1, "name": "small",
    "dimensions": [
      {"name": "depth", "choices": [1, 2], "ordered": true},
      {"name": "kernel", "repeat": 2, "index": "slot", "choices": [1, 3], "ordered": true, "active_if": "slot < depth"},
      {"name": "width", "choices": [8, 12], "ordered": true},
      {"name": "format", "group": "precision", "repeat": 3, "choices": [)" +
                           formats + R"(], "ordered": true}
    ],
    "blocks": {"mix": {"arguments": ["out", "size"], "body": [
      {"op": "conv2d", "channels": "in_channels", "groups": "in_channels", "kernel": "size"},
      {"op": "batch_norm"},
      {"op": "relu"},
      {"op": "conv2d", "channels": "out", "kernel": 1},
      {"op": "batch_norm"},
      {"op": "add", "from": ["current", "input"]}
    ]}},
    "network": {"input": [1, 8, 8], "body": [
      {"op": "conv2d", "channels": "width", "kernel": 3, "weights": "format[0]", "activations": "format[0]"},
      {"op": "batch_norm"},
      {"op": "relu"},
      {"repeat": "depth", "index": "slot", "body": [
        {"call": "mix", "out": "width", "size": "kernel[slot]", "activations": "format[slot + 1]",
         "weights": "format[slot + 1] == 'int3' ? 'int3@channel' : format[slot + 1]"}
      ]},
      {"op": "global_avg_pool"},
      {"op": "flatten"},
      {"op": "linear", "channels": 4}
    ]}
  })";
  return SearchSpace::parse(JsonDocument::parse(text, "small.json"), {.batch = batch, .parameters = {}});
}

SupernetOptions options_for(std::uint64_t steps, RoundingWay way = RoundingWay::fake) {
  SupernetOptions options;
  options.descent.learning_rate = 0.05;
  options.descent.schedule.warmup_steps = 4;
  options.descent.total_steps = steps;
  options.descent.clip_norm = 5.0;
  options.descent.average_decay = 0.9;
  options.formats = by_genes;
  options.training.quantization.way = way;
  options.training.quantization.seed = 7;
  return options;
}

SandwichOptions with_precision() {
  SandwichOptions options;
  options.precision = true;
  return options;
}

void step(SupernetTrainer& trainer, std::span<const Genome> candidates, const Pictures& pictures) {
  const LossTerm term{pictures.targets};
  trainer.step(candidates, [&](const Shape&, std::span<float> out) { std::ranges::copy(pictures.images, out.begin()); },
               {&term, 1});
}

void train(SupernetTrainer& trainer, const SearchSpace& space, std::uint64_t until, std::uint64_t order_at = 0) {
  Pictures pictures(32);
  while (trainer.steps() < until) {
    pictures.draw(trainer.steps());
    if (order_at > 0 && trainer.steps() == order_at) trainer.order_channels();
    step(trainer, sandwich(space, with_precision(), 1, trainer.steps()), pictures);
  }
}

// The candidate's answers on 200 pictures, in its formats.
std::vector<float> answers(const SearchSpace& space, const SupernetTrainer& trainer, const Genome& genome,
                           std::span<const float> images) {
  const Design design = space.decode(genome);
  const PrecisionPlan plan = trained_plan(design, trainer.layout().formats());
  auto [weights, ranges] =
      candidate_parameters(space, trainer.layout(), trainer.evaluated(), genome, design.network, plan);
  recalibrate(design.network, plan, weights, ranges, 1, 4, [](std::size_t batch, std::span<float> out) {
    Pictures pictures(32);
    pictures.draw(5000 + batch);
    std::ranges::copy(pictures.images, out.begin());
  });
  Executable executable(executed_in_formats(with_batch(design.network, 200), plan, weights, ranges),
                        {.emulation = Emulation::missing});
  return testing::run_once(executable, images);
}

TEST(QuantizedSupernet, RangesComeBehindAllOtherParameters) {
  const SearchSpace space = space_in(R"("int3", "int8", "f32")", 4);
  const SharedParameters plain(space), quantized(space, by_genes);
  ASSERT_GT(quantized.blocks().size(), plain.blocks().size());
  std::set<std::string> tensors, kernels;
  for (std::size_t i = 0; i < quantized.blocks().size(); ++i) {
    const SharedBlock& block = quantized.blocks()[i];
    if (i < plain.blocks().size()) {
      EXPECT_EQ(block.place, plain.blocks()[i].place);
      EXPECT_EQ(block.offset, plain.blocks()[i].offset);
      EXPECT_EQ(block.format, "");
      continue;
    }
    EXPECT_GE(block.offset, plain.size());
    (block.kind == Kind::tensor_range ? tensors : kernels).insert(block.format);
  }
  EXPECT_EQ(tensors, (std::set<std::string>{"int3", "int8"}));
  EXPECT_EQ(kernels, (std::set<std::string>{"int3", "int3@channel", "int8"}));
  EXPECT_NE(plain.fingerprint(), quantized.fingerprint());
}

TEST(QuantizedSupernet, EveryCandidateFindsItsRanges) {
  const SearchSpace space = space_in(R"("int3", "int8", "f32")", 4);
  const SharedParameters layout(space, by_genes);
  std::uint64_t seen = 0;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const std::optional<Genome> genome = space.at(i);
    if (!genome) continue;
    const Design design = space.decode(*genome);
    const auto slices = layout.slices(space, *genome, design.network, design.precision);
    const std::vector<ParameterBlock> blocks = parameter_blocks(design.network, design.precision);
    ASSERT_EQ(slices.size(), blocks.size());
    for (std::size_t b = 0; b < blocks.size(); ++b) EXPECT_EQ(slices[b].offset, blocks[b].offset);
    ++seen;
  }
  EXPECT_GT(seen, 300U);
}

// A supernet that always takes the same candidate is that candidate's own training.
TEST(QuantizedSupernet, OfOneCandidateTrainsAsTheCandidateAlone) {
  const SearchSpace space = space_in(R"("int3", "int8", "f32")", 32);
  Genome genome = largest_genome(space);
  genome.genes[genome.genes.size() - 3] = 1;
  genome.genes[genome.genes.size() - 2] = 0;
  const Design design = space.decode(genome);
  SupernetTrainer trainer(space, 1, options_for(12));
  TrainerOptions options;
  options.descent = options_for(12).descent;
  options.training.quantization = {design.precision, RoundingWay::fake, 7};
  const auto slices = trainer.layout().slices(space, genome, design.network, design.precision);
  std::vector<float> own(parameter_count(parameter_blocks(design.network, design.precision)));
  trainer.layout().gather(slices, trainer.save().parameters, own);
  Weights weights(design.network.size());
  unflatten(design.network, std::span(own).first(parameter_count(parameter_blocks(design.network))), weights);
  for (NodeId node = 0; node < weights.size(); ++node) {
    weights[node].mean.assign(weights[node].scale.size(), 0.0F);
    weights[node].variance.assign(weights[node].scale.size(), 1.0F);
  }
  Trainer alone(design.network, weights, options);
  Pictures pictures(32);
  for (std::uint64_t i = 0; i < 12; ++i) {
    pictures.draw(i);
    step(trainer, std::span(&genome, 1), pictures);
    const LossTerm term{pictures.targets};
    alone.step(pictures.images, {&term, 1});
  }
  trainer.layout().gather(slices, trainer.save().parameters, own);
  EXPECT_LT(testing::rms_error(own, alone.save().parameters), 1e-4);
  trainer.layout().gather(slices, trainer.save().averaged, own);
  EXPECT_LT(testing::rms_error(own, alone.save().averaged), 1e-4);
  const std::size_t first = parameter_count(parameter_blocks(design.network));
  EXPECT_GT(own.size(), first);
  EXPECT_EQ(std::count(own.begin() + static_cast<std::ptrdiff_t>(first), own.end(), 0.0F), 0);
}

TEST(QuantizedSupernet, EveryCandidateLearnsInItsFormats) {
  const SearchSpace space = space_in(R"("int3", "int8", "f32")", 32);
  Pictures pictures(200);
  pictures.draw(1000);
  for (const RoundingWay way : {RoundingWay::fake, RoundingWay::noise}) {
    SupernetTrainer trainer(space, 1, options_for(160, way));
    train(trainer, space, 160);
    Rng rng(8, "candidates");
    const double least = way == RoundingWay::fake ? 0.8 : 0.7;
    EXPECT_GT(pictures.accuracy(answers(space, trainer, largest_genome(space), pictures.images)), 0.9);
    EXPECT_GT(pictures.accuracy(answers(space, trainer, space.normalise(smallest_genome(space)), pictures.images)),
              least);
    for (int i = 0; i < 5; ++i) {
      EXPECT_GT(pictures.accuracy(answers(space, trainer, space.sample(rng), pictures.images)), least);
    }
  }
}

TEST(QuantizedSupernet, TheLargestHasMostBitsTheSmallestFewestAndTheOthersAny) {
  const SearchSpace space = space_in(R"("int3", "int8", "f32")", 1);
  std::set<std::vector<std::uint16_t>> plans;
  for (std::uint64_t number = 0; number < 60; ++number) {
    const std::vector<Genome> candidates = sandwich(space, with_precision(), 1, number);
    ASSERT_GE(candidates.size(), 3U);
    EXPECT_EQ(candidates[0], space.normalise(largest_genome(space)));
    EXPECT_EQ(candidates[1], space.normalise(smallest_genome(space)));
    for (const Genome& one : candidates) plans.insert({one.genes.end() - 3, one.genes.end()});
  }
  EXPECT_EQ(space.describe(largest_genome(space))["format[0]"], "f32");
  EXPECT_EQ(space.describe(smallest_genome(space))["format[0]"], "int3");
  EXPECT_EQ(plans.size(), 27U);
}

TEST(QuantizedSupernet, OrderingChannelsKeepsWhatWasLearnt) {
  const SearchSpace space = space_in(R"("int3", "int8")", 32);
  SupernetTrainer trainer(space, 1, options_for(40));
  train(trainer, space, 40);
  Pictures pictures(200);
  pictures.draw(1000);
  const Genome genome = largest_genome(space);
  const std::vector<float> before = answers(space, trainer, genome, pictures.images);
  const std::vector<float> shared = trainer.save().parameters;
  trainer.order_channels();
  EXPECT_NE(trainer.save().parameters, shared);
  EXPECT_LT(testing::rms_error(answers(space, trainer, genome, pictures.images), before), 1e-3);
}

TEST(QuantizedSupernet, GoesOnFromItsStateBitForBit) {
  const SearchSpace space = space_in(R"("int3", "e4m3", "f32")", 32);
  for (const RoundingWay way : {RoundingWay::fake, RoundingWay::noise}) {
    SupernetTrainer whole(space, 5, options_for(12, way)), first(space, 5, options_for(12, way));
    SupernetTrainer second(space, 6, options_for(12, way));
    train(whole, space, 12, 4);
    train(first, space, 7, 4);
    second.load(first.save());
    train(second, space, 12, 4);
    EXPECT_EQ(whole.save().parameters, second.save().parameters);
    EXPECT_EQ(whole.save().averaged, second.save().averaged);
    EXPECT_EQ(whole.save().optimizer.moments, second.save().optimizer.moments);
  }
}

TEST(QuantizedSupernet, OneFormatForAllNeedsNoGenes) {
  const SearchSpace space = space_in(R"("f32", "int8")", 32);
  SupernetOptions options = options_for(4);
  options.formats = "int4@channel/int4";
  SupernetTrainer trainer(space, 1, options);
  train(trainer, space, 4);
  const Genome genome = space.normalise(smallest_genome(space));
  const Design design = space.decode(genome);
  EXPECT_EQ(trained_plan(design, options.formats), PrecisionPlan::uniform(design.network, options.formats));
  for (const SharedBlock& block : trainer.layout().blocks()) {
    EXPECT_EQ(block.format, block.kind == Kind::tensor_range   ? "int4"
                            : block.kind == Kind::kernel_range ? "int4@channel"
                                                               : "");
  }
}

}  // namespace
}  // namespace ridgeline
