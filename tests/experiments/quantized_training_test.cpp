// Training through number formats from the command's side: checkpoints, evaluation, ONNX files, what is refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/training/evaluate.hpp"
#include "experiments/training/train.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/training/training_report.hpp"
#include "kernels/executable.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"
#include "spaces/onnx/export.hpp"
#include "spaces/onnx/import.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using testing::StripedData;
using testing::what_of;

TrainConfig quantized_config(const StripedData& data, const std::string& formats, RoundingWay way, int epochs) {
  TrainConfig config = data.config(epochs);
  config.average_decay = 0.9;
  config.quantize = TrainingFormats{formats, way};
  return config;
}

TEST(TrainingThroughFormats, ItsCheckpointEvaluatesInThemAsItDid) {
  const StripedData data;
  const Dataset set = load_dataset(data.folder);
  for (const RoundingWay way : {RoundingWay::fake, RoundingWay::noise}) {
    const std::string name = way == RoundingWay::fake ? "fake" : "noise";
    const TrainResult result = data.train(quantized_config(data, "int4@channel/int4", way, 6), name);
    const EpochRecord& last = result.checkpoint.history.back();
    EXPECT_GT(last.validation_accuracy, 0.9) << name;
    const TrainedModel model = load_trained_model(data.scratch.path(name), testing::resources());
    ASSERT_TRUE(model.in_formats);
    EXPECT_EQ(model.formats, "int4@channel/int4");
    const ClassificationScores scores =
        evaluate_classifier(*model.in_formats, set.validation, set.normalisation, {.emulation = Emulation::missing});
    EXPECT_EQ(scores.accuracy, last.validation_accuracy);
    EXPECT_EQ(scores.nll, last.validation_loss);
    const ClassificationScores plain = evaluate_classifier(model.design, set.validation, set.normalisation, {});
    EXPECT_NE(plain.nll, last.validation_loss);  // the same weights in f32
    EXPECT_NE(train_command(result.checkpoint, "x").find("--quantize int4@channel/int4 --quantize-by " + name),
              std::string::npos);
  }
}

TEST(TrainingThroughFormats, GoesOnFromAnInterruptionBitForBit) {
  const StripedData data;
  const TrainConfig config = quantized_config(data, "int8", RoundingWay::noise, 4);
  const TrainResult whole = data.train(config, "whole");
  std::atomic<bool> stop = false;
  TrainHooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](const TrainProgress& now) { stop = now.epoch == 3 && now.step == 2; };
  EXPECT_EQ(data.train(config, "parts", 1, hooks).checkpoint.epochs_done, 2);
  const TrainResult second = data.train(config, "parts");
  EXPECT_EQ(second.resumed_at, 2);
  EXPECT_EQ(second.checkpoint.state.parameters, whole.checkpoint.state.parameters);
  EXPECT_EQ(second.checkpoint.state.statistics, whole.checkpoint.state.statistics);
  TrainConfig other = config;
  other.quantize.reset();
  EXPECT_NE(what_of([&] { data.train(other, "parts"); }).find("training.quantize: expected none"), std::string::npos);
  other.quantize = TrainingFormats{"int8", RoundingWay::fake};
  EXPECT_NE(what_of([&] { data.train(other, "parts"); }).find("training.quantize"), std::string::npos);
  data.train(data.config(1), "plain");
  EXPECT_NE(what_of([&] {
              data.train(quantized_config(data, "int8", RoundingWay::fake, 1), "plain");
            }).find("another training"),
            std::string::npos);
}

TEST(TrainingThroughFormats, ItsOnnxFileGivesTheSameAnswers) {
  const StripedData data;
  const Dataset set = load_dataset(data.folder);
  data.train(quantized_config(data, "int8", RoundingWay::fake, 4), "model");
  const TrainedModel model = load_trained_model(data.scratch.path("model"), testing::resources());
  const std::string file = data.scratch.write("model.onnx", onnx_model(*model.in_formats));
  const ImportedModel imported = import_onnx(file);
  EXPECT_EQ(imported.design.precision.at(imported.design.network.outputs()[0]).activations, int8);
  const EvaluateOptions emulated{.emulation = Emulation::all};
  const std::vector<float> expected = answers(*model.in_formats, set.validation, set.normalisation, emulated);
  const std::vector<float> found = answers(imported.design, set.validation, set.normalisation, emulated);
  ASSERT_EQ(found.size(), expected.size());
  double difference = 0, power = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    power += std::pow(static_cast<double>(expected[i]), 2);
  }
  EXPECT_LT(std::sqrt(difference / power), 0.01);
}

TEST(TrainingThroughFormats, WhatIsNotTrainedThroughIsRefused) {
  const StripedData data;
  const auto refused = [&](const std::string& formats) {
    return what_of([&] { data.train(quantized_config(data, formats, RoundingWay::fake, 1), "refused"); });
  };
  EXPECT_NE(refused("bf16").find("--format bf16"), std::string::npos);
  EXPECT_NE(refused("int5y").find("int5y"), std::string::npos);
  EXPECT_THROW(data.train(quantized_config(data, "ternary/int8", RoundingWay::fake, 1), "refused"), Unsupported);
}

// As version 1 has always been written; the numbers are made up here.
TEST(TrainingThroughFormats, CheckpointsOfVersionOneStillLoad) {
  const StripedData data;
  const std::string header = fmt::format(
      R"({{"data":{{"classes":["flat","upright","slanted"],"fingerprint":"7c692937c9182a8e","mean":[0.5022345781326294],"name":"stripes","path":"dataset.json","stddev":[0.2909914553165436]}},"epochs_done":1,"history":[{{"epoch":1,"learning_rate":0.025,"seconds":0.02,"train_accuracy":0.34,"train_loss":1.11,"validation_accuracy":0.33,"validation_loss":1.18}}],"model":{{"genes":[1],"network":"e1521a7593b6526d","parameters":{{"channels":1,"classes":3,"resolution":8}},"space":"{}","space_fingerprint":"04530d612e497241"}},"sections":[1491,0,48],"steps":6,"training":{{"augment":{{"crop_padding":1,"cutout":0,"flip":false,"mixup_alpha":0.0}},"average_decay":0.0,"batch":32,"clip_norm":5.0,"epochs":1,"format":"f32","label_smoothing":0.1,"learning_rate":0.1,"optimizer":{{"beta1":0.9,"beta2":0.999,"kind":"sgd","momentum":0.9,"nesterov":true,"weight_decay":0.0001}},"schedule":"cosine","schedule_power":10.0,"seed":1,"threads":1,"warmup_epochs":0.5}},"version":1}})",
      data.space);
  std::string text = "RIDGELINE CHECKPOINT\n" + header + "\n";
  for (int i = 0; i < 1491 + 48; ++i) {
    const float value = 0.5F + 0.25F * static_cast<float>(i % 3);
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  text += hex64(Hasher().add(text).value());
  const TrainedModel model = load_trained_model(data.scratch.write("old.ckpt", text), testing::resources());
  EXPECT_FALSE(model.in_formats);
  EXPECT_EQ(model.class_names.size(), 3U);
  const Weights& weights = *model.design.weights;
  EXPECT_EQ(weights[1].kernel[4], 0.75F);                        // number 4 of all
  EXPECT_EQ(weights[2].mean[1], 0.5F + 0.25F * (1492 % 3));      // the statistics come behind 1491 parameters
  EXPECT_EQ(weights[2].variance[0], 0.5F + 0.25F * (1503 % 3));  // after twelve means
}

}  // namespace
}  // namespace ridgeline
