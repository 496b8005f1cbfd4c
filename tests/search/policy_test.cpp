// The policy over a space's choices, against closed forms: its distribution, gradients, what it learns on bandits.
#include "search/policies/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

// `size` counts only where `kind` is 1.
SearchSpace conditional_space() {
  return make_space("conditional", R"([
    {"name": "kind", "choices": [0, 1]},
    {"name": "size", "choices": [1, 2, 3], "active_if": "kind == 1"},
    {"name": "other", "choices": [1, 2]}])");
}

PolicyState with_logits(const ChoicePolicy& policy, std::vector<double> logits) {
  PolicyState state = policy.save();
  state.logits = std::move(logits);
  return state;
}

TEST(ChoicePolicy, DrawsByTheSoftmaxOfItsLogits) {
  const SearchSpace space = uniform_space(2, 3);
  ChoicePolicy policy(space, {0, 1}, {{0, 0}});
  policy.load(with_logits(policy, {std::log(1.0), std::log(2.0), std::log(5.0), 700.0, 700.0, 0.0}));
  const std::vector<double> expected{0.125, 0.25, 0.625, 0.5, 0.5, 0.0};
  const std::vector<double> likely = policy.probabilities();
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(likely[i], expected[i], 1e-12);
  EXPECT_NEAR(policy.log_probability({{2, 0}}), std::log(0.625 * 0.5), 1e-12);
  constexpr int draws = 20000;
  Rng rng(3);
  std::vector<double> shares(6, 0.0);
  for (int i = 0; i < draws; ++i) {
    const Genome genome = policy.sample(rng).value();
    for (std::size_t d = 0; d < 2; ++d) shares[3 * d + genome.genes[d]] += 1.0 / draws;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(shares[i], expected[i], 0.015);
  EXPECT_EQ(policy.most_likely(rng).value(), (Genome{{2, 0}}));
}

TEST(ChoicePolicy, GradientsAreThoseOfFiniteDifferences) {
  const SearchSpace space = conditional_space();
  ChoicePolicy policy(space, {0, 1, 2}, {{0, 0, 0}});
  const std::vector<double> logits{0.3, -0.2, 1.0, 0.1, -0.7, 0.4, 0.9};
  for (const Genome& genome : {Genome{{1, 2, 0}}, Genome{{0, 0, 1}}}) {
    policy.load(with_logits(policy, logits));
    const std::vector<double> by_choice = policy.log_probability_gradient(genome);
    const std::vector<double> by_entropy = policy.entropy_gradient(genome);
    constexpr double step = 1e-5;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const auto difference = [&](const auto& value) {
        std::vector<double> moved = logits;
        moved[i] += step;
        policy.load(with_logits(policy, moved));
        const double up = value();
        moved[i] -= 2 * step;
        policy.load(with_logits(policy, moved));
        return (up - value()) / (2 * step);
      };
      EXPECT_NEAR(by_choice[i], difference([&] { return policy.log_probability(genome); }), 1e-8);
      EXPECT_NEAR(by_entropy[i], difference([&] { return policy.entropy(genome); }), 1e-8);
    }
  }
  policy.load(with_logits(policy, logits));
  EXPECT_NEAR(policy.most_entropy({{1, 0, 0}}), std::log(2 * 3 * 2.0), 1e-12);
  EXPECT_NEAR(policy.most_entropy({{0, 0, 0}}), std::log(2 * 2.0), 1e-12);
}

TEST(ChoicePolicy, InactiveGenesLearnNothing) {
  const SearchSpace space = conditional_space();
  ChoicePolicy policy(space, {0, 1, 2}, {{0, 0, 0}});
  for (int i = 0; i < 5; ++i) policy.update({{0, 0, 1}}, i, 0.1);
  const std::vector<double> before(policy.logits().begin(), policy.logits().end());
  EXPECT_EQ(std::vector<double>(before.begin() + 2, before.begin() + 5), std::vector<double>(3, 0.0));
  EXPECT_GT(before[0], before[1]);
  EXPECT_GT(before[6], before[5]);
  for (int i = 5; i < 9; ++i) policy.update({{1, 2, 1}}, i);
  EXPECT_GT(policy.logits()[4], 0.0);
  const std::vector<double> then(policy.logits().begin() + 2, policy.logits().begin() + 5);
  policy.update({{0, 0, 0}}, 20);  // not moved by what is left of its moments either
  EXPECT_EQ(std::vector<double>(policy.logits().begin() + 2, policy.logits().begin() + 5), then);
}

// The first two rewards by hand: the first has no baseline, the second's is the first. Adam's first step with a
// gradient is the rate times a ratio of moments that the decays give.
TEST(ChoicePolicy, AnUpdateIsThatOfReinforceWithABaselineByAdam) {
  const SearchSpace space = uniform_space(1, 2);
  ChoicePolicy policy(space, {0}, {{0}}, {.learning_rate = 0.1, .baseline_decay = 0.9});
  policy.update({{0}}, 3.0);
  EXPECT_EQ(policy.logits()[0], 0.0);
  EXPECT_EQ(policy.save().baseline, 3.0);
  policy.update({{1}}, 5.0);
  EXPECT_NEAR(policy.save().baseline, 0.9 * 3 + 0.1 * 5, 1e-12);
  const double gradient = (5.0 - 3.0) * (1 - 0.5);
  const double first = 0.1 * gradient / (1 - 0.9 * 0.9), second = 0.001 * gradient * gradient / (1 - 0.999 * 0.999);
  EXPECT_NEAR(policy.logits()[1], 0.1 * first / std::sqrt(second), 1e-8);
  EXPECT_NEAR(policy.logits()[0], -policy.logits()[1], 1e-12);
}

TEST(ChoicePolicy, FindsTheBestArmAndDecides) {
  const SearchSpace space = uniform_space(3, 4);
  const std::vector<std::vector<double>> rewards{{0, 1, 0.2, 0.4}, {0.9, 0.1, 0.3, 0}, {0.5, 0.2, 0, 0.8}};
  ChoicePolicy policy(space, {0, 1, 2}, {{0, 0, 0}});
  const double before = policy.entropy({{0, 0, 0}});
  EXPECT_NEAR(before, 3 * std::log(4.0), 1e-12);
  Rng rng(1);
  for (int i = 0; i < 1500; ++i) {
    const Genome genome = policy.sample(rng).value();
    double reward = 0.3 * rng.normal();
    for (std::size_t d = 0; d < 3; ++d) reward += rewards[d][genome.genes[d]];
    policy.update(genome, reward);
  }
  EXPECT_EQ(policy.most_likely(rng).value(), (Genome{{1, 0, 3}}));
  EXPECT_LT(policy.entropy({{0, 0, 0}}), 0.3 * before);
}

TEST(ChoicePolicy, TheEntropyBonusAloneMakesChoicesUniform) {
  const SearchSpace space = uniform_space(1, 3);
  ChoicePolicy policy(space, {0}, {{0}});
  policy.load(with_logits(policy, {2.0, 0.0, -1.0}));
  Rng rng(1);
  for (int i = 0; i < 500; ++i) policy.update(policy.sample(rng).value(), 1.0, 0.1);
  for (const double one : policy.probabilities()) EXPECT_NEAR(one, 1.0 / 3, 0.02);
}

TEST(ChoicePolicy, ConstraintsAreKeptByDrawsAndByTheMode) {
  const SearchSpace space =
      make_space("pairs", R"([{"name": "a", "choices": [0, 1]}, {"name": "b", "choices": [0, 1, 2]}])",
                 R"([{"require": "a + b <= 2", "why": "at most 2"}])");
  ChoicePolicy policy(space, {0, 1}, {{0, 0}});
  policy.load(with_logits(policy, {0.0, 1.0, 0.0, 0.5, 1.0}));
  Rng rng(2);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(space.violation(policy.sample(rng).value()));
  // 1 + 2 is too much; of what is left 1 + 1 is the likeliest.
  EXPECT_EQ(policy.most_likely(rng).value(), (Genome{{1, 1}}));
  EXPECT_FALSE(policy.sample(rng, [](const Genome&) { return false; }));
  EXPECT_FALSE(policy.most_likely(rng, [](const Genome&) { return false; }));
  EXPECT_EQ(policy.most_likely(rng, [](const Genome& genome) { return genome.genes[0] == 0; }).value(),
            (Genome{{0, 2}}));
}

TEST(ChoicePolicy, OtherDimensionsHaveTheBase) {
  const SearchSpace space = uniform_space(3, 4);
  const ChoicePolicy policy(space, {1}, {{3, 0, 2}});
  Rng rng(4);
  for (int i = 0; i < 20; ++i) {
    const Genome genome = policy.sample(rng).value();
    EXPECT_EQ(genome.genes[0], 3);
    EXPECT_EQ(genome.genes[2], 2);
  }
  EXPECT_NEAR(policy.log_probability({{3, 1, 2}}), -std::log(4.0), 1e-12);
}

TEST(ChoicePolicy, GoesOnFromItsStateBitForBit) {
  const SearchSpace space = conditional_space();
  const auto learn = [](ChoicePolicy& policy, int from, int to) {
    for (int i = from; i < to; ++i) {
      Rng rng(7, "draw", static_cast<std::uint64_t>(i));
      const Genome genome = policy.sample(rng).value();
      policy.update(genome, noise(genome, 5), 0.01);
    }
  };
  ChoicePolicy whole(space, {0, 1, 2}, {{0, 0, 0}}), first = whole, second = whole;
  learn(whole, 0, 60);
  learn(first, 0, 25);
  second.load(first.save());
  learn(second, 25, 60);
  EXPECT_EQ(second.save().logits, whole.save().logits);
  EXPECT_EQ(second.save().baseline, whole.save().baseline);
}

TEST(ChoicePolicy, WhatIsNoneIsRefused) {
  const SearchSpace space = uniform_space(2, 3);
  EXPECT_THROW(ChoicePolicy(space, {}, {{0, 0}}), std::invalid_argument);
  EXPECT_THROW(ChoicePolicy(space, {2}, {{0, 0}}), std::invalid_argument);
  EXPECT_THROW(ChoicePolicy(space, {1, 1}, {{0, 0}}), std::invalid_argument);
  EXPECT_THROW(ChoicePolicy(space, {1}, {{0}}), std::invalid_argument);
  ChoicePolicy policy(space, {0, 1}, {{0, 0}});
  EXPECT_THROW(policy.update({{0, 0}}, std::nan("")), std::invalid_argument);
  EXPECT_THROW(policy.update({{0, 0}}, 1.0, std::numeric_limits<double>::infinity()), std::invalid_argument);
  EXPECT_THROW(policy.update({{0}}, 1.0), std::invalid_argument);
  EXPECT_THROW(policy.load(with_logits(policy, {0, 0, 0})), std::invalid_argument);
  EXPECT_THROW(policy.load(with_logits(policy, {0, 0, 0, 0, 0, std::nan("")})), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
