// What a study begins with that others have found: which study, which of its candidates, and that it is recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/study/warm_start.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;

SearchSpace space_of(const std::string& dimensions) {
  return SearchSpace::parse(JsonDocument::parse(R"({"ridgeline_space": 1, "name": "toy", "dimensions": )" + dimensions +
                                                    R"(, "network": {"input": [1, 4, 4], "body": [{"op": "relu"}]}})",
                                                "toy.json"));
}

TEST(Similarity, OfSpacesIsTheShareOfChoicesInBoth) {
  const SearchSpace a = space_of(R"([{"name": "depth", "choices": [1, 2, 3]}, {"name": "width", "choices": [8, 16]}])");
  const SearchSpace b =
      space_of(R"([{"name": "depth", "choices": [2, 3, 4, 5]}, {"name": "kernel", "choices": [3, 5]}])");
  EXPECT_DOUBLE_EQ(similarity(a, a), 1.0);
  EXPECT_DOUBLE_EQ(similarity(a, b), (2.0 / 5.0 + 0.0 + 0.0) / 3.0);
  EXPECT_DOUBLE_EQ(similarity(b, a), similarity(a, b));
}

TEST(Similarity, OfObjectivesIsByEvaluatorAndDevice) {
  const StudyConfig a = config_of(small_study("a"));
  Json changed = small_study("b");
  EXPECT_DOUBLE_EQ(similarity(a, config_of(changed), resources()), 1.0);
  changed["objectives"][1]["from"]["rule"] = {{"norm_macs", true}};
  EXPECT_DOUBLE_EQ(similarity(a, config_of(changed), resources()), (1.0 + 0.75) / 2.0);  // one of two options agrees
  changed["objectives"][1]["direction"] = "maximise";
  EXPECT_DOUBLE_EQ(similarity(a, config_of(changed), resources()), 1.0 / 3.0);
  const auto on = [](const char* device) {
    Json study = small_study("c");
    study["objectives"][1] = {{"name", "latency_s"},
                              {"direction", "minimise"},
                              {"from", {{"evaluator", "cost"}, {"device", device}, {"quantity", "latency_s"}}}};
    return config_of(study);
  };
  const double near = similarity(on("raspberry_pi_4"), on("raspberry_pi_4"), resources());
  const double far = similarity(on("raspberry_pi_4"), on("nvidia_t4"), resources());
  EXPECT_DOUBLE_EQ(near, 1.0);
  EXPECT_LT(far, near);
  EXPECT_GE(far, (1.0 + 0.75) / 2.0);  // the quantity agrees, whatever the devices' numbers
  EXPECT_DOUBLE_EQ(far, similarity(on("nvidia_t4"), on("raspberry_pi_4"), resources()));
}

class WarmStart : public ::testing::Test {
 protected:
  Json warm_study(const std::string& searcher = "nsga2") const {
    Json study = small_study("warm");
    study["searcher"] = {{"name", searcher}};
    study["warm_start"] = {{"from", {"cold"}}, {"trials", 8}};
    study["stop"]["trials"] = 40;
    return study;
  }
  std::string database_with_cold(const std::string& name) const {
    run_study(small_study("cold"), scratch_.path(name));
    return scratch_.path(name);
  }
  Scratch scratch_;
};

TEST_F(WarmStart, BeginsWithTheFrontOfTheOtherStudy) {
  const std::string database = database_with_cold("a.db");
  std::vector<Point> points;
  const std::vector<Trial> cold = trials_of(database, "cold");
  for (const Trial& trial : cold) points.push_back(trial.values);
  std::vector<Genome> front;
  for (const std::size_t i : non_dominated(points)) front.push_back(cold[i].genome);
  for (const char* searcher : {"nsga2", "mcts", "linas"}) {
    Json study = warm_study(searcher);
    study["name"] = std::string("warm_") + searcher;
    const StudyResult result = run_study(study, database);
    EXPECT_EQ(result.begun_with, "began with 8 candidates of 'cold' (similarity 1.00)");
    const std::vector<Trial> warm = trials_of(database, study["name"]);
    for (std::size_t i = 0; i < std::min<std::size_t>(8, front.size()); ++i) {
      EXPECT_THAT(front, ::testing::Contains(warm[i].genome)) << searcher << " " << i;
    }
  }
}

TEST_F(WarmStart, TheNearestStudyIsTaken) {
  const std::string database = database_with_cold("a.db");
  Json other = small_study("other");  // one objective of two
  other["objectives"].erase(1);
  run_study(other, database);
  for (const Json& from : {Json{"*"}, Json{"other", "cold"}}) {
    Json study = warm_study();
    study["name"] = "warm" + std::to_string(from.size());
    study["warm_start"]["from"] = from;
    EXPECT_THAT(run_study(study, database).begun_with, HasSubstr("8 candidates of 'cold'"));
  }
  Json study = warm_study();
  study["warm_start"]["from"] = {"other"};
  EXPECT_EQ(run_study(study, database).begun_with, "began with 4 candidates of 'other' (similarity 0.50)");
}

TEST_F(WarmStart, GoesOnTheSameWhateverBecomesOfTheOtherStudy) {
  for (const char* searcher : {"mcts", "regularized-evolution"}) {
    const std::string name = searcher;
    const std::string whole = database_with_cold(name + "_whole.db"), cut = database_with_cold(name + "_cut.db");
    run_study(warm_study(searcher), whole);
    Json half = warm_study(searcher);
    half["stop"]["trials"] = 13;
    run_study(half, cut);
    {
      Store store(cut, Store::Mode::write);
      store.remove_study(store.find("cold").value().id);
    }
    const StudyResult resumed = run_study(warm_study(searcher), cut);
    EXPECT_EQ(resumed.resumed, 13);
    expect_same_trials(trials_of(cut, "warm"), trials_of(whole, "warm"));
    // What is stored is enough by itself.
    const Store store(cut, Store::Mode::read);
    const StudyConfig stored = parse_study(JsonDocument::parse(store.find("warm")->config, "stored"));
    EXPECT_EQ(stored.warm->genomes.size(), 8U);
    EXPECT_EQ(stored.hash(), config_of(warm_study(searcher)).hash());
  }
}

TEST_F(WarmStart, CandidatesOfANarrowerSpaceKeepWhatTheyCan) {
  const std::string database = database_with_cold("a.db");
  const Resources here = resources();
  Json study = warm_study();
  const SearchSpace whole = here.load_space("nasbench_macro");
  const Dimension& first = whole.dims()[0];
  study["choices"] = {{first.name, {first.choices[0]}}};
  run_study(study, database);
  const Store store(database, Store::Mode::read);
  const StudyConfig stored = parse_study(JsonDocument::parse(store.find("warm")->config, "stored"));
  EXPECT_GT(stored.warm->similarity, 0.5);
  EXPECT_LT(stored.warm->similarity, 1.0);
  EXPECT_FALSE(stored.warm->genomes.empty());
  for (const Json& genome : stored.warm->genomes) EXPECT_EQ(genome[0], 0);
}

TEST_F(WarmStart, GivenCandidatesAreTakenAsTheyAre) {
  Json study = warm_study();
  const SearchSpace space = resources().load_space("nasbench_macro");
  Rng rng(3);
  study["warm_start"] = {{"genomes", Json::array()}};
  std::vector<Genome> given;
  for (int i = 0; i < 3; ++i) given.push_back(space.sample(rng));
  study["warm_start"]["genomes"] = {given[0].genes, space.describe(given[1]), given[2].genes};
  EXPECT_EQ(run_study(study, scratch_.path("a.db")).begun_with, "began with 3 given candidates");
  const std::vector<Trial> trials = trials_of(scratch_.path("a.db"), "warm");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(trials[i].genome, given[i]);
}

TEST_F(WarmStart, WhatCannotBeIsRefusedWithARemedy) {
  const std::string database = database_with_cold("a.db");
  const auto message = [&](const Json& warm, const std::string& searcher = "nsga2") {
    Json study = warm_study(searcher);
    study["warm_start"] = warm;
    return what_of([&] { run_study(study, database); });
  };
  EXPECT_THAT(message({{"from", {"clod"}}}), ::testing::AllOf(HasSubstr("'clod'"), HasSubstr("did you mean 'cold'")));
  EXPECT_THAT(message({{"from", {"warm"}}}), HasSubstr("another study stored in"));
  EXPECT_THAT(message(Json::object()), HasSubstr("neither"));
  EXPECT_THAT(message({{"genomes", 3}}), HasSubstr("a list of candidates"));
  EXPECT_THAT(message({{"genomes", {{0, 1}}}}), HasSubstr("warm_start.genomes[0]"));
  EXPECT_THAT(message({{"from", {"cold"}}, {"trials", 0}}), HasSubstr("warm_start.trials"));
  EXPECT_THAT(message({{"from", {"cold"}}, {"form", 1}}), HasSubstr("warm_start.form"));
  EXPECT_THAT(message({{"from", {"cold"}}}, "exhaustive"), HasSubstr("leave the warm start out"));
  // Stored with one warm start, it is not gone on with by another.
  run_study(warm_study(), database);
  EXPECT_THAT(message({{"from", {"cold"}}, {"trials", 9}}), HasSubstr("warm"));
}

}  // namespace
}  // namespace ridgeline::testing
