// A joint search of architecture and number formats, from data to exported models, with one command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "child.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const char* const space = R"({
  "ridgeline_space": 1, "name": "small", "about": "", "source": "",
  "parameters": {"classes": 47, "channels": 1, "resolution": 32},
  "dimensions": [
    {"name": "width", "choices": [4, 8], "ordered": true},
    {"name": "depth", "choices": [1, 2], "ordered": true},
    {"name": "format", "group": "precision", "repeat": 2, "choices": ["int8", "f32"], "ordered": true}
  ],
  "network": {"input": ["channels", "resolution", "resolution"], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3, "stride": 4, "weights": "format[0]", "activations": "format[0]"},
    {"op": "batch_norm"}, {"op": "relu"},
    {"repeat": "depth", "index": "slot", "weights": "format[1]", "activations": "format[1]", "body": [
      {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "batch_norm"}, {"op": "relu"}]},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}]}
})";

Json joint_study() {
  return Json::parse(R"({
    "ridgeline_study": 1, "name": "joint", "space": "small.json", "searcher": {"name": "linas", "initial": 6, "round": 4},
    "batch": 4,
    "before": [
      {"run": ["data", "make", "glyphs", "--out", "set", "--train", "600", "--validation", "120", "--test", "120"],
       "makes": "set/dataset.json"},
      {"run": ["train", "small.json", "--supernet", "--data", "set", "--quantize", "genes", "--epochs", "1",
               "--threads", "1", "--out", "joint.ckpt"]}],
    "objectives": [
      {"name": "accuracy", "unit": "%", "direction": "maximise",
       "from": {"evaluator": "supernet", "checkpoint": "joint.ckpt", "data": "set"}},
      {"name": "weights", "unit": "B", "direction": "minimise",
       "from": {"evaluator": "count", "quantity": "weight_bytes"}}],
    "stop": {"trials": 12},
    "compare": [
      {"name": "sequential", "override": {"searcher": {"name": "sequential", "formats": "f32", "first_trials": 4,
       "initial": null, "round": null}}},
      {"name": "f32", "override": {"choices": {"format": ["f32"]}, "stop": {"trials": 4}}}],
    "after": [{"run": ["winners", "{study}", "--db", "{db}", "--out", "winners", "--export", "--threads", "1"]}]
  })");
}

class Joint : public ::testing::Test {
 protected:
  Joint() { folder_.write("small.json", space); }
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  TemporaryFolder folder_;
};

TEST_F(Joint, OneCommandGoesFromDataToExportedModels) {
  folder_.write("joint.json", joint_study().dump());
  const Outcome first = run({"search", "./joint.json", "--db", "j.db"});
  if (first.err.find("apt-get install") != std::string::npos) GTEST_SKIP() << first.err;  // fonts
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, AllOf(HasSubstr("ridgeline data make glyphs"), HasSubstr("ridgeline train small.json"),
                               HasSubstr("ridgeline winners joint --db j.db")));
  EXPECT_THAT(first.out, AllOf(HasSubstr("a step in full precision"), HasSubstr("joint/sequential"),
                               HasSubstr("hypervolume (%)"), HasSubstr("emulated"), HasSubstr("of answers the same")));
  std::size_t models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.file("winners"))) {
    if (entry.path().extension() != ".onnx") continue;
    ++models;
    const Outcome evaluated = run({"evaluate", entry.path().string(), "--data", "set", "--json"});
    EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  }
  EXPECT_GT(models, 0U);
  // Again: data and trials are there, and standard output is one JSON document.
  const Outcome again = run({"search", "./joint.json", "--db", "j.db", "--json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("set/dataset.json is there already"));
  const Json json = Json::parse(again.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << again.out;
  EXPECT_EQ(json.at("run").at("resumed_trials"), 12);
}

TEST_F(Joint, QuietStepsSayNothingWhetherTheyCanBeToldToOrNot) {
  Json study = joint_study();
  study["before"] = Json::array({{{"run", {"space", "show", "small.json"}}}});  // takes no --quiet
  study["objectives"].erase(0);
  study["searcher"] = {{"name", "random"}};
  study.erase("compare");
  study["after"] = Json::array({{{"run", {"pareto", "{study}", "--db", "{db}"}}}});
  folder_.write("joint.json", study.dump());
  const Outcome quiet = run({"search", "./joint.json", "--db", "j.db", "--quiet"});
  EXPECT_EQ(quiet.code, 0) << quiet.err;
  EXPECT_EQ(quiet.out + quiet.err, "");
  const Outcome loud = run({"search", "./joint.json", "--db", "j.db"});
  EXPECT_EQ(loud.code, 0) << loud.err;
  EXPECT_THAT(loud.out, AllOf(HasSubstr("dimension"), HasSubstr("weights")));
}

TEST_F(Joint, AStepThatFailsEndsTheCommand) {
  Json study = joint_study();
  study["before"][0] = {{"run", {"train", "nowhere.json", "--data", "set", "--out", "x.ckpt"}}};
  folder_.write("joint.json", study.dump());
  const Outcome outcome = run({"search", "./joint.json", "--db", "j.db"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("nowhere.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("j.db")));
}

TEST_F(Joint, StepsAreCommandsOfThisProgram) {
  for (const char* run_list : {R"([])", R"(["search", "joint"])", R"(["train", 3])", R"("train")"}) {
    Json study = joint_study();
    study["before"] = Json::array({{{"run", Json::parse(run_list)}}});
    folder_.write("joint.json", study.dump());
    const Outcome outcome = run({"search", "./joint.json", "--db", "j.db"});
    EXPECT_EQ(outcome.code, 2) << run_list;
    EXPECT_THAT(outcome.err, HasSubstr("before[0].run")) << run_list;
  }
}

}  // namespace
}  // namespace ridgeline
