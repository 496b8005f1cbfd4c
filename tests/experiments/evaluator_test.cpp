#include "experiments/evaluator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

#include "experiments/device_costs.hpp"
#include "experiments/worker_pool.hpp"
#include "spaces/proxies.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

class EvaluatorTest : public ::testing::Test {
 protected:
  EvaluatorTest() {
    Rng rng(3);
    for (int i = 0; i < 40; ++i) {
      genomes_.push_back(space_.sample(rng));
      designs_.push_back(space_.decode(genomes_.back()));
    }
    for (std::size_t i = 0; i < designs_.size(); ++i) {
      candidates_.push_back({static_cast<std::int64_t>(i), &genomes_[i], &designs_[i], function_hash(designs_[i])});
    }
  }

  std::unique_ptr<Evaluator> make(const Json& options, EvaluatorSetup setup = {}) {
    setup.space = &space_;
    setup.resources = &resources_;
    JsonDocument document = JsonDocument::from_value(options, "test");
    std::unique_ptr<Evaluator> evaluator = make_evaluator(document.root(), setup);
    document.raise();
    return evaluator;
  }

  std::vector<Score> scores(Evaluator& evaluator) {
    std::vector<Score> scores(candidates_.size());
    evaluator.evaluate(candidates_, scores);
    return scores;
  }

  Resources resources_ = resources();
  SearchSpace space_ = SearchSpace::load(resources_.space("nasbench_macro"));
  std::vector<Genome> genomes_;
  std::vector<Design> designs_;
  std::vector<Candidate> candidates_;
};

TEST_F(EvaluatorTest, CountsAreThoseOfTheNetwork) {
  WorkerPool pool(3);
  EvaluatorSetup setup;
  setup.pool = &pool;
  const auto expect = [&](const Json& options, const std::function<double(const Design&)>& value) {
    const auto evaluator = make(options, setup);
    EXPECT_FALSE(evaluator->exclusive());
    EXPECT_EQ(evaluator->fidelity(), Fidelity::analytic);
    const std::vector<Score> got = scores(*evaluator);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].status, Status::ok);
      EXPECT_EQ(got[i].value, value(designs_[i]));
    }
  };
  expect({{"evaluator", "count"}, {"quantity", "parameters"}},
         [](const Design& design) { return static_cast<double>(parameters(design.network)); });
  expect({{"evaluator", "count"}, {"quantity", "macs"}},
         [](const Design& design) { return static_cast<double>(macs(design.network)); });
  CountRule rule;
  rule.norm_macs = true;
  rule.bias_parameters = false;
  expect({{"evaluator", "count"}, {"quantity", "macs"}, {"rule", {{"norm_macs", true}, {"bias_parameters", false}}}},
         [&](const Design& design) { return static_cast<double>(macs(design.network, rule)); });
  expect({{"evaluator", "count"}, {"quantity", "weight_bytes"}},
         [](const Design& design) { return static_cast<double>(weight_bytes(design.network, design.precision)); });
  expect({{"evaluator", "count"}, {"quantity", "peak_bytes"}}, [](const Design& design) {
    return static_cast<double>(peak_activation_bytes(design.network, design.precision));
  });
  expect({{"evaluator", "proxy"}, {"quantity", "entropy"}},
         [](const Design& design) { return score(design.network).entropy; });
  expect({{"evaluator", "proxy"}, {"quantity", "effectiveness"}},
         [](const Design& design) { return score(design.network).effectiveness; });
}

TEST_F(EvaluatorTest, CostsAreThoseOfTheDevice) {
  const auto model = load_device(resources_.device("raspberry_pi_4"));
  const std::vector<Score> got = scores(*make({{"evaluator", "cost"}, {"device", "raspberry_pi_4"}}));
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].value, model->estimate(designs_[i]).latency_s);
  const std::vector<Score> bytes =
      scores(*make({{"evaluator", "cost"}, {"device", "raspberry_pi_4"}, {"quantity", "weight_bytes"}}));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(bytes[i].value, static_cast<double>(model->estimate(designs_[i]).weight_bytes));
  }
}

TEST_F(EvaluatorTest, ResourcesAreQuantitiesOfModelsThatHaveThem) {
  const auto model = load_device(resources_.device("alveo_u250"));
  for (const char* quantity : {"luts", "dsps", "brams"}) {
    const std::vector<Score> got =
        scores(*make({{"evaluator", "cost"}, {"device", "alveo_u250"}, {"quantity", quantity}}));
    for (std::size_t i = 0; i < got.size(); ++i) {
      const Cost cost = model->estimate(designs_[i]);
      EXPECT_EQ(got[i].status, cost.unsupported.empty() ? Status::ok : Status::unsupported);
      if (got[i].status != Status::ok) continue;
      EXPECT_EQ(got[i].value, cost.resource(quantity)->used);
    }
  }
  const auto refused = [&](const char* device, const char* quantity) {
    return what_of([&] { make({{"evaluator", "cost"}, {"device", device}, {"quantity", quantity}}); });
  };
  EXPECT_THAT(refused("raspberry_pi_4", "luts"), HasSubstr("weight_bytes"));
  EXPECT_THAT(refused("alveo_u250", "lut"), HasSubstr("did you mean 'luts'"));
}

TEST_F(EvaluatorTest, ObjectivesOfOneDeviceShareEstimates) {
  DeviceCosts costs;
  const std::string path = resources_.device("raspberry_pi_4");
  const std::vector<const Cost*> all = costs.estimate(path, candidates_, nullptr);
  // A part of the batch, in another order, is answered from what is there.
  std::vector<Candidate> part(candidates_.rbegin(), candidates_.rbegin() + 10);
  const std::vector<const Cost*> some = costs.estimate(path, part, nullptr);
  for (std::size_t i = 0; i < part.size(); ++i) {
    EXPECT_EQ(some[i]->latency_s, all[static_cast<std::size_t>(part[i].trial_id)]->latency_s);
  }
  const std::set<const Cost*> before(all.begin(), all.end());
  for (const Cost* cost : some) EXPECT_TRUE(before.contains(cost)) << "estimated again";
  // Another design at the same address and trial, of unknown function, is a new question.
  Candidate other{0, &genomes_[0], &designs_[1]};
  EXPECT_EQ(costs.estimate(path, std::span(&other, 1), nullptr)[0]->latency_s,
            costs.model(path).estimate(designs_[1]).latency_s);
}

// Candidates with hardware of their own: the device's file with their values, and its refusal as theirs.
TEST_F(EvaluatorTest, HardwareOfACandidateTakesTheFilesPlace) {
  const std::string path = resources_.device("systolic_64x64");
  const auto rows = {8, 32, 0};
  std::vector<Design> designs;
  for (const int count : rows) {
    designs.push_back(designs_[0]);
    designs.back().precision = PrecisionPlan::uniform(designs.back().network, int8, int8);
    designs.back().hardware = std::make_shared<const Json>(Json{{"array.rows", count}});
  }
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    candidates.push_back({static_cast<std::int64_t>(i), &genomes_[0], &designs[i], function_hash(designs[i])});
  }
  EXPECT_NE(candidates[0].function_hash, candidates[1].function_hash);
  DeviceCosts costs;
  const std::vector<const Cost*> got = costs.estimate(path, candidates, nullptr);
  for (const std::size_t i : {0U, 1U}) {
    const auto model = make_device(with_settings(JsonDocument::load(path), *designs[i].hardware));
    EXPECT_EQ(got[i]->latency_s, model->estimate(designs[i]).latency_s);
  }
  EXPECT_NE(got[0]->latency_s, got[1]->latency_s);
  EXPECT_THAT(got[2]->unsupported, HasSubstr("array.rows"));
}

TEST_F(EvaluatorTest, MeasuredTimesWholeNetworksHere) {
  const auto evaluator = make({{"evaluator", "measured"},
                               {"target_s", 0.001},
                               {"warmup_s", 0},
                               {"min_samples", 5},
                               {"max_relative_mad", 10},
                               {"busy_limit", 100}});
  EXPECT_TRUE(evaluator->exclusive());
  EXPECT_EQ(evaluator->fidelity(), Fidelity::measured);
  Score score;
  evaluator->evaluate(std::span(candidates_.data(), 1), std::span(&score, 1));
  ASSERT_EQ(score.status, Status::ok) << score.reason;
  ASSERT_TRUE(score.measurement.has_value());
  EXPECT_GE(score.measurement->samples_s.size(), 5U);
  EXPECT_EQ(score.value, score.measurement->median_s);
  EXPECT_GT(score.value, 0.0);
  int calls = 0;
  const std::vector<Measurement> again = evaluator->time_again(std::span(candidates_.data(), 2), [&] { ++calls; });
  ASSERT_EQ(again.size(), 2U);
  EXPECT_GT(calls, 0);
  EXPECT_GE(again[1].samples_s.size(), 5U);
  const Json protocol = Json::parse(evaluator->protocol(0));
  EXPECT_EQ(protocol["cache"], "hot");
  EXPECT_EQ(protocol["min_samples"], 5);
  EXPECT_NE(evaluator->protocol(0), make({{"evaluator", "measured"}, {"cache", "cold"}})->protocol(0));
}

TEST_F(EvaluatorTest, MistakesAreNamed) {
  const auto refusal = [&](const Json& options) { return what_of([&] { make(options); }); };
  EXPECT_THAT(refusal({{"evaluator", "mesured"}}), HasSubstr("did you mean 'measured'"));
  EXPECT_THAT(refusal(Json::object()), HasSubstr("evaluator: expected a string"));
  EXPECT_THAT(refusal({{"evaluator", "cost"}, {"device", "raspbery_pi_4"}}),
              HasSubstr("did you mean 'raspberry_pi_4'"));
  EXPECT_THAT(refusal({{"evaluator", "count"}, {"quantity", "weight_bytes"}, {"rule", Json::object()}}),
              HasSubstr("rule: expected no rule"));
  EXPECT_THAT(refusal({{"evaluator", "count"}, {"quantity", "macs"}, {"rule", {{"norm_mac", true}}}}),
              HasSubstr("did you mean 'norm_macs'"));
  EXPECT_THAT(refusal({{"evaluator", "proxy"}, {"qantity", "entropy"}}), HasSubstr("did you mean 'quantity'"));
}

TEST(WorkerPool, DoesEachElementOnceAndRethrowsTheFirstFailure) {
  for (const int threads : {1, 2, 8}) {
    WorkerPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::size_t n : {0U, 1U, 7U, 1000U}) {
      std::vector<std::atomic<int>> done(n);
      pool.for_each(n, [&](std::size_t i) { ++done[i]; });
      for (const std::atomic<int>& one : done) ASSERT_EQ(one, 1);
    }
    const std::string message = what_of([&] {
      pool.for_each(500, [](std::size_t i) {
        if (i % 100 == 37) throw std::runtime_error(std::to_string(i));
      });
    });
    EXPECT_EQ(message, "37");
    std::atomic<int> after = 0;
    pool.for_each(10, [&](std::size_t) { ++after; });
    EXPECT_EQ(after, 10) << "a failure does not end the pool";
  }
}

}  // namespace
}  // namespace ridgeline::testing
