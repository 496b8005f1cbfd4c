#include "experiments/study/study_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StudyConfigTest : public ::testing::Test {
 protected:
  StudyConfig load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return load_study(scratch_.write("study.json", text), overrides, resources());
  }
  std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return what_of([&] { load(text, overrides); });
  }
  std::string good() const { return small_study("good").dump(); }
  Scratch scratch_;
};

TEST_F(StudyConfigTest, ReadsEverything) {
  const StudyConfig config = load(R"(/* all keys */ {
    "ridgeline_study": 1, "name": "demo", "about": "all keys", "space": "nasbench_macro", "seed": 9,
    "parameters": {"classes": 100}, "batch_images": 4, "precision": "int8",
    "searcher": {"name": "nsga2", "population": 20}, "batch": 20,
    "objectives": [
      {"name": "entropy", "direction": "maximise", "from": {"evaluator": "proxy", "quantity": "entropy"}},
      {"name": "latency_s", "unit": "s", "direction": "minimise", "limit": 0.02,
       "screen": {"evaluator": "count", "quantity": "macs", "keep": 0.25},
       "from": {"evaluator": "measured", "threads": 2, "cache": "cold"}}],
    "constraints": [{"name": "parameters", "limit": 5e6, "from": {"evaluator": "count", "quantity": "parameters"}},
                    {"name": "depth", "direction": "maximise", "limit": 0.1,
                     "from": {"evaluator": "proxy", "quantity": "effectiveness"}}],
    "stop": {"trials": 200, "wall_s": 600, "stagnation": 100}, "threads": 2, "verify_front": false })");
  EXPECT_EQ(config.name, "demo");
  EXPECT_EQ(config.seed, 9U);
  EXPECT_EQ(config.space_options.batch, 4);
  EXPECT_EQ(config.space_options.parameters.at("classes"), Json(100));
  EXPECT_EQ(config.precision, "int8");
  EXPECT_EQ(config.searcher, "nsga2");
  EXPECT_EQ(config.searcher_options, (Json{{"population", 20}}));
  EXPECT_EQ(config.batch, 20);
  ASSERT_EQ(config.objectives.size(), 4U);
  EXPECT_EQ(config.objectives[0].objective.direction, Direction::maximise);
  EXPECT_FALSE(config.objectives[0].screen.has_value());
  EXPECT_EQ(config.objectives[1].objective.limit, 0.02);
  EXPECT_EQ(config.objectives[1].keep, 0.25);
  EXPECT_EQ(*config.objectives[1].screen, (Json{{"evaluator", "count"}, {"quantity", "macs"}}));
  EXPECT_TRUE(config.objectives[2].objective.constraint_only);
  EXPECT_EQ(config.objectives[2].objective.direction, Direction::minimise);
  EXPECT_EQ(config.objectives[3].objective.direction, Direction::maximise);
  EXPECT_EQ(config.stop.trials, 200);
  EXPECT_EQ(config.stop.wall_s, 600.0);
  EXPECT_EQ(config.stop.stagnation, 100);
  EXPECT_EQ(config.threads, 2);
  EXPECT_FALSE(config.verify_front);
  // What is stored with a study reads as the same study.
  EXPECT_EQ(parse_study(JsonDocument::parse(config.canonical.dump(), "stored")).hash(), config.hash());
}

TEST_F(StudyConfigTest, HashIsOfWhatDecidesTheTrials) {
  const std::uint64_t hash = load(good()).hash();
  for (const char* harmless : {"name=other", "stop.trials=7", "stop.wall_s=5", "threads=1", "verify_front=true"}) {
    EXPECT_EQ(load(good(), {harmless}).hash(), hash) << harmless;
  }
  for (const char* decisive : {"seed=8", "batch=11", "searcher.name=nsga2", "objectives[0].limit=5", "precision=int8",
                               "objectives[1].from.quantity=peak_bytes", "objectives[1].name=other"}) {
    EXPECT_NE(load(good(), {decisive}).hash(), hash) << decisive;
  }
}

TEST_F(StudyConfigTest, OverridesReplaceAndAdd) {
  const StudyConfig config =
      load(good(), {"searcher={\"name\": \"nsga2\"}", "searcher.population=12", "objectives[1].limit=1e7", "name=a=b",
                    "stop.trials=99", "space=nasbench201"});
  EXPECT_EQ(config.searcher, "nsga2");
  EXPECT_EQ(config.searcher_options, (Json{{"population", 12}}));
  EXPECT_EQ(config.objectives[1].objective.limit, 1e7);
  EXPECT_EQ(config.name, "a=b");
  EXPECT_EQ(config.stop.trials, 99);
  EXPECT_EQ(config.canonical["stop"]["trials"], 99);
}

TEST_F(StudyConfigTest, BadOverridesAreNamed) {
  const std::string message = refusal(good(), {"trials", "=5", "objectives[7].limit=1", "objectives[x]=1",
                                               "name.first=x", "a..b=1", "searcher={\"a\":"});
  EXPECT_THAT(message, HasSubstr("--set: trials: expected path=value"));
  EXPECT_THAT(message, HasSubstr("--set: =5: expected a path"));
  EXPECT_THAT(message,
              HasSubstr("--set: objectives[7].limit=1: expected an array with an element 7, found an array of 2"));
  EXPECT_THAT(message, HasSubstr("--set: objectives[x]=1: expected a path"));
  EXPECT_THAT(message, HasSubstr("--set: name.first=x: expected an object that holds 'first'"));
  EXPECT_THAT(message, HasSubstr("--set: a..b=1: expected a path"));
  EXPECT_THAT(message, HasSubstr("--set: searcher={\"a\":: expected a JSON value"));
  EXPECT_THAT(refusal(good(), {"stop.trials=-3"}),
              HasSubstr("--set stop.trials=-3: stop.trials: expected an integer of at "
                        "least 1, found -3"));
  EXPECT_THAT(refusal(good(), {"stop.trails=3"}), AllOf(HasSubstr("'trails'"), HasSubstr("did you mean 'trials'")));
}

TEST_F(StudyConfigTest, ReportsEveryMistakeTogetherWithPlaceAndRemedy) {
  const std::string message = refusal(R"({
    "ridgeline_study": 2, "name": "", "space": "nasbench_marco", "seed": -1, "batch_images": 0, "precision": "int7.5",
    "searcher": {"name": "nsga4", "population": 20}, "batch": 0, "thraeds": 2,
    "objectives": [
      {"name": "accuracy", "unit": "%", "direction": "up", "from": {"evaluator": "tabel", "table": "nasbench_macro"}},
      {"name": "accuracy", "direction": "minimise", "limit": "low", "from": {"evaluator": "count", "quantity": "mac"}},
      {"name": "latency_s", "direction": "minimise", "screen": {"evaluator": "cost", "device": "rasberry_pi_4", "keep": 2},
       "from": {"evaluator": "measured", "threads": 0, "chache": "hot", "min_samples": 10, "max_samples": 5}},
      7],
    "constraints": [{"name": "size", "from": {"evaluator": "count", "quantity": "parameters"}}],
    "stop": {"trials": 0, "wall_s": -1, "stagnation": 1.5} })");
  for (const char* expected : {
           "study.json: ridgeline_study: expected an integer from 1 to 1, found 2",
           "name: expected a name",
           "did you mean 'nasbench_macro'",
           "seed: expected an integer of at least 0",
           "batch_images: expected",
           "precision: expected",
           "searcher.name: expected the name of a searcher, found 'nsga4'; did you mean 'nsga2'",
           "batch: expected",
           "thraeds: expected a known key, found 'thraeds'; did you mean 'threads'",
           "objectives[0].direction: expected a known name, found 'up'",
           "objectives[0].from.evaluator: expected the name of an evaluator, found 'tabel'; did you mean 'table'",
           "objectives[1].name: expected names that differ",
           "objectives[1].limit: expected a number, found \"low\"",
           "objectives[1].from.quantity: expected a known name, found 'mac'; did you mean 'macs'",
           "objectives[2].screen.device: expected the name of a shipped device",
           "did you mean 'raspberry_pi_4'",
           "objectives[2].screen.keep: expected a number from 0 to 1",
           "objectives[2].from.threads: expected an integer",
           "objectives[2].from.chache: expected a known key, found 'chache'; did you mean 'cache'",
           "objectives[2].from.max_samples: expected at least \"min_samples\"",
           "objectives[3]: expected an object, found 7",
           "constraints[0].limit: expected a number, found nothing",
           "stop.trials: expected",
           "stop.wall_s: expected",
           "stop.stagnation: expected an integer",
       }) {
    EXPECT_THAT(message, HasSubstr(expected));
  }
}

TEST_F(StudyConfigTest, NamesTheNearestTableAndColumn) {
  const auto with_table = [&](const std::string& table, const std::string& column) {
    Json study = small_study("t");
    study["objectives"][0]["from"] = {{"evaluator", "table"}, {"table", table}, {"column", column}};
    return refusal(study.dump());
  };
  EXPECT_THAT(with_table("nasbench_marco", "accuracy"),
              AllOf(HasSubstr("objectives[0].from.table"), HasSubstr("did you mean 'nasbench_macro'")));
  EXPECT_THAT(with_table("nasbench201", "accuracy"), HasSubstr("this table is of another space"));
  if (!std::filesystem::exists(data_folder() + "/tables")) GTEST_SKIP() << "no tables in " << data_folder();
  EXPECT_THAT(with_table("nasbench_macro", "acuracy"),
              AllOf(HasSubstr("objectives[0].from.column"), HasSubstr("did you mean 'accuracy'")));
}

TEST_F(StudyConfigTest, ProblemsOfWhatItNamesAreReportedTogetherWithItsOwn) {
  const std::string space = scratch_.write("space.json", R"({"ridgeline_space": 1, "name": "x", "dimensionz": []})");
  const std::string message = refusal(good(), {"space=" + space, "searcher.name=nsga2", "stop.trials=0"});
  EXPECT_THAT(message, AllOf(HasSubstr(space), HasSubstr("dimensionz"), HasSubstr("stop.trials")));
  EXPECT_THAT(refusal(good(), {"searcher.poplation=5", "searcher.name=nsga2"}),
              AllOf(HasSubstr("searcher"), HasSubstr("did you mean 'population'")));
}

TEST_F(StudyConfigTest, SyntaxAndFiles) {
  EXPECT_THAT(refusal("{\"name\": }"), HasSubstr("line 1"));
  EXPECT_THAT(refusal(good(), {"name=\"a\\nb\""}), HasSubstr("printable characters"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("an object at the top level"));
  EXPECT_THAT(refusal(""), HasSubstr("study.json"));
  EXPECT_THAT(refusal(good() + "{"), HasSubstr("study.json"));
  EXPECT_THAT(what_of([&] { load_study("none/at/all.json", {}, resources()); }), HasSubstr("no such file"));
  EXPECT_THAT(refusal("{\"ridgeline_study\": 1, \"ridgeline_study\": 1}"), HasSubstr("twice"));
}

TEST_F(StudyConfigTest, PrecisionIsWhatEveryConsumerSees) {
  const StudyConfig config = load(good(), {"precision=int8"});
  const SearchSpace space = SearchSpace::load(resources().space(config.space));
  const Genome genome{{1, 2, 0, 1, 2, 0, 1, 2}};
  const Design design = decode_for(config, space, genome);
  std::size_t convolutions = 0;
  for (NodeId node = 0; node < design.network.size(); ++node) {
    const OpKind kind = design.network.op(node).kind;
    if (kind != OpKind::conv2d && kind != OpKind::linear) continue;
    ++convolutions;
    EXPECT_EQ(design.precision.at(node).activations, int8);
    EXPECT_EQ(design.precision.at(node).weights, Format::parse("int8@channel"));
  }
  EXPECT_GT(convolutions, 8U);
  EXPECT_NE(function_hash(design), function_hash(space.decode(genome)));
  const std::string mixed = refusal(good(), {"space=mobilenet_v2_mixed", "precision=int8"});
  EXPECT_THAT(mixed, HasSubstr("precision genes of its own"));
}

}  // namespace
}  // namespace ridgeline::testing
