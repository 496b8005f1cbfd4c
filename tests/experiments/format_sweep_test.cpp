// Error against LUTs over pairs of number formats.
#include "experiments/quantization/format_sweep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "experiments/quantization/post_training.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "hwmodels/hardware_model.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/config_error.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::resources;
using testing::StripedData;
using testing::what_of;

TEST(SweepFormats, AreThoseOfThePaper) {
  EXPECT_THAT(sweep_integers(), ElementsAre("int3", "int4", "int5", "int6", "int7", "int8"));
  std::set<std::string> found;
  for (const std::string& word : sweep_minifloats()) {
    const Format format = Format::parse(word);
    EXPECT_EQ(format.kind, Format::Kind::minifloat);
    EXPECT_GE(format.width_bits, 3);
    EXPECT_LE(format.width_bits, 8);
    found.insert(word);
  }
  EXPECT_EQ(found.size(), 27U);  // 2 of 3 bits, 3 of 4 ... 7 of 8
  EXPECT_EQ(sweep_formats("all", "--weights").size(), 33U);
  EXPECT_EQ(sweep_formats("minifloats,int8,integers", "--weights").size(), 33U);
  EXPECT_THAT(sweep_formats("e2m1,int4,e2m1,int12@tensor", "--weights"), ElementsAre("e2m1", "int4", "int12@tensor"));
}

TEST(SweepFormats, OthersAreRefusedByTheirFlag) {
  const auto refused = [](const std::string& list) { return what_of([&] { sweep_formats(list, "--activations"); }); };
  EXPECT_THAT(refused("int8,f32"),
              AllOf(HasSubstr("--activations"), HasSubstr("integers and minifloats"), HasSubstr("f32")));
  EXPECT_THAT(refused("pot4"), HasSubstr("pot4"));
  EXPECT_THAT(refused("int8,int99"), HasSubstr("int99"));
  EXPECT_THAT(refused("int8,,int4"), HasSubstr("--activations"));
  EXPECT_THAT(refused(""), HasSubstr("--activations"));
}

struct Sweep {
  explicit Sweep(const StripedData& data) {
    data.train(data.config(6), "model.ckpt");
    config.model = data.scratch.path("model.ckpt");
    config.data = data.folder;
    config.folder = data.scratch.path("sweep");
    config.name = "s";
    config.weights = {"e1m2", "int4", "e2m1", "int8"};
    config.activations = {"e1m6", "int8", "int3"};
    config.images = 1000;  // there are 60
    database = data.scratch.path("s.db");
  }
  FormatSweepResult run() const {
    Store store(database, Store::Mode::write);
    return sweep_pairs(config, resources(), store, "test", hooks);
  }
  FormatSweepConfig config;
  std::string database;
  StudyHooks hooks;
};

TEST(FormatSweep, EveryPairHasTheErrorAndTheLutsOfItsNetwork) {
  const StripedData data;
  const Sweep sweep(data);
  const FormatSweepResult result = sweep.run();
  EXPECT_NE(result.end, StudyResult::End::interrupted);
  EXPECT_EQ(result.images, 60U);
  ASSERT_EQ(result.pairs.size(), 12U);
  const Dataset set = load_dataset(data.folder);
  TrainedModel model = load_trained_model(sweep.config.model, resources());
  adapt(model, set);
  const auto device = load_device(resources().device("alveo_u250"));
  for (const SweepPair& pair : result.pairs) {
    Design design = with_folded_norms(model.design);
    design.precision = PrecisionPlan::uniform(design.network, pair.weights + "@channel/" + pair.activations);
    EXPECT_EQ(pair.luts, device->estimate(design).resource("luts")->used);
    calibrate(design, set.train, model.normalisation, 1);
    const double accuracy =
        evaluate_classifier(design, set.validation, model.normalisation, {.emulation = Emulation::missing}).accuracy;
    ASSERT_TRUE(pair.error) << pair.reason;
    EXPECT_NEAR(*pair.error, 100 - 100 * accuracy, 1e-9) << pair.weights << " " << pair.activations;
    EXPECT_TRUE(pair.trial.has_value());
  }
  const double whole = evaluate_classifier(model.design, set.validation, model.normalisation, {}).accuracy;
  EXPECT_NEAR(result.baseline_error, 100 - 100 * whole, 1e-9);
}

TEST(FormatSweep, TheFrontIsWhatNoOtherPairBeats) {
  const StripedData data;
  const FormatSweepResult result = Sweep(data).run();
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < result.pairs.size(); ++i) {
    const SweepPair& one = result.pairs[i];
    bool beaten = false;
    for (std::size_t k = 0; k < result.pairs.size(); ++k) {
      const SweepPair& other = result.pairs[k];
      const bool no_worse = other.luts <= one.luts && *other.error <= *one.error;
      const bool better = other.luts < one.luts || *other.error < *one.error;
      beaten |= no_worse && (better || k < i);  // of equal pairs the first stays
    }
    EXPECT_EQ(one.on_front, !beaten) << one.weights << " " << one.activations;
    if (!beaten) expected.push_back(i);
  }
  std::ranges::sort(expected, {}, [&](std::size_t i) { return result.pairs[i].luts; });
  EXPECT_EQ(result.front, expected);
  std::size_t pairs = 0;
  for (const FamilyStretch& one : stretches(result)) pairs += one.pairs;
  EXPECT_EQ(pairs, result.front.size());
}

// e1mY weights hold the numbers of an integer: the same error for the same LUTs, and never on the front beside it.
TEST(FormatSweep, IntegersComeBeforeTheirTwins) {
  const StripedData data;
  const FormatSweepResult result = Sweep(data).run();
  const auto pair = [&](const std::string& weights, const std::string& activations) {
    return *std::ranges::find_if(
        result.pairs, [&](const SweepPair& one) { return one.weights == weights && one.activations == activations; });
  };
  const SweepPair twin = pair("e1m2", "int8"), integer = pair("int4", "int8");
  EXPECT_EQ(twin.family, FormatFamily::mixed);
  EXPECT_EQ(pair("e1m2", "e1m6").family, FormatFamily::minifloat);
  EXPECT_EQ(integer.family, FormatFamily::integer);
  EXPECT_EQ(twin.luts, integer.luts);
  EXPECT_EQ(twin.error, integer.error);
  EXPECT_FALSE(twin.on_front);
}

TEST(FormatSweep, AnInterruptedOneGoesOnToTheSame) {
  const StripedData data;
  Sweep whole(data), parts(data);
  parts.database = data.scratch.path("parts.db");
  whole.run();
  std::atomic<bool> stop = false;
  parts.hooks.stop = &stop;
  parts.hooks.progress = [&](const StudyProgress& progress) { stop = progress.trials > 0; };
  EXPECT_EQ(parts.run().end, StudyResult::End::interrupted);
  EXPECT_LT(testing::trials_of(parts.database, "s").size(), 12U);
  parts.hooks = {};
  EXPECT_EQ(parts.run().pairs.size(), 12U);
  testing::expect_same_trials(testing::trials_of(whole.database, "s"), testing::trials_of(parts.database, "s"));
}

TEST(FormatSweep, EdgesKeepTheirFormat) {
  const StripedData data;
  Sweep sweep(data);
  sweep.config.weights = sweep.config.activations = {"int3", "int8"};
  const FormatSweepResult all = sweep.run();
  sweep.config.edges = "int8";
  sweep.config.name = "edges";
  const FormatSweepResult kept = sweep.run();
  const SearchSpace space = SearchSpace::load(sweep.config.folder + "/formats.json");
  ASSERT_EQ(space.dims().size(), 1U);
  const Design design = space.decode({{0}});
  std::vector<std::string> formats;
  for (const NodeId node : design.network.live_nodes()) {
    const OpKind kind = design.network.op(node).kind;
    if (kind != OpKind::conv2d && kind != OpKind::linear) continue;
    formats.push_back(design.precision.at(node).weights.text() + "/" + design.precision.at(node).activations.text());
  }
  EXPECT_THAT(formats, ElementsAre("int8@channel/int8", "int3@channel/int3", "int8@channel/int8"));
  EXPECT_GT(kept.pairs.front().luts, all.pairs.front().luts);  // int3 x int3
  EXPECT_EQ(kept.pairs.back().luts, all.pairs.back().luts);    // int8 x int8
  EXPECT_EQ(kept.pairs.back().error, all.pairs.back().error);
}

TEST(FormatSweep, ABudgetTriesFewerPairs) {
  const StripedData data;
  Sweep sweep(data);
  sweep.config.trials = 5;
  const FormatSweepResult result = sweep.run();
  EXPECT_EQ(std::ranges::count_if(result.pairs, [](const SweepPair& pair) { return pair.error.has_value(); }), 5);
  EXPECT_FALSE(result.front.empty());
  const std::string csv = sweep_csv(result);
  EXPECT_EQ(std::ranges::count(csv, '\n'), 13);
  EXPECT_THAT(csv, HasSubstr("weights,activations,family,passes,calibration,error_percent,luts,dsps,brams,"
                             "front,trial,reason\r\n"));
  EXPECT_THAT(csv, HasSubstr("\r\nint4,int8,integer,none,minmax,"));
  EXPECT_THAT(csv, Not(HasSubstr("e-")));  // no error is 0
}

TEST(FormatSweep, PassesAreDoneForEveryPairAndRecorded) {
  const StripedData data;
  Sweep sweep(data);
  data.train(data.config(1), "weak.ckpt");  // one with errors
  sweep.config.model = data.scratch.path("weak.ckpt");
  sweep.config.weights = {"int2", "e1m0"};
  sweep.config.activations = {"int2"};
  sweep.config.post_training.passes =
      parse_passes(std::vector<std::string>{"equalize", "gptq", "correct-bias"}, "here");
  sweep.config.post_training.calibration = CalibrationMethod::mse;
  const FormatSweepResult result = sweep.run();
  const Dataset set = load_dataset(data.folder);
  TrainedModel model = load_trained_model(sweep.config.model, resources());
  adapt(model, set);
  const PostTraining whole(model, set.train, sweep.config.post_training, 1);  // all passes at once, without the files
  for (const SweepPair& pair : result.pairs) {
    const Design made =
        whole.quantized(PrecisionPlan::uniform(model.design.network, pair.weights + "@channel/" + pair.activations));
    const double accuracy =
        evaluate_classifier(made, set.validation, model.normalisation, {.emulation = Emulation::missing}).accuracy;
    ASSERT_TRUE(pair.error) << pair.reason;
    EXPECT_NEAR(*pair.error, 100 - 100 * accuracy, 1e-6) << pair.weights;
    EXPECT_GT(*pair.error, 0) << pair.weights;
  }
  EXPECT_THAT(sweep_csv(result), HasSubstr("\r\nint2,int2,integer,fold+equalize+gptq+correct-bias,mse,"));
  // What keeps the function is in the written network, the rest in the study.
  const TrainedModel written = load_trained_model(sweep.config.folder + "/model.onnx", resources());
  EXPECT_NE((*written.design.weights)[1].kernel, (*with_folded_norms(model.design).weights)[1].kernel);
  const Store store(sweep.database, Store::Mode::read);
  const Json from = Json::parse(store.find("s")->config)["objectives"][0]["from"];
  EXPECT_EQ(from["passes"], Json({"fold", "gptq", "correct-bias"}));
  EXPECT_EQ(from["calibration"], "mse");
}

// A stored study could not go on without its network and its space.
TEST(FormatSweep, AnotherSweepOfThatNameLeavesTheFolder) {
  const StripedData data;
  const Sweep sweep(data);
  sweep.run();
  const auto bytes = [&](const char* name) {
    std::ifstream file(sweep.config.folder + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string model = bytes("/model.onnx"), space = bytes("/formats.json");
  const auto refused = [&](const auto& change) {
    Sweep other = sweep;
    change(other.config);
    const std::string why = what_of([&] { other.run(); });
    EXPECT_EQ(bytes("/model.onnx"), model);
    EXPECT_EQ(bytes("/formats.json"), space);
    return why;
  };
  const auto named = AllOf(HasSubstr("another name"), HasSubstr("'s'"), HasSubstr("runs delete s"));
  EXPECT_THAT(refused([](FormatSweepConfig& config) { config.weights = {"int5"}; }), named);
  EXPECT_THAT(refused([](FormatSweepConfig& config) {
                config.post_training.passes = {QuantizationPass::fold, QuantizationPass::equalize};
              }),
              named);
  EXPECT_EQ(sweep.run().pairs.size(), 12U);
  EXPECT_FALSE(std::filesystem::exists(sweep.config.folder + "/draft"));
}

TEST(FormatSweep, WhatDoesNotFitHasNoErrorAndSaysWhy) {
  const StripedData data;
  Sweep sweep(data);
  std::vector<double> luts;
  sweep.config.device = "zcu104";
  for (const SweepPair& pair : sweep.run().pairs) luts.push_back(pair.luts);
  std::ranges::sort(luts);
  Json device = JsonDocument::load(resources().device("zcu104")).value();
  const auto most = static_cast<std::int64_t>(luts[5]);
  device["part"]["luts"] = most;
  sweep.config.device = data.scratch.write("small.json", device.dump());
  sweep.config.name = "small";
  const FormatSweepResult result = sweep.run();
  std::size_t fitting = 0;
  for (const SweepPair& pair : result.pairs) {
    EXPECT_EQ(pair.error.has_value(), pair.luts <= static_cast<double>(most))
        << pair.weights << " " << pair.activations;
    EXPECT_EQ(pair.error.has_value(), pair.reason.empty());
    fitting += pair.error ? 1 : 0;
    EXPECT_EQ(pair.reason.find(std::to_string(most) + " luts") == std::string::npos, pair.error.has_value())
        << pair.reason;
  }
  EXPECT_GT(fitting, 0U);
  EXPECT_LT(fitting, result.pairs.size());
  for (const Trial& trial : testing::trials_of(sweep.database, "small")) {
    if (trial.status == Status::ok) continue;
    EXPECT_EQ(trial.status, Status::unsupported);
    EXPECT_THAT(trial.reason, HasSubstr("too few luts"));
  }
}

TEST(FormatSweep, BadInputLeavesNothing) {
  const StripedData data;
  const Sweep good(data);
  const auto refused = [&](const auto& change) {
    Sweep sweep = good;
    change(sweep.config);
    const std::string why = what_of([&] { sweep.run(); });
    EXPECT_FALSE(std::filesystem::exists(data.scratch.path("sweep")));
    return why;
  };
  EXPECT_THAT(refused([](FormatSweepConfig& config) { config.model = "gone.onnx"; }), HasSubstr("gone.onnx"));
  EXPECT_THAT(refused([](FormatSweepConfig& config) { config.data = "nowhere"; }), HasSubstr("nowhere"));
  EXPECT_THAT(refused([](FormatSweepConfig& config) { config.edges = "int99"; }), HasSubstr("--edges"));
  EXPECT_THAT(refused([](FormatSweepConfig& config) { config.device = "alveo_u25"; }), HasSubstr("alveo_u250"));
  EXPECT_THAT(refused([](FormatSweepConfig& config) { config.device = "hailo_8"; }), HasSubstr("--device"));
  EXPECT_THAT(refused([&](FormatSweepConfig& config) { config.folder = data.scratch.path("."); }), HasSubstr("--out"));
}

TEST(ModelSpace, FixedOperatorsAreChecked) {
  const StripedData data;
  Sweep sweep(data);
  sweep.config.weights = sweep.config.activations = {"int8"};
  sweep.run();
  const std::string file = sweep.config.folder + "/formats.json";
  const Json made = JsonDocument::load(file).value();
  const std::vector<std::string> names = made["ties"][0];
  const auto refused = [&](const Json& fixed) {
    Json space = made;
    space.erase("ties");
    space["fixed"] = fixed;
    return what_of([&] { SearchSpace::parse(JsonDocument::from_value(space, file)); });
  };
  EXPECT_EQ(refused({{names[0], "int8"}}), "");
  EXPECT_THAT(refused({{"conv2d_99", "int8"}}), HasSubstr("conv2d_99"));
  EXPECT_THAT(refused({{names[0], "int99"}}), HasSubstr("int99"));
  EXPECT_THAT(refused({{names[0], 8}}), HasSubstr("a number format"));
  EXPECT_THAT(refused({{names[0], "int8"}, {names[1], "int8"}, {names[2], "int8"}}), HasSubstr("left to choose"));
}

}  // namespace
}  // namespace ridgeline
