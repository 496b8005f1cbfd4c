#include "experiments/study/study_variants.hpp"

#include <gmock/gmock.h>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StudyVariantsTest : public ::testing::Test {
 protected:
  Json study() const {
    Json study = small_study("main study");
    study["searcher"] = {{"name", "nsga2"}, {"population", 12}};
    study["about"] = "the study itself";
    study["compare"] = {
        {{"name", "random"},
         {"about", "no search"},
         {"override", {{"searcher", {{"name", "random"}, {"population", nullptr}}}}}},
        {{"name", "int8"}, {"override", {{"precision", "int8"}, {"stop", {{"wall_s", 5}}}, {"seed", 3}}}}};
    return study;
  }
  StudyConfig load(const Json& text, const std::vector<std::string>& overrides = {}) {
    return load_study(scratch_.write("study.json", text.dump()), overrides, resources());
  }
  // What is said of a single variant with this override.
  std::string refusal(const Json& override_patch, const std::string& name = "v") {
    Json one = study();
    one["compare"] = {{{"name", name}, {"override", override_patch}}};
    return what_of([&] { load(one); });
  }
  Scratch scratch_;
};

TEST_F(StudyVariantsTest, AVariantIsTheStudyMergedWithItsOverride) {
  const StudyConfig config = load(study());
  ASSERT_EQ(config.variants.size(), 2U);
  const StudyConfig random = variant_of(config, config.variants[0]), int8 = variant_of(config, config.variants[1]);
  EXPECT_EQ(random.name, "main study/random");
  EXPECT_EQ(random.searcher, "random");
  EXPECT_EQ(random.searcher_options, Json::object());
  EXPECT_EQ(random.seed, config.seed);
  EXPECT_EQ(random.stop.trials, 50);
  EXPECT_EQ(random.canonical.at("about"), "no search");
  EXPECT_TRUE(random.variants.empty());
  EXPECT_EQ(int8.searcher_options, (Json{{"population", 12}}));
  EXPECT_EQ(int8.precision, "int8");
  EXPECT_EQ(int8.seed, 3U);
  EXPECT_EQ(int8.stop.trials, 50);
  EXPECT_EQ(int8.stop.wall_s, 5.0);
  EXPECT_FALSE(int8.canonical.contains("about"));
}

TEST_F(StudyVariantsTest, OverridesOfTheCommandLineReachVariants) {
  const StudyConfig config = load(study(), {"name=other", "stop.trials=9", "seed=4", "compare[1].override.seed=5"});
  const StudyConfig random = variant_of(config, config.variants[0]), int8 = variant_of(config, config.variants[1]);
  EXPECT_EQ(random.name, "other/random");
  EXPECT_EQ(random.stop.trials, 9);
  EXPECT_EQ(random.seed, 4U);
  EXPECT_EQ(int8.seed, 5U);
  EXPECT_TRUE(load(study(), {"compare=[]"}).variants.empty());
}

TEST_F(StudyVariantsTest, VariantsDoNotChangeTheStudysHash) {
  Json without = study();
  without.erase("compare");
  EXPECT_EQ(load(study()).hash(), load(without).hash());
  const std::string database = scratch_.path("study.db");
  run_study(without, database);
  const StudyResult again = run_study(study(), database);
  EXPECT_EQ(again.resumed, 50);
  EXPECT_EQ(again.trials, 50);
}

TEST_F(StudyVariantsTest, NamesAreReadBackFromStoredOnes) {
  EXPECT_EQ(variant_in("a", variant_study_name("a", "b")), "b");
  EXPECT_EQ(variant_in("a/b", "a/b/c"), "c");
  EXPECT_EQ(variant_in("a", "a/b/c"), "");  // a variant of "a/b"
  EXPECT_EQ(variant_in("a", "ab/c"), "");
  EXPECT_EQ(variant_in("a", "a"), "");
}

TEST_F(StudyVariantsTest, BadEntriesAreRefusedTogether) {
  Json bad = study();
  bad["compare"] = Json::parse(R"([
    {"name": "a/b", "override": {}}, {"name": "main", "override": {}}, {"name": "", "override": {}}, 7,
    {"name": "twice", "override": {}}, {"name": "twice", "override": {}},
    {"nmae": "c", "override": {}}, {"name": "d", "override": "random"},
    {"name": "e", "override": {"name": "x", "compare": [], "about": "y", "ridgeline_study": 1}}, {"name": "f"}])");
  const std::string message = what_of([&] { load(bad); });
  for (const char* expected : {
           "compare[0].name: expected a name without '/', found 'a/b'",
           "compare[1].name: expected another name, found 'main'",
           "compare[2].name: expected a name without '/', found ''",
           "compare[3]: expected an object, found 7",
           "compare[5].name: expected names that differ, found 'twice' twice",
           "compare[6].nmae: expected a known key, found 'nmae'; did you mean 'name'?",
           "compare[7].override: expected an object",
           "compare[8].override.name: expected what the search does otherwise",
           "compare[8].override.compare: expected what the search does otherwise",
           "compare[8].override.about: expected what the search does otherwise",
           "compare[9].override: expected",
       }) {
    EXPECT_THAT(message, HasSubstr(expected));
  }
}

TEST_F(StudyVariantsTest, WhatAnOverrideBreaksIsNamedAtItsPlace) {
  EXPECT_THAT(refusal({{"seracher", {{"name", "random"}}}}),
              AllOf(HasSubstr("study.json: compare[0].override.seracher"), HasSubstr("did you mean 'searcher'?")));
  EXPECT_THAT(refusal({{"searcher", {{"name", "nsga4"}}}}),
              AllOf(HasSubstr("compare[0].override.searcher.name"), HasSubstr("did you mean 'nsga2'?")));
  EXPECT_THAT(refusal({{"space", "nasbench_marco"}}),
              AllOf(HasSubstr("compare[0].override.space"), HasSubstr("did you mean 'nasbench_macro'?")));
  EXPECT_THAT(refusal({{"stop", {{"trials", 0}}}}), HasSubstr("compare[0].override.stop.trials: expected an integer"));
  // The study's own population stays where the override only names another searcher.
  const std::string inherited = refusal({{"searcher", {{"name", "random"}}}});
  EXPECT_THAT(inherited, AllOf(HasSubstr("compare[0].override.searcher"), HasSubstr("'population'"),
                               HasSubstr("null takes it away")));
  const Json objective = {
      {"name", "macs"}, {"direction", "minimise"}, {"from", {{"evaluator", "count"}, {"quantity", "macs"}}}};
  EXPECT_THAT(refusal({{"objectives", {objective}}}),
              AllOf(HasSubstr("compare[0].override: expected the study's own objectives"),
                    HasSubstr("'macs' is minimised, without a unit, where 'parameters' is maximised")));
  EXPECT_EQ(refusal({{"precision", "bf16"}}), "");
  EXPECT_THAT(refusal({{"choices", {{"block", {"skip"}}}}}),
              AllOf(HasSubstr("study.json: compare[0].override.choices.block: expected a dimension of the space"),
                    HasSubstr("known: ")));
}

TEST_F(StudyVariantsTest, AProblemOfTheStudyIsSaidOnce) {
  Json bad = study();
  bad["batch"] = 0;
  const std::string message = what_of([&] { load(bad); });
  EXPECT_THAT(message, AllOf(HasSubstr("batch: expected"), Not(HasSubstr("compare"))));
}

}  // namespace
}  // namespace ridgeline::testing
