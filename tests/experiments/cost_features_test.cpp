// Costs as features: against counts and estimates taken here one by one; by curves, learnt scores and searchers.
#include "experiments/cost_features.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "experiments/report/learned_score.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

std::vector<Genome> drawn(const SearchSpace& space, int count) {
  Rng rng(5);
  std::vector<Genome> genomes;
  for (int i = 0; i < count; ++i) genomes.push_back(space.sample(rng));
  return genomes;
}

TEST(CostFeatures, AreLogarithmsOfWhatCountsAndDevicesSay) {
  const SearchSpace space = resources().load_space("nasbench201");
  const CostFeatures features(space, resources(), {{"pixel_6", "nvidia_v100"}});
  const std::vector<std::string> names = features.names();
  const std::vector<Genome> genomes = drawn(space, 6);
  const Eigen::MatrixXd rows = features.rows(genomes);
  ASSERT_EQ(static_cast<std::size_t>(rows.cols()), names.size());
  const auto phone = load_device(resources().device("pixel_6")), array = load_device(resources().device("nvidia_v100"));
  ASSERT_TRUE(array->has_energy());
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    const Design design = space.decode(genomes[i]);
    const auto value = [&](const std::string& name) {
      const auto found = std::ranges::find(names, name);
      EXPECT_NE(found, names.end()) << name;
      return rows(static_cast<Eigen::Index>(i), found - names.begin());
    };
    EXPECT_DOUBLE_EQ(value("log macs"), std::log(static_cast<double>(macs(design.network))));
    EXPECT_DOUBLE_EQ(value("log weights"), std::log(static_cast<double>(parameters(design.network))));
    EXPECT_DOUBLE_EQ(value("log weight_bytes"),
                     std::log(static_cast<double>(weight_bytes(design.network, design.precision))));
    EXPECT_DOUBLE_EQ(value("log peak_bytes"),
                     std::log(static_cast<double>(peak_activation_bytes(design.network, design.precision))));
    EXPECT_DOUBLE_EQ(value("log latency_s of pixel_6"), std::log(phone->estimate(design).latency_s));
    EXPECT_EQ(value("pixel_6 cannot run it"), 0.0);
    const Cost cost = array->estimate(design);
    EXPECT_EQ(value("nvidia_v100 cannot run it"), cost.problem().empty() ? 0.0 : 1.0);
    EXPECT_DOUBLE_EQ(value("log energy_j of nvidia_v100"), cost.problem().empty() ? std::log(cost.energy_j) : 0.0);
  }
  // Formats count where they are given: bytes a quarter of those of f32 but for biases and norms.
  const CostFeatures small(space, resources(), {{}, "int8"});
  EXPECT_EQ(small.size(), 5U);
  EXPECT_LT(small.rows(genomes)(0, 3), rows(0, 3) - std::log(3.0));
  EXPECT_EQ(small.rows({}).rows(), 0);
}

TEST(CostFeatures, SayWhereADeviceCannotRun) {
  const SearchSpace space = resources().load_space("mobilenet_v2");
  const CostFeatures features(space, resources(), {{"stm32f412"}});
  const std::vector<std::string> names = features.names();
  const auto column = std::ranges::find(names, "stm32f412 cannot run it") - names.begin();
  const Eigen::MatrixXd rows = features.rows(drawn(space, 3));
  EXPECT_EQ(rows.col(column), Eigen::VectorXd::Ones(3));
  EXPECT_TRUE(rows.allFinite());
  EXPECT_THAT(what_of([&] { CostFeatures(space, resources(), {{"pixel_7"}}); }), HasSubstr("pixel_6"));
}

Json study_with(const std::string& name, const Json& searcher) {
  Json study = small_study(name);
  study["searcher"] = searcher;
  study["stop"]["trials"] = 30;
  study["objectives"][1] = Json::parse(R"({"name": "latency_s", "unit": "s", "direction": "minimise",
      "from": {"evaluator": "cost", "device": "raspberry_pi_4", "quantity": "latency_s"}})");
  return study;
}

std::string predicted_by(const StudyResult& result, std::size_t objective) {
  return result.searcher_notes.at("predictors").at(objective).value("predicted_by", "");
}

TEST(CostFeatures, LeadASearch) {
  Scratch scratch;
  const Json searcher = {{"name", "linas"}, {"device", "xeon_gold_6226"}, {"initial", 10}, {"round", 5},
                         {"population", 8}, {"generations", 2},           {"shaped", true}};
  run_study(study_with("unsaid", searcher), scratch.path("r.db"));  // costs are among what is tried
  EXPECT_EQ(trials_of(scratch.path("r.db"), "unsaid").size(), 30U);
  Json asked = searcher;
  asked["features"] = "genes+costs";
  asked["predictor"] = "ridge";
  const StudyResult said = run_study(study_with("said", asked), scratch.path("r.db"));
  EXPECT_EQ(predicted_by(said, 0), "ridge on genes+costs");
  asked = {{"name", "bayesian"}, {"features", "costs"}, {"pool", 40}};  // counts alone
  EXPECT_EQ(trials_of(scratch.path("r.db"), "said").size(), 30U);
  run_study(study_with("counts", asked), scratch.path("r.db"));
  EXPECT_EQ(trials_of(scratch.path("r.db"), "counts").size(), 30U);
}

TEST(CostFeatures, OptionsThatDoNotFitAreExplained) {
  Scratch scratch;
  const auto refused = [&](const Json& searcher) {
    return what_of([&] { run_study(study_with("refused", searcher), scratch.path("r.db")); });
  };
  EXPECT_THAT(refused({{"name", "linas"}, {"features", "genes"}, {"device", "pixel_6"}}), HasSubstr("genes+costs"));
  EXPECT_THAT(refused({{"name", "linas"}, {"device", "pixel_7"}}), HasSubstr("pixel_6"));
  EXPECT_THAT(refused({{"name", "linas"}, {"device", 7}}), HasSubstr("device"));
  EXPECT_THAT(refused({{"name", "nsga2"}, {"device", "pixel_6"}}), HasSubstr("device"));
  EXPECT_THAT(refused({{"name", "sequential"}, {"first", {{"name", "linas"}, {"features", "costs"}}}}),
              HasSubstr("features"));
}

// Learnt, saved, read again; and refused where the device has another file since.
TEST(CostFeatures, AreLearntFromAndRemembered) {
  Scratch scratch;
  const std::string database = scratch.path("r.db");
  Json study = study_with("first", {{"name", "random"}});
  study["stop"]["trials"] = 80;
  run_study(study, database);
  Json device = JsonDocument::load(resources().device("pixel_6")).value();
  const std::string file = scratch.write("phone.json", device.dump());

  const Store store(database, Store::Mode::read);
  LearningOptions options;
  options.study = "first";
  options.objective = "latency_s";
  options.prediction = {"ridge", FeatureChoice::costs};
  options.devices = {file};
  const LearnedScore costs = learn_score(store, resources(), options);
  EXPECT_THAT(costs.form.text(), HasSubstr("ridge on costs"));
  EXPECT_GT(costs.held_out.spearman, 0.95);
  const auto space = std::make_shared<const SearchSpace>(resources().load_space("nasbench_macro"));
  const std::string path = scratch.write("score.json", costs.save().dump());
  const LearnedScore again = LearnedScore::load(path, space, resources());
  const std::vector<Genome> genomes = drawn(*space, 5);
  EXPECT_EQ(again.predict(genomes), costs.predict(genomes));
  EXPECT_EQ(again.save(), costs.save());

  device["overhead_s"] = 1.0;
  scratch.write("phone.json", device.dump());
  EXPECT_THAT(what_of([&] { LearnedScore::load(path, space, resources()); }), HasSubstr("train it again"));
}

}  // namespace
}  // namespace ridgeline::testing
