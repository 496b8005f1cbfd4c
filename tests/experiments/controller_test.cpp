// A supernet whose training a controller leads: its reward, what it finds near a cost target, and that it goes on.
#include "experiments/training/controller.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "experiments/training/controller_report.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/supernet.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::resources;
using testing::StripedData;
using testing::what_of;

const char* const formats_space = R"({
  "ridgeline_space": 1, "name": "formats", "about": "", "source": "",
  "parameters": {"classes": 3, "channels": 1},
  "dimensions": [
    {"name": "width", "choices": [8, 12], "ordered": true},
    {"name": "format", "group": "precision", "repeat": 3, "choices": ["int4", "int8", "f32"], "ordered": true}
  ],
  "network": {"input": ["channels", 8, 8], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3, "weights": "format[0]", "activations": "format[0]"},
    {"op": "batch_norm"}, {"op": "relu"},
    {"op": "conv2d", "channels": "width", "kernel": 3, "weights": "format[1]", "activations": "format[1]"},
    {"op": "batch_norm"}, {"op": "relu"},
    {"op": "global_avg_pool"}, {"op": "flatten"},
    {"op": "linear", "channels": "classes", "weights": "format[2]", "activations": "format[2]"}]}
})";

struct Formats {
  Formats() : space(data.scratch.write("formats.json", formats_space)) {}
  TrainConfig config(int epochs, double target) const {
    TrainConfig made = data.config(epochs);
    made.learning_rate = 0.05;
    made.supernet.emplace();
    made.quantize = TrainingFormats{by_genes, RoundingWay::fake};
    made.controller = ControllerConfig{.cost = "weight_bytes", .target = target, .weight = 1.0, .learning_rate = 0.2};
    return made;
  }
  TrainResult train(const TrainConfig& made, const std::string& name, const TrainHooks& hooks = {}) const {
    return train_model({space, {}, {}}, resources(), made, path(name), hooks);
  }
  std::string refusal(const TrainConfig& made) const {
    return what_of([&] { train(made, "refused.ckpt"); });
  }
  std::string path(const std::string& name) const { return data.scratch.path(name); }
  StripedData data;
  std::string space;
};

double cost_of(const TrainResult& result) { return result.checkpoint.controller["found"]["most_likely"]["cost"]; }

TEST(Controller, RewardIsQualityLessTheDistanceFromTheTarget) {
  ControllerConfig config;
  config.target = 200;
  config.weight = 0.5;
  EXPECT_DOUBLE_EQ(absolute_reward(0.75, 200, config), 0.75);
  EXPECT_DOUBLE_EQ(absolute_reward(0.75, 300, config), 0.75 - 0.5 * 0.5);
  EXPECT_DOUBLE_EQ(absolute_reward(0.75, 100, config), 0.75 - 0.5 * 0.5);  // cheaper than wanted is no better
  config.weight = 0;
  EXPECT_DOUBLE_EQ(absolute_reward(0.75, 100, config), 0.75);
}

TEST(Controller, FindsCandidatesNearTheirTargets) {
  const Formats formats;
  const SearchSpace space = open_space({formats.space, {}, {}}, resources());
  const auto bytes = [&](std::uint16_t gene) {
    const Design design = space.decode({{1, gene, gene, gene}});
    return static_cast<double>(weight_bytes(design.network, design.precision));
  };
  const double low = 1.1 * bytes(1), high = 0.9 * bytes(2);
  const TrainResult cheap = formats.train(formats.config(20, low), "cheap.ckpt");
  const TrainResult dear = formats.train(formats.config(20, high), "dear.ckpt");
  EXPECT_NEAR(cost_of(cheap), low, 0.25 * low);
  EXPECT_NEAR(cost_of(dear), high, 0.25 * high);
  EXPECT_LT(cost_of(cheap), cost_of(dear));
  const std::vector<EpochRecord>& history = cheap.checkpoint.history;
  EXPECT_DOUBLE_EQ(history[3].policy_entropy.value(), 1.0);  // it does not learn before a quarter of the steps
  EXPECT_LT(history.back().policy_entropy.value(), 0.5);
  EXPECT_LT(history.back().policy_entropy.value(), history[10].policy_entropy.value());

  const Json& found = cheap.checkpoint.controller["found"];
  ASSERT_EQ(found["uniform"].size(), 3U);
  for (std::uint16_t gene = 0; gene < 3; ++gene) EXPECT_DOUBLE_EQ(found["uniform"][gene]["cost"], bytes(gene));
  // What is taken out of the supernet is what was said.
  const Supernet supernet = Supernet::load(formats.path("cheap.ckpt"), resources());
  const Dataset set = load_dataset(formats.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 1);
  const Genome genome{found["most_likely"]["genes"].get<std::vector<std::uint16_t>>()};
  EXPECT_EQ(genome.genes[0], 1);  // the largest architecture
  const Inherited inherited = supernet.candidate(genome, recalibration);
  EXPECT_EQ(
      evaluate_classifier(inherited.executed(), set.validation, set.normalisation, {.emulation = Emulation::missing})
          .accuracy,
      found["most_likely"]["accuracy"].get<double>());
  ASSERT_EQ(found["most_likely"]["layers"].size(), 3U);
  const ModelCheckpoint alone = supernet.extracted(genome, inherited);
  EXPECT_TRUE(alone.controller.is_null());
}

TEST(Controller, ChoosesTheArchitectureToo) {
  const Formats formats;
  TrainConfig config = formats.config(12, 0);
  config.controller->all = true;
  const SearchSpace space = open_space({formats.space, {}, {}}, resources());
  const Design small = space.decode({{0, 0, 0, 0}});
  config.controller->target = static_cast<double>(weight_bytes(small.network, small.precision));
  config.controller->weight = 4;
  const TrainResult result = formats.train(config, "all.ckpt");
  EXPECT_EQ(result.checkpoint.controller["found"]["most_likely"]["genes"][0], 0);
}

TEST(Controller, GoesOnAfterAnInterruptionBitForBit) {
  const Formats formats;
  const TrainConfig config = formats.config(4, 500);
  const TrainResult whole = formats.train(config, "whole.ckpt");
  for (const int epoch : {2, 4}) {
    std::atomic<bool> stop = false;
    TrainHooks hooks;
    hooks.stop = &stop;
    hooks.progress = [&](const TrainProgress& now) { stop = now.epoch == epoch && now.step > 1; };
    const std::string name = "cut" + std::to_string(epoch);
    EXPECT_TRUE(formats.train(config, name, hooks).stopped);
    const TrainResult cut = formats.train(config, name);
    EXPECT_EQ(cut.resumed_at, epoch - 1);
    EXPECT_EQ(cut.checkpoint.state.parameters, whole.checkpoint.state.parameters);
    EXPECT_EQ(cut.checkpoint.controller, whole.checkpoint.controller);
  }
  EXPECT_GT(whole.checkpoint.controller["policy"]["rewards"], 0);
  TrainConfig other = config;
  other.controller->target = 600;
  EXPECT_THAT(what_of([&] { formats.train(other, "cut2"); }), HasSubstr("training.controller"));
  other.controller.reset();
  EXPECT_THAT(what_of([&] { formats.train(other, "cut2"); }), HasSubstr("training.controller"));
}

// Until the policy leads, the supernet is the one without it; and files without a controller say nothing of one.
TEST(Controller, TheFirstStepsAreThoseWithoutIt) {
  const Formats formats;
  TrainConfig config = formats.config(2, 500);
  config.controller->from = 0.999;  // the last step alone
  TrainConfig plain = config;
  plain.controller.reset();
  const auto after_first_epoch = [&](const TrainConfig& one, const std::string& name) {
    std::atomic<bool> stop = false;
    TrainHooks hooks;
    hooks.stop = &stop;
    hooks.progress = [&](const TrainProgress& now) { stop = now.epoch == 2; };
    formats.train(one, name, hooks);
    return read_checkpoint(formats.path(name)).state.parameters;
  };
  EXPECT_EQ(after_first_epoch(config, "led.ckpt"), after_first_epoch(plain, "plain.ckpt"));
  const TrainResult led = formats.train(config, "led.ckpt");
  EXPECT_EQ(led.checkpoint.controller["policy"]["rewards"], 1);
  std::ifstream file(formats.path("plain.ckpt"), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string header = text.substr(0, text.find('\n', text.find('\n') + 1));
  EXPECT_THAT(header, HasSubstr("\"version\":2"));
  EXPECT_EQ(header.find("controller"), std::string::npos);
  EXPECT_EQ(header.find("policy"), std::string::npos);
}

TEST(Controller, ReportsWhatItHasFound) {
  const Formats formats;
  const TrainConfig config = formats.config(2, 500);
  formats.train(config, "led.ckpt");
  const TrainingReport report = training_report_of(formats.path("led.ckpt"), resources());
  EXPECT_THAT(training_report_text(report, {}),
              AllOf(HasSubstr("weight_bytes near 500"), HasSubstr("most likely"), HasSubstr("int4 everywhere"),
                    HasSubstr("ridgeline extract"), HasSubstr("policy entropy")));
  EXPECT_THAT(report.command, HasSubstr("--quantize genes --quantize-by fake --controller --cost weight_bytes "
                                        "--cost-target 500.0 --controller-learning-rate 0.2"));
  EXPECT_THAT(training_report_markdown(report), HasSubstr("## Controller"));
  EXPECT_THAT(training_report_html(report), HasSubstr("<h2>Controller</h2>"));
  EXPECT_THAT(training_report_csv(report), HasSubstr("policy_entropy"));
  const Json json = training_report_json(report)["controller"];
  EXPECT_EQ(json["target"], 500);
  EXPECT_EQ(json["policy_entropy"].size(), 3U);
  EXPECT_EQ(json["uniform"].size(), 3U);
  EXPECT_THAT(json["extract"].get<std::string>(), HasSubstr(json["most_likely"]["genes"].dump()));
}

TEST(Controller, SaysWhichUniformFormatIsBetter) {
  const auto found = [](double cost, double accuracy) {
    return Json{{"most_likely", {{"cost", cost}, {"accuracy", accuracy}}},
                {"uniform",
                 {{{"choice", "int4"}, {"cost", 10}, {"accuracy", 0.5}},
                  {{"choice", "int8"}, {"cost", 20}, {"accuracy", 0.9}}}}};
  };
  EXPECT_EQ(dominating_choice(found(15, 0.7)), "");
  EXPECT_EQ(dominating_choice(found(15, 0.4)), "int4");
  EXPECT_EQ(dominating_choice(found(20, 0.8)), "int8");
  EXPECT_EQ(dominating_choice(found(20, 0.9)), "");
  EXPECT_EQ(dominating_choice(found(21, 0.9)), "int8");
}

TEST(Controller, WhatItCannotDoIsRefused) {
  const Formats formats;
  TrainConfig config = formats.config(1, 0);
  EXPECT_THAT(formats.refusal(config), AllOf(HasSubstr("--cost-target"), HasSubstr("above 0"), HasSubstr("60e3")));
  config.controller->target = std::nan("");
  EXPECT_THAT(formats.refusal(config), HasSubstr("--cost-target"));
  config.controller->target = 500;
  config.controller->from = 1;
  EXPECT_THAT(formats.refusal(config), HasSubstr("--controller-from"));
  config.controller->from = 0.25;
  config.controller->cost = "latency_s";
  EXPECT_THAT(formats.refusal(config),
              AllOf(HasSubstr("--cost"), HasSubstr("weight_bytes"), HasSubstr("--cost-device")));
  config.controller->device = "no_such_device";
  EXPECT_THAT(formats.refusal(config), HasSubstr("no_such_device"));
  config = formats.config(1, 500);
  config.quantize->formats = "int8";
  EXPECT_THAT(formats.refusal(config), AllOf(HasSubstr("--controller"), HasSubstr("--quantize genes")));
  std::string text = formats_space;
  text.replace(text.find("[\"int4\", \"int8\", \"f32\"]"), 23, "[\"int8\"]");
  const std::string fixed = formats.data.scratch.write("fixed.json", text);
  EXPECT_THAT(what_of([&] {
                train_model({fixed, {}, {}}, resources(), formats.config(1, 500), formats.path("refused.ckpt"));
              }),
              AllOf(HasSubstr("--controller"), HasSubstr("several choices"), HasSubstr("mobiledets_small")));
}

}  // namespace
}  // namespace ridgeline
