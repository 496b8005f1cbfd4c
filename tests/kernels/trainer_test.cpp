#include "kernels/training/trainer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/executable.hpp"
#include "kernels/reference.hpp"
#include "spaces/rng.hpp"
#include "spaces/search_space.hpp"
#include "tests/kernels/compare.hpp"
#include "tests/kernels/nets.hpp"
#include "tests/kernels/pictures.hpp"

namespace ridgeline {
namespace {

using testing::NetBuilder;
using testing::Pictures;

// A convolution, a depthwise residual block and a classifier, with every kind of parameter.
Network small_classifier(std::int64_t batch) {
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

TrainerOptions options_for(const std::string& optimizer, std::uint64_t steps) {
  TrainerOptions options;
  options.descent.optimizer.kind = optimizer;
  options.descent.optimizer.weight_decay = 1e-4;
  options.descent.learning_rate = optimizer == "sgd" ? 0.1 : optimizer == "adamw" ? 0.02 : 0.005;
  options.descent.schedule.warmup_steps = 4;
  options.descent.total_steps = steps;
  options.descent.clip_norm = 5.0;
  options.descent.average_decay = 0.99;
  return options;
}

TEST(Trainer, OverfitsOneBatchWithEveryOptimizer) {
  Pictures data(32);
  data.draw(0);
  for (const std::string& name : optimizer_names()) {
    const Network network = small_classifier(32);
    Trainer trainer(network, initial_weights(network, 1), options_for(name, 200));
    const LossTerm term{data.targets};
    const double first = trainer.step(data.images, {&term, 1}).loss;
    double last = first;
    while (trainer.steps() < 200) last = trainer.step(data.images, {&term, 1}).loss;
    EXPECT_NEAR(first, std::log(4.0), 1.0) << name;
    EXPECT_LT(last, 0.05) << name;
  }
}

double accuracy(const Network& network, Weights weights, const Pictures& data) {
  Executable executable(Design{network, {}, std::make_shared<Weights>(std::move(weights))}, {});
  std::copy(data.images.begin(), data.images.end(), executable.input().begin());
  executable.run();
  return data.accuracy(executable.output(0));
}

TEST(Trainer, LearnsAndEveryFormOfItsWeightsEvaluates) {
  const Network network = small_classifier(32), wide = with_batch(network, 200);
  Trainer trainer(network, initial_weights(network, 1), options_for("sgd", 60));
  Pictures data(32), unseen(200);
  while (trainer.steps() < 60) {
    data.draw(trainer.steps());
    const LossTerm term{data.targets};
    trainer.step(data.images, {&term, 1});
  }
  unseen.draw(1000);
  EXPECT_GT(accuracy(wide, trainer.weights(), unseen), 0.95);
  EXPECT_GT(accuracy(wide, trainer.averaged_weights(), unseen), 0.9);
  const auto fill = [](std::size_t batch, std::span<float> images) {
    Pictures pictures(32);
    pictures.draw(2000 + batch);
    std::copy(pictures.images.begin(), pictures.images.end(), images.begin());
  };
  const auto recalibrated = [&](int threads) {
    Weights weights = trainer.averaged_weights();
    std::vector<float> ranges;
    recalibrate(network, {}, weights, ranges, threads, 8, fill);
    return weights;
  };
  const Weights again = recalibrated(1), on_two = recalibrated(2);
  for (NodeId node = 0; node < network.size(); ++node) EXPECT_EQ(again[node].variance, on_two[node].variance);
  EXPECT_GT(accuracy(wide, again, unseen), 0.95);
}

TEST(Trainer, GoesOnFromItsStateBitForBit) {
  for (const std::string& name : optimizer_names()) {
    const Network network = small_classifier(16);
    const TrainerOptions options = options_for(name, 12);
    Trainer whole(network, initial_weights(network, 5), options), first(network, initial_weights(network, 5), options);
    Trainer second(network, initial_weights(network, 6), options);
    Pictures data(16);
    const auto step = [&](Trainer& trainer) {
      data.draw(trainer.steps());
      const LossTerm term{data.targets};
      trainer.step(data.images, {&term, 1});
    };
    while (whole.steps() < 12) step(whole);
    while (first.steps() < 5) step(first);
    second.load(first.save());
    while (second.steps() < 12) step(second);
    const TrainingState a = whole.save(), b = second.save();
    EXPECT_EQ(a.parameters, b.parameters) << name;
    EXPECT_EQ(a.averaged, b.averaged) << name;
    EXPECT_EQ(a.statistics, b.statistics) << name;
    EXPECT_EQ(a.optimizer.moments, b.optimizer.moments) << name;
    TrainingState cut = a;
    cut.statistics.pop_back();
    EXPECT_THROW(second.load(std::move(cut)), std::invalid_argument);
  }
}

TEST(Trainer, DivergenceIsSaidWithItsStepAndRemedy) {
  const Network network = small_classifier(16);
  TrainerOptions options = options_for("sgd", 100);
  options.descent.learning_rate = 1e30;
  options.descent.clip_norm = 0;
  options.descent.schedule.kind = "constant";
  Trainer trainer(network, initial_weights(network, 1), options);
  Pictures data(16);
  data.draw(0);
  const LossTerm term{data.targets};
  try {
    for (int i = 0; i < 50; ++i) trainer.step(data.images, {&term, 1});
    FAIL() << "a learning rate of 1e30 did not diverge";
  } catch (const Diverged& problem) {
    EXPECT_NE(std::string(problem.what()).find("at step"), std::string::npos);
    EXPECT_NE(std::string(problem.what()).find("learning rate"), std::string::npos);
  }
}

TEST(Trainer, InitialWeightsKeepTheVariance) {
  NetBuilder net({8, 16, 12, 12});
  for (int i = 0; i < 6; ++i) {
    net.conv(32, 3);
    net.apply(OpKind::relu);
  }
  const Network network = net.finish();
  const std::vector<Tensor> values = run_reference(
      {network, {}, std::make_shared<Weights>(initial_weights(network, 3))}, seeded_input({8, 16, 12, 12}, 1));
  double square = 0;
  for (const float value : values.back().values) square += static_cast<double>(value) * static_cast<double>(value);
  // The input is uniform in [-1, 1); behind six layers the mean square is of the same order.
  const double mean_square = square / static_cast<double>(values.back().values.size());
  EXPECT_GT(mean_square, 0.05);
  EXPECT_LT(mean_square, 2.0);
}

// A residual branch may start at zero; the stream that it is added to may not, or nothing would ever be learnt.
TEST(Trainer, InitialNetworksTellImagesApart) {
  for (const std::string name : {"plain_cnn", "mobilenet_small", "mobilenet_v2", "vit_small"}) {
    const SearchSpace space = SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/" + name + ".json",
                                                {.batch = 4, .parameters = {}});
    Rng rng(1, "candidates");
    for (int i = 0; i < 3; ++i) {
      const Network network = space.decode(space.sample(rng)).network;
      TrainingGraph graph(network, {});
      const std::vector<float> parameters = flatten(network, initial_weights(network, 2));
      std::copy(parameters.begin(), parameters.end(), graph.parameters().begin());
      for (float& pixel : graph.input()) pixel = static_cast<float>(rng.normal());
      graph.forward();
      const std::size_t classes = graph.output().size() / 4;
      const std::span<const float> first = graph.output().first(classes),
                                   second = graph.output().subspan(classes, classes);
      EXPECT_GT(testing::relative_error(first, second), 0.01) << name;
    }
  }
}

}  // namespace
}  // namespace ridgeline
