// Supernets trained through number formats, from the command's side: candidates, the evaluator, extraction, ranking,
// and training that begins with another checkpoint's weights.
#include <gtest/gtest.h>

#include "experiments/training/evaluate.hpp"
#include "experiments/training/ranking.hpp"
#include "experiments/training/supernet.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/training/winners.hpp"
#include "kernels/executable.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/config_error.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using testing::resources;
using testing::StripedData;
using testing::what_of;

const char* const mixed_space = R"({
  "ridgeline_space": 1, "name": "mixed", "about": "", "source": "",
  "parameters": {"classes": 3, "channels": 1},
  "dimensions": [
    {"name": "width", "choices": [4, 8, 12], "ordered": true},
    {"name": "depth", "choices": [1, 2], "ordered": true},
    {"name": "format", "group": "precision", "repeat": 2, "choices": ["int3", "int8", "f32"], "ordered": true}
  ],
  "network": {"input": ["channels", 8, 8], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3, "weights": "format[0]", "activations": "format[0]"},
    {"op": "batch_norm"}, {"op": "relu"},
    {"repeat": "depth", "index": "slot", "weights": "format[1]", "activations": "format[1]", "body": [
      {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "batch_norm"}, {"op": "relu"}]},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}]}
})";

struct Mixed {
  Mixed() : space(data.scratch.write("mixed.json", mixed_space)) {}
  TrainConfig config(int epochs, const std::string& formats = by_genes) const {
    TrainConfig made = data.config(epochs);
    made.average_decay = 0.9;
    made.supernet.emplace();
    if (!formats.empty()) made.quantize = TrainingFormats{formats, RoundingWay::fake};
    return made;
  }
  TrainResult train(const TrainConfig& made, const std::string& name) const {
    return train_model({space, {}, {}}, resources(), made, path(name));
  }
  std::string path(const std::string& name) const { return data.scratch.path(name); }
  double accuracy(const Design& design) const {
    const Dataset set = load_dataset(data.folder);
    return evaluate_classifier(design, set.validation, set.normalisation, {.emulation = Emulation::missing}).accuracy;
  }
  StripedData data;
  std::string space;
};

TEST(QuantizedSupernetTraining, CandidatesEvaluateInTheirFormatsAsTheTrainingSaid) {
  const Mixed mixed;
  const TrainResult result = mixed.train(mixed.config(8), "supernet.ckpt");
  const EpochRecord& last = result.checkpoint.history.back();
  EXPECT_GT(last.validation_accuracy, 0.9);
  EXPECT_GT(*last.smallest_accuracy, 0.6);
  ASSERT_TRUE(result.step_times);
  EXPECT_GT(result.step_times->plain_s, 0.0);
  for (const double way : result.step_times->ways) EXPECT_GT(way, 0.0);
  const Supernet supernet = Supernet::load(mixed.path("supernet.ckpt"), resources());
  const Dataset set = load_dataset(mixed.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 2);
  const auto executed = [&](const Genome& genome) { return supernet.candidate(genome, recalibration).executed(); };
  EXPECT_EQ(mixed.accuracy(executed(largest_genome(supernet.space()))), last.validation_accuracy);
  EXPECT_EQ(mixed.accuracy(executed(smallest_genome(supernet.space()))), *last.smallest_accuracy);
}

TEST(QuantizedSupernetTraining, GoesOnAfterAnInterruptionBitForBit) {
  const Mixed mixed;
  const TrainResult whole = mixed.train(mixed.config(3), "whole.ckpt");
  std::atomic<bool> stop = false;
  TrainHooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](const TrainProgress& now) { stop = now.epoch == 2 && now.step > 1; };
  const TrainConfig config = mixed.config(3);
  EXPECT_TRUE(train_model({mixed.space, {}, {}}, resources(), config, mixed.path("cut.ckpt"), hooks).stopped);
  const TrainResult cut = mixed.train(config, "cut.ckpt");
  EXPECT_EQ(cut.resumed_at, 1);
  EXPECT_EQ(cut.checkpoint.state.parameters, whole.checkpoint.state.parameters);
}

TEST(QuantizedSupernetTraining, AnExtractedCandidateAndTheEvaluatorAnswerAsTheSupernetDoes) {
  const Mixed mixed;
  mixed.train(mixed.config(3), "supernet.ckpt");
  const Supernet supernet = Supernet::load(mixed.path("supernet.ckpt"), resources());
  const Dataset set = load_dataset(mixed.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 1);
  Json study = testing::small_study("s");
  study["space"] = mixed.space;
  study["stop"]["trials"] = 10;
  study["batch"] = 5;
  study["objectives"][0] = {
      {"name", "accuracy"},
      {"unit", "%"},
      {"direction", "maximise"},
      {"from", {{"evaluator", "supernet"}, {"checkpoint", mixed.path("supernet.ckpt")}, {"data", mixed.data.folder}}}};
  const std::string database = mixed.path("s.db");
  testing::run_study(study, database);
  for (const Trial& trial : testing::trials_of(database, "s")) {
    const Inherited inherited = supernet.candidate(trial.genome, recalibration);
    EXPECT_EQ(inherited.plan, supernet.space().decode(trial.genome).precision);
    const double accuracy = mixed.accuracy(inherited.executed());
    EXPECT_DOUBLE_EQ(-trial.values[0], 100 * accuracy);
    write_checkpoint(mixed.path("candidate.ckpt"), supernet.extracted(trial.genome, inherited));
    const TrainedModel alone = load_trained_model(mixed.path("candidate.ckpt"), resources());
    EXPECT_EQ(mixed.accuracy(alone.in_formats ? *alone.in_formats : alone.design), accuracy);
  }
  for (const Winner& winner :
       test_winners(Store(database, Store::Mode::read), "s", resources(), {.threads = 1}).winners) {
    EXPECT_NEAR(100 * winner.validation_accuracy, winner.member.values[0], 1e-9);
  }
}

TEST(QuantizedSupernetTraining, BeginsWithASupernetInFullPrecision) {
  const Mixed mixed;
  const TrainResult plain = mixed.train(mixed.config(6, ""), "plain.ckpt");
  TrainConfig config = mixed.config(1);
  config.from = mixed.path("plain.ckpt");
  config.learning_rate = 1e-6;  // what is inherited stays; ranges begin with the first batch
  config.average_decay = 0;
  const TrainResult begun = mixed.train(config, "begun.ckpt");
  const std::vector<float>& before = plain.checkpoint.state.parameters;
  const std::vector<float>& after = begun.checkpoint.state.parameters;
  ASSERT_GT(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-3);
  EXPECT_NEAR(begun.checkpoint.history.back().validation_accuracy, plain.checkpoint.history.back().validation_accuracy,
              0.05);
  // The same command goes on; without --from, or from another one, it is another training.
  EXPECT_EQ(mixed.train(config, "begun.ckpt").resumed_at, 1);
  TrainConfig other = config;
  other.from.clear();
  EXPECT_NE(what_of([&] { mixed.train(other, "begun.ckpt"); }).find("training.from"), std::string::npos);
  other.from = mixed.path("begun.ckpt");
  EXPECT_NE(what_of([&] { mixed.train(other, "begun.ckpt"); }).find("training.from"), std::string::npos);
}

TEST(QuantizedSupernetTraining, WinnersAreTrainedOnInTheirFormats) {
  const Mixed mixed;
  mixed.train(mixed.config(2), "supernet.ckpt");
  const Supernet supernet = Supernet::load(mixed.path("supernet.ckpt"), resources());
  const Dataset set = load_dataset(mixed.data.folder);
  const Recalibration recalibration(set.train, set.normalisation, Recalibration::usual_images, 1);
  const Genome genome = smallest_genome(supernet.space());
  const Inherited inherited = supernet.candidate(genome, recalibration);
  write_checkpoint(mixed.path("candidate.ckpt"), supernet.extracted(genome, inherited));
  TrainConfig config = mixed.config(6);
  config.supernet.reset();
  config.from = mixed.path("candidate.ckpt");
  ModelSource model{mixed.space, supernet.checkpoint().model.parameters, genome};
  const TrainResult tuned = train_model(model, resources(), config, mixed.path("tuned.ckpt"));
  EXPECT_GT(tuned.checkpoint.history.back().validation_accuracy, mixed.accuracy(inherited.executed()));
  config.from = mixed.path("supernet.ckpt");
  EXPECT_NE(what_of([&] { train_model(model, resources(), config, mixed.path("other.ckpt")); }).find("one network"),
            std::string::npos);
}

TEST(QuantizedSupernetTraining, RankingTrainsAloneInTheSameFormats) {
  const Mixed mixed;
  mixed.train(mixed.config(4), "supernet.ckpt");
  const Supernet supernet = Supernet::load(mixed.path("supernet.ckpt"), resources());
  RankingConfig config;
  config.candidates = 3;
  config.folder = mixed.path("");
  config.alone = mixed.config(2);
  config.alone.supernet.reset();
  config.alone.quantize.reset();
  const SupernetRanking ranking = rank_candidates(supernet, resources(), config, {});
  ASSERT_EQ(ranking.candidates.size(), 3U);
  double loss = 0;
  for (const RankedCandidate& one : ranking.candidates) loss += (one.alone_accuracy - one.inherited_accuracy) / 3;
  EXPECT_DOUBLE_EQ(ranking.mean_loss, loss);
  EXPECT_EQ(trained_formats(read_checkpoint(mixed.path("candidate_00.ckpt"))), by_genes);
}

TEST(QuantizedSupernetTraining, SpacesWithoutPrecisionGenesHaveNone) {
  const Mixed mixed;
  std::string text = mixed_space;
  text.replace(text.find("\"group\": \"precision\", "), 22, "");
  const std::string space = mixed.data.scratch.write("plain.json", text);
  const std::string said = what_of([&] {
    train_model({space, {}, {}}, resources(), mixed.config(1), mixed.path("s.ckpt"));
  });
  EXPECT_NE(said.find("precision genes"), std::string::npos) << said;
}

}  // namespace
}  // namespace ridgeline
