// A trained network made ready for formats, held against computations of its own: reference loops, sums and histograms
// made by hand.
#include "experiments/quantization/post_training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/quantization/plan_quality.hpp"
#include "experiments/training/evaluate.hpp"
#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/reference.hpp"
#include "predictors/classification.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Pass = QuantizationPass;
using testing::most_difference;
using testing::StripedData;
using testing::what_of;

bool has_kernel(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear; }

// Trained on stripes, once for all tests.
struct Striped {
  Striped() {
    data.train(data.config(6), "model.ckpt");
    set = load_dataset(data.folder);
    model = load_trained_model(data.scratch.path("model.ckpt"), testing::resources());
    adapt(model, set);
  }
  PostTraining prepared(const std::vector<std::string>& passes,
                        CalibrationMethod calibration = CalibrationMethod::minmax, int threads = 1) const {
    return {model, set.train, {.calibration = calibration, .passes = parse_passes(passes, "--passes")}, threads};
  }
  PrecisionPlan plan(const std::string& format) const { return PrecisionPlan::uniform(model.design.network, format); }
  std::vector<float> answers_of(const Design& design, Emulation emulation = Emulation::missing) const {
    return answers(design, set.validation, model.normalisation, {.emulation = emulation});
  }
  StripedData data;
  Dataset set;
  TrainedModel model;
};

const Striped& striped() {
  static const Striped made;
  return made;
}

// What the layer makes of the f32 inputs of all calibration images with another kernel and bias, by the reference
// loops: [image][number].
std::vector<std::vector<float>> layer_outputs(const Design& network, NodeId layer, const NodeWeights& weights) {
  const Striped& own = striped();
  const LabelledImages images = calibration_images(own.set.train, 256);
  const NodeId read = network.network.inputs(layer)[0];
  std::vector<std::vector<float>> outputs;
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::vector<float> image(images.shape().size());
    images.copy(i, image);
    normalise(image, images.shape(), own.model.normalisation);
    const std::vector<Tensor> made = run_reference(Design{network.network, {}, network.weights}, image);
    const Tensor* const inputs[] = {&made[read]};
    outputs.push_back(reference_op(network.network.op(layer), inputs, weights).values);
  }
  return outputs;
}

double mean_squared(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < a[i].size(); ++k, ++count) {
      sum += std::pow(static_cast<double>(a[i][k]) - static_cast<double>(b[i][k]), 2);
    }
  }
  return sum / static_cast<double>(count);
}

std::vector<double> channel_means(const std::vector<std::vector<float>>& outputs, std::size_t channels) {
  std::vector<double> means(channels);
  for (const std::vector<float>& one : outputs) {
    const std::size_t pixels = one.size() / channels;
    for (std::size_t k = 0; k < one.size(); ++k) {
      means[k / pixels] += static_cast<double>(one[k]) / static_cast<double>(pixels * outputs.size());
    }
  }
  return means;
}

std::vector<NodeId> layers_of(const Network& network) {
  std::vector<NodeId> layers;
  for (const NodeId node : network.live_nodes()) {
    if (has_kernel(network.op(node).kind)) layers.push_back(node);
  }
  return layers;
}

TEST(PostTraining, WhatKeepsTheFunctionKeepsTheAnswers) {
  const std::vector<float> expected =
      striped().answers_of({striped().model.design.network, {}, striped().model.design.weights});
  const float largest = range_of(expected).magnitude();
  for (const char* pass : {"fold", "equalize", "smooth", "shift"}) {
    SCOPED_TRACE(pass);
    ASSERT_TRUE(keeps_function(parse_passes(std::vector<std::string>{pass}, "").back()));
    const PostTraining prepared = striped().prepared({pass});
    EXPECT_LE(most_difference(striped().answers_of(prepared.design()), expected), 1e-4F * largest);
    bool changed = prepared.design().network.size() != striped().model.design.network.size();  // the norms are gone
    EXPECT_TRUE(changed);
    if (pass == std::string("fold")) continue;
    const PostTraining folded = striped().prepared({"fold"});
    changed = false;
    for (const NodeId layer : layers_of(folded.design().network)) {
      changed = changed || (*folded.design().weights)[layer].kernel != (*prepared.design().weights)[layer].kernel;
    }
    EXPECT_TRUE(changed);
  }
}

TEST(PostTraining, TheSameBitsForAnyNumberOfThreads) {
  for (const char* rounding : {"adaround", "gptq"}) {
    const std::vector<std::string> passes{"equalize", "smooth", "shift", "clip", rounding, "correct-bias"};
    const Design one = striped().prepared(passes, CalibrationMethod::entropy, 1).quantized(striped().plan("int4/int8"));
    const Design two = striped().prepared(passes, CalibrationMethod::entropy, 2).quantized(striped().plan("int4/int8"));
    EXPECT_EQ(one.quantization->tensors, two.quantization->tensors);
    EXPECT_EQ(one.quantization->weights, two.quantization->weights);
    for (const NodeId layer : layers_of(one.network)) {
      EXPECT_EQ((*one.weights)[layer].kernel, (*two.weights)[layer].kernel);
      EXPECT_EQ((*one.weights)[layer].bias, (*two.weights)[layer].bias);
    }
  }
}

// Every position of these small images is looked at, so the sums are over the same numbers.
TEST(PostTraining, BiasesKeepTheMeanOutputOfEveryLayer) {
  const PostTraining prepared = striped().prepared({"correct-bias"});
  const Design& exact = prepared.design();
  const Design rounded = prepared.quantized(striped().plan("int3@channel/int8"));
  for (const NodeId layer : layers_of(exact.network)) {
    SCOPED_TRACE(layer);
    const auto channels = static_cast<std::size_t>(exact.network.op(layer).channels);
    const NodeWeights& before = (*exact.weights)[layer];
    const NodeWeights& after = (*rounded.weights)[layer];
    ASSERT_NE(before.kernel, after.kernel);
    NodeWeights uncorrected = after;
    uncorrected.bias = before.bias;
    const auto means = [&](const NodeWeights& weights) {
      return channel_means(layer_outputs(exact, layer, weights), channels);
    };
    const std::vector<double> expected = means(before), found = means(after), without = means(uncorrected);
    double most = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      EXPECT_NEAR(found[c], expected[c], 1e-4);
      most = std::max(most, std::abs(without[c] - expected[c]));
    }
    EXPECT_GT(most, 1e-2);
  }
}

TEST(PostTraining, LearnedRoundingLowersTheErrorOfEveryLayersOutput) {
  const PostTraining nearest = striped().prepared({"clip"});
  const Design& exact = nearest.design();
  std::map<std::string, double> sums;
  const auto errors = [&](const std::string& name, const PostTraining& prepared) {
    const Design rounded = prepared.quantized(striped().plan("int3@channel/int8"));
    std::vector<double> found;
    for (const NodeId layer : layers_of(exact.network)) {
      NodeWeights weights = (*rounded.weights)[layer];
      weights.bias = (*exact.weights)[layer].bias;
      found.push_back(
          mean_squared(layer_outputs(exact, layer, weights), layer_outputs(exact, layer, (*exact.weights)[layer])));
      sums[name] += found.back();
    }
    return found;
  };
  const std::vector<double> plain = errors("nearest", nearest);
  for (const char* pass : {"adaround", "gptq"}) {
    SCOPED_TRACE(pass);
    const std::vector<double> learned = errors(pass, striped().prepared({"clip", pass}));
    for (std::size_t layer = 0; layer < plain.size(); ++layer) EXPECT_LE(learned[layer], plain[layer] * (1 + 1e-6));
    EXPECT_LT(sums[pass], 0.8 * sums["nearest"]);
  }
}

// A plan names the operators of the network with its batch norms.
TEST(PostTraining, PlansAreOfTheNetworkAsItWas) {
  const Network& original = striped().model.design.network;
  const std::vector<NodeId> before = layers_of(original);
  ASSERT_EQ(before.size(), 3U);
  PrecisionPlan plan = striped().plan("f32");
  const char* const formats[] = {"int8@channel", "int4@channel", "int3@channel"};
  for (std::size_t i = 0; i < before.size(); ++i) {
    plan.operators[before[i]] = {Format::parse(formats[i]), Format::parse("int8")};
  }
  for (const char* pass : {"fold", "gptq"}) {
    const Design made = striped().prepared({pass}).quantized(plan);
    const std::vector<NodeId> after = layers_of(made.network);
    ASSERT_EQ(after.size(), 3U);
    EXPECT_LT(made.network.size(), original.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(made.precision.at(after[i]).weights.text(), formats[i]);
      EXPECT_EQ(made.network.op(after[i]).channels, original.op(before[i]).channels);
    }
  }
  const Design whole = striped().prepared({}).quantized(plan);  // the executor folds
  EXPECT_EQ(whole.network.size(), original.size());
  const std::vector<float> expected = striped().answers_of(whole);
  const std::vector<float> folded = striped().answers_of(striped().prepared({"fold"}).quantized(plan));
  EXPECT_LE(most_difference(expected, folded), 0.02F * range_of(expected).magnitude());
}

TEST(PostTraining, RangesAreThoseOfAHistogramOfTheImages) {
  const PostTraining prepared = striped().prepared({"fold"}, CalibrationMethod::mse);
  const Design made = prepared.quantized(striped().plan("int4@channel/int4"));
  const LabelledImages images = calibration_images(striped().set.train, 256);
  std::size_t clipped = 0;
  std::vector<std::vector<float>> values(made.network.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::vector<float> image(images.shape().size());
    images.copy(i, image);
    normalise(image, images.shape(), striped().model.normalisation);
    visit_activations({made.network, {}, prepared.design().weights}, image, 1, [&](const Activation& one) {
      values[one.node].insert(values[one.node].end(), one.values.begin(), one.values.end());
    });
  }
  const std::vector<bool> positive = never_negative(made.network);
  for (const NodeId layer : layers_of(made.network)) {
    const NodeId read = made.network.inputs(layer)[0];
    Histogram histogram(range_of(values[read]));
    histogram.add(values[read]);
    const Format format = Format::parse(positive[read] ? "uint4" : "int4");
    const Range expected = calibrated_range(histogram, format, CalibrationMethod::mse);
    const Range& found = made.quantization->tensors[read];
    EXPECT_NEAR(found.low, expected.low, 1e-3F * histogram.range().magnitude());
    EXPECT_NEAR(found.high, expected.high, 1e-3F * histogram.range().magnitude());
    clipped += expected.magnitude() < histogram.range().magnitude() ? 1U : 0U;
  }
  EXPECT_GT(clipped, 0U);
}

TEST(PostTraining, Int8IsEmulatedAsItIsExecuted) {
  const Design design = striped().prepared({"fold"}).quantized(striped().plan("int8"));
  const std::vector<float> executed = striped().answers_of(design, Emulation::none);
  const std::vector<float> emulated = striped().answers_of(design, Emulation::all);
  EXPECT_GE(agreement(executed, emulated, 3), 0.995);
  // In steps of 8 bits over all answers.
  EXPECT_LE(most_difference(executed, emulated), 2 * range_of(executed).magnitude() / 127);
  EXPECT_GT(most_difference(executed, striped().answers_of(striped().prepared({"fold"}).design())), 0.0F);
}

TEST(PlanQuality, IsTheMetricOfTheAnswers) {
  const Striped& own = striped();
  const PrecisionPlan plan = own.plan("int4@channel/int8");
  const auto probabilities = [&](const Design& design) {
    return classify(design, own.set.validation, own.model.normalisation, {.emulation = Emulation::missing});
  };
  const std::vector<float> exact = probabilities(own.prepared({"fold"}).design());
  const std::vector<float> rounded = probabilities(own.prepared({"fold"}).quantized(plan));
  double same = 0, divergence = 0, right = 0, nll = 0;
  const auto best = [](std::span<const float> row) { return std::ranges::max_element(row) - row.begin(); };
  for (std::size_t i = 0; i < 60; ++i) {
    const auto p = std::span(exact).subspan(3 * i, 3), q = std::span(rounded).subspan(3 * i, 3);
    const auto label = static_cast<std::size_t>(own.set.validation.label(i));
    same += best(p) == best(q) ? 1 : 0;
    right += best(q) == static_cast<std::ptrdiff_t>(label) ? 1 : 0;
    nll -= std::log(static_cast<double>(q[label]));
    for (std::size_t c = 0; c < 3; ++c) {
      const auto mass = static_cast<double>(p[c]);
      if (mass > 0) divergence += mass * std::log(mass / static_cast<double>(q[c]));
    }
  }
  const auto quality = [&](QualityMetric metric, int threads) {
    return PlanQuality(own.prepared({"fold"}), own.set.validation, own.model.normalisation, metric, threads).of(plan);
  };
  for (const int threads : {1, 2}) {
    EXPECT_NEAR(quality(QualityMetric::accuracy, threads), 100 * right / 60, 1e-9);
    EXPECT_NEAR(quality(QualityMetric::agreement, threads), 100 * same / 60, 1e-9);
    EXPECT_NEAR(quality(QualityMetric::nll, threads), nll / 60, 1e-6);
    EXPECT_NEAR(quality(QualityMetric::divergence, threads), divergence / 60, 1e-6);
    EXPECT_EQ(quality(QualityMetric::top5, threads), 100);  // of three classes
  }
}

TEST(Passes, BringWhatTheyNeed) {
  const auto parsed = [](const std::vector<std::string>& names) { return parse_passes(names, "--passes"); };
  EXPECT_EQ(parsed({}), std::vector<Pass>{});
  EXPECT_EQ(parsed({"gptq"}), (std::vector<Pass>{Pass::fold, Pass::gptq}));
  EXPECT_EQ(parsed({"shift"}), (std::vector<Pass>{Pass::fold, Pass::smooth, Pass::shift}));
  EXPECT_EQ(parsed({"correct-bias", "clip", "fold", "clip"}),
            (std::vector<Pass>{Pass::fold, Pass::clip, Pass::correct_bias}));
  const auto refused = [&](const std::vector<std::string>& names) { return what_of([&] { parsed(names); }); };
  EXPECT_THAT(refused({"gptk"}), AllOf(HasSubstr("--passes"), HasSubstr("gptk"), HasSubstr("did you mean 'gptq'")));
  EXPECT_THAT(refused({""}), AllOf(HasSubstr("equalize"), HasSubstr("correct-bias")));
  EXPECT_THAT(refused({"gptq", "adaround"}), HasSubstr("leave one out"));
}

TEST(Passes, AreReadAsTheyAreWritten) {
  const auto read = [](const Json& value) {
    JsonDocument document = JsonDocument::from_value(value, "test.json");
    JsonReader root = document.root();
    const PostTrainingOptions options = read_post_training(root);
    root.finish();
    document.raise();
    return options;
  };
  EXPECT_EQ(PostTrainingOptions{}.json(), Json::object());
  const PostTrainingOptions all{.calibration = CalibrationMethod::entropy,
                                .passes = {Pass::fold, Pass::smooth, Pass::clip, Pass::adaround, Pass::correct_bias},
                                .images = 17,
                                .migration = 0.25};
  for (const PostTrainingOptions& options : {all, PostTrainingOptions{}}) {
    const PostTrainingOptions again = read(options.json());
    EXPECT_EQ(again.calibration, options.calibration);
    EXPECT_EQ(again.passes, options.passes);
    EXPECT_EQ(again.images, options.images);
    EXPECT_EQ(again.migration, options.migration);
  }
  EXPECT_THAT(what_of([&] { read({{"passes", {"gptk"}}}); }), AllOf(HasSubstr("passes"), HasSubstr("gptk")));
  EXPECT_THAT(what_of([&] { read({{"calibration", "max"}}); }), HasSubstr("percentile"));
  EXPECT_THAT(what_of([&] { read({{"migration", 1.5}}); }), HasSubstr("migration"));
  EXPECT_THAT(what_of([&] { read({{"calibration_images", 0}}); }), HasSubstr("calibration_images"));
}

}  // namespace
}  // namespace ridgeline
