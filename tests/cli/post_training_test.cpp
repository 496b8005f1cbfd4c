// evaluate and export with passes and calibration, as a user types them, on a network trained on stripes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "child.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double image = 1.0 / 60;  // of the validation split

class PostTrainingCommands : public ::testing::Test {
 protected:
  PostTrainingCommands() { data_.train(data_.config(2), "cnn.ckpt"); }
  Outcome run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--data", data_.folder});
    return run_ridgeline(words, {.folder = data_.scratch.path("."), .environment = {}, .signal = 0, .signal_at = ""});
  }
  Json json_of(std::vector<std::string> words) const {
    words.emplace_back("--json");
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? Json::parse(outcome.out) : Json::object();
  }
  std::string refused(const std::vector<std::string>& words) const {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  }
  testing::StripedData data_;
};

TEST_F(PostTrainingCommands, EvaluateSaysWhatWasDone) {
  const Json plain = json_of({"evaluate", "cnn.ckpt"});
  EXPECT_EQ(plain["post_training"], Json::object());
  const Json found = json_of({"evaluate", "cnn.ckpt", "--format", "int8", "--passes", "correct-bias,shift",
                              "--calibration", "entropy", "--calibration-images", "100", "--migration", "0.25"});
  EXPECT_EQ(found["format"], "int8");
  EXPECT_EQ(found["post_training"], Json({{"calibration", "entropy"},
                                          {"passes", {"fold", "smooth", "shift", "correct-bias"}},
                                          {"calibration_images", 100},
                                          {"migration", 0.25}}));
  EXPECT_NEAR(found["accuracy"].get<double>(), plain["accuracy"].get<double>(), 2 * image);
  EXPECT_NE(found["nll"], plain["nll"]);
  for (const char* calibration : {"minmax", "percentile", "mse"}) {
    const Json other = json_of({"evaluate", "cnn.ckpt", "--format", "int8", "--calibration", calibration});
    EXPECT_NEAR(other["nll"].get<double>(), plain["nll"].get<double>(), 0.05) << calibration;
  }
  const Outcome text = run({"evaluate", "cnn.ckpt", "--format", "int4@channel/int8", "--passes", "clip,adaround"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("cnn.ckpt on 60 images (validation) in int4@channel/int8: accuracy"), HasSubstr("loss")));
}

TEST_F(PostTrainingCommands, AnExportedModelScoresAsTheExecutedOne) {
  std::vector<double> losses;
  for (const std::string passes : {"none", "equalize,gptq,correct-bias"}) {
    SCOPED_TRACE(passes);
    const std::vector<std::string> how{"--format", "int8", "--calibration", "mse", "--passes", passes};
    std::vector<std::string> executing{"evaluate", "cnn.ckpt"}, writing{"export", "cnn.ckpt", "--out", "q.onnx"};
    executing.insert(executing.end(), how.begin(), how.end());
    writing.insert(writing.end(), how.begin(), how.end());
    const Json executed = json_of(executing);
    const Json written = json_of(writing);
    EXPECT_EQ(written["post_training"], executed["post_training"]);
    EXPECT_EQ(written["format"], "int8");
    const Json read = json_of({"evaluate", "q.onnx"});
    EXPECT_NEAR(read["accuracy"].get<double>(), executed["accuracy"].get<double>(), image + 1e-9);
    EXPECT_NEAR(read["nll"].get<double>(), executed["nll"].get<double>(), 0.01);
    losses.push_back(read["nll"].get<double>());
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_NE(losses[0], json_of({"evaluate", "cnn.ckpt"})["nll"].get<double>());
}

TEST_F(PostTrainingCommands, BadInputNamesTheRemedy) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"evaluate", "cnn.ckpt"}, {"export", "cnn.ckpt", "--out", "x.onnx"}}) {
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.begin(), command.begin(), command.end());
      return refused(more);
    };
    EXPECT_THAT(with({"--format", "int8", "--passes", "gptk"}),
                AllOf(HasSubstr("--passes"), HasSubstr("'gptk'"), HasSubstr("did you mean 'gptq'")));
    EXPECT_THAT(with({"--format", "int8", "--passes", "fold,zzzzzzzz"}),
                AllOf(HasSubstr("equalize"), HasSubstr("adaround"), HasSubstr("correct-bias")));
    EXPECT_THAT(with({"--format", "int8", "--passes", "adaround,gptq"}),
                AllOf(HasSubstr("adaround and gptq"), HasSubstr("leave one out")));
    EXPECT_THAT(with({"--passes", "gptq"}), AllOf(HasSubstr("--passes"), HasSubstr("--format")));
    EXPECT_THAT(with({"--calibration", "mse"}), AllOf(HasSubstr("--calibration"), HasSubstr("--format")));
    EXPECT_THAT(with({"--format", "int8", "--calibration", "max"}),
                AllOf(HasSubstr("--calibration"), HasSubstr("percentile")));
    EXPECT_THAT(with({"--format", "int8", "--migration", "2"}), HasSubstr("--migration"));
  }
  EXPECT_FALSE(std::filesystem::exists(data_.scratch.path("x.onnx")));
}

}  // namespace
}  // namespace ridgeline
