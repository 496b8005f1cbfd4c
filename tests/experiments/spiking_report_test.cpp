// A network with spikes and without: the break-even rate against bisection and a closed form, sums over classes, and
// the shipped space and study.
#include "experiments/report/spiking_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/calibration/device_conformance.hpp"
#include "spaces/config_error.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<HardwareModel> shipped() {
  return load_device(RIDGELINE_SOURCE_DIR "/hwmodels/devices/spiking_45nm.json");
}

const SpikingModel& as_spiking(const HardwareModel& model) { return dynamic_cast<const SpikingModel&>(model); }

SearchSpace spikformer() { return SearchSpace::load(RIDGELINE_SOURCE_DIR "/spaces/library/spikformer_small.json"); }

Design sampled(std::uint64_t seed) {
  const SearchSpace space = spikformer();
  Rng rng(seed);
  return space.decode(space.sample(rng));
}

TEST(SpikingReport, CrossingRateOfALine) {
  EXPECT_DOUBLE_EQ(*crossing_rate(2, 6, 3), 0.25);
  EXPECT_LT(*crossing_rate(2, 6, 1), 0);
  EXPECT_GT(*crossing_rate(2, 6, 7), 1);
  EXPECT_FALSE(crossing_rate(2, 2, 1).has_value());
}

TEST(SpikingReport, AsManyLevelsAsNumbersOfSpikes) {
  for (const std::int64_t steps : {1, 2, 3, 4, 7, 8, 15, 16, 1000}) {
    EXPECT_EQ(equal_level_bits(steps), static_cast<int>(std::ceil(std::log2(static_cast<double>(steps + 1)))));
  }
}

// The rate at which both take the same, found by halving an interval of estimates of the whole model.
TEST(SpikingReport, TheBreakEvenRateIsWhereBothTakeTheSame) {
  const auto model = shipped();
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Design design = sampled(seed);
    SpikingRun run = as_spiking(*model).device().run;
    const SpikingReport report = spiking_report(design, design, "sampled", as_spiking(*model), run);
    const std::optional<double> rate = report.sum.break_even_rate();
    ASSERT_TRUE(rate.has_value());
    const auto energy = [&](double at, std::int64_t steps) {
      SpikingRun other = run;
      other.firing_rate.fill(at);
      other.time_steps = steps;
      return model->estimate(with_spiking_run(design, other, as_spiking(*model).device().neurons)).energy_j;
    };
    const double quantized = energy(0, 0);
    EXPECT_NEAR(report.sum.quantized.total_j(), quantized, 1e-12 * quantized);
    ASSERT_LT(energy(0, run.time_steps), quantized) << "nothing to find by bisection";
    ASSERT_GT(energy(1, run.time_steps), quantized);
    double low = 0, high = 1;
    for (int halving = 0; halving < 50; ++halving) {
      const double middle = (low + high) / 2;
      (energy(middle, run.time_steps) < quantized ? low : high) = middle;
    }
    EXPECT_NEAR(*rate, low, 1e-9);
  }
}

TEST(SpikingReport, ClassesAddUpToTheSum) {
  const auto model = shipped();
  const Design design = sampled(4);
  const SpikingReport report =
      spiking_report(design, design, "sampled", as_spiking(*model), as_spiking(*model).device().run);
  double spiking = 0, quantized = 0, synaptic = 0;
  for (const SpikingPart& part : report.parts) {
    spiking += part.spiking.total_j();
    quantized += part.quantized.total_j();
    synaptic += part.synaptic_operations;
  }
  EXPECT_NEAR(spiking, report.sum.spiking.total_j(), 1e-12 * spiking);
  EXPECT_NEAR(quantized, report.sum.quantized.total_j(), 1e-12 * quantized);
  EXPECT_NEAR(synaptic, report.sum.synaptic_operations, 1e-9 * synaptic);
  EXPECT_NEAR(report.mean_rate, 0.15, 1e-9);
  EXPECT_EQ(report.parts.front().name, "input layers");
  const Json json = spiking_json(report);
  EXPECT_EQ(json.at("sum").at("spiking").at("energy_j"), report.sum.spiking.total_j());
  EXPECT_THAT(spiking_text(report, {}), HasSubstr("break-even rate"));
}

// More steps make spikes dearer, so that they have to be rarer to pay.
TEST(SpikingReport, MoreStepsLowerTheBreakEvenRate) {
  const auto model = shipped();
  const Design design = sampled(5);
  const SpikingReport report =
      spiking_report(design, design, "sampled", as_spiking(*model), as_spiking(*model).device().run);
  for (std::size_t i = 1; i < report.steps.size(); ++i) {
    EXPECT_GT(report.steps[i].spiking_j, report.steps[i - 1].spiking_j);
    EXPECT_LT(*report.steps[i].break_even_rate, *report.steps[i - 1].break_even_rate);
    EXPECT_GE(report.steps[i].equal_j, report.steps[i - 1].equal_j);
  }
}

TEST(SpikingReport, NetworksWithoutASpikingFormAreRefused) {
  const auto model = shipped();
  const SearchSpace vit = SearchSpace::load(RIDGELINE_SOURCE_DIR "/spaces/library/vit_small.json");
  Rng rng(1);
  const Design design = vit.decode(vit.sample(rng));
  try {
    spiking_report(design, design, "vit_small", as_spiking(*model), as_spiking(*model).device().run);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("layer_norm has no spiking form"));
  }
}

TEST(SpikingReport, TheDeviceBehavesAsSearchesRelyOn) {
  for (const ConformanceCheck& check : check_conformance(*shipped(), {.candidate_s = 10.0}).checks) {
    EXPECT_EQ(check.outcome, ConformanceCheck::Outcome::passed) << check.name << ": " << check.seen;
  }
}

// The genes reach the model: without steps no spikes, with them as many as the rate says.
TEST(SpikformerSpace, GenesDecideHowItSpikes) {
  const auto model = shipped();
  const SearchSpace space = spikformer();
  Rng rng(6);
  Json genome = space.describe(space.sample(rng));
  const auto cost = [&](std::int64_t steps, double rate, const char* neuron) {
    genome["time_steps"] = steps;
    genome.erase("firing_rate");
    genome.erase("encoding");
    genome.erase("neuron");
    if (steps > 0) genome.update(Json{{"firing_rate", rate}, {"encoding", "direct"}, {"neuron", neuron}});
    return model->estimate(space.decode(space.from_json(genome)));
  };
  const Cost whole = cost(0, 0, ""), few = cost(2, 0.1, "IF"), many = cost(8, 0.1, "IF"), leaky = cost(8, 0.1, "LIF");
  EXPECT_EQ(whole.resource("synaptic_operations")->used, 0);
  EXPECT_EQ(whole.resource("bits_per_value")->used, 8);
  EXPECT_NEAR(many.resource("synaptic_operations")->used, 4 * few.resource("synaptic_operations")->used, 1);
  EXPECT_NEAR(many.resource("bits_per_value")->used, spike_information_bits(8, 0.1, false), 1e-9);
  EXPECT_NEAR(leaky.resource("bits_per_value")->used, spike_information_bits(8, 0.1, true), 1e-9);
  EXPECT_GT(many.energy_j, few.energy_j);
  EXPECT_GT(leaky.energy_j, many.energy_j);
}

}  // namespace
}  // namespace ridgeline
