// Training from the command's side: checkpoints, resuming, evaluation, and what is refused.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/data/resize.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/train.hpp"
#include "kernels/executable.hpp"
#include "kernels/reference.hpp"
#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using testing::StripedData;
using testing::tiny_space;
using testing::what_of;

TEST(Training, LearnsAndItsCheckpointEvaluatesAsItDid) {
  const StripedData data;
  const TrainResult result = data.train(data.config(6), "model");
  ASSERT_EQ(result.checkpoint.history.size(), 6U);
  EXPECT_GT(result.checkpoint.history.back().validation_accuracy, 0.95);
  const LoadedModel model = load_model(data.scratch.path("model"), testing::resources());
  const Dataset set = load_dataset(data.folder);
  const Design design{model.network, {}, std::make_shared<Weights>(model.weights)};
  const ClassificationScores scores = evaluate_classifier(design, set.validation, set.normalisation, {});
  EXPECT_EQ(scores.accuracy, result.checkpoint.history.back().validation_accuracy);
  EXPECT_EQ(scores.nll, result.checkpoint.history.back().validation_loss);
  EXPECT_EQ(model.checkpoint.class_names, (std::vector<std::string>{"flat", "upright", "slanted"}));
  // One image by the reference loops.
  std::vector<float> image(64);
  set.validation.copy(7, image);
  normalise(image, set.validation.shape(), set.normalisation);
  const std::vector<float> expected = softmax_rows(run_reference(design, image).back().values, 3);
  const std::vector<float> found = classify(design, set.validation, set.normalisation, {.batch = 7});
  ASSERT_EQ(found.size(), 180U);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(found[21 + c], expected[c], 1e-4);
}

TEST(Training, GoesOnFromAnInterruptionBitForBit) {
  const StripedData data;
  TrainConfig config = data.config(4);
  config.average_decay = 0.99;
  config.augment.mixup_alpha = 0.2;
  const TrainResult whole = data.train(config, "whole");
  std::atomic<bool> stop = false;
  TrainHooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](const TrainProgress& now) { stop = now.epoch == 3 && now.step == 2; };
  const TrainResult first = data.train(config, "parts", 1, hooks);
  EXPECT_TRUE(first.stopped);
  EXPECT_EQ(first.checkpoint.epochs_done, 2);
  const TrainResult second = data.train(config, "parts");
  EXPECT_EQ(second.resumed_at, 2);
  EXPECT_EQ(second.checkpoint.state.parameters, whole.checkpoint.state.parameters);
  EXPECT_EQ(second.checkpoint.state.averaged, whole.checkpoint.state.averaged);
  EXPECT_EQ(second.checkpoint.state.statistics, whole.checkpoint.state.statistics);
  ASSERT_EQ(second.checkpoint.history.size(), 4U);
  EXPECT_EQ(second.checkpoint.history[3].validation_loss, whole.checkpoint.history[3].validation_loss);
  EXPECT_EQ(data.train(config, "whole").resumed_at, 4);  // nothing is left to do
}

TEST(Training, CheckpointsOfOtherTrainingsAreRefused) {
  const StripedData data;
  const TrainConfig config = data.config(1);
  data.train(config, "model");
  TrainConfig other = config;
  other.learning_rate = 0.05;
  EXPECT_NE(what_of([&] { data.train(other, "model"); }).find("training.learning_rate: expected 0.05, found 0.1"),
            std::string::npos);
  EXPECT_NE(what_of([&] { data.train(config, "model", 0); }).find("another training"), std::string::npos);
  const StripedData elsewhere;  // the same bytes, so the same data set
  EXPECT_EQ(what_of([&] {
              train_model(data.model(), testing::resources(), elsewhere.config(1), data.scratch.path("model"));
            }),
            "");
}

TEST(Training, DamagedCheckpointsAreRefused) {
  const StripedData data;
  data.train(data.config(1), "model");
  std::ifstream file(data.scratch.path("model"), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto message = [&](const std::string& changed) {
    const std::string path = data.scratch.write("changed", changed);
    return what_of([&] { load_model(path, testing::resources()); });
  };
  EXPECT_EQ(message(text), "");
  for (const double share : {0.001, 0.01, 0.3, 0.9, 0.9999}) {
    const std::string cut = text.substr(0, static_cast<std::size_t>(share * static_cast<double>(text.size())));
    EXPECT_NE(message(cut).find("expected"), std::string::npos) << share;
  }
  std::string flipped = text;
  flipped[text.size() / 2] = static_cast<char>(flipped[text.size() / 2] ^ 4);
  EXPECT_NE(message(flipped).find("damaged"), std::string::npos);
  std::string newer = text;
  newer.replace(newer.find("\"version\":1"), 11, "\"version\":4");
  EXPECT_NE(message(newer).find("newer ridgeline"), std::string::npos);
  EXPECT_NE(message("an image").find("another file"), std::string::npos);
  std::string changed_space = tiny_space;
  changed_space.replace(changed_space.find("[6, 12]"), 7, "[6, 13]");
  data.scratch.write("tiny.json", changed_space);
  EXPECT_NE(message(text).find("the space has changed"), std::string::npos);
}

TEST(Training, WhatDoesNotFitIsSaid) {
  const StripedData data;
  ModelSource model = data.model();
  model.parameters["classes"] = 5;
  const std::string path = data.scratch.path("out");
  EXPECT_NE(what_of([&] { train_model(model, testing::resources(), data.config(1), path); }).find("classes=3"),
            std::string::npos);
  model.parameters = {{"channels", 3}};
  EXPECT_NE(what_of([&] { train_model(model, testing::resources(), data.config(1), path); }).find("1x8x8"),
            std::string::npos);
  TrainConfig config = data.config(1);
  config.batch = 1000;
  EXPECT_NE(what_of([&] { data.train(config, "out"); }).find("at most 192"), std::string::npos);
  config = data.config(3);
  config.learning_rate = 1e30;
  config.clip_norm = 0;
  EXPECT_THROW(data.train(config, "out"), Diverged);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_THROW(data.train(data.config(1), "missing/out"), ConfigError);
}

TEST(Training, ImagesOfAnotherSizeAreResized) {
  const StripedData data;
  for (const int side : {6, 16}) {
    ModelSource model = data.model();
    model.parameters["resolution"] = side;
    const std::string path = data.scratch.path("side" + std::to_string(side));
    std::string note;
    TrainHooks hooks;
    hooks.note = [&](const std::string& line) { note = line; };
    const TrainResult result = train_model(model, testing::resources(), data.config(6), path, hooks);
    EXPECT_EQ(note, fmt::format("images resized from 8x8 to {0}x{0}", side));
    EXPECT_GT(result.checkpoint.history.back().validation_accuracy, 0.9) << side;
    // Evaluation gives the network what the test makes of the images itself.
    const LoadedModel loaded = load_model(path, testing::resources());
    const Dataset set = load_dataset(data.folder);
    const Design design{loaded.network, {}, std::make_shared<Weights>(loaded.weights)};
    std::vector<float> image(64);
    set.validation.copy(7, image);
    normalise(image, set.validation.shape(), set.normalisation);
    const std::vector<float> input = resized(image, set.validation.shape(), {1, side, side});
    const std::vector<float> expected = softmax_rows(run_reference(design, input).back().values, 3);
    const std::vector<float> found = classify(design, set.validation, set.normalisation, {.batch = 7});
    for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(found[21 + c], expected[c], 1e-4);
    const std::vector<Range> ranges = image_ranges(design, set.validation, set.normalisation, 8, 1);
    EXPECT_GE(ranges[loaded.network.live_nodes().front()].high, *std::max_element(input.begin(), input.end()));
  }
}

TEST(Training, RangesOfRealImagesMakeInt8Agree) {
  const StripedData data;
  data.train(data.config(4), "model");
  const LoadedModel model = load_model(data.scratch.path("model"), testing::resources());
  const Dataset set = load_dataset(data.folder);
  Design design{model.network, {}, std::make_shared<Weights>(model.weights)};
  const std::vector<float> exact = classify(design, set.validation, set.normalisation, {});
  design.quantization =
      std::make_shared<const Quantization>(Quantization{image_ranges(design, set.train, set.normalisation, 64, 1)});
  design.precision = PrecisionPlan::uniform(design.network, int8, int8);
  const std::vector<float> rounded = classify(design, set.validation, set.normalisation, {});
  double difference = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    difference +=
        std::abs(static_cast<double>(exact[i]) - static_cast<double>(rounded[i])) / static_cast<double>(exact.size());
  }
  EXPECT_LT(difference, 0.02);
  EXPECT_GT(difference, 0.0);
}

TEST(Training, ProbabilitiesAreTheSameBitsOnAnyNumberOfThreads) {
  const StripedData data;
  data.train(data.config(2), "model");
  const LoadedModel model = load_model(data.scratch.path("model"), testing::resources());
  const Dataset set = load_dataset(data.folder);
  Design design{model.network, {}, std::make_shared<Weights>(model.weights)};
  const std::vector<Range> ranges = image_ranges(design, set.train, set.normalisation, 100, 1);
  EXPECT_EQ(image_ranges(design, set.train, set.normalisation, 100, 2), ranges);
  for (const bool quantized : {false, true}) {
    if (quantized) design.precision = PrecisionPlan::uniform(design.network, int8, int8);
    design.quantization = std::make_shared<const Quantization>(Quantization{ranges});
    EvaluateOptions options{.threads = 1, .batch = 7};
    const std::vector<float> alone = classify(design, set.train, set.normalisation, options);
    ASSERT_EQ(alone.size(), 192U * 3);
    for (const int threads : {2, 3, 64}) {
      options.threads = threads;
      std::size_t told = 0, calls = 0;
      const auto progress = [&](std::size_t done, std::size_t total) {
        EXPECT_GT(done, told);
        EXPECT_EQ(total, 192U);
        told = done;
        ++calls;
      };
      EXPECT_EQ(classify(design, set.train, set.normalisation, options, progress), alone) << threads;
      EXPECT_EQ(told, 192U);
      EXPECT_EQ(calls, 28U);
    }
  }
  design.precision = PrecisionPlan::uniform(design.network, Format::parse("e4m3"), Format::parse("e4m3"));
  EXPECT_THROW(classify(design, set.train, set.normalisation, {.threads = 2}), Unsupported);
}

}  // namespace
}  // namespace ridgeline
