// Spiking networks: energies by hand, what rate, steps, widths and memory do to them, bounds on what spikes tell.
#include "hwmodels/spiking/spiking_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

constexpr double pj = 1e-12;

// Round numbers: 8-bit additions 1 pJ, 16-bit 2, 32-bit 4; multiplications 10, 40 and 160.
Json plain_device() {
  return Json::parse(R"({
    "ridgeline_device": 1, "model": "spiking", "name": "toy",
    "energy": {"integer": {"add_j": [[8, 1e-12], [32, 4e-12]], "multiply_j": [[8, 1e-11], [32, 1.6e-10]]},
               "float": {"add_j": [[16, 3e-12], [32, 6e-12]], "multiply_j": [[16, 2e-11], [32, 8e-11]]}},
    "bits": {"accumulator": 32, "potential": 16},
    "operations_per_fetch": {"accumulate": 2, "multiply": 4},
    "clock_hz": 1e8, "operations_per_cycle": {"accumulate": 100, "multiply": 10},
    "memory": [{"name": "near", "bytes": 1000000, "bandwidth_bytes_per_s": 1e15, "joules_per_byte": 5e-12},
               {"name": "far", "bytes": 1000000000, "bandwidth_bytes_per_s": 1e14, "joules_per_byte": 1e-10}],
    "neurons": [{"name": "IF", "adds": 2, "multiplies": 0, "state_words": 1, "leaks": false},
                {"name": "LIF", "adds": 2, "multiplies": 1, "state_words": 1, "leaks": true}],
    "order": "layer",
    "run": {"time_steps": 4, "firing_rate": {"conv2d": 0.25, "depthwise": 0.25, "linear": 0.25, "matmul": 0.25},
            "input_rate": 0.5, "encoding": "direct", "neuron": "IF"},
    "sources": {"energy.integer.add_j": "x", "energy.integer.multiply_j": "x", "energy.float.add_j": "x",
                "energy.float.multiply_j": "x", "bits": "x", "operations_per_fetch": "x", "clock_hz": "x",
                "operations_per_cycle": "x", "memory": "x", "neurons": "x", "run": "x"}})");
}

std::unique_ptr<HardwareModel> make(const Json& device) {
  return SpikingModel::make(JsonDocument::from_value(device, "toy.json"));
}

std::string problems(const Json& device) {
  try {
    make(device);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// A 1x1 convolution of 8 to 16 channels, another of 16 to 4, each on 10 x 10; ReLU between them.
Design two_layers(const Format& format) {
  Design design;
  Network& n = design.network;
  NodeId x = n.add(test::conv(16, 1), {n.add_input({1, 8, 10, 10})});
  x = n.add(test::simple(OpKind::relu), {x});
  n.mark_output(n.add(test::conv(4, 1), {x}));
  design.precision = PrecisionPlan::uniform(n, format, format);
  return design;
}

Design scheduled(Design design, const char* schedule) {
  design.schedule = std::make_shared<const Json>(Json::parse(schedule));
  return design;
}

SpikingNetwork network_of(const Json& device, const Design& design) {
  const auto model = make(device);
  const auto& spiking = dynamic_cast<const SpikingModel&>(*model);
  std::string why;
  const auto run = spiking_run(design, spiking.device().run, spiking.device().neurons, why);
  EXPECT_TRUE(run.has_value()) << why;
  auto network = spiking.network(design, *run, why);
  EXPECT_TRUE(network.has_value()) << why;
  return std::move(*network);
}

// Horowitz's figures, and what lies between: 8-bit and 32-bit integers as published, 16 bits by the power law.
TEST(OperationEnergy, PublishedWidthsAndThePowerLawBetween) {
  const EnergyCurve add{{{8, 3e-14}, {32, 1e-13}}};
  EXPECT_EQ(add.at(8), 3e-14);
  EXPECT_EQ(add.at(32), 1e-13);
  EXPECT_NEAR(add.at(16), std::sqrt(3e-14 * 1e-13), 1e-18);  // half way in the logarithm of the width
  EXPECT_NEAR(add.at(2) / add.at(8), add.at(8) / add.at(32), 1e-12);
  OperationEnergy energy;
  energy.integer_multiply = {{{8, 1.0}, {32, 16.0}}};  // a b / 64
  energy.float_multiply = {{{16, 5.0}, {32, 9.0}}};
  EXPECT_NEAR(energy.multiply_j(int8, Format::parse("int4")), 0.5, 1e-12);
  EXPECT_NEAR(energy.multiply_j(Format::parse("int2"), Format::parse("uint2")), 4.0 / 64, 1e-12);
  EXPECT_EQ(energy.multiply_j(f32, f32), 9.0);
  EXPECT_NEAR(energy.multiply_j(f32, int8), 5.0, 1e-12);  // sqrt(32 * 8) = 16, as floats
}

TEST(SpikingModel, QuantizedLayersByHand) {
  const SpikingNetwork quantized = network_of(plain_device(), scheduled(two_layers(int8), R"({"time_steps": 0})"));
  ASSERT_EQ(quantized.costs.size(), 2U);
  const SpikingLayer& first = quantized.costs[0];
  const double macs = 100.0 * 8 * 16;
  EXPECT_NEAR(first.compute_j, macs * (10 + 4) * pj, 1e-15);
  const double weight_bytes = static_cast<double>(quantized.layers[0].weight_bytes);
  EXPECT_NEAR(first.weights_j, macs * 2 / 4 * 5 * pj + weight_bytes * 5 * pj, 1e-15);
  EXPECT_NEAR(first.values_j, (800 + 1600) * 5 * pj, 1e-15);
  EXPECT_EQ(first.neurons_j, 0);
  EXPECT_EQ(first.potentials_j, 0);
  EXPECT_NEAR(first.latency_s, macs / 10 / 1e8, 1e-12);
  EXPECT_EQ(quantized.synaptic_operations, 0);
  EXPECT_EQ(quantized.bits_per_value, 8);
}

TEST(SpikingModel, SpikingLayersByHand) {
  const SpikingNetwork spiking = network_of(plain_device(), two_layers(int8));
  ASSERT_EQ(spiking.costs.size(), 2U);
  // The first layer multiplies once, adds its currents at all four steps, and its neurons fire.
  const SpikingLayer& first = spiking.costs[0];
  const double macs = 100.0 * 8 * 16, neurons = 1600;
  EXPECT_NEAR(first.compute_j, (macs * (10 + 4) + 4 * neurons * 2) * pj, 1e-15);
  EXPECT_NEAR(first.neurons_j, 4 * neurons * 2 * 2 * pj, 1e-15);
  EXPECT_NEAR(first.values_j, (800 + 4 * 1600 / 8.0) * 5 * pj, 1e-15);
  EXPECT_NEAR(first.potentials_j, 2 * 3 * neurons * 2 * 5 * pj, 1e-15);
  EXPECT_EQ(first.synaptic_operations, 0);
  // The second reads spikes; its potentials are the result.
  const SpikingLayer& second = spiking.costs[1];
  const double synaptic = 0.25 * 4 * 100 * 16 * 4;
  EXPECT_EQ(second.synaptic_operations, synaptic);
  EXPECT_NEAR(second.compute_j, synaptic * 2 * pj, 1e-15);
  EXPECT_EQ(second.neurons_j, 0);
  const double weight_bytes = static_cast<double>(spiking.layers[1].weight_bytes);
  EXPECT_NEAR(second.weights_j, (synaptic / 2 + weight_bytes) * 5 * pj, 1e-15);
  EXPECT_NEAR(second.values_j, (4 * 1600 / 8.0 + static_cast<double>(spiking.layers[1].output_bytes)) * 5 * pj, 1e-15);
  EXPECT_NEAR(second.potentials_j, 2 * 3 * 400 * 2 * 5 * pj, 1e-15);
  EXPECT_EQ(spiking.synaptic_operations, synaptic);
  // A cost is the sum of its layers.
  const Cost cost = make(plain_device())->estimate(two_layers(int8));
  EXPECT_EQ(cost.unsupported, "");
  EXPECT_NEAR(cost.energy_j, first.energy_j() + second.energy_j(), 1e-15);
  EXPECT_NEAR(cost.latency_s, first.latency_s + second.latency_s, 1e-15);
  EXPECT_EQ(cost.resource("synaptic_operations")->used, synaptic);
}

TEST(SpikingModel, RateEncodingReadsSpikesInTheFirstLayerToo) {
  const SpikingNetwork one = network_of(plain_device(), scheduled(two_layers(int8), R"({"encoding": "rate"})"));
  EXPECT_EQ(one.costs[0].synaptic_operations, 0.5 * 4 * 100 * 8 * 16);
  EXPECT_EQ(one.costs[0].multiplies, 0);
  EXPECT_NEAR(one.costs[0].values_j, (4 * 800 + 4 * 1600) / 8.0 * 5 * pj, 1e-15);
}

TEST(SpikingModel, NeuronsThatLeakMultiply) {
  const SpikingNetwork leaky = network_of(plain_device(), scheduled(two_layers(int8), R"({"neuron": "LIF"})"));
  EXPECT_NEAR(leaky.costs[0].neurons_j, 4 * 1600 * (2 * 2 + 40) * pj, 1e-15);  // of 16 bits
  EXPECT_EQ(leaky.costs[0].multiplies, 100 * 8 * 16 + 4 * 1600);
}

// Where weights lie in the far memory, they come once, or once a step.
TEST(SpikingModel, OrderOfStepsDecidesHowOftenWeightsCome) {
  Json device = plain_device();
  device["memory"][0]["bytes"] = 10;
  const Design design = two_layers(int8);
  const double once = network_of(device, design).costs[1].weights_j;
  device["order"] = "network";
  const SpikingNetwork by_network = network_of(device, design);
  const double weights = static_cast<double>(by_network.layers[1].weight_bytes) * 105 * pj;
  EXPECT_NEAR(by_network.costs[1].weights_j - once, 3 * weights, 1e-15);
  EXPECT_EQ(by_network.costs[1].bound_by == nullptr, false);
}

TEST(SpikingModel, FloatsAreAddedInTheirOwnWidth) {
  const SpikingNetwork one = network_of(plain_device(), two_layers(f32));
  EXPECT_NEAR(one.costs[1].compute_j, 0.25 * 4 * 100 * 16 * 4 * 6 * pj, 1e-15);
}

// Energy is a straight line in the rate, so that where it meets the quantized network's follows from two points.
TEST(SpikingModel, EnergyIsAStraightLineInTheRate) {
  const auto model = make(plain_device());
  const auto at = [&](double rate) {
    Design design = test::mobile_block(int8);
    design.schedule = std::make_shared<const Json>(Json{{"firing_rate", rate}});
    return model->estimate(design).energy_j;
  };
  for (const double rate : {0.1, 0.37, 0.9}) EXPECT_NEAR(at(rate), at(0) + rate * (at(1) - at(0)), 1e-18);
  EXPECT_GT(at(1), at(0));
}

TEST(SpikingModel, RatesByClassHoldForTheirLayersOnly) {
  const auto model = make(plain_device());
  Design design = test::mobile_block(int8);
  const double before = model->estimate(design).resource("synaptic_operations")->used;
  design.schedule = std::make_shared<const Json>(Json{{"firing_rate.depthwise", 1.0}});
  const double after = model->estimate(design).resource("synaptic_operations")->used;
  EXPECT_NEAR(after - before, 0.75 * 4 * 16 * 16 * 96 * 9, 1e-6);
}

TEST(SpikingModel, WhatHasNoSpikingFormIsUnsupportedUnlessThereAreNoSteps) {
  Design design;
  Network& n = design.network;
  n.mark_output(n.add(test::simple(OpKind::softmax), {n.add(test::conv(8, 1), {n.add_input({1, 8, 4, 4})})}));
  const auto model = make(plain_device());
  EXPECT_THAT(model->estimate(design).unsupported, HasSubstr("softmax has no spiking form"));
  EXPECT_EQ(model->estimate(scheduled(design, R"({"time_steps": 0})")).unsupported, "");
}

TEST(SpikingModel, AScheduleThatMakesNoSenseIsExplained) {
  const auto model = make(plain_device());
  const auto why = [&](const char* schedule) {
    return model->estimate(scheduled(two_layers(int8), schedule)).unsupported;
  };
  EXPECT_THAT(why(R"({"time_steps": 2.5})"), HasSubstr("time_steps is 2.5, not a whole number from 0 to 1024"));
  EXPECT_THAT(why(R"({"firing_rate": 1.5})"), HasSubstr("firing_rate is 1.5"));
  EXPECT_THAT(why(R"({"neuron": "PLIF"})"), HasSubstr("one of IF, LIF"));
  EXPECT_THAT(why(R"({"encoding": 3})"), HasSubstr("direct, rate"));
}

TEST(SpikingModel, FilesAreReadStrictly) {
  Json device = plain_device();
  EXPECT_EQ(problems(device), "");
  device["sources"].erase("neurons");
  EXPECT_THAT(problems(device), HasSubstr("neurons.IF.adds"));
  device = plain_device();
  device["energy"]["integer"]["add_j"] = {{8, 1e-12}};
  EXPECT_THAT(problems(device), HasSubstr("two or more [bits, joules] pairs"));
  device = plain_device();
  device["run"]["neuron"] = "LIFF";
  EXPECT_THAT(problems(device), HasSubstr("LIF"));
  device = plain_device();
  device["memory"][1]["bytes"] = 10;
  EXPECT_THAT(problems(device), HasSubstr("innermost first"));
  device["memory"][1].erase("bytes");
  EXPECT_THAT(problems(device), HasSubstr("memory[1].bytes"));
  device["memory"][1] = "far";
  EXPECT_THAT(problems(device), HasSubstr("memory[1]"));
}

TEST(SpikeInformation, ClosedForms) {
  const auto entropy = [](double s) { return -s * std::log2(s) - (1 - s) * std::log2(1 - s); };
  for (const double s : {0.05, 0.3, 0.5, 0.8}) {
    EXPECT_NEAR(spike_information_bits(1, s, false), entropy(s), 1e-9);  // one step: fired or not
    EXPECT_NEAR(spike_information_bits(6, s, true), 6 * entropy(s), 1e-12);
  }
  for (const std::int64_t steps : {1, 3, 7, 100}) {
    EXPECT_NEAR(spike_information_bits(steps, 0.5, false), std::log2(static_cast<double>(steps + 1)), 1e-9);
  }
  EXPECT_EQ(spike_information_bits(0, 0.5, true), 0);
  EXPECT_EQ(spike_information_bits(4, 0, false), 0);
  EXPECT_EQ(spike_information_bits(4, 1, false), 0);
}

// Among all distributions of the number of spikes with that mean, none on a fine grid has a larger entropy.
TEST(SpikeInformation, NoDistributionTellsMore) {
  const double rate = 0.2, mean = 2 * rate;
  double most = 0;
  for (double two = 0; two <= mean / 2; two += 1e-5) {
    const double one = mean - 2 * two, none = 1 - one - two;
    double bits = 0;
    for (const double p : {none, one, two}) bits -= p > 0 ? p * std::log2(p) : 0;
    most = std::max(most, bits);
  }
  EXPECT_NEAR(spike_information_bits(2, rate, false), most, 1e-6);
  EXPECT_LE(spike_information_bits(2, rate, false), spike_information_bits(2, rate, true));
}

}  // namespace
}  // namespace ridgeline
