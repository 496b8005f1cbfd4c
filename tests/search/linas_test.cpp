// Predictor-assisted evolution and its parts, against brute force, refitted predictors and hand-made cases.
#include "search/predicted/linas.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "predictors/metrics.hpp"
#include "search/fronts/pareto.hpp"
#include "search/predicted/genome_features.hpp"
#include "search/predicted/out_of_sample.hpp"
#include "search/predicted/predicted_evolution.hpp"
#include "search/predicted/trial_memory.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

SearcherSetup setup_of(std::size_t objectives, Json options = Json::object(), std::uint64_t seed = 3) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  setup.options = std::move(options);
  return setup;
}

// Sums over dimensions, one for each objective: what ridge predicts exactly.
std::vector<double> linear_values(const Genome& genome, std::size_t objectives) {
  std::vector<double> values(objectives, 0.0);
  for (std::size_t k = 0; k < objectives; ++k) {
    for (std::size_t i = 0; i < genome.genes.size(); ++i) {
      values[k] += noise({{static_cast<std::uint16_t>(i), genome.genes[i]}}, 7 + k);
    }
  }
  return values;
}

Judge linear(std::size_t objectives) {
  return [objectives](Trial& trial) { trial.values = linear_values(trial.genome, objectives); };
}

std::vector<Genome> everything(const SearchSpace& space) {
  std::vector<Genome> all;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    if (auto genome = space.at(i)) all.push_back(std::move(*genome));
  }
  return all;
}

TEST(GenomeFeatures, ByHand) {
  const SearchSpace space = make_space("hand", R"([{"name": "depth", "choices": [1, 2, 5]},
      {"name": "op", "choices": ["conv", "pool"], "active_if": "depth > 1"}, {"name": "same", "choices": [4]}])");
  const GenomeFeatures features(space);
  ASSERT_EQ(features.size(), 3U + 1 + 2 + 1);
  Eigen::MatrixXd expected(3, 7);
  expected << 1, 0, 0, 0, 0, 0, 1,  // depth 1: op is inactive
      0, 1, 0, 0.25, 0, 1, 1,       // depth 2, pool
      0, 0, 1, 1, 1, 0, 1;          // depth 5, conv
  EXPECT_EQ(features.rows(std::vector<Genome>{{{0, 0, 0}}, {{1, 1, 0}}, {{2, 0, 0}}}), expected);
}

// Half of the first candidates, every second one, in one format throughout; none where "uniform" is 0, all where it
// is 1.
TEST(Linas, BeginsWithUniformFormats) {
  const SearchSpace space = make_space("layered", R"([{"name": "width", "repeat": 4, "choices": [8, 16, 24, 32]},
      {"name": "format", "group": "precision", "repeat": 6, "choices": ["int8", "f32", "bf16"]},
      {"name": "tail", "group": "precision", "choices": ["bf16", "f32", "int8"]}])");
  const auto uniform = [&](const Genome& genome) {
    const Json first = space.dims()[4].choices[genome.genes[4]];
    for (std::size_t dim = 5; dim < 11; ++dim) {
      if (space.dims()[dim].choices[genome.genes[dim]] != first) return false;
    }
    return true;
  };
  for (const double share : {0.0, 0.5, 1.0}) {
    const auto searcher = make_linas(space, setup_of(1, {{"initial", 40}, {"uniform", share}}));  // nothing is ordered
    const std::vector<Genome> asked = searcher->ask(40);
    ASSERT_EQ(asked.size(), 40U);
    std::set<std::uint16_t> formats;
    for (std::size_t i = 0; i < 40; ++i) {
      const bool expected = share == 1.0 || (share == 0.5 && i % 2 == 1);
      EXPECT_EQ(uniform(asked[i]), expected) << share << " candidate " << i;
      if (expected) formats.insert(asked[i].genes[4]);
    }
    EXPECT_EQ(formats.size(), share > 0.0 ? 3U : 0U);
  }
}

// The largest and the smallest in each format before all others, unordered dimensions at random; no more than the
// share.
TEST(Linas, BeginsAtTheCorners) {
  const SearchSpace space = make_space("layered", R"([
      {"name": "depth", "choices": [1, 2, 3], "ordered": true},
      {"name": "width", "repeat": 3, "index": "slot", "choices": [8, 16, 24, 32], "ordered": true,
       "active_if": "slot < depth"},
      {"name": "op", "choices": ["a", "b", "c", "d", "e"]},
      {"name": "format", "group": "precision", "choices": ["int8", "f32"], "ordered": true}])");
  const auto largest = [](const Genome& genome) {
    return genome.genes[0] == 2 && genome.genes[1] == 3 && genome.genes[2] == 3 && genome.genes[3] == 3;
  };
  const auto smallest = [](const Genome& genome) { return genome.genes[0] == 0 && genome.genes[1] == 0; };
  for (const std::size_t initial : {8UL, 40UL}) {
    const std::vector<Genome> asked =
        make_linas(space, setup_of(1, {{"initial", initial}, {"uniform", 0.0}}))->ask(initial);
    const std::size_t corners = initial == 8 ? 2 : 4;
    for (std::size_t i = 0; i < corners; ++i) {
      EXPECT_TRUE(i % 2 == 0 ? largest(asked[i]) : smallest(asked[i])) << i;
      EXPECT_EQ(asked[i].genes[5], i / 2);
      EXPECT_EQ(space.violation(asked[i]), std::nullopt);
    }
    EXPECT_EQ(std::set<Genome>(asked.begin(), asked.end()).size(), initial);
  }
  const std::vector<Genome> without = make_linas(space, setup_of(1, {{"initial", 8}, {"corners", 0.0}}))->ask(2);
  EXPECT_FALSE(largest(without[0]) && smallest(without[1]));
}

TEST(OutOfSampleErrors, ByHand) {
  OutOfSampleErrors errors(3);
  EXPECT_TRUE(errors.summary().at("mean_absolute_error").is_null());
  errors.end_round();  // of nothing
  errors.add(1.0, -2.0);
  errors.add(5.0, 4.0);
  errors.end_round();
  errors.add(7.0, 0.0);
  errors.add(2.0, 1.0);
  errors.end_round();
  const Json summary = errors.summary();
  EXPECT_EQ(summary.at("trials"), 4);
  EXPECT_DOUBLE_EQ(summary.at("mean_absolute_error"), (3.0 + 1.0 + 7.0 + 1.0) / 4.0);
  EXPECT_DOUBLE_EQ(summary.at("mean_absolute_percentage_error"), 100.0 * (1.5 + 0.25 + 1.0) / 3.0);
  EXPECT_EQ(summary.at("rounds"), Json({2.0, 4.0}));
  EXPECT_DOUBLE_EQ(summary.at("spearman"), -0.5);  // of the latest three: ranks 2, 3, 1 against 3, 1, 2
}

TEST(OutOfSampleErrors, KeepsTheLatestRoundsOnly) {
  OutOfSampleErrors errors;
  for (int i = 0; i < 150; ++i) {
    errors.add(i, 0.0);
    errors.end_round();
  }
  const Json rounds = errors.summary().at("rounds");
  ASSERT_EQ(rounds.size(), OutOfSampleErrors::most_rounds);
  EXPECT_EQ(rounds.front(), 50.0);
  EXPECT_EQ(rounds.back(), 149.0);
}

TEST(TrialMemory, ForgetsTheOldestButNotTheFront) {
  const SearchSpace space = uniform_space(3, 4);
  TrialMemory memory(space, setup_of(2), 10);
  const std::vector<Genome> all = everything(space);
  std::vector<Trial> told;
  for (std::size_t i = 0; i < 30; ++i) {
    // The front is trials 2 and 5; of the others each is worse than both.
    std::vector<double> values = {10.0 + static_cast<double>(i), 10.0};
    if (i == 2) values = {0.0, 1.0};
    if (i == 5) values = {1.0, 0.0};
    told.push_back(ok_trial(static_cast<std::int64_t>(i), all[i], values));
    if (i % 7 == 3) {
      told.back().status = Status::failed;
      told.back().values.clear();
    }
    memory.add({&told.back(), 1});
    memory.add({&told.back(), 1});  // told again: remembered once
  }
  std::vector<Genome> kept;
  for (const Trial& trial : memory.trials()) kept.push_back(trial.genome);
  std::vector<Genome> expected = {all[2], all[5]};
  for (std::size_t i = 22; i < 30; ++i) expected.push_back(all[i]);
  EXPECT_EQ(kept, expected);
  EXPECT_TRUE(memory.knows(all[2]));
  EXPECT_TRUE(memory.knows(all[24]));  // a failed one
  EXPECT_FALSE(memory.knows(all[21]));
  EXPECT_EQ(memory.best(2), (std::vector<std::size_t>{0, 1}));
}

// Where predictions are exact, what is proposed is the front of all candidates that were not asked.
TEST(PredictedBest, IsTheFrontOfWhatWasNotAsked) {
  const SearchSpace space = uniform_space(4, 3);
  for (const std::size_t objectives : {1, 2, 3}) {
    for (const double near : {0.0, 0.5}) {
      const SearcherSetup setup = setup_of(objectives);
      TrialMemory memory(space, setup, 1000);
      std::vector<Trial> told;
      std::vector<Genome> rest;
      std::vector<Point> points;
      for (const Genome& genome : everything(space)) {
        const std::vector<double> values = linear_values(genome, objectives);
        if (noise(genome, 1) < 0.4) {
          told.push_back(ok_trial(0, genome, values));
        } else {
          rest.push_back(genome);
          points.push_back(values);
        }
      }
      memory.add(told);
      std::vector<std::size_t> rows(told.size()), modelled(objectives);
      std::iota(rows.begin(), rows.end(), std::size_t{0});
      std::iota(modelled.begin(), modelled.end(), std::size_t{0});
      const PredictedObjectives models(space, setup, modelled, {}, told, rows);
      std::set<Genome> expected;
      for (const std::size_t i : non_dominated(points)) expected.insert(rest[i]);
      const std::vector<Genome> best = predicted_best(space, setup, models, memory, {60, 40, near}, 5, expected.size());
      if (near == 0.0) {
        EXPECT_EQ(std::set<Genome>(best.begin(), best.end()), expected) << objectives << " objectives";
      } else {  // half of it among children of the best told only, so not all of it need be of the front
        std::size_t found = 0;
        for (const Genome& genome : best) found += expected.contains(genome) ? 1U : 0U;
        EXPECT_GE(2 * found, expected.size());
        EXPECT_EQ(std::set<Genome>(best.begin(), best.end()).size(), best.size());
        EXPECT_TRUE(std::none_of(best.begin(), best.end(), [&](const Genome& one) { return memory.knows(one); }));
      }
    }
  }
}

// A limit that a third of the candidates keep, on an objective that is only limited: predicted, it holds at once.
TEST(Linas, PredictedLimitsHold) {
  const SearchSpace space = uniform_space(8, 4);
  for (const Direction direction : {Direction::minimise, Direction::maximise}) {
    SearcherSetup setup = setup_of(2, {{"initial", 60}, {"near", 0.0}});
    setup.objectives[1].constraint_only = true;
    setup.objectives[1].direction = direction;
    setup.objectives[1].limit = direction == Direction::minimise ? 3.2 : -3.2;  // the same, either way round
    std::vector<Trial> history;
    const Judge judge = [&](Trial& trial) {
      trial.values = linear_values(trial.genome, 2);
      trial.violation = std::max(0.0, (trial.values[1] - 3.2) / 3.2);
      if (trial.violation > 0.0) trial.status = Status::infeasible;
    };
    const auto searcher = make_linas(space, setup);
    while (history.size() < 60) step(*searcher, 12, judge, history);
    std::size_t infeasible = 0;
    for (const Trial& trial : history) infeasible += trial.status == Status::infeasible ? 1U : 0U;
    ASSERT_GT(infeasible, 20U);
    while (history.size() < 120) step(*searcher, 12, judge, history);
    for (std::size_t i = 60; i < history.size(); ++i) {
      EXPECT_LT(history[i].violation, 1e-3) << "trial " << i;
    }
    EXPECT_EQ(searcher->notes().at("predictors").size(), 2U);
  }
}

// The errors it reports are those of a predictor fitted here on what was told before each round.
TEST(Linas, NotesAreOutOfSampleErrors) {
  const SearchSpace space = uniform_space(7, 3);
  const Judge judge = [](Trial& trial) {
    if (noise(trial.genome, 60) < 0.1) {
      trial.status = Status::failed;
      return;
    }
    trial.values = linear_values(trial.genome, 2);
    trial.values[1] = 5.0 * trial.values[1] - 15.0 + noise(trial.genome, 61);
  };
  const SearcherSetup setup = setup_of(2, {{"initial", 20}, {"round", 10}, {"predictor", "ridge"}});
  auto searcher = make_linas(space, setup);
  const GenomeFeatures features(space);
  std::vector<Trial> history;
  std::vector<double> predicted[2], found[2], rounds[2];
  EXPECT_EQ(searcher->notes().at("predictors")[0].at("trials"), 0);
  while (history.size() < 90) {
    const std::size_t before = history.size();
    step(*searcher, 10, judge, history);
    if (before < 20) continue;
    std::vector<Genome> known, asked;
    std::vector<Trial> rows, fresh;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if (!history[i].has_values()) continue;
      (i < before ? known : asked).push_back(history[i].genome);
      (i < before ? rows : fresh).push_back(history[i]);
    }
    for (std::size_t k = 0; k < 2; ++k) {
      Eigen::VectorXd y(static_cast<Eigen::Index>(rows.size()));
      for (std::size_t i = 0; i < rows.size(); ++i) y[static_cast<Eigen::Index>(i)] = rows[i].values[k];
      const auto predictor = make_predictor("ridge");
      predictor->fit(features.rows(known), y);
      const Eigen::VectorXd mean = predictor->predict(features.rows(asked)).mean;
      double sum = 0.0;
      for (std::size_t i = 0; i < fresh.size(); ++i) {
        predicted[k].push_back(mean[static_cast<Eigen::Index>(i)]);
        found[k].push_back(fresh[i].values[k]);
        sum += std::abs(predicted[k].back() - found[k].back());
      }
      rounds[k].push_back(sum / static_cast<double>(fresh.size()));
    }
    auto resumed = make_linas(space, setup);
    resumed->load(through_text(searcher->save()));
    searcher = std::move(resumed);
  }
  const Json notes = searcher->notes().at("predictors");
  ASSERT_EQ(notes.size(), 2U);
  for (std::size_t k = 0; k < 2; ++k) {
    double sum = 0.0, relative = 0.0;
    for (std::size_t i = 0; i < found[k].size(); ++i) {
      sum += std::abs(predicted[k][i] - found[k][i]);
      relative += std::abs((predicted[k][i] - found[k][i]) / found[k][i]);
    }
    const double n = static_cast<double>(found[k].size());
    EXPECT_EQ(notes[k].at("objective"), fmt::format("f{}", k));
    EXPECT_EQ(notes[k].at("trials"), found[k].size());
    EXPECT_NEAR(notes[k].at("mean_absolute_error"), sum / n, 1e-9);
    EXPECT_NEAR(notes[k].at("mean_absolute_percentage_error"), 100.0 * relative / n, 1e-7);
    EXPECT_NEAR(notes[k].at("spearman"), spearman(predicted[k], found[k]), 1e-9);
    ASSERT_EQ(notes[k].at("rounds").size(), rounds[k].size());
    for (std::size_t i = 0; i < rounds[k].size(); ++i) EXPECT_NEAR(notes[k].at("rounds")[i], rounds[k][i], 1e-9);
  }
  EXPECT_GT(notes[1].at("mean_absolute_error"), notes[0].at("mean_absolute_error"));  // only the second has noise
}

TEST(Linas, AsksNothingTwiceAndDoesNotDependOnTheBatch) {
  const SearchSpace space = uniform_space(6, 3);
  std::vector<std::vector<Trial>> histories;
  for (const std::size_t n : {1, 5, 1000}) {
    std::vector<Trial> history;
    const auto searcher = make_linas(space, setup_of(2, {{"population", 20}, {"generations", 10}}));
    while (history.size() < 204) step(*searcher, n, linear(2), history);
    std::set<Genome> distinct;
    for (const Trial& trial : history) distinct.insert(trial.genome);
    EXPECT_EQ(distinct.size(), history.size());
    histories.push_back(std::move(history));
  }
  for (std::size_t i = 0; i < 204; ++i) {
    EXPECT_EQ(histories[0][i].genome, histories[1][i].genome) << i;
    EXPECT_EQ(histories[0][i].genome, histories[2][i].genome) << i;
  }
}

TEST(Linas, FindsEveryCandidateOfATinySpaceAndGoesOn) {
  const SearchSpace space = make_space("tiny", R"([{"name": "a", "choices": [1, 2, 3, 4, 5]},
      {"name": "b", "choices": [false, true]}, {"name": "c", "choices": ["x", "y"], "active_if": "b"}])");
  std::vector<Trial> history;
  const auto searcher = make_linas(space, setup_of(1, {{"initial", 3}, {"round", 4}}));
  while (history.size() < 400) ASSERT_TRUE(step(*searcher, 4, linear(1), history));
  std::set<Genome> distinct;
  for (const Trial& trial : history) distinct.insert(trial.genome);
  EXPECT_EQ(distinct.size(), 15U);
}

TEST(Linas, ListsThePredictorsThereAre) {
  const SearchSpace space = uniform_space(3, 2);
  try {
    make_linas(space, setup_of(1, {{"predictor", "rigde"}}));
    FAIL() << "taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'ridge'"));
  }
}

}  // namespace
}  // namespace ridgeline
