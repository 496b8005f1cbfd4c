#include "experiments/calibration/calibrate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <unordered_set>

#include "experiments/calibration/calibrate_networks.hpp"
#include "experiments/calibration/calibrate_timing.hpp"
#include "experiments/calibration/device_check.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline {
namespace {

SearchSpace shipped(const std::string& name) { return SearchSpace::load(testing::resources().space(name)); }

// A machine that is known exactly: each layer takes as long as its key says, fusion makes every addition 30 % dearer
// than the layer alone showed, and networks beyond 2 MB pay 20 ps a byte for what is beyond.
struct KnownMachine {
  static double alone_us(const LayerKey& key) { return 2.0 + 1e-3 * static_cast<double>(key.hash() % 40000); }
  static double in_whole_us(const LayerKey& key) { return alone_us(key) * (key.add ? 1.3 : 1.0); }
  static double whole_us(std::span<const LayerKey> layers, double footprint) {
    double us = 20e-6 * std::max(0.0, footprint - 2e6);
    for (const LayerKey& key : layers) us += in_whole_us(key);
    return us;
  }
};

TimedNetwork timed(const Design& design, Rng& rng, double noise) {
  const std::vector<ExecutedLayer> layers = layers_of(design);
  TimedNetwork network;
  network.footprint_bytes = footprint_bytes(layers);
  for (const ExecutedLayer& layer : layers) {
    network.layers.push_back(layer.key);
    network.layer_s.push_back(1e-6 * KnownMachine::alone_us(layer.key) * (1.0 + noise * rng.normal()));
    network.layer_mad_s.push_back(0.0);
  }
  const double whole = 1e-6 * KnownMachine::whole_us(network.layers, network.footprint_bytes);
  for (int i = 0; i < 9; ++i) network.whole_s.push_back(whole * (1.0 + noise * rng.normal()));
  return network;
}

TEST(FitLayers, LearnsAKnownMachineAndPredictsFreshNetworks) {
  const SearchSpace space = shipped("nasbench_macro");
  Rng rng(1);
  std::vector<TimedNetwork> networks;
  std::unordered_set<std::uint64_t> used;
  for (const SpaceNetwork& chosen : calibration_networks(space, "int8", 100, 1)) {
    networks.push_back(timed(chosen.design, rng, 0.01));
    used.insert(function_hash(chosen.design));
    if (networks.size() % 25 != 0) continue;
    for (double& sample : networks.back().whole_s) sample *= 1.5;  // timed while something else ran
  }
  Environment environment;
  environment.caches = {{2, 2 << 20, 1}};
  const LayerFit fit = fit_layers(networks, footprint_knots(environment, 1));
  EXPECT_EQ(fit.quality.networks, 100U);
  // Of the order of the noise, but for the four disturbed ones.
  EXPECT_LT(fit.quality.mape_percent, 1.5 + 4 * 50.0 / 100);
  EXPECT_GE(fit.quality.within_5, 0.94);

  TableDevice device;
  device.roofline.name = "known";
  device.roofline.peak_ops_per_s[static_cast<std::size_t>(Arithmetic::integer8)] = 1e12;
  device.roofline.memory = {{"DRAM", 1e10, 1e10, 0}};
  device.layers = fit.entries;
  device.footprint["int8"] = fit.footprint;
  const TableModel model(device);
  int checked = 0;
  while (checked < 50) {
    const Design design = decode_as(space, space.sample(rng), "int8");
    if (!used.insert(function_hash(design)).second) continue;
    ++checked;
    const TimedNetwork truth = timed(design, rng, 0.0);
    const double expected_s = 1e-6 * KnownMachine::whole_us(truth.layers, truth.footprint_bytes);
    EXPECT_NEAR(model.estimate(design).latency_s / expected_s, 1.0, 0.04);
  }
}

TEST(LayerTimes, ReordersCountToTheLayerTheyFeed) {
  const std::vector<ExecutedLayer> layers = layers_of(reference_network(f32));
  std::vector<StepInfo> steps;
  std::vector<double> times;
  const auto step = [&](NodeId node, const std::string& kind, double seconds) {
    StepInfo info;
    info.node = node;
    info.kind = kind;
    steps.push_back(info);
    times.push_back(seconds);
  };
  step(0, "reorder", 1.0);
  for (const ExecutedLayer& layer : layers) step(layer.anchor, "conv2d", 10.0);
  step(layers.back().node, "reorder", 5.0);
  const std::vector<double> found = layer_times(layers, steps, times);
  ASSERT_EQ(found.size(), layers.size());
  EXPECT_DOUBLE_EQ(found.front(), 11.0);
  EXPECT_DOUBLE_EQ(found[1], 10.0);
  EXPECT_DOUBLE_EQ(found.back(), 15.0);
  EXPECT_DOUBLE_EQ(std::accumulate(found.begin(), found.end(), 0.0), std::accumulate(times.begin(), times.end(), 0.0));
}

std::vector<Design> designs_of(std::vector<SpaceNetwork> networks) {
  std::vector<Design> designs;
  for (SpaceNetwork& network : networks) designs.push_back(std::move(network.design));
  return designs;
}

std::set<std::uint64_t> keys_of(std::span<const Design> designs) {
  std::set<std::uint64_t> keys;
  for (const Design& design : designs) {
    for (const ExecutedLayer& layer : layers_of(design)) keys.insert(layer.key.hash());
  }
  return keys;
}

TEST(CalibrationNetworks, AreDifferentRepeatableAndCoverMoreThanChance) {
  const SearchSpace space = shipped("mobilenet_v2");
  const std::vector<Design> chosen = designs_of(calibration_networks(space, "f32", 20, 3));
  ASSERT_EQ(chosen.size(), 20U);
  std::set<std::uint64_t> hashes;
  for (const Design& design : chosen) hashes.insert(function_hash(design));
  EXPECT_EQ(hashes.size(), 20U);
  const std::vector<Design> again = designs_of(calibration_networks(space, "f32", 20, 3));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(function_hash(again[i]), function_hash(chosen[i]));
  Rng rng(4);
  std::vector<Design> random;
  for (int i = 0; i < 20; ++i) random.push_back(decode_as(space, space.sample(rng), "f32"));
  EXPECT_GT(keys_of(chosen).size(), keys_of(random).size());
}

TEST(RandomChains, AreRepeatableAndVaried) {
  std::set<std::uint64_t> hashes, keys;
  for (std::uint64_t i = 0; i < 12; ++i) {
    const Design design = random_chain(7, i, f32);
    EXPECT_EQ(function_hash(design), function_hash(random_chain(7, i, f32)));
    hashes.insert(function_hash(design));
    EXPECT_GE(layers_of(design).size(), 6U);
  }
  EXPECT_EQ(hashes.size(), 12U);
}

TEST(EnvironmentMismatch, NamesBothEnvironments) {
  TableDevice device;
  device.roofline.name = "host";
  device.environment = "feedfacefeedface";
  device.environment_json = {{"cpu_model", "Another CPU"}, {"isa", "avx2"}, {"onednn_version", "2.5.0"}};
  const Environment here = this_environment();
  const std::string text = environment_mismatch(device, here);
  for (const std::string& part : {std::string("feedfacefeedface"), std::string("Another CPU"), here.fingerprint(),
                                  here.cpu_model, std::string("calibrate again")}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  device.environment = here.fingerprint();
  EXPECT_EQ(environment_mismatch(device, here), "");
}

TEST(Calibrate, BadOptionsAreRefused) {
  CalibrateOptions options;
  options.budget_s = 1;
  options.threads = 100000;
  options.formats = {};
  try {
    calibrate(options);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.problems().size(), 3U) << error.what();
  }
  options = {};
  options.formats = {"float"};
  EXPECT_THROW(calibrate(options), ConfigError);
}

// The whole way on the real machine, as briefly as it goes: what comes out is a device file that loads, knows the
// layers of its space, and is checked on networks it has not seen. How exact it is belongs to the benchmarks.
TEST(Calibrate, MakesADeviceThatCanBeChecked) {
  const SearchSpace space = shipped("nasbench_macro");
  CalibrateOptions options;
  options.spaces = {&space};
  options.formats = {"int8"};
  options.grid_formats = {"int8"};
  options.budget_s = 10;
  options.microbenchmarks = false;
  std::set<std::string> phases;
  const CalibrationResult result =
      calibrate(options, [&](const CalibrationProgress& progress) { phases.insert(progress.phase); });
  EXPECT_TRUE(phases.contains("nasbench_macro int8"));
  EXPECT_TRUE(phases.contains("shapes int8"));
  EXPECT_EQ(result.layers.size(), result.device.layers.size());
  const testing::Scratch scratch;
  const std::string path = scratch.write("host.json", result.json.dump(2));
  const std::unique_ptr<HardwareModel> model = load_device(path);
  DeviceCheckOptions check;
  check.n = 8;
  check.format = "int8";
  check.seconds = 0.2;
  check.rounds = 3;
  check.gap_networks = 1;
  const DeviceCheckResult checked = check_device(*model, space, check);
  EXPECT_EQ(checked.pairs.size(), 8U);
  EXPECT_EQ(checked.environment_warning, "");
  EXPECT_GT(checked.speed, 0.0);
  EXPECT_EQ(checked.anchors, result.device.anchors.size());
  EXPECT_GE(checked.anchors, 8U);
  EXPECT_LT(checked.unseen_layers, 0.2);
  std::vector<double> predicted, measured;
  for (const DeviceCheckPair& pair : checked.pairs) {
    predicted.push_back(pair.predicted_s);
    measured.push_back(pair.measured_s);
    EXPECT_GT(pair.predicted_s, 0.0);
    EXPECT_LE(pair.ci_low_s, pair.measured_s);
  }
  const AgreementScores scores = agreement(predicted, measured);
  EXPECT_DOUBLE_EQ(scores.spearman, checked.as_timed.spearman);
  EXPECT_DOUBLE_EQ(scores.mape_percent, checked.as_timed.mape_percent);
  // No network of the calibration is among the checked ones.
  std::unordered_set<std::string> seen;
  for (const Json& hash : result.json["calibration"]["seen"]) seen.insert(hash.get<std::string>());
  for (const DeviceCheckPair& pair : checked.pairs) {
    EXPECT_FALSE(seen.contains(hex64(function_hash(decode_as(space, pair.genome, "int8")))));
  }
}

// A device that was described, not calibrated, is checked the same way.
TEST(DeviceCheck, TakesAnyDeviceAndSaysWhatItCannotRun) {
  const SearchSpace space = shipped("nasbench_macro");
  DeviceCheckOptions check;
  check.n = 3;
  check.seconds = 0.05;
  check.rounds = 2;
  check.gap_networks = 1;
  const auto roofline = load_device(testing::resources().device("xeon_gold_6226"));
  const DeviceCheckResult result = check_device(*roofline, space, check);
  EXPECT_EQ(result.pairs.size(), 3U);
  EXPECT_EQ(result.speed, 1.0);
  EXPECT_DOUBLE_EQ(result.as_timed.mape_percent, result.at_reference.mape_percent);
  const auto tpu = load_device(testing::resources().device("coral_edge_tpu"));
  EXPECT_THROW(check_device(*tpu, space, check), ConfigError);  // f32
}

}  // namespace
}  // namespace ridgeline
