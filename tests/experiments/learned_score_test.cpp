// Learnt scores of every kind: learnt, stored, read again, led a search by; and exported.
#include "experiments/report/learned_score.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "experiments/report/predictor_export.hpp"
#include "kernels/executable.hpp"
#include "spaces/onnx/import.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

class LearnedScoreTest : public ::testing::Test {
 protected:
  LearnedScoreTest() {
    Json study = small_study("first");
    study["stop"]["trials"] = 60;
    study["objectives"][1] = Json::parse(R"({"name": "latency_s", "unit": "s", "direction": "minimise",
        "from": {"evaluator": "cost", "device": "raspberry_pi_4", "quantity": "latency_s"}})");
    run_study(study, database_);
    options_.study = "first";
    options_.objective = "latency_s";
  }
  LearnedScore learnt() const {
    const Store store(database_, Store::Mode::read);
    return learn_score(store, resources(), options_);
  }
  std::vector<Genome> drawn() const {
    Rng rng(17);
    std::vector<Genome> genomes;
    for (int i = 0; i < 30; ++i) genomes.push_back(space_->sample(rng));
    return genomes;
  }
  // Stored and read again, it says the same; a study that it leads has its values.
  void expect_remembered(const LearnedScore& score, const std::string& name) {
    const std::string path = scratch_.write(name + ".json", score.save().dump());
    const LearnedScore again = LearnedScore::load(path, space_, resources());
    EXPECT_EQ(again.form.text(), score.form.text());
    EXPECT_EQ(again.save(), score.save());
    const std::vector<Genome> genomes = drawn();
    EXPECT_EQ(again.predict(genomes), score.predict(genomes));
    Json study = small_study(name);
    study["stop"]["trials"] = 12;
    study["objectives"][1] = {{"name", "latency_s"},
                              {"unit", "s"},
                              {"direction", "minimise"},
                              {"from", {{"evaluator", "predictor"}, {"file", path}}}};
    run_study(study, database_);
    const std::vector<Trial> trials = trials_of(database_, name);
    ASSERT_EQ(trials.size(), 12U);
    for (const Trial& trial : trials) {
      EXPECT_EQ(trial.fidelity, Fidelity::predicted);
      EXPECT_DOUBLE_EQ(trial.values[1], score.predict({&trial.genome, 1})[0]);
    }
  }

  Scratch scratch_;
  std::string database_ = scratch_.path("r.db");
  std::shared_ptr<const SearchSpace> space_ =
      std::make_shared<const SearchSpace>(resources().load_space("nasbench_macro"));
  LearningOptions options_;
};

// One device's latency is close to a power of another's.
TEST_F(LearnedScoreTest, ATransferFromDevicesIsRemembered) {
  options_.prediction.predictor = "transfer";
  options_.from = OtherCostSource::parse("pixel_6,xeon_gold_6226");
  const LearnedScore score = learnt();
  EXPECT_EQ(score.form.text(), "transfer");
  EXPECT_GT(score.held_out.spearman, 0.97);
  EXPECT_LT(score.held_out.share(), 0.1);
  expect_remembered(score, "transferred");
  Json changed = score.save();
  changed["from"]["names"] = {"pixel_6"};
  const std::string path = scratch_.write("changed.json", changed.dump());
  EXPECT_THAT(what_of([&] { LearnedScore::load(path, space_, resources()); }), HasSubstr("train it again"));
}

TEST_F(LearnedScoreTest, AGraphNetworkIsRemembered) {
  options_.prediction.predictor = "graph";
  const LearnedScore score = learnt();
  EXPECT_EQ(score.form.text(), "graph, of the logarithm");
  expect_remembered(score, "graphs");
  options_.graph.pretrain = 60;
  const LearnedScore pretrained = learnt();
  EXPECT_GT(pretrained.held_out.spearman, 0.8);
  EXPECT_TRUE(pretrained.save().at("state").at("pretrained").get<bool>());
  expect_remembered(pretrained, "pretrained");
}

// A table has no row for most candidates: those cannot be predicted, and a search says so.
TEST_F(LearnedScoreTest, ATransferFromATableKnowsItsRows) {
  const Store store(database_, Store::Mode::read);
  std::string text = "arch,ms\n";
  for (const Trial& trial : store.load(store.find("first").value().id)) {
    const Design design = space_->decode(trial.genome);
    for (const std::uint16_t gene : trial.genome.genes) text += std::to_string(gene);
    text += "," + std::to_string(std::sqrt(trial.values[1]) * 1000.0) + "\n";
  }
  scratch_.write("other.csv", text);
  const std::string table = scratch_.write("other.json", R"({
      "ridgeline_table": 1, "name": "other", "source": "nowhere", "file": "other.csv", "space": "nasbench_macro",
      "key": [{"column": "arch", "genes": ["layer"], "digits": true,
               "words": {"0": "id", "1": "ir_3x3_t3", "2": "ir_5x5_t6"}}],
      "values": {"latency_s": {"column": "ms", "unit": "s", "direction": "minimise", "scale": 0.001}}})");
  options_.prediction.predictor = "transfer";
  options_.from = OtherCostSource::parse(table + ":latency_s");
  const LearnedScore score = learnt();
  EXPECT_GT(score.held_out.spearman, 0.999);  // its square root
  const Trial known = store.load(store.find("first").value().id).front();
  EXPECT_NEAR(score.predict({&known.genome, 1})[0] / known.values[1], 1.0, 0.02);
  Genome other = known.genome;
  const auto is_known = [&] { return std::isfinite(score.predict({&other, 1})[0]); };
  Rng rng(3);
  while (is_known()) other = space_->sample(rng);
  const std::string path = scratch_.write("score.json", score.save().dump());
  Json study = small_study("table");
  study["stop"]["trials"] = 12;
  study["objectives"][1] = {{"name", "latency_s"},
                            {"unit", "s"},
                            {"direction", "minimise"},
                            {"from", {{"evaluator", "predictor"}, {"file", path}}}};
  study["seed"] = 8;
  run_study(study, database_);
  const std::vector<Trial> trials = trials_of(database_, "table");
  EXPECT_TRUE(std::ranges::any_of(trials, [](const Trial& trial) {
    return trial.status == Status::unsupported && trial.reason.find("transfer") != std::string::npos;
  }));
}

TEST_F(LearnedScoreTest, SourcesThatDoNotFitAreExplained) {
  options_.prediction.predictor = "transfer";
  EXPECT_THAT(what_of([&] { learnt(); }), HasSubstr("--from"));
  options_.from = OtherCostSource::parse("pixel_7");
  EXPECT_THAT(what_of([&] { learnt(); }), HasSubstr("pixel_6"));
  options_.from = OtherCostSource::parse("pixel_6");
  options_.prediction.predictor = "ridge";
  EXPECT_THAT(what_of([&] { learnt(); }), HasSubstr("--predictor transfer"));
  EXPECT_EQ(OtherCostSource::parse("a/b:c.json:x,y").text(), "a/b:c.json:x,y");
  EXPECT_EQ(OtherCostSource::parse("x,,y").names.size(), 2U);
}

// The model's examples, run here once more.
TEST_F(LearnedScoreTest, ModelsForOtherToolsSayTheSame) {
  for (const std::string name : {"ridge", "mlp"}) {
    options_.prediction = {name, FeatureChoice::genes};
    const LearnedScore score = learnt();
    const ExportedPredictor exported = export_predictor(score, true, "test");
    EXPECT_LT(exported.worst_difference, 1e-4) << name;
    const OnnxModel model = parse_onnx(exported.model, name);
    EXPECT_EQ(model.graph.inputs.at(0).shape, (Shape{symbolic_batch, std::ssize(exported.description.at("features"))}));
    EXPECT_EQ(Json::parse(model.metadata.at("features")), exported.description.at("features"));
    EXPECT_EQ(Json::parse(model.metadata.at("output")), exported.description.at("output"));
    Executable executable(import_onnx(model).design);
    for (const Json& example : exported.description.at("examples")) {
      const auto features = example.at("features").get<std::vector<float>>();
      ASSERT_EQ(features.size(), executable.input().size());
      std::ranges::copy(features, executable.input().begin());
      executable.run();
      const double output = example.at("output"), value = example.at("value");
      EXPECT_NEAR(executable.output()[0], output, 1e-4 * std::max(1.0, std::abs(output))) << name;
      const bool logarithm = exported.description.at("output") != "value";
      EXPECT_DOUBLE_EQ(logarithm ? std::exp(output) : output, value);
      const Genome genome{example.at("genes").get<std::vector<std::uint16_t>>()};
      EXPECT_DOUBLE_EQ(score.predict({&genome, 1})[0], value);
    }
  }
}

TEST_F(LearnedScoreTest, WhatCannotBeAModelIsExplained) {
  options_.prediction = {"gp", FeatureChoice::genes};
  const LearnedScore process = learnt();
  EXPECT_THAT(what_of([&] { export_predictor(process, true, "test"); }), HasSubstr("ridge or mlp"));
  const ExportedPredictor numbers = export_predictor(process, false, "test");
  EXPECT_TRUE(numbers.model.empty());
  EXPECT_EQ(numbers.description.at("numbers"), process.model().save());
  options_.prediction = {"transfer"};
  options_.from = OtherCostSource::parse("pixel_6");
  const LearnedScore transfer = learnt();
  EXPECT_THAT(what_of([&] { export_predictor(transfer, false, "test"); }), HasSubstr("rows of features"));
}

}  // namespace
}  // namespace ridgeline::testing
