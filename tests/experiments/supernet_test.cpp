// Supernets from the command's side: training, candidates, the evaluator, ranking and winners.

#include "experiments/training/supernet.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "experiments/data/batches.hpp"
#include "experiments/data/resize.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/ranking.hpp"
#include "experiments/training/winners.hpp"
#include "kernels/executable.hpp"
#include "kernels/reference.hpp"
#include "kernels/training/loss.hpp"
#include "kernels/training/supernet_trainer.hpp"
#include "spaces/config_error.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using testing::resources;
using testing::StripedData;
using testing::what_of;

const char* const elastic_space = R"({
  "ridgeline_space": 1, "name": "elastic", "about": "", "source": "",
  "parameters": {"classes": 3, "channels": 1},
  "dimensions": [
    {"name": "side", "choices": [6, 8], "ordered": true},
    {"name": "width", "choices": [4, 8, 12], "ordered": true},
    {"name": "depth", "choices": [1, 2], "ordered": true},
    {"name": "kernel", "repeat": 2, "index": "slot", "choices": [3, 5], "ordered": true, "active_if": "slot < depth"}
  ],
  "network": {"input": ["channels", "side", "side"], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "batch_norm"}, {"op": "relu"},
    {"repeat": "depth", "index": "slot", "body": [
      {"op": "conv2d", "channels": "width", "kernel": "kernel[slot]"}, {"op": "batch_norm"}, {"op": "relu"}]},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}]}
})";

struct Elastic {
  Elastic() : space(data.scratch.write("elastic.json", elastic_space)) {}
  TrainConfig config(int epochs) const {
    TrainConfig made = data.config(epochs);
    made.average_decay = 0.9;
    made.supernet.emplace();
    return made;
  }
  TrainResult train(const TrainConfig& made, const std::string& name, const TrainHooks& hooks = {}) const {
    return train_model({space, {}, {}}, resources(), made, data.scratch.path(name), hooks);
  }
  std::string trained(int epochs = 8) const {
    train(config(epochs), "supernet.ckpt");
    return data.scratch.path("supernet.ckpt");
  }
  Json study(const std::string& name) const {
    Json made = testing::small_study(name);
    made["space"] = space;
    made["stop"]["trials"] = 12;
    made["batch"] = 4;
    made["objectives"][0] = {
        {"name", "accuracy"},
        {"unit", "%"},
        {"direction", "maximise"},
        {"from",
         {{"evaluator", "supernet"}, {"checkpoint", data.scratch.path("supernet.ckpt")}, {"data", data.folder}}}};
    return made;
  }
  StripedData data;
  std::string space;
};

TEST(SupernetTraining, CandidatesEvaluateAsTheTrainingSaid) {
  const Elastic elastic;
  const TrainResult result = elastic.train(elastic.config(8), "supernet.ckpt");
  const EpochRecord& last = result.checkpoint.history.back();
  EXPECT_GT(last.validation_accuracy, 0.95);
  ASSERT_TRUE(last.smallest_accuracy);
  EXPECT_GT(*last.smallest_accuracy, 0.8);
  const Supernet supernet = Supernet::load(elastic.data.scratch.path("supernet.ckpt"), resources());
  const Dataset set = load_dataset(elastic.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 2);
  const auto accuracy = [&](const Genome& genome) {
    return evaluate_classifier(supernet.candidate(genome, recalibration).design, set.validation, set.normalisation, {})
        .accuracy;
  };
  EXPECT_EQ(accuracy(largest_genome(supernet.space())), last.validation_accuracy);
  EXPECT_EQ(accuracy(smallest_genome(supernet.space())), *last.smallest_accuracy);
}

TEST(SupernetTraining, GoesOnFromAnInterruptionBitForBit) {
  const Elastic elastic;
  TrainConfig config = elastic.config(5);
  config.supernet->phases = {{1, false, {}}, {2, false, {"kernel"}}, {2, true, {}}};
  const TrainResult whole = elastic.train(config, "whole");
  std::atomic<bool> stop = false;
  TrainHooks hooks;
  hooks.stop = &stop;
  for (const int epoch : {2, 4}) {  // within a phase, and in the first epoch of one
    stop = false;
    hooks.progress = [&](const TrainProgress& now) { stop = now.epoch == epoch && now.step == 2; };
    EXPECT_EQ(elastic.train(config, "parts", hooks).checkpoint.epochs_done, epoch - 1);
  }
  const TrainResult end = elastic.train(config, "parts");
  EXPECT_EQ(end.resumed_at, 3);
  EXPECT_EQ(end.checkpoint.state.parameters, whole.checkpoint.state.parameters);
  EXPECT_EQ(end.checkpoint.history.back().validation_loss, whole.checkpoint.history.back().validation_loss);
  config.supernet->phases[1].open = {"colour"};
  EXPECT_NE(what_of([&] { elastic.train(config, "other"); }).find("'colour'"), std::string::npos);
  config.supernet->phases.clear();
  EXPECT_NE(what_of([&] { elastic.train(config, "whole"); }).find("training.supernet"), std::string::npos);
}

TEST(Supernet, OnARungAccuraciesAreThoseOnItsImages) {
  const Elastic elastic;
  const Supernet supernet = Supernet::load(elastic.trained(2), resources());
  Json study = elastic.study("s");
  study["searcher"] = {{"name", "successive-halving"}, {"candidates", 6}};
  study["objectives"][0]["from"].update(Json{{"images", {60, 20}}, {"recalibration_images", 40}});
  study["stop"]["trials"] = 6;
  const std::string database = elastic.data.scratch.path("rungs.db");
  testing::run_study(study, database);
  const Dataset set = load_dataset(elastic.data.folder);
  const Recalibration recalibration(set.train, supernet.normalisation(), 40, 1);
  std::vector<int> seen(2);
  for (const Trial& trial : testing::trials_of(database, "s")) {
    ++seen[static_cast<std::size_t>(trial.rung)];
    const Design design = supernet.candidate(trial.genome, recalibration).design;
    const LabelledImages images = calibration_images(set.validation, trial.rung == 0 ? 60 : 20);
    const double expected = evaluate_classifier(design, images, supernet.normalisation(), {}).accuracy;
    EXPECT_NEAR(-trial.values[0], 100 * expected, 1e-9) << "rung " << trial.rung;
  }
  EXPECT_GT(seen[0], 0);
  EXPECT_GT(seen[1], seen[0]);
  const Store store(database, Store::Mode::read);
  EXPECT_EQ(store.find("s")->rung_costs, (std::vector<double>{1.0, 0.6}));  // with the images of recalibration
}

TEST(Supernet, AnExtractedCandidateIsTheSupernetsOwn) {
  const Elastic elastic;
  const std::string path = elastic.trained(2);
  const Supernet supernet = Supernet::load(path, resources());
  const Dataset set = load_dataset(elastic.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, 100, 1);
  Rng rng(3, "candidates");
  for (int i = 0; i < 6; ++i) {
    const Genome genome = supernet.space().sample(rng);
    const Inherited inherited = supernet.candidate(genome, recalibration);
    const Design& design = inherited.design;
    const std::string file = elastic.data.scratch.path("candidate.ckpt");
    write_checkpoint(file, supernet.extracted(genome, inherited));
    const LoadedModel alone = load_model(file, resources());
    const Design again{alone.network, {}, std::make_shared<Weights>(alone.weights)};
    EXPECT_EQ(classify(again, set.validation, set.normalisation, {}),
              classify(design, set.validation, set.normalisation, {}));
    // The supernet's own forward: its shared parameters sliced again, in training mode on the recalibration images, has
    // the statistics that the candidate was given.
    const Network wide = with_batch(supernet.space().decode(genome).network, 100);
    TrainingGraph graph(wide, {});
    const SharedParameters layout(supernet.space());
    const Weights sliced =
        candidate_parameters(supernet.space(), layout, supernet.checkpoint().state.parameters, genome, wide).weights;
    std::ranges::copy(flatten(wide, sliced), graph.parameters().begin());
    const LabelledImages images = calibration_images(set.train, 100);
    const ImageBatches batches(images, set.normalisation, {.size = 100, .shuffle = false});
    ImageBatch batch;
    batches.epoch(0).fill(0, batch);
    const ImageShape input = input_shape(wide);
    const std::vector<float> sized = resized(batch.images, images.shape(), input);
    std::ranges::copy(sized, graph.input().begin());
    graph.forward();
    for (const BatchStatistics& statistics : graph.batch_statistics()) {
      for (std::size_t c = 0; c < statistics.mean.size(); ++c) {
        EXPECT_NEAR(statistics.mean[c], alone.weights[statistics.node].mean[c], 1e-4);
      }
    }
    // Evaluation with the batch's own statistics is, but for the unbiased variance, the training forward.
    std::vector<float> logits =
        run_reference({wide, {}, std::make_shared<Weights>(alone.weights)}, sized).back().values;
    const std::vector<float> expected = softmax_rows(graph.output(), 3), found = softmax_rows(logits, 3);
    for (std::size_t k = 0; k < found.size(); ++k) EXPECT_NEAR(found[k], expected[k], 5e-3);
  }
}

TEST(Supernet, TheEvaluatorGivesASearchTheAccuracyOfEachCandidate) {
  const Elastic elastic;
  const std::string path = elastic.trained(3);
  const std::string database = elastic.data.scratch.path("s.db"), parts = elastic.data.scratch.path("p.db");
  Json study = elastic.study("s");
  testing::run_study(study, database);
  const std::vector<Trial> trials = testing::trials_of(database, "s");
  ASSERT_EQ(trials.size(), 12U);
  const Supernet supernet = Supernet::load(path, resources());
  const Dataset set = load_dataset(elastic.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 1);
  for (const Trial& trial : trials) {
    const Design design = supernet.candidate(trial.genome, recalibration).design;
    const double expected = evaluate_classifier(design, set.validation, set.normalisation, {}).accuracy;
    EXPECT_DOUBLE_EQ(-trial.values[0], 100 * expected);
  }
  // In 8 bits a search, its winners and the evaluation of a candidate agree as well.
  Json quantized = elastic.study("q");
  quantized["precision"] = "int8";
  testing::run_study(quantized, database);
  for (const Trial& trial : testing::trials_of(database, "q")) {
    Design design = supernet.candidate(trial.genome, recalibration).design;
    design.precision = PrecisionPlan::uniform(design.network, Format::parse("int8"));
    calibrate(design, set.train, set.normalisation, 1);
    EXPECT_DOUBLE_EQ(-trial.values[0],
                     100 * evaluate_classifier(design, set.validation, set.normalisation, {}).accuracy);
  }
  const Winners winners = test_winners(Store(database, Store::Mode::read), "q", resources(), {.threads = 2});
  for (const Winner& winner : winners.winners) {
    EXPECT_DOUBLE_EQ(100 * winner.validation_accuracy, winner.member.values[0]);
  }
  study["stop"]["trials"] = 5;
  testing::run_study(study, parts);
  study["stop"]["trials"] = 12;
  testing::run_study(study, parts);
  testing::expect_same_trials(testing::trials_of(parts, "s"), trials);
}

TEST(Supernet, EvaluatesTheCandidatesOfASpaceWithFewerChoices) {
  const Elastic elastic;
  const std::string path = elastic.trained(2);
  std::string text = elastic_space;
  text.replace(text.find("[4, 8, 12]"), 10, "[8, 12]");
  text.replace(text.find("[3, 5]"), 6, "[5]");
  const Supernet supernet = Supernet::load(path, resources());
  const SearchSpace narrow = SearchSpace::load(elastic.data.scratch.write("narrow.json", text));
  EXPECT_NO_THROW(supernet.check_space(narrow));
  Rng rng(1, "candidates");
  for (int i = 0; i < 10; ++i) {
    const Genome genome = narrow.sample(rng), own = supernet.own_genome(narrow, genome);
    EXPECT_EQ(supernet.space().describe(own), narrow.describe(genome));
    EXPECT_NE(own.genes, genome.genes);
  }
  const std::string database = elastic.data.scratch.path("s.db");
  Json narrowed = elastic.study("narrowed");
  narrowed["space"] = elastic.data.scratch.path("narrow.json");
  testing::run_study(narrowed, database);
  const Dataset set = load_dataset(elastic.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 1);
  for (const Trial& trial : testing::trials_of(database, "narrowed")) {
    const Genome own = supernet.own_genome(narrow, trial.genome);
    const Design design = supernet.candidate(own, recalibration).design;
    EXPECT_DOUBLE_EQ(-trial.values[0],
                     100 * evaluate_classifier(design, set.validation, set.normalisation, {}).accuracy);
  }
  text.replace(text.find("[8, 12]"), 7, "[8, 16]");  // wider than the supernet
  const SearchSpace other = SearchSpace::load(elastic.data.scratch.write("other.json", text));
  EXPECT_NE(what_of([&] { supernet.check_space(other); }).find("fewer choices"), std::string::npos);
}

TEST(Supernet, ANarrowedSearchIsOfTheSameSupernet) {
  const Elastic elastic;
  elastic.trained(3);
  const std::string database = elastic.data.scratch.path("s.db");
  Json study = elastic.study("all");
  study["searcher"] = {{"name", "exhaustive"}};
  study["stop"]["trials"] = 100;
  testing::run_study(study, database);
  study["name"] = "narrowed";
  study["choices"] = {{"width", {8, 12}}, {"kernel", {5}}, {"side", {8}}};
  testing::run_study(study, database);
  const SearchSpace whole = SearchSpace::load(elastic.space);
  const SearchSpace narrowed = SearchSpace::load(elastic.space, {.choices = study["choices"]});
  const std::vector<Trial> all = testing::trials_of(database, "all"), few = testing::trials_of(database, "narrowed");
  ASSERT_EQ(few.size(), 4U);  // two widths and two depths
  for (const Trial& trial : few) {
    const Genome genome = narrowed.in_whole(trial.genome);
    const auto same = std::find_if(all.begin(), all.end(), [&](const Trial& one) { return one.genome == genome; });
    ASSERT_NE(same, all.end());
    EXPECT_EQ(trial.values, same->values);
    EXPECT_EQ(trial.function_hash, same->function_hash);
  }
  const Winners winners = test_winners(Store(database, Store::Mode::read), "narrowed", resources(), {.threads = 2});
  for (const Winner& winner : winners.winners) {
    EXPECT_DOUBLE_EQ(100 * winner.validation_accuracy, winner.member.values[0]);
  }
}

TEST(Supernet, WinnersAreTheFrontOnTheTestSplit) {
  const Elastic elastic;
  const std::string path = elastic.trained(3);
  const std::string database = elastic.data.scratch.path("s.db");
  testing::run_study(elastic.study("s"), database);
  const Store store(database, Store::Mode::read);
  const Winners winners = test_winners(store, "s", resources(), {.threads = 2});
  ASSERT_FALSE(winners.winners.empty());
  const LabelledImages test = load_test_split(elastic.data.folder);
  const Dataset set = load_dataset(elastic.data.folder);
  for (const Winner& winner : winners.winners) {
    const std::string file = elastic.data.scratch.path("winner.ckpt");
    write_checkpoint(file, winner.checkpoint);
    const LoadedModel model = load_model(file, resources());
    const Design design{model.network, {}, std::make_shared<Weights>(model.weights)};
    EXPECT_EQ(evaluate_classifier(design, test, set.normalisation, {}).accuracy, winner.test_accuracy);
    EXPECT_DOUBLE_EQ(100 * winner.validation_accuracy, winner.member.values[0]);
  }
  Json plain = testing::small_study("plain");
  testing::run_study(plain, database);
  EXPECT_NE(what_of([&] { test_winners(store, "plain", resources(), {.threads = 1}); }).find("evaluator 'supernet'"),
            std::string::npos);
}

TEST(Supernet, RankingComparesWithTrainingAlone) {
  const Elastic elastic;
  const Supernet supernet = Supernet::load(elastic.trained(3), resources());
  RankingConfig config;
  config.candidates = 5;
  config.folder = elastic.data.scratch.path("");
  config.alone = elastic.data.config(2);
  const SupernetRanking ranking = rank_candidates(supernet, resources(), config, {});
  ASSERT_EQ(ranking.candidates.size(), 5U);
  double concordance = 0, ties_a = 0, ties_b = 0, mean = 0, best = -1, best_alone = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const RankedCandidate& a = ranking.candidates[i];
    mean += a.alone_accuracy / 5;
    if (a.inherited_accuracy > best) {
      best = a.inherited_accuracy;
      best_alone = a.alone_accuracy;
    }
    for (std::size_t k = 0; k < i; ++k) {
      const RankedCandidate& b = ranking.candidates[k];
      EXPECT_GE(a.macs, b.macs);
      const double x = a.inherited_accuracy - b.inherited_accuracy, y = a.alone_accuracy - b.alone_accuracy;
      concordance += x * y > 0 ? 1 : x * y < 0 ? -1 : 0;
      ties_a += x == 0 ? 1 : 0;
      ties_b += y == 0 ? 1 : 0;
    }
  }
  const double pairs = std::sqrt((10 - ties_a) * (10 - ties_b));
  EXPECT_NEAR(ranking.kendall, pairs > 0 ? concordance / pairs : 0.0, 1e-12);
  EXPECT_NEAR(ranking.relative_improvement, 100 * (best_alone - mean) / mean, 1e-9);
  // What is trained is not trained again, and says the same.
  const SupernetRanking again = rank_candidates(supernet, resources(), config, {});
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(again.candidates[i].alone_accuracy, ranking.candidates[i].alone_accuracy);
  }
}

TEST(Supernet, WhatDoesNotFitIsSaid) {
  const Elastic elastic;
  const std::string path = elastic.trained(1);
  EXPECT_NE(what_of([&] { load_model(path, resources()); }).find("ridgeline extract"), std::string::npos);
  const StripedData& data = elastic.data;
  data.train(data.config(1), "alone.ckpt");
  EXPECT_NE(what_of([&] { Supernet::load(data.scratch.path("alone.ckpt"), resources()); }).find("--supernet"),
            std::string::npos);
  const std::string database = data.scratch.path("s.db");
  const auto message = [&](const Json& study) {
    return what_of([&] {
      const std::string file = data.scratch.write("study.json", study.dump());
      load_study(file, {}, resources());
    });
  };
  Json study = elastic.study("s");
  EXPECT_EQ(message(study), "");
  study["space"] = data.space;
  EXPECT_NE(message(study).find("space 'elastic'"), std::string::npos);
  study = elastic.study("s");
  study["objectives"][0]["from"]["checkpoint"] = "nowhere.ckpt";
  EXPECT_NE(message(study).find("objectives[0].from.checkpoint"), std::string::npos);
  study["objectives"][0]["from"]["checkpoint"] = path;
  study["objectives"][0]["from"]["data"] = data.scratch.path("nowhere");
  EXPECT_NE(message(study).find("objectives[0].from.data"), std::string::npos);
  std::string changed = elastic_space;
  changed.replace(changed.find("[4, 8, 12]"), 10, "[4, 8, 16]");
  data.scratch.write("elastic.json", changed);
  EXPECT_NE(what_of([&] { Supernet::load(path, resources()); }).find("the space has changed"), std::string::npos);
}

}  // namespace
}  // namespace ridgeline
