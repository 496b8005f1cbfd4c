// export, as a user types it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "child.hpp"
#include "experiments/data/array_files.hpp"
#include "spaces/onnx/check.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A network trained for one epoch, or a skip where the fonts of the data set are not installed.
class ExportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome made = run_ridgeline(
        {"data", "make", "glyphs", "--out", "set", "--train", "94", "--validation", "47", "--test", "47"}, here());
    if (made.err.find("apt-get install") != std::string::npos) GTEST_SKIP() << made.err;
    ASSERT_EQ(made.code, 0) << made.err;
    const Outcome trained = run_ridgeline({"train", "plain_cnn", "--genome", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
                                           "--data", "set", "--batch", "47", "--epochs", "1", "--out", "cnn.ckpt"},
                                          here());
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  ChildOptions here() const { return {.folder = folder_.path(), .environment = {}, .signal = 0, .signal_at = ""}; }
  Outcome run(const std::vector<std::string>& words) const { return run_ridgeline(words, here()); }
  TemporaryFolder folder_;
};

TEST_F(ExportTest, WritesAModelForAnyBatchOrForOne) {
  const Outcome written = run({"export", "cnn.ckpt", "--out", "any.onnx"});
  ASSERT_EQ(written.code, 0) << written.err;
  EXPECT_EQ(written.err, "");
  EXPECT_THAT(written.out, AllOf(HasSubstr("any.onnx: "), HasSubstr("opset 13"), HasSubstr("input [Nx1x32x32]"),
                                 HasSubstr("output [Nx47]")));
  const std::string any = bytes_of(folder_.file("any.onnx"));
  EXPECT_EQ(check_onnx_model(any).inputs.at(0).shape, (Shape{symbolic_batch, 1, 32, 32}));
  const Outcome fixed = run({"export", "cnn.ckpt", "--out", "eight.onnx", "--batch", "8", "--json"});
  ASSERT_EQ(fixed.code, 0) << fixed.err;
  const std::string eight = bytes_of(folder_.file("eight.onnx"));
  EXPECT_EQ(check_onnx_model(eight).outputs.at(0).shape, (Shape{8, 47}));
  const nlohmann::json result = nlohmann::json::parse(fixed.out);
  EXPECT_EQ(result["onnx"], "eight.onnx");
  EXPECT_EQ(result["file_bytes"], eight.size());
  EXPECT_EQ(result["inputs"][0]["shape"], (std::vector<int>{8, 1, 32, 32}));
  EXPECT_EQ(result["classes"].size(), 47U);
  EXPECT_EQ(result["mean"].size(), 1U);
  const Outcome again = run({"export", "cnn.ckpt", "--out", "any.onnx", "--json"});
  EXPECT_EQ(nlohmann::json::parse(again.out)["inputs"][0]["shape"][0], "N");
  EXPECT_EQ(bytes_of(folder_.file("any.onnx")), any);
}

TEST_F(ExportTest, BadInputIsSaidAndLeavesNoFile) {
  const std::size_t before = folder_.entries();
  const auto refused = [&](const std::vector<std::string>& words) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(refused({"export", "missing.ckpt", "--out", "x.onnx"}), HasSubstr("missing.ckpt"));
  EXPECT_THAT(refused({"export", "set/dataset.json", "--out", "x.onnx"}), HasSubstr("'ridgeline train' has written"));
  EXPECT_THAT(refused({"export", "cnn.ckpt", "--out", "no/x.onnx"}),
              AllOf(HasSubstr("--out"), HasSubstr("folder first")));
  EXPECT_THAT(refused({"export", "cnn.ckpt", "--out", "set"}), AllOf(HasSubstr("--out"), HasSubstr("a folder")));
  EXPECT_THAT(refused({"export", "cnn.ckpt", "--out", "cnn.ckpt"}), HasSubstr("a checkpoint"));
  EXPECT_THAT(refused({"export", "cnn.ckpt", "--out", "/proc/x.onnx"}), HasSubstr("--out"));
  for (const char* batch : {"0", "-1", "many", "1.5", "8x", "100000"}) {
    EXPECT_THAT(refused({"export", "cnn.ckpt", "--out", "x.onnx", "--batch", batch}), HasSubstr("dynamic"));
  }
  EXPECT_EQ(folder_.entries(), before);
  const std::string whole = bytes_of(folder_.file("cnn.ckpt"));
  folder_.write("cut.ckpt", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(refused({"export", "cut.ckpt", "--out", "x.onnx"}), HasSubstr("damaged"));
  EXPECT_FALSE(folder_.has("x.onnx"));
}

TEST_F(ExportTest, EvaluateWritesItsProbabilities) {
  const Outcome evaluated = run({"evaluate", "cnn.ckpt", "--data", "set", "--predictions", "p.npy", "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const NumberArray array = parse_npy(bytes_of(folder_.file("p.npy")), "p.npy");
  EXPECT_EQ(array.dims, (std::vector<std::size_t>{47, 47}));
  const auto& values = std::get<std::vector<float>>(array.values);
  for (std::size_t row = 0; row < 47; ++row) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 47; ++i) sum += static_cast<double>(values[row * 47 + i]);
    EXPECT_NEAR(sum, 1.0, 1e-5);
  }
  EXPECT_EQ(run({"evaluate", "cnn.ckpt", "--data", "set", "--predictions", "no/p.npy"}).code, 2);
}

}  // namespace
}  // namespace ridgeline
