// The recurrent policy against a plain loop, and the gradients of all its objectives against finite differences.
#include "search/policies/recurrent_policy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "search/policies/adam.hpp"
#include "search/policies/policy_gradient.hpp"
#include "tests/search/kinds_of_space.hpp"

namespace ridgeline {
namespace {

using Vector = Eigen::VectorXd;

// Parameters of a size at which nothing is nearly linear.
Vector large_parameters(const RecurrentPolicy& controller, Rng& rng) {
  Vector made = controller.parameters();
  for (double& parameter : made) parameter = 1.2 * rng.uniform() - 0.6;
  return made;
}

// One layer of LSTM and a softmax a step, number by number over the flat parameters.
class PlainPolicy {
 public:
  PlainPolicy(const RecurrentShape& shape, const Vector& p) : shape_(shape), p_(p), h_(shape.hidden) {
    all_ = std::accumulate(shape.choices.begin(), shape.choices.end(), std::size_t{0});
  }

  // Probabilities and value of each step, for dimensions in their order.
  std::vector<std::vector<double>> go(const std::vector<double>& context, const std::vector<std::uint16_t>& choices) {
    std::vector<double> hidden(h_, 0.0), cell(h_, 0.0);
    std::vector<std::vector<double>> made;
    std::size_t first = 0, read = 0;
    for (std::size_t t = 0; t < choices.size(); ++t) {
      std::vector<double> in(h_);
      for (std::size_t j = 0; j < h_; ++j) {
        in[j] = t == 0 ? p(j) : p(embeddings() + h_ * read + j);
        for (std::size_t k = 0; t == 0 && k < context.size(); ++k) in[j] += p(h_ + h_ * k + j) * context[k];
      }
      step(in, hidden, cell);
      made.push_back(outputs(hidden, first, shape_.choices[t]));
      read = first + choices[t];
      first += shape_.choices[t];
    }
    return made;
  }

 private:
  double p(std::size_t i) const { return p_[static_cast<Eigen::Index>(i)]; }
  std::size_t embeddings() const { return h_ + h_ * shape_.context; }
  std::size_t gates() const { return embeddings() + h_ * all_; }
  std::size_t logits() const { return gates() + 8 * h_ * h_ + 4 * h_; }
  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  void step(const std::vector<double>& in, std::vector<double>& hidden, std::vector<double>& cell) const {
    const auto sum = [&](std::size_t row) {
      double total = p(gates() + 8 * h_ * h_ + row);
      for (std::size_t j = 0; j < h_; ++j) {
        total += p(gates() + 4 * h_ * j + row) * in[j] + p(gates() + 4 * h_ * (h_ + j) + row) * hidden[j];
      }
      return total;
    };
    std::vector<double> next(h_);
    for (std::size_t j = 0; j < h_; ++j) {
      cell[j] = sigmoid(sum(h_ + j)) * cell[j] + sigmoid(sum(j)) * std::tanh(sum(2 * h_ + j));
      next[j] = sigmoid(sum(3 * h_ + j)) * std::tanh(cell[j]);
    }
    hidden = next;
  }

  std::vector<double> outputs(const std::vector<double>& hidden, std::size_t first, std::size_t count) const {
    std::vector<double> made(count);
    double sum = 0, value = p(logits() + (h_ + 1) * all_ + h_);
    for (std::size_t c = 0; c < count; ++c) {
      made[c] = p(logits() + h_ * all_ + first + c);
      for (std::size_t j = 0; j < h_; ++j) made[c] += p(logits() + h_ * (first + c) + j) * hidden[j];
      sum += made[c] = std::exp(made[c]);
    }
    for (double& share : made) share /= sum;
    for (std::size_t j = 0; j < h_; ++j) value += p(logits() + (h_ + 1) * all_ + j) * hidden[j];
    made.push_back(value);
    return made;
  }

  RecurrentShape shape_;
  Vector p_;
  std::size_t h_, all_;
};

TEST(RecurrentPolicy, IsTheLstmOfAPlainLoop) {
  const RecurrentShape shape{{3, 2, 4}, 2, 5};
  Rng rng(3);
  RecurrentPolicy controller(shape, rng);
  controller.set_parameters(large_parameters(controller, rng));
  const std::vector<double> context{0.3, 0.7};
  const std::vector<std::uint16_t> choices{2, 0, 1};
  const auto expected = PlainPolicy(shape, controller.parameters()).go(context, choices);
  Pass pass(controller, context);
  for (std::size_t t = 0; t < choices.size(); ++t) {
    const std::span<const double> likely = pass.decide(t, {});
    for (std::size_t c = 0; c < likely.size(); ++c) EXPECT_NEAR(likely[c], expected[t][c], 1e-12);
    EXPECT_NEAR(pass.value(t), expected[t].back(), 1e-12);
    pass.take(choices[t]);
    EXPECT_NEAR(pass.log_probability(t), std::log(expected[t][choices[t]]), 1e-12);
  }
}

TEST(RecurrentPolicy, BeginsUniformAndNeverDrawsWhatIsForbidden) {
  Rng rng(4);
  const RecurrentPolicy controller({{4, 4}, 0, 6}, rng);
  Pass pass(controller, {});
  for (const double share : pass.decide(0, {})) EXPECT_DOUBLE_EQ(share, 0.25);
  pass.take(1);
  const std::vector<std::uint8_t> allowed{0, 1, 0, 1};
  const std::span<const double> likely = pass.decide(1, allowed);
  EXPECT_EQ(std::vector<double>(likely.begin(), likely.end()), (std::vector<double>{0.0, 0.5, 0.0, 0.5}));
  EXPECT_NEAR(pass.entropy(1), std::log(2.0), 1e-12);
}

TEST(RecurrentPolicy, RefusesWhatDoesNotFit) {
  Rng rng(1);
  EXPECT_THROW(RecurrentPolicy({{}, 0, 4}, rng), std::invalid_argument);
  EXPECT_THROW(RecurrentPolicy({{2, 0}, 0, 4}, rng), std::invalid_argument);
  EXPECT_THROW(RecurrentPolicy({{2}, 0, 0}, rng), std::invalid_argument);
  RecurrentPolicy controller({{2, 2}, 1, 4}, rng);
  EXPECT_THROW(controller.set_parameters(Vector::Zero(3)), std::invalid_argument);
  Vector bad = controller.parameters();
  bad[0] = std::nan("");
  EXPECT_THROW(controller.set_parameters(bad), std::invalid_argument);
  EXPECT_THROW(Pass(controller, {}), std::invalid_argument);
}

// An objective of a rollout, by two agents of which one has a single dimension, with masks and a context.
class Objectives : public testing::Test {
 protected:
  Objectives() : rng_(7) {
    agents_.emplace_back(RecurrentShape{{3, 2, 4}, 2, 4}, rng_);
    agents_.emplace_back(RecurrentShape{{3}, 2, 4}, rng_);
    for (RecurrentPolicy& agent : agents_) agent.set_parameters(large_parameters(agent, rng_));
    script_ = {{0, 0, 2, {1, 1, 1}}, {1, 0, 1, {1, 1, 1}}, {0, 1, 0, {1, 0}}, {0, 2, 3, {1, 0, 1, 1}}};
  }

  // Whether backward() gives, of every parameter, the difference that moving it makes.
  void expect_gradient(const std::function<Gradient(const Rollout&)>& objective) {
    const Rollout rollout(agents_, script_, context_);
    std::vector<Vector> gradients;
    for (const RecurrentPolicy& agent : agents_) gradients.push_back(Vector::Zero(agent.parameters().size()));
    rollout.backward(objective(rollout).by_decision, gradients);
    double largest = 0;
    for (std::size_t agent = 0; agent < agents_.size(); ++agent) {
      const Vector whole = agents_[agent].parameters();
      for (Eigen::Index i = 0; i < whole.size(); ++i) {
        constexpr double step = 1e-5;
        const auto at = [&](double change) {
          Vector moved = whole;
          moved[i] += change;
          agents_[agent].set_parameters(moved);
          return objective(Rollout(agents_, script_, context_)).value;
        };
        EXPECT_NEAR(gradients[agent][i], (at(step) - at(-step)) / (2 * step), 1e-7) << agent << ": " << i;
        largest = std::max(largest, std::abs(gradients[agent][i]));
      }
      agents_[agent].set_parameters(whole);
    }
    EXPECT_GT(largest, 0.1);
  }

  Rng rng_;
  std::vector<RecurrentPolicy> agents_;
  Script script_;
  std::vector<double> context_{0.25, 0.75};
};

TEST_F(Objectives, GradientOfTheLogProbability) {
  expect_gradient([](const Rollout& rollout) { return reinforce(rollout, 0.8, 0.0); });
}

TEST_F(Objectives, GradientOfTheEntropy) {
  expect_gradient([](const Rollout& rollout) { return reinforce(rollout, 0.0, 1.0); });
}

TEST_F(Objectives, GradientOfTheValue) {
  const std::vector<double> zeros(4, 0.0);
  expect_gradient([&](const Rollout& rollout) { return ppo(rollout, {zeros, zeros, 0.4}, {0.2, 0.5, 0.0}); });
}

TEST_F(Objectives, GradientOfTheClippedSurrogate) {
  const Rollout now(agents_, script_, context_);
  // Ratios of about 1.05, 1.35 (clipped, as the advantage is above 0), 1 (nothing to choose) and 1.35 (not, below 0).
  std::vector<double> before, advantages{0.7, 1.1, -0.4, -0.9};
  for (std::size_t i = 0; i < now.size(); ++i) before.push_back(now.log_probability(i) - (i == 0 ? 0.05 : 0.3));
  expect_gradient([&](const Rollout& rollout) { return ppo(rollout, {before, advantages, -0.3}, {0.2, 0.5, 0.05}); });
  const Gradient made = ppo(now, {before, advantages, -0.3}, {0.2, 0.5, 0.0});
  EXPECT_NEAR(made.by_decision[0].log_probability, 0.7 * std::exp(0.05), 1e-12);
  EXPECT_EQ(made.by_decision[1].log_probability, 0.0);
  EXPECT_NEAR(made.by_decision[3].log_probability, -0.9 * std::exp(0.3), 1e-12);
}

// Decisions that were made for the policy have no part in what it learns.
TEST_F(Objectives, WhatIsAtRestHasNoGradient) {
  for (Decision& decision : script_) {
    std::ranges::fill(decision.allowed, std::uint8_t{0});
    decision.allowed[decision.choice] = 1;
  }
  const Rollout rollout(agents_, script_, context_);
  const Gradient made = reinforce(rollout, 1.0, 1.0);
  EXPECT_EQ(made.value, 0.0);
  std::vector<Vector> gradients;
  for (const RecurrentPolicy& agent : agents_) gradients.push_back(Vector::Zero(agent.parameters().size()));
  rollout.backward(made.by_decision, gradients);
  for (const Vector& gradient : gradients) EXPECT_EQ(gradient.norm(), 0.0);
}

TEST(Adam, FirstGoesByTheRateWhateverTheGradientAndThenByItsMean) {
  for (const double scale : {1e-3, 1.0, 1e6}) {
    Adam adam(2);
    const Vector gradient = (Vector(2) << scale, -2 * scale).finished();
    const Vector step = adam.step(gradient, 0.1);
    EXPECT_NEAR(step[0], 0.1, 1e-5);
    EXPECT_NEAR(step[1], -0.1, 1e-5);
  }
  Adam adam(1);
  const Vector up = Vector::Constant(1, 0.5), down = Vector::Constant(1, -0.25);
  adam.step(up, 0.1);
  const double first = 0.9 * 0.05 - 0.1 * 0.25, second = 0.999 * 0.00025 + 0.001 * 0.0625;
  EXPECT_NEAR(adam.step(down, 0.1)[0], 0.1 * first / 0.19 / std::sqrt(second / 0.001999), 1e-8);
}

TEST(Team, DrawsOnlyValidCandidatesAndKnowsHowTheyWereChosen) {
  for (const auto& [name, make] : spaces()) {
    SCOPED_TRACE(name);
    const SearchSpace space = make();
    Rng rng(11);
    for (const auto& agents : {one_agent(space), agents_by_group(space)}) {
      Team team(space, agents, 0, 3, rng);
      const Genome rest{std::vector<std::uint16_t>(space.dims().size(), 0)};
      for (int i = 0; i < 60; ++i) {
        const std::size_t length = rng.below(team.positions() + 1);
        const std::optional<Genome> genome = team.draw({{}, length, &rest, 1.0}, rng);
        ASSERT_TRUE(genome.has_value());
        EXPECT_EQ(space.violation(*genome), std::nullopt);
        EXPECT_EQ(space.normalise(*genome), *genome);
        const Rollout rollout(team.agents(), team.script(*genome, length), {});
        double sum = 0, all = 0;
        for (std::size_t k = 0; k < rollout.size(); ++k) sum += rollout.log_probability(k);
        const Rollout whole(team.agents(), team.script(*genome, team.positions()), {});
        for (std::size_t k = 0; k < whole.size(); ++k) all += whole.log_probability(k);
        EXPECT_TRUE(std::isfinite(sum));
        EXPECT_LE(all, sum + 1e-12);
        if (length == 0) {
          EXPECT_EQ(sum, 0.0);
        }
      }
    }
  }
}

TEST(Team, HasAnAgentAGroupOrADimension) {
  const SearchSpace groups = spaces().at("accelerators")(), plain = spaces().at("mixed")();
  EXPECT_EQ(agents_by_group(groups), (std::vector<std::vector<std::uint32_t>>{{0, 1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(agents_by_group(plain), (std::vector<std::vector<std::uint32_t>>{{0}, {2}, {3}}));
  EXPECT_EQ(one_agent(plain), (std::vector<std::vector<std::uint32_t>>{{0, 2, 3}}));
  EXPECT_TRUE(one_agent(spaces().at("single")()).empty());
}

// Of the candidates of a constrained space, the shares that an untrained policy gives must sum to 1: nothing else can
// be drawn.
TEST(Team, ProbabilitiesOfTheValidCandidatesSumToOne) {
  for (const std::string name : {"conditional", "constrained", "formats"}) {
    const SearchSpace space = spaces().at(name)();
    Rng rng(2);
    Team team(space, one_agent(space), 0, 4, rng);
    double sum = 0;
    for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
      const std::optional<Genome> genome = space.at(i);
      if (!genome) continue;
      const Rollout rollout(team.agents(), team.script(*genome, team.positions()), {});
      double log = 0;
      for (std::size_t k = 0; k < rollout.size(); ++k) log += rollout.log_probability(k);
      sum += std::exp(log);
    }
    EXPECT_NEAR(sum, 1.0, 1e-9) << name;
  }
}

}  // namespace
}  // namespace ridgeline
