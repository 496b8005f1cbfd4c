// Measures of sensitivity: closed forms, recomputed in plain loops, finite differences, and a layer made sensitive.
#include "experiments/quantization/sensitivity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/config_error.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::resources;
using testing::StripedData;
using testing::what_of;
using Method = SensitivityMethod;

const std::vector<Method> all_methods{Method::kl,    Method::mse,  Method::sqnr,   Method::task,
                                      Method::loss,  Method::norm, Method::taylor, Method::taylor2,
                                      Method::prune, Method::cca,  Method::lrp};

// A network trained on stripes, batch norms folded, calibrated; trained once.
struct Trained {
  Trained() {
    data.train(data.config(6), "model.ckpt");
    TrainedModel model = load_trained_model(data.scratch.path("model.ckpt"), resources());
    set = load_dataset(data.folder);
    adapt(model, set);
    normalisation = model.normalisation;
    design = with_folded_norms(model.design);
    design.quantization = std::make_shared<const Quantization>(
        Quantization{image_ranges(design, set.train, normalisation, set.train.size(), 1)});
  }
  Sensitivity measure(const SensitivityOptions& options) const {
    return measure_sensitivity(planned(design), set.validation, normalisation, options);
  }
  StripedData data;
  Dataset set;
  Normalisation normalisation;
  Design design;
};

const Trained& trained() {
  static const Trained made;
  return made;
}

TEST(Sensitivity, NothingIsLostInF32) {
  const Sensitivity found = trained().measure({.methods = all_methods, .formats = {"f32"}});
  ASSERT_EQ(found.rows.size(), 3U);  // two convolutions and a linear layer
  for (const SensitivityRow& row : found.rows) {
    for (const double penalty : row.penalties) EXPECT_EQ(penalty, 0.0) << row.layer;
    EXPECT_EQ(row.bits, 32);
    EXPECT_EQ(row.bit_operations, 32.0 * 32.0 * static_cast<double>(row.macs));
  }
  EXPECT_EQ(found.rows[0].parameters, 12 * 9);
  EXPECT_EQ(found.rows[1].parameters, 12 * 12 * 9);
  EXPECT_EQ(found.rows[2].parameters, 36);
}

TEST(Sensitivity, WhatRunsGiveIsRecomputed) {
  const Trained& one = trained();
  const Sensitivity found = one.measure({.methods = {Method::task, Method::kl, Method::mse, Method::sqnr, Method::loss},
                                         .formats = {"int8", "int3@channel/int4"}});
  const EvaluateOptions options{.emulation = Emulation::missing};
  const std::vector<float> y = answers(one.design, one.set.validation, one.normalisation, options);
  const ClassificationScores before = evaluate_classifier(one.design, one.set.validation, one.normalisation, options);
  EXPECT_NEAR(found.accuracy, before.accuracy, 1e-9);
  bool any = false;
  for (const SensitivityRow& row : found.rows) {
    Design design = one.design;
    design.precision.operators.resize(design.network.size());
    design.precision.operators[row.node] = PrecisionPlan::uniform(design.network, row.format).operators[row.node];
    const std::vector<float> z = answers(design, one.set.validation, one.normalisation, options);
    double kl = 0, noise = 0, signal = 0;
    for (std::size_t i = 0; i < y.size(); i += 3) {
      double p = 0, q = 0;
      for (std::size_t k = i; k < i + 3; ++k) {
        p += std::exp(static_cast<double>(y[k]));
        q += std::exp(static_cast<double>(z[k]));
        noise += std::pow(static_cast<double>(z[k]) - static_cast<double>(y[k]), 2);
        signal += std::pow(static_cast<double>(y[k]), 2);
      }
      for (std::size_t k = i; k < i + 3; ++k) {
        const double pk = std::exp(static_cast<double>(y[k])) / p, qk = std::exp(static_cast<double>(z[k])) / q;
        kl += pk * std::log(pk / qk);
      }
    }
    const ClassificationScores after = evaluate_classifier(design, one.set.validation, one.normalisation, options);
    EXPECT_NEAR(row.penalties[0], 100 * (before.accuracy - after.accuracy), 1e-9);
    EXPECT_NEAR(row.penalties[4], after.nll - before.nll, 1e-6);
    EXPECT_NEAR(row.penalties[1], kl / 60, 1e-6 + 1e-6 * kl);
    EXPECT_NEAR(row.penalties[2], noise / static_cast<double>(y.size()), 1e-9 * noise);
    EXPECT_NEAR(row.penalties[3], noise / signal, 1e-9);
    any = any || kl / 60 > 1e-3;
  }
  EXPECT_TRUE(any);
}

TEST(Sensitivity, PartsAreWhatHasTheFormat) {
  const Trained& one = trained();
  const SensitivityOptions base{.methods = {Method::norm, Method::mse}, .formats = {"int4@channel/int6"}};
  const auto of = [&](SensitivityPart part) {
    SensitivityOptions options = base;
    options.part = part;
    return one.measure(options);
  };
  const Sensitivity both = of(SensitivityPart::both), weights = of(SensitivityPart::weights),
                    activations = of(SensitivityPart::activations);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(both.rows[i].penalties[0], weights.rows[i].penalties[0] + activations.rows[i].penalties[0], 1e-12);
    EXPECT_GT(weights.rows[i].penalties[0], activations.rows[i].penalties[0]);  // 4 bits beside 6
    EXPECT_GT(activations.rows[i].penalties[1], 0.0);
    const auto work = static_cast<double>(both.rows[i].macs);
    EXPECT_EQ(both.rows[i].bit_operations, work * 4 * 6);
    EXPECT_EQ(weights.rows[i].bit_operations, work * 4 * 32);
    EXPECT_EQ(activations.rows[i].bit_operations, work * 32 * 6);
    EXPECT_EQ(both.rows[i].bits, 4);
    EXPECT_EQ(activations.rows[i].bits, 6);
    EXPECT_LT(both.rows[i].weight_bytes, activations.rows[i].weight_bytes);
  }
}

// One linear layer on pixels in [-1, 1).
struct OneLayer {
  OneLayer(int side, std::vector<float> kernel, std::size_t images = 64) {
    const auto inputs = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
    const std::size_t classes = kernel.size() / inputs;
    Op flatten, linear;
    flatten.kind = OpKind::flatten;
    linear.kind = OpKind::linear;
    linear.channels = static_cast<std::int64_t>(classes);
    Network network;
    const NodeId flat = network.add(flatten, {network.add_input({1, 1, side, side})});
    network.mark_output(network.add(linear, {flat}));
    Weights weights(3);
    weights[2].kernel = std::move(kernel);
    std::vector<float> values(images * inputs);
    std::vector<std::int32_t> labels(images);
    Rng rng(7);
    for (float& value : values) value = static_cast<float>(2.0 * rng.uniform() - 1.0);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(rng.below(classes));
    set = LabelledImages({images, {1, side, side}, values}, labels);
    design = {std::move(network),
              {},
              std::make_shared<const Weights>(std::move(weights)),
              std::make_shared<const Quantization>(Quantization{{{-1, 1}, {-1, 1}, {-100, 100}}})};
  }
  Sensitivity measure(const SensitivityOptions& options) const {
    return measure_sensitivity(planned(design), set, {{0}, {1}}, options);
  }
  LabelledImages set;
  Design design;
};

// Uniform numbers over the whole range of a quantizer of 2 s + 1 steps have an SQNR of 20 log10(2 s): 6.02 dB a bit.
TEST(Sensitivity, SqnrFollowsTheBits) {
  Rng rng(8);
  std::vector<float> kernel(64 * 100);
  for (float& weight : kernel) weight = static_cast<float>(2.0 * rng.uniform() - 1.0);
  const OneLayer layer(10, kernel);
  for (const SensitivityPart part : {SensitivityPart::weights, SensitivityPart::activations}) {
    const Sensitivity found =
        layer.measure({.methods = {Method::sqnr, Method::norm}, .formats = {"int8", "int6", "int4"}, .part = part});
    const double steps[] = {127, 31, 7};
    for (std::size_t f = 0; f < 3; ++f) {
      for (const double penalty : found.rows[f].penalties) {
        EXPECT_NEAR(-10 * std::log10(penalty), 20 * std::log10(2 * steps[f]), 0.4) << found.rows[f].format;
      }
    }
  }
}

TEST(Sensitivity, NormByHand) {
  // int4: steps of 1/7 of the largest. 0.3 * 7 = 2.1 becomes 2; the second row is whole steps.
  const OneLayer layer(2, {1.0F, 0.3F, 0.0F, 0.0F, 7.0F, -3.0F, 2.0F, 0.0F});
  const Sensitivity found =
      layer.measure({.methods = {Method::norm}, .formats = {"int4"}, .part = SensitivityPart::weights});
  EXPECT_NEAR(found.rows[0].penalties[0], std::pow(0.3 - 2.0 / 7, 2) / (1.09 + 49 + 9 + 4), 1e-8);
}

// One weight of `node` is moved in "the format", so that its penalty is that of a known change of the loss.
void expect_taylor(const Design& design, const LabelledImages& images, NodeId node, std::size_t weight) {
  const Normalisation& normalisation = trained().normalisation;
  const float step = 0.02F;
  const auto moved = [&](float change) {
    Weights weights = *design.weights;
    weights[node].kernel[weight] += change;
    return Design{design.network, {}, std::make_shared<const Weights>(std::move(weights)), design.quantization};
  };
  const DesignMaker make = [&](const PrecisionPlan& plan) {
    const bool planted = !plan.operators.empty();
    Design made = planted ? moved(step) : design;
    made.precision = plan;
    return made;
  };
  const auto slope = [&](const LabelledImages& on) {
    const auto loss = [&](float change) { return evaluate_classifier(moved(change), on, normalisation, {}).nll; };
    return (loss(step) - loss(-step)) / (2.0 * static_cast<double>(step));
  };
  double squares = 0;
  for (std::uint32_t i = 0; i < images.size(); ++i) {
    const std::vector<std::uint32_t> alone{i};
    squares += std::pow(slope(images.subset(alone)), 2) / static_cast<double>(images.size());
  }
  const Sensitivity found = measure_sensitivity(make, images, normalisation,
                                                {.methods = {Method::taylor, Method::taylor2}, .formats = {"f32"}});
  const auto row = std::ranges::find(found.rows, node, &SensitivityRow::node);
  ASSERT_NE(row, found.rows.end());
  const double change = static_cast<double>(step), first = std::abs(slope(images)) * change;
  EXPECT_NEAR(row->penalties[0], first, 0.01 * first + 1e-6);
  EXPECT_NEAR(row->penalties[1], first + 0.5 * squares * change * change, 0.01 * first + 2e-6);
  EXPECT_GT(row->penalties[0], 1e-5);  // the step shows
}

LabelledImages first_images(std::uint32_t count) {
  std::vector<std::uint32_t> some;
  for (std::uint32_t i = 0; i < count; ++i) some.push_back(i);
  return trained().set.validation.subset(some);
}

TEST(Sensitivity, TaylorIsTheDifferenceOfTheLoss) {
  const Design& design = trained().design;
  for (const std::size_t weight : {0U, 17U, 30U}) {
    expect_taylor(design, first_images(12), design.network.outputs().front(), weight);
  }
}

TEST(Sensitivity, TaylorKeepsTheStatisticsOfNormsThatDoNotFold) {
  Op conv, norm, add, pool, flatten, linear;
  conv.kind = OpKind::conv2d;
  conv.channels = 3;
  norm.kind = OpKind::batch_norm;
  add.kind = OpKind::add;
  pool.kind = OpKind::global_avg_pool;
  flatten.kind = OpKind::flatten;
  linear.kind = OpKind::linear;
  linear.channels = 3;
  Network network;
  const NodeId first = network.add(conv, {network.add_input({1, 1, 8, 8})});
  const NodeId normed = network.add(norm, {first});
  network.add(add, {normed, first});  // the convolution is read twice
  network.add(pool, {NodeId{3}});
  network.add(flatten, {NodeId{4}});
  network.mark_output(network.add(linear, {NodeId{5}}));
  Weights weights = random_weights(network, 3);
  weights[normed].mean = {0.3F, -0.2F, 0.1F};
  weights[normed].variance = {0.5F, 2.0F, 1.5F};
  const Design design = with_folded_norms({network, {}, std::make_shared<const Weights>(std::move(weights))});
  ASSERT_EQ(design.network.op(normed).kind, OpKind::batch_norm);
  expect_taylor(design, first_images(12), first, 1);
}

TEST(Sensitivity, PruningIsTheLossItCosts) {
  const Trained& one = trained();
  const Sensitivity found =
      one.measure({.methods = {Method::prune, Method::norm}, .formats = {"int4", "int3"}, .sparsity = 0.25});
  const auto loss = [&](const Design& design) {
    return evaluate_classifier(design, one.set.validation, one.normalisation, {}).nll;
  };
  for (const SensitivityRow& row : found.rows) {
    Weights weights = *one.design.weights;
    std::vector<float>& kernel = weights[row.node].kernel;
    std::vector<float> sizes;
    for (const float value : kernel) sizes.push_back(std::abs(value));
    std::ranges::sort(sizes);
    const float limit = sizes[(kernel.size() + 3) / 4 - 1];
    double removed = 0, all = 0;
    for (float& value : kernel) {
      const double square = std::pow(static_cast<double>(value), 2);
      all += square;
      if (std::abs(value) > limit) continue;
      removed += square;
      value = 0;
    }
    Design pruned = one.design;
    pruned.weights = std::make_shared<const Weights>(std::move(weights));
    const double score = (loss(pruned) - loss(one.design)) / (removed / all);
    EXPECT_NEAR(row.penalties[0], score * row.penalties[1], 1e-3 * std::abs(score * row.penalties[1]) + 1e-6);
  }
}

TEST(Sensitivity, ScoresOfLayersBecomePenaltiesByTheNoise) {
  const Sensitivity found =
      trained().measure({.methods = {Method::norm, Method::cca, Method::lrp}, .formats = {"int8", "int4"}});
  for (std::size_t i = 0; i < found.rows.size(); i += 2) {
    const std::vector<double>&fine = found.rows[i].penalties, &coarse = found.rows[i + 1].penalties;
    EXPECT_GT(coarse[0], 50 * fine[0]);  // 4 bits: 24 dB
    for (const std::size_t method : {1U, 2U}) {
      EXPECT_NEAR(coarse[method] / coarse[0], fine[method] / fine[0], 1e-9);
      EXPECT_GE(coarse[method], 0.0);
      EXPECT_LE(coarse[method] / coarse[0], 1.0 + 1e-4);
    }
    EXPECT_GT(coarse[2] / coarse[0], 0.9);  // a chain: all relevance passes, but for what is absorbed
  }
}

// A few weights far over all others widen the steps of the layer they are in.
TEST(Sensitivity, ALayerWithOutliersComesFirst) {
  const Trained& one = trained();
  Weights weights = *one.design.weights;
  const NodeId planted = one.measure({.methods = {Method::norm}}).rows[2].node;  // the second convolution
  std::vector<float>& kernel = weights[planted].kernel;
  const std::size_t taps = kernel.size() / 12;
  for (std::size_t c = 0; c < 12; ++c) {
    const float most = range_of(std::span(kernel).subspan(c * taps, taps)).magnitude();
    kernel[c * taps + c] = c % 2 == 0 ? 8.0F * most : -8.0F * most;
  }
  Design design = one.design;
  design.weights = std::make_shared<const Weights>(std::move(weights));
  const Sensitivity found = measure_sensitivity(
      planned(design), one.set.validation, one.normalisation,
      {.methods = {Method::kl, Method::mse, Method::sqnr, Method::norm, Method::taylor, Method::taylor2, Method::lrp},
       .formats = {"int4"},
       .part = SensitivityPart::weights});
  for (const std::string& method : found.methods) {
    EXPECT_EQ(layer_ranking(found, method).front(), found.layers()[1]) << method;
  }
}

TEST(Sensitivity, ThreadsDoNotShow) {
  const Trained& one = trained();
  const Sensitivity alone = one.measure({.methods = all_methods, .formats = {"int8", "e2m1"}});
  const Sensitivity three = one.measure({.methods = all_methods, .formats = {"int8", "e2m1"}, .threads = 3});
  for (std::size_t i = 0; i < alone.rows.size(); ++i) EXPECT_EQ(alone.rows[i].penalties, three.rows[i].penalties);
}

TEST(Sensitivity, AgreementsAreOfRanks) {
  Sensitivity made;
  made.methods = {"task", "same", "opposite"};
  for (int i = 0; i < 4; ++i) {
    const double value = i * i;
    made.rows.push_back({0,
                         std::string(1, static_cast<char>('a' + i / 2)),
                         i % 2 == 0 ? "int8" : "int4",
                         {value, std::exp(value), -value}});
  }
  const std::vector<Agreement> found = agreements(made, "task");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_NEAR(found[1].spearman, 1.0, 1e-12);
  EXPECT_NEAR(found[1].within_formats, 1.0, 1e-12);
  EXPECT_NEAR(found[2].kendall, -1.0, 1e-12);
  EXPECT_EQ(layer_ranking(made, "task"), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(layer_ranking(made, "opposite"), (std::vector<std::string>{"a", "b"}));
  EXPECT_THAT(what_of([&] { agreements(made, "tsk"); }), HasSubstr("did you mean 'task'"));
}

// Attention has products of activations, which some methods cannot judge.
TEST(Sensitivity, OperatorsWithoutWeightsAreLeftOutWithAReason) {
  Op flatten, reshape, matmul;
  reshape.kind = OpKind::reshape;
  reshape.shape = {4, 4};
  matmul.kind = OpKind::matmul;
  matmul.transpose_b = true;
  flatten.kind = OpKind::flatten;
  Network network;
  const NodeId tokens = network.add(reshape, {network.add_input({1, 1, 4, 4})});
  const NodeId flat = network.add(flatten, {network.add(matmul, {tokens, tokens}, "scores")});
  Op linear;
  linear.kind = OpKind::linear;
  linear.channels = 3;
  network.mark_output(network.add(linear, {flat}, "head"));
  const OneLayer other(4, std::vector<float>(48, 0.5F));
  Design design{network,
                {},
                std::make_shared<const Weights>(random_weights(network, 1)),
                std::make_shared<const Quantization>(Quantization{std::vector<Range>(5, Range{-2, 2})})};
  const auto measure = [&](const std::vector<Method>& methods, SensitivityPart part) {
    return measure_sensitivity(planned(design), other.set, {{0}, {1}},
                               {.methods = methods, .formats = {"int6"}, .part = part});
  };
  const LabelledImages& images = other.set;
  ASSERT_EQ(images.size(), 64U);
  const Sensitivity judged = measure({Method::kl, Method::norm, Method::cca, Method::lrp}, SensitivityPart::both);
  EXPECT_EQ(judged.layers(), (std::vector<std::string>{"scores", "head"}));
  EXPECT_TRUE(judged.left_out.empty());
  for (const double penalty : judged.rows[0].penalties) EXPECT_GT(penalty, 0.0);
  const Sensitivity pruned = measure({Method::kl, Method::prune}, SensitivityPart::both);
  ASSERT_EQ(pruned.left_out.size(), 1U);
  EXPECT_EQ(pruned.left_out[0].layer, "scores");
  EXPECT_THAT(pruned.left_out[0].why, HasSubstr("prune"));
  EXPECT_EQ(measure({Method::kl}, SensitivityPart::weights).layers(), std::vector<std::string>{"head"});
}

TEST(Sensitivity, BadInputIsSaid) {
  const Trained& one = trained();
  const auto refused = [&](const SensitivityOptions& options) { return what_of([&] { one.measure(options); }); };
  EXPECT_THAT(refused({.formats = {"int99"}}), AllOf(HasSubstr("--formats"), HasSubstr("int99")));
  EXPECT_THAT(refused({.formats = {}}), HasSubstr("at least one number format"));
  EXPECT_THAT(refused({.formats = {"int8", "int8"}}), HasSubstr("twice"));
  EXPECT_THAT(refused({.methods = {}}), HasSubstr("--method"));
  EXPECT_THAT(refused({.sparsity = 1.0}), HasSubstr("--sparsity"));
  const std::vector<std::uint32_t> few{0, 1, 2};
  const auto on_few = [&](Method method) {
    return what_of([&] {
      measure_sensitivity(planned(one.design), one.set.validation.subset(few), one.normalisation,
                          {.methods = {method}});
    });
  };
  EXPECT_THAT(on_few(Method::cca), AllOf(HasSubstr("--images"), HasSubstr("at least 16")));
  EXPECT_EQ(on_few(Method::kl), "");
  const OneLayer large(2, std::vector<float>(8, 1e6F));  // f16 ends at 65504
  EXPECT_THAT(what_of([&] { large.measure({.methods = {Method::kl}, .formats = {"f16"}}); }),
              AllOf(HasSubstr("--formats"), HasSubstr("f16"), HasSubstr("wider range")));
}

}  // namespace
}  // namespace ridgeline
