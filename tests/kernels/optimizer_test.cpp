#include "kernels/training/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/training/loss.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

const std::vector<ParameterBlock> two_blocks{{0, ParameterBlock::Kind::kernel, 0, 1},
                                             {0, ParameterBlock::Kind::bias, 1, 1}};

std::vector<float> after(const OptimizerOptions& options, int steps) {
  Optimizer optimizer(options, two_blocks);
  std::vector<float> parameters{1.0F, 1.0F};
  for (int i = 0; i < steps; ++i) optimizer.step(parameters, std::vector<float>{0.5F, -0.5F}, 0.1);
  return parameters;
}

// By hand, from the papers' update rules.
TEST(Optimizer, FirstTwoStepsByHand) {
  OptimizerOptions sgd{.kind = "sgd", .momentum = 0.9, .nesterov = true, .weight_decay = 0.2};
  // step 1: g = .5 + .2*1 = .7, v = .7, x = 1 - .1*(.7 + .9*.7) = .867
  // step 2: g = .5 + .2*.867 = .6734, v = .63 + .6734 = 1.3034, x = .867 - .1*(.6734 + 1.17306)
  EXPECT_NEAR(after(sgd, 1)[0], 0.867, 1e-6);
  EXPECT_NEAR(after(sgd, 2)[0], 0.867 - 0.1 * (0.6734 + 0.9 * 1.3034), 1e-6);
  EXPECT_NEAR(after(sgd, 1)[1], 1.0 + 0.1 * 0.5 * 1.9, 1e-6);  // biases are not decayed
  sgd.nesterov = false;
  EXPECT_NEAR(after(sgd, 2)[1], 1.0 + 0.1 * 0.5 + 0.1 * 0.95, 1e-6);

  const OptimizerOptions adamw{.kind = "adamw", .weight_decay = 0.2};
  // A constant gradient has mean g and square g^2 after the bias correction: each step is the sign and the decay.
  EXPECT_NEAR(after(adamw, 1)[0], 1 - 0.1 * (1 + 0.2), 1e-6);
  EXPECT_NEAR(after(adamw, 2)[0], 0.88 - 0.1 * (1 + 0.2 * 0.88), 1e-6);
  EXPECT_NEAR(after(adamw, 2)[1], 1.2, 1e-6);

  const OptimizerOptions lion{.kind = "lion", .beta2 = 0.99, .weight_decay = 0.2};
  EXPECT_NEAR(after(lion, 1)[0], 1 - 0.1 * (1 + 0.2), 1e-6);
  EXPECT_NEAR(after(lion, 1)[1], 1.1, 1e-6);
}

TEST(Optimizer, EveryKindFindsTheBottomOfABowl) {
  for (const std::string& kind : optimizer_names()) {
    OptimizerOptions options{.kind = kind, .weight_decay = 0.0};
    if (kind == "lion") options.beta2 = 0.99;  // it moves by the rate itself, round the bottom too
    const std::vector<ParameterBlock> blocks{{0, ParameterBlock::Kind::kernel, 0, 20}};
    Optimizer optimizer(options, blocks);
    std::vector<float> x(20, 3.0F), gradient(20);
    for (std::uint64_t step = 0; step < 400; ++step) {
      for (std::size_t i = 0; i < 20; ++i)
        gradient[i] = static_cast<float>(i + 1) / 10.0F * (x[i] - static_cast<float>(i) / 20.0F);
      optimizer.step(x, gradient, 0.05 * scheduled_rate({.kind = "cosine"}, step, 400));
    }
    for (std::size_t i = 0; i < 20; ++i)
      EXPECT_NEAR(x[i], static_cast<float>(i) / 20.0F, kind == "lion" ? 0.04 : 0.02) << kind << i;
  }
}

TEST(Optimizer, GoesOnFromItsStateBitForBit) {
  for (const std::string& kind : optimizer_names()) {
    const OptimizerOptions options{.kind = kind};
    Optimizer whole(options, two_blocks), first(options, two_blocks), second(options, two_blocks);
    std::vector<float> x{1.0F, 2.0F}, y = x;
    const auto gradient = [](int i) { return std::vector<float>{0.1F * static_cast<float>(i), -0.3F}; };
    for (int i = 0; i < 10; ++i) whole.step(x, gradient(i), 0.1);
    for (int i = 0; i < 5; ++i) first.step(y, gradient(i), 0.1);
    second.load(first.save());
    for (int i = 5; i < 10; ++i) second.step(y, gradient(i), 0.1);
    EXPECT_EQ(x, y) << kind;
    EXPECT_THROW(second.load({1, {{1.0F}}}), std::invalid_argument);
  }
  EXPECT_THROW(Optimizer({.kind = "adam"}, two_blocks), std::invalid_argument);
}

TEST(Optimizer, ClipsByTheNormAndAverages) {
  std::vector<float> gradient{3.0F, 4.0F};
  EXPECT_DOUBLE_EQ(clip_gradient(gradient, 0.0), 5.0);
  EXPECT_DOUBLE_EQ(clip_gradient(gradient, 10.0), 5.0);
  EXPECT_FLOAT_EQ(gradient[0], 3.0F);
  EXPECT_DOUBLE_EQ(clip_gradient(gradient, 1.0), 5.0);
  EXPECT_FLOAT_EQ(gradient[0], 0.6F);
  EXPECT_FLOAT_EQ(gradient[1], 0.8F);
  std::vector<float> averaged{1.0F, 0.0F};
  average_into(averaged, gradient, 0.75);
  EXPECT_FLOAT_EQ(averaged[0], 0.75F + 0.15F);
}

TEST(Schedule, EndsAndMiddles) {
  EXPECT_DOUBLE_EQ(scheduled_rate({.kind = "constant"}, 50, 100), 1.0);
  EXPECT_DOUBLE_EQ(scheduled_rate({.kind = "cosine"}, 0, 100), 1.0);
  EXPECT_NEAR(scheduled_rate({.kind = "cosine"}, 50, 100), 0.5, 1e-12);
  EXPECT_NEAR(scheduled_rate({.kind = "cosine", .least = 0.2}, 50, 100), 0.6, 1e-12);
  const ScheduleOptions warm{.kind = "cosine", .warmup_steps = 10};
  EXPECT_DOUBLE_EQ(scheduled_rate(warm, 0, 110), 0.1);
  EXPECT_DOUBLE_EQ(scheduled_rate(warm, 9, 110), 1.0);
  EXPECT_NEAR(scheduled_rate(warm, 60, 110), 0.5, 1e-12);
  // (10^1.5 - 10) / 90 at the middle
  EXPECT_NEAR(scheduled_rate({.kind = "cosine_power", .power = 10}, 50, 100), (std::pow(10, 1.5) - 10) / 90, 1e-12);
  EXPECT_NEAR(scheduled_rate({.kind = "cosine_power", .power = 1}, 50, 100), 0.5, 1e-9);
  EXPECT_THROW(scheduled_rate({.kind = "cos"}, 1, 2), std::invalid_argument);
}

TEST(Loss, ClosedForms) {
  const std::vector<float> even(6, 0.0F);
  const std::vector<float> targets = smoothed_targets(std::vector<std::int32_t>{0, 2}, 3);
  std::vector<float> gradient(6);
  const LossTerm term{targets};
  EXPECT_NEAR(cross_entropy(even, 3, {&term, 1}, gradient), std::log(3.0), 1e-12);
  EXPECT_NEAR(gradient[0], (1.0 / 3 - 1) / 2, 1e-6);
  EXPECT_NEAR(gradient[1], 1.0 / 6, 1e-6);
  const std::vector<float> smooth = smoothed_targets(std::vector<std::int32_t>{1}, 4, 0.2);
  EXPECT_NEAR(smooth[1], 0.85, 1e-6);
  EXPECT_NEAR(smooth[0], 0.05, 1e-6);
  EXPECT_THROW(smoothed_targets(std::vector<std::int32_t>{4}, 4), std::out_of_range);
  EXPECT_THROW(smoothed_targets(std::vector<std::int32_t>{-1}, 4), std::out_of_range);
  const std::vector<float> huge{1000.0F, 0.0F, -1000.0F};
  EXPECT_NEAR(softmax_rows(huge, 3)[0], 1.0, 1e-12);
}

TEST(Loss, GradientAgainstDifferencesWithDistillation) {
  Rng rng(4, "loss");
  std::vector<float> logits(12), teacher(12);
  for (float& value : logits) value = static_cast<float>(2 * rng.normal());
  for (float& value : teacher) value = static_cast<float>(2 * rng.normal());
  const std::vector<float> hard = smoothed_targets(std::vector<std::int32_t>{0, 3, 1}, 4, 0.1);
  const std::vector<float> soft = softmax_rows(teacher, 4, 3.0);
  const std::vector<LossTerm> terms{{hard, 0.4, 1.0}, {soft, 0.6, 3.0}};
  std::vector<float> gradient(12), unused(12);
  cross_entropy(logits, 4, terms, gradient);
  for (std::size_t i = 0; i < 12; ++i) {
    std::vector<float> moved = logits;
    moved[i] = logits[i] + 0.01F;
    const double above = cross_entropy(moved, 4, terms, unused);
    moved[i] = logits[i] - 0.01F;
    EXPECT_NEAR((above - cross_entropy(moved, 4, terms, unused)) / 0.02, gradient[i], 1e-4);
  }
  // At the teacher's own logits the soft term alone pulls nowhere.
  const LossTerm alone{soft, 1.0, 3.0};
  cross_entropy(teacher, 4, {&alone, 1}, gradient);
  for (const float one : gradient) EXPECT_NEAR(one, 0.0, 1e-6);
}

}  // namespace
}  // namespace ridgeline
