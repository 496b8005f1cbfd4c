// Searches over the number formats of a trained network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>

#include "experiments/quantization/plan_folder.hpp"
#include "experiments/quantization/quantize.hpp"
#include "experiments/quantization/quantize_report.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/whole_file.hpp"
#include "hwmodels/hardware_model.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/counts.hpp"
#include "spaces/hash.hpp"
#include "spaces/onnx/export.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::resources;
using testing::StripedData;
using testing::what_of;

// A network trained on stripes, its batch norms folded, as an ONNX file with a space of its plans beside it.
struct Plans {
  Plans() {
    data.train(data.config(6), "model.ckpt");
    TrainedModel trained = load_trained_model(data.scratch.path("model.ckpt"), resources());
    OnnxOptions options;
    options.class_names = trained.class_names;
    options.mean = trained.normalisation.mean;
    options.stddev = trained.normalisation.stddev;
    model = data.scratch.write("model.onnx", onnx_model(with_folded_norms(trained.design), options));
    space = write_space({"f32", "bf16", "int8", "int3@channel/int8"});
  }
  std::string write_space(const std::vector<std::string>& formats, const Json& more = Json::object()) const {
    Json made{{"ridgeline_space", 1}, {"name", "plans"}, {"model", "model.onnx"}, {"formats", formats}};
    made.update(more);
    return data.scratch.write("plans.json", made.dump());
  }
  Json study(const std::string& name) const {
    Json made = testing::small_study(name);
    made["space"] = space;
    made["searcher"] = {{"name", "exhaustive"}};
    made["stop"]["trials"] = 64;
    made["objectives"] = Json::parse(R"([
      {"name": "accuracy", "unit": "%", "direction": "maximise"},
      {"name": "weight_bytes", "direction": "minimise", "from": {"evaluator": "count", "quantity": "weight_bytes"}}])");
    made["objectives"][0]["from"] = {{"evaluator", "quantized"}, {"model", model}, {"data", data.folder}};
    return made;
  }
  StripedData data;
  std::string model, space;
};

TEST(Quantized, ASpaceOfPlansIsASpaceLikeAnyOther) {
  const Plans plans;
  const SearchSpace space = SearchSpace::load(plans.space);
  ASSERT_EQ(space.dims().size(), 3U);  // two convolutions and a linear layer
  EXPECT_EQ(space.dims()[0].group, GeneGroup::precision);
  EXPECT_EQ(space.enumeration_size(), 64U);
  EXPECT_NEAR(space.log10_size(), std::log10(64.0), 1e-12);
  const Design design = space.decode({{2, 0, 3}});
  ASSERT_NE(design.weights, nullptr);
  std::vector<std::string> formats;
  for (const NodeId node : design.network.live_nodes()) {
    const OpKind kind = design.network.op(node).kind;
    if (kind != OpKind::conv2d && kind != OpKind::linear) continue;
    formats.push_back(design.precision.at(node).weights.text() + "/" + design.precision.at(node).activations.text());
  }
  EXPECT_EQ(formats, (std::vector<std::string>{"int8@channel/int8", "f32/f32", "int3@channel/int8"}));
  const Genome genome = space.from_json(space.describe({{1, 2, 3}}));
  EXPECT_EQ(genome.genes, (std::vector<std::uint16_t>{1, 2, 3}));
}

TEST(Quantized, TiedOperatorsShareADimension) {
  const Plans plans;
  const SearchSpace all = SearchSpace::load(plans.space);
  const Json ties{{"ties", Json::array({Json::array({all.dims()[0].name, all.dims()[2].name})})}};
  const SearchSpace tied = SearchSpace::load(plans.write_space({"f32", "int8"}, ties));
  ASSERT_EQ(tied.dims().size(), 2U);
  const Design design = tied.decode({{1, 0}});
  std::vector<bool> quantized;
  for (const NodeId node : design.network.live_nodes()) {
    if (has_weights(design.network.op(node).kind)) {
      quantized.push_back(design.precision.at(node).activations.is_quantized());
    }
  }
  EXPECT_EQ(quantized, (std::vector<bool>{true, false, true}));
  EXPECT_NE(tied.fingerprint(), all.fingerprint());
}

TEST(Quantized, NarrowedPlansAreTheSamePlans) {
  const Plans plans;
  const SearchSpace space = SearchSpace::load(plans.space);
  const std::string first = space.dims()[0].name;
  const SearchSpace narrowed = SearchSpace::load(plans.space, {.choices = {{first, {"int3@channel/int8", "bf16"}}}});
  EXPECT_EQ(narrowed.enumeration_size(), 32U);
  EXPECT_NE(narrowed.fingerprint(), space.fingerprint());
  EXPECT_EQ(narrowed.in_whole({{1, 3, 0}}), (Genome{{3, 3, 0}}));
  for (std::uint64_t i = 0; i < narrowed.enumeration_size(); ++i) {
    const Genome genome = narrowed.at(i).value();
    EXPECT_EQ(function_hash(narrowed.decode(genome)), function_hash(space.decode(narrowed.in_whole(genome))));
  }
}

TEST(Quantized, AccuraciesAreThoseOfTheNetworksInTheirFormats) {
  const Plans plans;
  const std::string database = plans.data.scratch.path("q.db");
  EXPECT_EQ(testing::run_study(plans.study("whole"), database).trials, 64);
  Json cheaper = plans.study("rungs");
  cheaper["searcher"] = {{"name", "hyperband"}};
  cheaper["objectives"][0]["from"]["images"] = {60, 30, 12};
  cheaper["stop"]["trials"] = 10;
  testing::run_study(cheaper, database);
  const Store store(database, Store::Mode::read);
  EXPECT_EQ(store.find("rungs")->rung_costs, (std::vector<double>{1.0, 0.5, 0.2}));
  const Dataset set = load_dataset(plans.data.folder);
  const SearchSpace space = SearchSpace::load(plans.space);
  TrainedModel model = load_trained_model(plans.model, resources());
  adapt(model, set);
  std::vector<int> seen(3);
  for (const std::string study : {"whole", "rungs"}) {
    for (const Trial& trial : testing::trials_of(database, study)) {
      const std::size_t count = trial.rung == 0 ? 60 : trial.rung == 1 ? 30 : 12;
      ++seen[static_cast<std::size_t>(trial.rung)];
      Design design = space.decode(trial.genome);
      calibrate(design, set.train, model.normalisation, 1);
      const double expected = evaluate_classifier(design, calibration_images(set.validation, count),
                                                  model.normalisation, {.emulation = Emulation::missing})
                                  .accuracy;
      EXPECT_DOUBLE_EQ(-trial.values[0], 100 * expected) << count << " images";
    }
  }
  EXPECT_GT(std::ranges::min(seen), 0);
}

TEST(Quantized, AnInterruptedSearchIsTheSame) {
  const Plans plans;
  Json study = plans.study("q");
  study["searcher"] = {{"name", "nsga2"}, {"population", 8}};
  study["stop"]["trials"] = 40;
  const std::string whole = plans.data.scratch.path("whole.db"), parts = plans.data.scratch.path("parts.db");
  testing::run_study(study, whole);
  for (const int trials : {7, 23, 40}) {
    study["stop"]["trials"] = trials;
    testing::run_study(study, parts);
  }
  testing::expect_same_trials(testing::trials_of(whole, "q"), testing::trials_of(parts, "q"));
}

TEST(Quantized, BadInputIsSaid) {
  const Plans plans;
  const auto space_of = [&](const Json& more) {
    return what_of([&] { SearchSpace::load(plans.write_space({"f32", "int8"}, more)); });
  };
  EXPECT_THAT(space_of({{"model", "gone.onnx"}}), HasSubstr("gone.onnx"));
  EXPECT_THAT(space_of({{"ties", {{"conv2d_99"}}}}), HasSubstr("conv2d_99"));
  EXPECT_THAT(space_of({{"formats", {"f32", "int99"}}}), AllOf(HasSubstr("int99"), HasSubstr("minifloats")));
  EXPECT_THAT(space_of({{"formats", Json::array()}}), HasSubstr("at least one number format"));
  EXPECT_THAT(space_of({{"dimensions", Json::array()}}), HasSubstr("dimensions"));
  plans.write_space({"f32", "int8"});
  const std::string database = plans.data.scratch.path("q.db");
  const auto study_of = [&](const char* key, const Json& value) {
    Json study = plans.study("q");
    study["objectives"][0]["from"][key] = value;
    return what_of([&] { testing::run_study(study, database); });
  };
  EXPECT_THAT(study_of("model", "gone.onnx"), AllOf(HasSubstr("model"), HasSubstr("gone.onnx")));
  EXPECT_THAT(study_of("data", "nowhere"), AllOf(HasSubstr("data"), HasSubstr("nowhere")));
  EXPECT_THAT(study_of("images", 1000), AllOf(HasSubstr("images"), HasSubstr("at most 60")));
  EXPECT_THAT(study_of("images", {1000, 100}), AllOf(HasSubstr("images"), HasSubstr("at most 60")));
  EXPECT_THAT(study_of("images", {30, 30}), AllOf(HasSubstr("images"), HasSubstr("each less")));
  EXPECT_THAT(study_of("images", {30, 7.5}), AllOf(HasSubstr("images"), HasSubstr("whole")));
  Json other = plans.study("q");
  other["space"] = "nasbench_macro";
  EXPECT_THAT(what_of([&] { testing::run_study(other, database); }), HasSubstr("networks without weights"));
}

// ---- the command's side

// Steps that take as long as their signature says, and a whole that is their sum.
PlanTiming timed_by_signature(const Design& design) {
  PlanTiming timing;
  const Executable executable(design);
  for (const StepInfo& step : executable.steps()) {
    timing.steps.push_back(step);
    timing.step_s.push_back(1e-6 * static_cast<double>(1 + Hasher().add(step.signature).value() % 50));
    timing.whole_s += timing.step_s.back();
  }
  return timing;
}

struct Command {
  explicit Command(const StripedData& data) {
    data.train(data.config(6), "model.ckpt");
    config.model = data.scratch.path("model.ckpt");
    config.data = data.folder;
    config.folder = data.scratch.path("quantized");
    config.name = "q";
    config.trials = 20;
    database = data.scratch.path("q.db");
    hooks.study.measure = testing::fake_timing;
    hooks.time_layers = timed_by_signature;
  }
  QuantizeResult run(const QuantizeGoal& goal = {}) const {
    Store store(database, Store::Mode::write);
    return quantize(config, goal, resources(), store, "test", hooks);
  }
  QuantizeConfig config;
  std::string database;
  QuantizeHooks hooks;
};

TEST(Quantize, TheFastestPlanThatKeepsTheGoalIsWritten) {
  const StripedData data;
  const Command command(data);
  const QuantizeResult result = command.run();
  ASSERT_EQ(result.uniform.size(), 3U);
  for (const auto& plan : result.uniform) ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(result.operators.size(), 3U);
  ASSERT_TRUE(result.goal_met);
  const PlanResult& chosen = result.front[*result.chosen];
  EXPECT_GE(chosen.quality, result.uniform[0]->quality - 1.0);
  for (const PlanResult& plan : result.front) {
    if (plan.quality < result.uniform[0]->quality - 1.0) continue;
    EXPECT_GE(plan.latency_s, chosen.latency_s);
  }
  const Dataset set = load_dataset(data.folder);
  TrainedModel written = load_trained_model(result.onnx, resources());
  adapt(written, set);
  const ClassificationScores scores = evaluate_classifier(written.design, set.validation, written.normalisation, {});
  EXPECT_NEAR(100 * scores.accuracy, chosen.quality, 100.0 / 60 + 1e-9);  // an image of 60
  EXPECT_EQ(JsonDocument::load(result.plan).value().at("formats").size(), 3U);
}

TEST(Quantize, AGoalThatIsMissedStillLeavesAPlan) {
  const StripedData data;
  const Command command(data);
  const QuantizeResult fast = command.run({.max_drop = 0, .min_speedup = 1000.0});
  EXPECT_FALSE(fast.goal_met);
  ASSERT_TRUE(fast.chosen.has_value());
  EXPECT_FALSE(fast.onnx.empty());
  const QuantizeResult small = command.run({.max_drop = 100, .max_weight_bytes = 1});  // the same study
  EXPECT_FALSE(small.goal_met);
  const QuantizeResult any = command.run({.max_drop = 100});
  EXPECT_TRUE(any.goal_met);
  EXPECT_EQ(any.front[*any.chosen].trial, any.front.front().trial);
}

TEST(Quantize, GoingOnIsTheSameAsNotStopping) {
  const StripedData data;
  Command whole(data), parts(data);
  parts.database = data.scratch.path("parts.db");
  whole.run();
  for (const std::int64_t trials : {5, 12, 20}) {
    parts.config.trials = trials;
    parts.run();
  }
  testing::expect_same_trials(testing::trials_of(whole.database, "q"), testing::trials_of(parts.database, "q"));
}

TEST(Quantize, BadInputLeavesNothing) {
  const StripedData data;
  const auto refused = [&](const auto& change) {
    Command command(data);
    change(command.config);
    const std::string why = what_of([&] { command.run(); });
    EXPECT_FALSE(std::filesystem::exists(data.scratch.path("quantized")));
    return why;
  };
  EXPECT_THAT(refused([](QuantizeConfig& config) {
                config.formats = {"f32", "int99"};
              }),
              AllOf(HasSubstr("--formats"), HasSubstr("int99")));
  EXPECT_THAT(refused([](QuantizeConfig& config) { config.model = "gone.onnx"; }), HasSubstr("gone.onnx"));
  EXPECT_THAT(refused([](QuantizeConfig& config) { config.data = "nowhere"; }), HasSubstr("nowhere"));
  EXPECT_THAT(refused([&](QuantizeConfig& config) { config.folder = data.scratch.path("."); }), HasSubstr("--out"));
}

TEST(Quantize, LossesAreMinimised) {
  const StripedData data;
  Command command(data);
  command.config.metric = QualityMetric::nll;
  const QuantizeResult result = command.run({.max_drop = 0.05});
  ASSERT_TRUE(result.goal_met);
  EXPECT_LE(result.front[*result.chosen].quality, result.uniform[0]->quality + 0.05 + 1e-9);
  for (std::size_t i = 1; i < result.front.size(); ++i) {  // slower plans are better ones
    EXPECT_GT(result.front[i].latency_s, result.front[i - 1].latency_s);
    EXPECT_LT(result.front[i].quality, result.front[i - 1].quality);
  }
  EXPECT_TRUE(JsonDocument::load(result.plan).value().contains("nll"));
}

TEST(Quantize, TheSumOfLayersIsThatOfTheirSteps) {
  const StripedData data;
  Command command(data);
  const QuantizeResult result = command.run();
  const SearchSpace space = SearchSpace::load(data.scratch.path("quantized/plans.json"));
  for (const std::optional<PlanResult>& plan : result.uniform) {
    ASSERT_TRUE(plan.has_value());
    ASSERT_TRUE(plan->sum_of_layers_s.has_value());
    EXPECT_NEAR(*plan->sum_of_layers_s, timed_by_signature(space.decode(plan->genome)).whole_s, 1e-12);
  }
}

TEST(Quantize, TheSearchBeginsWithUniformAndAllocatedPlans) {
  const StripedData data;
  const Command command(data);
  command.run();
  const Json layers = JsonDocument::load(data.scratch.path("quantized/layers.json")).value();
  ASSERT_FALSE(layers.at("plans").empty());
  const std::vector<Trial> trials = testing::trials_of(command.database, "q");
  const auto tried = [&](const std::vector<std::uint16_t>& genes) {
    return std::ranges::any_of(trials, [&](const Trial& trial) { return trial.genome.genes == genes; });
  };
  for (std::uint16_t format = 0; format < 3; ++format) EXPECT_TRUE(tried(std::vector<std::uint16_t>(3, format)));
  for (const Json& genes : layers.at("plans")) EXPECT_TRUE(tried(genes.get<std::vector<std::uint16_t>>()));
}

TEST(Quantize, ALayersFileOfAnotherSpaceIsMeasuredAnew) {
  const StripedData data;
  const Command command(data);
  command.run();
  const std::string path = data.scratch.path("quantized/layers.json");
  const Json before = JsonDocument::load(path).value();
  data.scratch.write("quantized/layers.json", "{\"ridgeline_quantize_layers\": 1");  // cut off
  command.run();
  EXPECT_EQ(JsonDocument::load(path).value().at("plans"), before.at("plans"));
}

TEST(Quantize, WhatFewerBitsWouldChangeIsMeasured) {
  const StripedData data;
  Command command(data);
  command.config.formats = {"int8", "f32"};
  const QuantizeResult result = command.run({.max_drop = 100, .max_weight_bytes = {}});
  ASSERT_TRUE(result.chosen.has_value());
  const Genome& chosen = result.front[*result.chosen].genome;
  const SearchSpace space = SearchSpace::load(data.scratch.path("quantized/plans.json"));
  const Design plan = space.decode(chosen);
  std::size_t high = 0;
  for (std::size_t d = 0; d < chosen.genes.size(); ++d) {
    if (chosen.genes[d] == 0) continue;
    ++high;
    const auto kept = std::ranges::find(result.kept, space.dims()[d].name, &KeptLayer::layer);
    ASSERT_NE(kept, result.kept.end());
    Genome other = chosen;
    other.genes[d] = 0;
    ASSERT_TRUE(kept->latency_change_s.has_value());
    EXPECT_DOUBLE_EQ(*kept->latency_change_s,
                     testing::fake_timing(space.decode(other), {}).median_s - testing::fake_timing(plan, {}).median_s);
  }
  EXPECT_EQ(result.kept.size(), high);
}

TEST(Quantize, ADescribedDevicePricesWhatThisMachineDoesNotExecute) {
  const StripedData data;
  Command command(data);
  command.hooks = {};
  command.config.formats = {"f32", "int8", "int4@channel/int8"};
  command.config.device = "snapdragon_8_gen_2";
  const QuantizeResult result = command.run({.max_drop = 100});
  ASSERT_TRUE(result.goal_met);
  for (std::size_t format = 0; format < 3; ++format) {
    ASSERT_TRUE(result.uniform[format].has_value());
    EXPECT_EQ(result.uniform[format]->executed, format < 2);
    const SearchSpace space = SearchSpace::load(data.scratch.path("quantized/plans.json"));
    const Cost cost =
        load_device(resources().device("snapdragon_8_gen_2"))->estimate(space.decode(result.uniform[format]->genome));
    EXPECT_DOUBLE_EQ(result.uniform[format]->latency_s, cost.latency_s);
  }
}

TEST(Quantize, AnInterruptedRunLeavesItsBestPlan) {
  const StripedData data;
  Command command(data);
  std::atomic<bool> stop = false;
  command.hooks.study.stop = &stop;
  command.hooks.study.progress = [&](const StudyProgress& progress) { stop = progress.trials >= 8; };
  const QuantizeResult result = command.run();
  EXPECT_EQ(result.end, StudyResult::End::interrupted);
  ASSERT_TRUE(result.chosen.has_value());
  EXPECT_TRUE(std::filesystem::exists(result.plan));
  EXPECT_TRUE(std::filesystem::exists(result.onnx));
  stop = false;
  command.hooks.study.progress = {};
  EXPECT_EQ(command.run().end, StudyResult::End::budget);
}

TEST(Quantize, PassesAreAppliedAndRecorded) {
  const StripedData data;
  Command command(data);
  const std::vector<std::string> names{"equalize", "gptq", "correct-bias"};
  command.config.post_training.passes = parse_passes(names, "test");
  command.config.post_training.calibration = CalibrationMethod::mse;
  const QuantizeResult result = command.run();
  const Json plan = JsonDocument::load(result.plan).value();
  EXPECT_EQ(plan.at("post_training").at("passes"), Json({"fold", "equalize", "gptq", "correct-bias"}));
  EXPECT_EQ(plan.at("post_training").at("calibration"), "mse");
  const Store store(command.database, Store::Mode::read);
  const Json study = Json::parse(store.find("q")->config);
  EXPECT_EQ(study.at("objectives")[0].at("from").at("passes"), Json({"fold", "gptq", "correct-bias"}));
  const Dataset set = load_dataset(data.folder);
  TrainedModel written = load_trained_model(result.onnx, resources());
  adapt(written, set);
  const ClassificationScores scores = evaluate_classifier(written.design, set.validation, written.normalisation, {});
  EXPECT_NEAR(100 * scores.accuracy, result.front[*result.chosen].quality, 100.0 / 60 + 1e-9);
}

TEST(Quantize, EmulatedFormatsHaveNoTimeHere) {
  const StripedData data;
  Command command(data);
  // What the machine cannot run it says itself; how long the rest takes is not its to say on a busy day.
  command.hooks.study.measure = [](const Design& design, const MeasureOptions& options) {
    MeasureOptions short_one = options;
    short_one.target_s = 1e-3;
    const Measurement answer = measure(design, short_one);
    return answer.outcome == Measurement::Outcome::unsupported ? answer : testing::fake_timing(design, options);
  };
  command.hooks.time_layers = {};
  command.config.formats = {"f32", "int4@channel/int8"};
  command.config.trials = 8;
  const QuantizeResult result = command.run();
  EXPECT_TRUE(result.uniform[0].has_value());
  EXPECT_FALSE(result.uniform[1].has_value());
}

TEST(Quantize, ADeletedFolderDoesNotChangeTheSearch) {
  const StripedData data;
  Command whole(data), parts(data);
  whole.run();
  parts.database = data.scratch.path("parts.db");
  parts.config.trials = 8;
  parts.run();
  std::filesystem::remove_all(parts.config.folder);
  parts.hooks.time_layers = [](const Design& design) {  // the layers take other times now
    PlanTiming timing = timed_by_signature(design);
    timing.whole_s = 0;
    for (double& step_s : timing.step_s) timing.whole_s += step_s = 60e-6 - step_s;
    return timing;
  };
  parts.config.trials = whole.config.trials;
  parts.run();
  testing::expect_same_trials(testing::trials_of(whole.database, "q"), testing::trials_of(parts.database, "q"));
}

TEST(Quantize, AnotherConfigurationIsRefusedBeforeAnythingIsWritten) {
  const StripedData data;
  Command command(data);
  command.run();
  const auto bytes = [&] { return read_whole_file(data.scratch.path("quantized/model.onnx")); };
  const std::string before = bytes();
  const auto why = [&](const QuantizeConfig& config) {
    Command other = command;
    other.config = config;
    other.hooks.time_layers = [](const Design&) -> PlanTiming { throw std::logic_error("layers were measured"); };
    return what_of([&] { other.run(); });
  };
  QuantizeConfig elsewhere = command.config;
  elsewhere.folder = data.scratch.path("elsewhere");
  EXPECT_THAT(why(elsewhere), AllOf(HasSubstr("'q'"), HasSubstr("elsewhere/model.onnx"), HasSubstr("--name")));
  EXPECT_FALSE(std::filesystem::exists(elsewhere.folder));
  QuantizeConfig seeded = command.config;
  seeded.seed = 7;
  EXPECT_THAT(why(seeded), HasSubstr("seed: 1 is now 7"));
  data.train(data.config(7), "retrained.ckpt");
  QuantizeConfig retrained = command.config;
  retrained.model = data.scratch.path("retrained.ckpt");
  EXPECT_THAT(why(retrained), HasSubstr("another network"));
  EXPECT_EQ(bytes(), before);
}

TEST(Quantize, ItStopsInEveryPhase) {
  const StripedData data;
  Command command(data);
  std::atomic<bool> stop = false;
  command.config.formats = {"int8", "f32"};
  command.hooks.study.stop = &stop;
  for (const std::string last : {"operators", "allocation", "what fewer bits would change"}) {
    stop = false;
    command.hooks.phase = [&](const std::string& phase, std::size_t, std::size_t) { stop = stop || phase == last; };
    const QuantizeResult result = command.run({.max_drop = 100, .max_weight_bytes = {}});
    EXPECT_EQ(result.end, StudyResult::End::interrupted) << last;
    EXPECT_EQ(result.chosen.has_value(), last == "what fewer bits would change");
    EXPECT_EQ(result.chosen.has_value(), std::filesystem::exists(data.scratch.path("quantized/quantized.onnx")));
  }
  stop = false;
  command.hooks.phase = {};
  EXPECT_EQ(command.run().end, StudyResult::End::exhausted);  // all eight plans
}

TEST(Quantize, AFolderIsOneProcess) {
  const StripedData data;
  const Command command(data);
  {
    const FolderLock other(command.config.folder);
    EXPECT_THAT(what_of([&] { command.run(); }), AllOf(HasSubstr("--out"), HasSubstr("in use")));
  }
  EXPECT_EQ(command.run().end, StudyResult::End::budget);
}

TEST(Quantize, AFolderThatWasLeftUnfinishedIsTaken) {
  const StripedData data;
  const Command command(data);
  std::filesystem::create_directories(command.config.folder + "/draft");
  data.scratch.write("quantized/draft/plans.json", "{\"ridgeline_sp");
  EXPECT_EQ(command.run().end, StudyResult::End::budget);
  EXPECT_FALSE(std::filesystem::exists(command.config.folder + "/draft"));
  std::filesystem::remove(command.config.folder + "/model.onnx");  // as when only the space had been put in its place
  EXPECT_EQ(command.run().end, StudyResult::End::budget);
  data.scratch.write("quantized/plans.json", "{\"ridgeline_sp");
  EXPECT_THAT(what_of([&] { command.run(); }), AllOf(HasSubstr("damaged"), HasSubstr("delete the folder")));
}

TEST(Quantize, LayersOfOtherThreadsAreMeasuredAnew) {
  const StripedData data;
  Command command(data);
  command.run();
  command.run();
  const auto threads = [&] {
    return JsonDocument::load(data.scratch.path("quantized/layers.json")).value().at("costs").at("threads").get<int>();
  };
  EXPECT_EQ(threads(), 1);
  command.config.name = "two";
  command.config.threads = 2;
  command.run();
  EXPECT_EQ(threads(), 2);
}

TEST(Quantize, ADeviceWithoutTheBaselineStillKeepsAGoalOfQuality) {
  const StripedData data;
  Command command(data);
  command.hooks = {};
  command.config.device = "coral_edge_tpu";  // int8 only
  command.config.trials = 8;
  const QuantizeResult result = command.run({.max_drop = 100});
  EXPECT_FALSE(result.uniform[0].has_value());
  const Dataset set = load_dataset(data.folder);
  TrainedModel model = load_trained_model(command.config.model, resources());
  adapt(model, set);
  const double accuracy = evaluate_classifier(model.design, set.validation, model.normalisation, {}).accuracy;
  ASSERT_TRUE(result.baseline_quality.has_value());
  EXPECT_DOUBLE_EQ(*result.baseline_quality, 100 * accuracy);
  EXPECT_TRUE(result.goal_met);
  const QuantizeGoal faster{.max_drop = 100, .min_speedup = 1.5};
  const QuantizeResult compared = command.run(faster);
  EXPECT_FALSE(compared.goal_met);
  EXPECT_THAT((QuantizeReport{command.config, compared}.missed(faster)), HasSubstr("uniform f32 has no latency"));
}

TEST(Quantize, TheChosenPlanIsTheFastestOfThoseThatAreSmallEnough) {
  const StripedData data;
  Command command(data);
  command.hooks.study.measure = [](const Design& design, const MeasureOptions& options) {  // small ones are slow
    Measurement timing = testing::fake_timing(design, options);
    const double latency_s = 1.0 / static_cast<double>(weight_bytes(design.network, design.precision));
    timing.median_s = timing.ci_low_s = timing.ci_high_s = latency_s;
    std::ranges::fill(timing.samples_s, latency_s);
    return timing;
  };
  command.config.formats = {"f32", "int8"};
  command.config.trials = 8;  // all
  const QuantizeResult all = command.run({.max_drop = 100});
  ASSERT_TRUE(all.uniform[0] && all.uniform[1]);
  EXPECT_EQ(all.front[*all.chosen].weight_bytes, all.uniform[0]->weight_bytes);
  const QuantizeGoal small{.max_drop = 100, .min_speedup = {}, .max_weight_bytes = all.uniform[1]->weight_bytes};
  const QuantizeResult least = command.run(small);
  EXPECT_TRUE(least.goal_met);
  EXPECT_EQ(least.front[*least.chosen].trial, all.uniform[1]->trial);
  const QuantizeGoal none{.max_drop = 100, .min_speedup = {}, .max_weight_bytes = 1};
  const QuantizeResult nothing = command.run(none);
  EXPECT_FALSE(nothing.goal_met);
  EXPECT_THAT((QuantizeReport{command.config, nothing}.missed(none)), HasSubstr("bytes of weights (at most 1)"));
}

}  // namespace
}  // namespace ridgeline
