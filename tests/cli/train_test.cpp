// train and evaluate, as a user types them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "child.hpp"

namespace ridgeline {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A small set of characters, or a skip where the fonts are not installed.
class TrainTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome made = run_ridgeline(
        {"data", "make", "glyphs", "--out", "set", "--train", "470", "--validation", "94", "--test", "94"}, here());
    if (made.err.find("apt-get install") != std::string::npos) GTEST_SKIP() << made.err;  // the fonts are not installed
    ASSERT_EQ(made.code, 0) << made.err;
  }
  ChildOptions here() const { return {.folder = folder_.path(), .environment = {}, .signal = 0, .signal_at = ""}; }
  std::vector<std::string> train(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"train",    "plain_cnn", "--genome", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
                                   "--data",   "set",       "--batch",  "47",
                                   "--epochs", "2",         "--out",    "cnn.ckpt"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  TemporaryFolder folder_;
};

TEST_F(TrainTest, TrainsGoesOnAndEvaluates) {
  const Outcome trained = run_ridgeline(train({"--json"}), here());
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Json result = Json::parse(trained.out);
  EXPECT_EQ(result["epochs_done"], 2);
  EXPECT_EQ(result["data"], "glyphs");
  ASSERT_EQ(result["history"].size(), 2U);
  EXPECT_LT(result["history"][1]["train_loss"], result["history"][0]["train_loss"]);
  EXPECT_THAT(trained.err, HasSubstr("epoch   2 of 2"));
  const Outcome again = run_ridgeline(train(), here());
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, HasSubstr("2 were there already"));
  const Outcome evaluated = run_ridgeline({"evaluate", "cnn.ckpt", "--data", "set", "--json"}, here());
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const Json scores = Json::parse(evaluated.out);
  EXPECT_EQ(scores["split"], "validation");
  EXPECT_DOUBLE_EQ(scores["accuracy"].get<double>(), result["history"][1]["validation_accuracy"].get<double>());
  std::int64_t images = 0;
  for (const Json& row : scores["confusion"]) {
    for (const Json& count : row) images += count.get<std::int64_t>();
  }
  EXPECT_EQ(images, 94);
  const Outcome test = run_ridgeline({"evaluate", "cnn.ckpt", "--data", "set", "--test", "--format", "int8"}, here());
  EXPECT_EQ(test.code, 0) << test.err;
  EXPECT_THAT(test.out, AllOf(HasSubstr("(test)"), HasSubstr("adaptive ECE"), HasSubstr("Brier")));
}

TEST_F(TrainTest, TrainsThroughFormatsThatEvaluateAndExportUse) {
  const Outcome trained = run_ridgeline(train({"--quantize", "int8", "--json"}), here());
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome evaluated = run_ridgeline({"evaluate", "cnn.ckpt", "--data", "set", "--json"}, here());
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const Json scores = Json::parse(evaluated.out);
  EXPECT_EQ(scores["format"], "int8");
  EXPECT_DOUBLE_EQ(scores["accuracy"].get<double>(),
                   Json::parse(trained.out)["history"][1]["validation_accuracy"].get<double>());
  const Outcome plain = run_ridgeline({"evaluate", "cnn.ckpt", "--data", "set", "--format", "f32", "--json"}, here());
  EXPECT_EQ(Json::parse(plain.out)["format"], "f32");
  EXPECT_NE(Json::parse(plain.out)["nll"], scores["nll"]);
  const Outcome written = run_ridgeline({"export", "cnn.ckpt", "--out", "q.onnx", "--json"}, here());
  ASSERT_EQ(written.code, 0) << written.err;
  EXPECT_EQ(Json::parse(written.out)["format"], "int8");
  const Outcome again = run_ridgeline({"evaluate", "q.onnx", "--data", "set", "--json"}, here());
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_NEAR(Json::parse(again.out)["nll"].get<double>(), scores["nll"].get<double>(), 0.02);
  EXPECT_THAT(run_ridgeline({"export", "cnn.ckpt", "--out", "q.onnx", "--format", "int8"}, here()).err,
              HasSubstr("--data"));
  std::vector<std::string> small = train({"--quantize", "int4@channel/int4", "--quantize-by", "noise"});
  small[11] = "small.ckpt";
  ASSERT_EQ(run_ridgeline(small, here()).code, 0);
  const Outcome refused = run_ridgeline({"export", "small.ckpt", "--out", "s.onnx"}, here());
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--format f32"));
  EXPECT_EQ(run_ridgeline({"export", "small.ckpt", "--out", "s.onnx", "--format", "f32"}, here()).code, 0);
}

const char* const formats_space = R"({
  "ridgeline_space": 1, "name": "formats", "about": "", "source": "",
  "parameters": {"classes": 47, "channels": 1, "resolution": 32},
  "dimensions": [
    {"name": "width", "choices": [4, 8], "ordered": true},
    {"name": "format", "group": "precision", "repeat": 2, "choices": ["int4", "int8", "f32"], "ordered": true}
  ],
  "network": {"input": ["channels", "resolution", "resolution"], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3, "stride": 4, "weights": "format[0]", "activations": "format[0]"},
    {"op": "batch_norm"}, {"op": "relu"}, {"op": "global_avg_pool"}, {"op": "flatten"},
    {"op": "linear", "channels": "classes", "weights": "format[1]", "activations": "format[1]"}]}
})";

TEST_F(TrainTest, AControllerSaysWhatItHasFoundAndHowToTakeItOut) {
  std::ofstream(folder_.path() + "/formats.json") << formats_space;
  const std::vector<std::string> supernet{"train",  "formats.json", "--supernet", "--quantize", "genes",
                                          "--data", "set",          "--batch",    "47",         "--epochs",
                                          "2",      "--out",        "led.ckpt"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = supernet;
    words.insert(words.end(), more.begin(), more.end());
    return run_ridgeline(words, here());
  };
  EXPECT_THAT(with({"--controller", "--cost", "weight_bytes"}).err, HasSubstr("--cost-target"));
  const Outcome refused = with({"--controller", "--cost", "weight_bytes", "--cost-target", "-1"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("--cost-target"), HasSubstr("above 0")));
  const std::vector<std::string> led{"--controller", "--cost", "weight_bytes", "--cost-target", "600"};
  const Outcome trained = with(led);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("policy entropy"));
  EXPECT_THAT(trained.out, AllOf(HasSubstr("most likely"), HasSubstr("int8 everywhere"), HasSubstr("of the target")));
  const Outcome reported = run_ridgeline({"report", "led.ckpt", "--json"}, here());
  ASSERT_EQ(reported.code, 0) << reported.err;
  const Json found = Json::parse(reported.out)["controller"]["most_likely"];
  EXPECT_THAT(trained.out,
              HasSubstr("ridgeline extract led.ckpt --genome " + std::string("'") + found["genes"].dump()));
  const Outcome taken = run_ridgeline(
      {"extract", "led.ckpt", "--genome", found["genes"].dump(), "--data", "set", "--out", "candidate.ckpt", "--json"},
      here());
  ASSERT_EQ(taken.code, 0) << taken.err;
  EXPECT_EQ(Json::parse(taken.out)["validation_accuracy"], found["accuracy"]);
}

TEST_F(TrainTest, ANetworkOfAnotherResolutionSaysThatImagesAreResized) {
  const Outcome trained = run_ridgeline(train({"--parameter", "resolution=28"}), here());
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("images resized from 32x32 to 28x28\n"));
  const Outcome evaluated = run_ridgeline({"evaluate", "cnn.ckpt", "--data", "set"}, here());
  EXPECT_EQ(evaluated.code, 0);
  EXPECT_THAT(evaluated.err, HasSubstr("images resized from 32x32 to 28x28\n"));
  EXPECT_EQ(run_ridgeline({"evaluate", "cnn.ckpt", "--data", "set", "--quiet"}, here()).err, "");
}

TEST_F(TrainTest, ATrainingIsReportedAndItsCommandTrainsTheSame) {
  ASSERT_EQ(run_ridgeline(train({"--crop", "2", "--warmup", "0.25", "--quiet"}), here()).code, 0);
  const Outcome text = run_ridgeline({"report", "cnn.ckpt"}, here());
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("2 of 2 epochs"), HasSubstr("validation accuracy"), HasSubstr("again")));
  const Outcome json = run_ridgeline({"report", "cnn.ckpt", "--json"}, here());
  ASSERT_EQ(json.code, 0) << json.err;
  std::vector<std::string> words;  // nothing in it is quoted but the genome
  std::stringstream command(Json::parse(json.out)["command"].get<std::string>());
  for (std::string word; command >> word;)
    words.push_back(word.starts_with("'") ? word.substr(1, word.size() - 2) : word);
  ASSERT_EQ(words[0], "ridgeline");
  words.erase(words.begin());
  const Outcome again = run_ridgeline(words, here());
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("2 were there already"));
  const Outcome files =
      run_ridgeline({"report", "cnn.ckpt", "--html", "c.html", "--csv", "c.csv", "--markdown", "c.md"}, here());
  EXPECT_EQ(files.code, 0) << files.err;
  EXPECT_THAT(files.out, HasSubstr("wrote c.html"));
  for (const char* name : {"c.html", "c.csv", "c.md"}) EXPECT_TRUE(folder_.has(name)) << name;
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"report", "cnn.ckpt"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run_ridgeline(all, here());
    EXPECT_EQ(outcome.code, 2);
    return outcome.err;
  };
  EXPECT_THAT(refused({"--db", "x.db"}), HasSubstr("without --db"));
  EXPECT_THAT(refused({"--html", "./cnn.ckpt"}), HasSubstr("a checkpoint"));
  EXPECT_THAT(run_ridgeline({"report", "missing.ckpt"}, here()).err, HasSubstr("missing.ckpt"));
}

TEST_F(TrainTest, AnInterruptionSaysHowToGoOn) {
  ChildOptions options = here();
  options.signal = 2;
  options.signal_at = "epoch   1 of 200";
  std::vector<std::string> words = train();
  words[9] = "200";
  const Outcome stopped = run_ridgeline(words, options);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, AllOf(HasSubstr("they are saved"), HasSubstr("to go on: ridgeline train")));
}

TEST_F(TrainTest, BadInputIsSaidWithItsRemedy) {
  const auto refused = [&](const std::vector<std::string>& words) {
    const Outcome outcome = run_ridgeline(words, here());
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(refused({"train", "plain_cn", "--data", "set", "--out", "x"}), HasSubstr("plain_cnn"));
  EXPECT_THAT(refused({"train", "plain_cnn", "--data", "nowhere", "--out", "x"}), HasSubstr("data make glyphs"));
  EXPECT_THAT(refused({"train", "mobilenet_v2", "--data", "set", "--out", "x"}), HasSubstr("1x32x32"));
  EXPECT_THAT(refused({"train", "plain_cnn", "--data", "set", "--out", "no/x"}), HasSubstr("--out"));
  EXPECT_THAT(refused({"train", "plain_cnn", "--data", "set", "--out", "x", "--format", "int8"}), HasSubstr("bf16"));
  EXPECT_THAT(refused(train({"--learning-rate", "1e30", "--clip", "0"})), HasSubstr("lower the learning rate"));
  EXPECT_THAT(refused(train({"--cutout", "600"})), HasSubstr("cutout"));
  EXPECT_FALSE(folder_.has("x"));
  EXPECT_FALSE(folder_.has("cnn.ckpt"));
  EXPECT_THAT(refused({"evaluate", "set/dataset.json", "--data", "set"}), HasSubstr("another file"));
  EXPECT_THAT(refused({"evaluate", "missing", "--data", "set"}), HasSubstr("missing"));
}

}  // namespace
}  // namespace ridgeline
