// train --supernet, extract, rank, winners and export, as a user types them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "child.hpp"

namespace ridgeline {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The space of the tests: mobilenet_small would train for longer.
const char* const space = R"({
  "ridgeline_space": 1, "name": "small", "about": "", "source": "",
  "parameters": {"classes": 47, "channels": 1, "resolution": 32},
  "dimensions": [
    {"name": "width", "choices": [4, 8], "ordered": true},
    {"name": "depth", "choices": [1, 2], "ordered": true}
  ],
  "network": {"input": ["channels", "resolution", "resolution"], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3, "stride": 4}, {"op": "batch_norm"}, {"op": "relu"},
    {"repeat": "depth", "index": "slot", "body": [
      {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "batch_norm"}, {"op": "relu"}]},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}]}
})";

const char* const study = R"({
  "ridgeline_study": 1, "name": "s", "space": "small.json", "searcher": {"name": "exhaustive"},
  "objectives": [
    {"name": "accuracy", "unit": "%", "direction": "maximise",
     "from": {"evaluator": "supernet", "checkpoint": "super.ckpt", "data": "set"}},
    {"name": "macs", "direction": "minimise", "from": {"evaluator": "count", "quantity": "macs"}}],
  "stop": {"trials": 4}
})";

// A small set of characters and a supernet, or a skip where the fonts are not installed.
class SupernetCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome made = run_ridgeline(
        {"data", "make", "glyphs", "--out", "set", "--train", "470", "--validation", "94", "--test", "94"}, here());
    if (made.err.find("apt-get install") != std::string::npos) GTEST_SKIP() << made.err;
    ASSERT_EQ(made.code, 0) << made.err;
    std::ofstream(folder_.path() + "/small.json") << space;
    std::ofstream(folder_.path() + "/study.json") << study;
    const Outcome trained = run({"train", "small.json", "--supernet", "--data", "set", "--batch", "47", "--phase",
                                 "1:largest", "--phase", "2:all", "--out", "super.ckpt"});
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_THAT(trained.err, AllOf(HasSubstr("epoch   3 of 3"), HasSubstr("smallest")));
  }
  ChildOptions here() const { return {.folder = folder_.path(), .environment = {}, .signal = 0, .signal_at = ""}; }
  Outcome run(const std::vector<std::string>& words) const { return run_ridgeline(words, here()); }
  Json json(std::vector<std::string> words) const {
    words.emplace_back("--json");
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }
  void rename_class(const std::string& file, const std::string& from, const std::string& to) const {
    const std::string path = folder_.path() + "/" + file;
    Json description = Json::parse(std::ifstream(path));
    for (Json& name : description.at("classes")) {
      if (name == from) name = to;
    }
    std::ofstream(path) << description;
  }
  TemporaryFolder folder_;
};

TEST_F(SupernetCommands, ACandidateIsTheSameInsideAndOutside) {
  const std::string genome = R"({"width": 4, "depth": 2})";
  const Json inside = json({"evaluate", "super.ckpt", "--genome", genome, "--data", "set"});
  const Json taken = json({"extract", "super.ckpt", "--genome", genome, "--data", "set", "--out", "candidate.ckpt"});
  const Json outside = json({"evaluate", "candidate.ckpt", "--data", "set"});
  EXPECT_EQ(inside["accuracy"], outside["accuracy"]);
  EXPECT_EQ(inside["nll"], outside["nll"]);
  EXPECT_EQ(taken["validation_accuracy"], outside["accuracy"]);
  EXPECT_EQ(run({"export", "candidate.ckpt", "--out", "candidate.onnx"}).code, 0);
  EXPECT_EQ(run({"report", "super.ckpt", "--html", "super.html"}).code, 0);
}

TEST_F(SupernetCommands, ASearchEndsWithTestedWinners) {
  const Outcome searched = run({"search", "study.json", "--db", "s.db"});
  ASSERT_EQ(searched.code, 0) << searched.err;
  const Json found = json({"winners", "s", "--db", "s.db", "--out", "winners"});
  ASSERT_FALSE(found["winners"].empty());
  for (const Json& winner : found["winners"]) {
    const Json scores = json({"evaluate", winner["checkpoint"].get<std::string>(), "--data", "set", "--test"});
    EXPECT_EQ(scores["accuracy"], winner["test_accuracy"]);
  }
  EXPECT_THAT(run({"winners", "s", "--db", "s.db"}).out, AllOf(HasSubstr("accuracy (%)"), HasSubstr("test accuracy")));
  ASSERT_EQ(run({"data", "make", "glyphs", "--out", "set", "--train", "470", "--validation", "94", "--test", "94",
                 "--seed", "2"})
                .code,
            0);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"winners", "s", "--db", "s.db"},
                                                std::vector<std::string>{"resume", "s", "--db", "s.db"}}) {
    const Outcome other = run(words);
    EXPECT_NE(other.code, 0);
    EXPECT_THAT(other.err, AllOf(HasSubstr("supernet"), HasSubstr("data")));
  }
}

TEST_F(SupernetCommands, RankingIsPrintedAndGoneOnWith) {
  const std::vector<std::string> words{"rank",     "super.ckpt", "--data",  "set", "--candidates", "3",
                                       "--epochs", "1",          "--batch", "47",  "--out",        "alone"};
  const Outcome first = run(words);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("Kendall's tau"), HasSubstr("relative improvement")));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() + "/alone/candidate_02.ckpt"));
  EXPECT_EQ(run(words).out, first.out);
}

TEST_F(SupernetCommands, BadInputIsSaid) {
  struct Bad {
    std::vector<std::string> words, expected;
  };
  const std::vector<std::string> alone{"train",   "small.json", "--genome", "[0,0]", "--data", "set",
                                       "--batch", "47",         "--epochs", "1",     "--out"};
  const auto train_to = [&](const std::string& file, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = alone;
    words.push_back(file);
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  ASSERT_EQ(run(train_to("alone.ckpt")).code, 0);
  const std::vector<std::string> take{"extract", "super.ckpt", "--genome", "[0,0]",
                                      "--data",  "set",        "--out",    "taken.ckpt"};
  ASSERT_EQ(run(take).code, 0);
  ASSERT_EQ(run(take).code, 0);  // its own product may be written again
  std::filesystem::copy(folder_.path() + "/set", folder_.path() + "/renamed");
  rename_class("renamed/dataset.json", "3", "three");
  ASSERT_EQ(mkfifo((folder_.path() + "/pipe.ckpt").c_str(), 0600), 0);
  const std::vector<Bad> cases{
      {train_to("taken.ckpt"), {"taken out of a supernet"}},
      {train_to("pipe.ckpt"), {"a pipe"}},
      {train_to("x.ckpt", {"--clip", "nan"}), {"--clip", "number"}},
      {train_to("x.ckpt", {"--average", "nan"}), {"--average", "number"}},
      {train_to(""), {"--out"}},
      {{"report", "pipe.ckpt"}, {"a pipe"}},
      {{"evaluate", "super.ckpt", "--data", "set"}, {"a supernet", "ridgeline extract"}},
      {{"export", "super.ckpt", "--out", "x.onnx"}, {"a supernet"}},
      {{"extract", "super.ckpt", "--genome", R"({"width": 5, "depth": 1})", "--data", "set", "--out", "x.ckpt"},
       {"width", "[4,8]"}},
      {{"extract", "super.ckpt", "--genome", "{", "--data", "set", "--out", "x.ckpt"}, {"--genome"}},
      {{"extract", "super.ckpt", "--genome", "[0,0]", "--data", "nowhere", "--out", "x.ckpt"}, {"nowhere"}},
      {{"extract", "super.ckpt", "--genome", "[0,0]", "--data", "set", "--out", "no/x.ckpt"}, {"--out"}},
      {{"extract", "super.ckpt", "--genome", "[0,0]", "--data", "set", "--out", "super.ckpt"}, {"--out", "super.ckpt"}},
      {{"extract", "supper.ckpt", "--genome", "[0,0]", "--data", "set", "--out", "x.ckpt"}, {"supper.ckpt"}},
      {{"extract", "super.ckpt", "--genome", "[0,0]", "--data", "set", "--out", "alone.ckpt"}, {"alone.ckpt"}},
      {{"extract", "super.ckpt", "--genome", "[0,0]", "--data", "set", "--out", "set/manifest.json"}, {"manifest"}},
      {{"extract", "super.ckpt", "--genome", "[0,0]", "--data", "set", "--out", ""}, {"--out"}},
      {{"rank", "super.ckpt", "--data", "set", "--out", "small.json"}, {"--out"}},
      {{"rank", "super.ckpt", "--data", "set", "--out", "alone", "--candidates", "5"}, {"--candidates", "at most 4"}},
      {{"evaluate", "super.ckpt", "--genome", "[0,0]", "--data", "renamed"}, {"class 3", "'3'", "'three'"}},
      {{"evaluate", "alone.ckpt", "--data", "set", "--predictions", "taken.ckpt"}, {"--predictions", "a checkpoint"}},
      {{"search", "study.json", "--db", "x.db", "--set", "objectives[0].from.images=95"}, {"images", "at most 94"}},
      {{"train", "small.json", "--data", "set", "--out", "x", "--candidates", "3"}, {"--supernet"}},
      {{"train", "small.json", "--supernet", "--genome", "[0,0]", "--data", "set", "--out", "x"}, {"--genome"}},
      {{"train", "small.json", "--supernet", "--phase", "2", "--data", "set", "--out", "x"}, {"--phase", "4:largest"}},
      {{"train", "small.json", "--supernet", "--phase", "1:widht", "--data", "set", "--out", "x"},
       {"'widht'", "'width'"}},
      {{"winners", "s", "--db", "none.db"}, {"none.db"}},
  };
  for (const Bad& bad : cases) {
    const Outcome outcome = run(bad.words);
    EXPECT_NE(outcome.code, 0) << bad.words[0];
    EXPECT_NE(outcome.code, 70) << outcome.err;
    for (const std::string& text : bad.expected) EXPECT_THAT(outcome.err, HasSubstr(text));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/x.ckpt"));
}

}  // namespace
}  // namespace ridgeline
