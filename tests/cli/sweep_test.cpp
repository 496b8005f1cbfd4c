// sweep, as a user types it.
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

TEST(SweepErrors, BadListsAreRefusedBeforeAnythingIsRead) {
  const TemporaryFolder folder;
  const ChildOptions here{.folder = folder.path(), .environment = {}, .signal = 0, .signal_at = ""};
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"sweep", "gone.ckpt", "--data", "gone", "--db", "x.db"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_ridgeline(words, here);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(folder.entries(), 0U);
    return outcome.err;
  };
  EXPECT_THAT(refused({"--weights", "int8,f32"}), AllOf(HasSubstr("--weights"), HasSubstr("f32")));
  EXPECT_THAT(refused({"--activations", "e9m9"}), AllOf(HasSubstr("--activations"), HasSubstr("e9m9")));
  EXPECT_THAT(refused({"--csv", "a", "--html", "a"}), HasSubstr("--html"));
  EXPECT_THAT(refused({"--images", "0"}), HasSubstr("--images: Value 0 is not above 0"));
  EXPECT_THAT(refused({"--weights", "int8,,int4"}), AllOf(HasSubstr("--weights"), HasSubstr("'int8,,int4'")));
  EXPECT_THAT(refused({"--passes", "adaruond"}), AllOf(HasSubstr("--passes"), HasSubstr("did you mean 'adaround'?")));
  EXPECT_THAT(refused({"--passes", "adaround,gptq"}), HasSubstr("leave one out"));
}

TEST(Sweep, PrintsTheFrontWithFamiliesAndGoesOn) {
  const TemporaryFolder folder;
  const ChildOptions here{.folder = folder.path(), .environment = {}, .signal = 0, .signal_at = ""};
  const Outcome made = run_ridgeline(
      {"data", "make", "glyphs", "--out", "set", "--train", "470", "--validation", "94", "--test", "94"}, here);
  if (made.err.find("apt-get install") != std::string::npos) GTEST_SKIP() << made.err;  // the fonts are not installed
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome trained = run_ridgeline({"train", "plain_cnn", "--genome", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", "--data",
                                         "set", "--batch", "47", "--epochs", "1", "--out", "cnn.ckpt"},
                                        here);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::vector<std::string> words{"sweep",    "cnn.ckpt",    "--data",        "set",
                                       "--db",     "x.db",        "--weights",     "int3,int8",
                                       "--csv",    "pairs.csv",   "--activations", "int8,e2m3",
                                       "--html",   "report.html", "--edges",       "int8",
                                       "--device", "zcu104",      "--passes",      "equalize,gptq,correct-bias"};
  const Outcome swept = run_ridgeline(words, here);
  ASSERT_EQ(swept.code, 0) << swept.err;
  EXPECT_THAT(swept.out, AllOf(HasSubstr("family"), HasSubstr("on the front: "), HasSubstr("mixed"),
                               HasSubstr("which family wins where: "), HasSubstr("error on 94 validation images"),
                               HasSubstr("passes fold+equalize+gptq+correct-bias; calibration minmax")));
  EXPECT_TRUE(folder.has("cnn_sweep"));
  EXPECT_TRUE(folder.has("report.html"));
  std::ifstream file(folder.file("pairs.csv"));
  std::stringstream csv;
  csv << file.rdbuf();
  EXPECT_THAT(csv.str(), AllOf(HasSubstr("int3,int8,integer,fold+equalize+gptq+correct-bias,minmax,"),
                               HasSubstr("int8,e2m3,mixed,")));
  std::vector<std::string> again = words;
  again.emplace_back("--json");
  const Outcome json = run_ridgeline(again, here);
  ASSERT_EQ(json.code, 0) << json.err;
  const Json result = Json::parse(json.out);
  EXPECT_EQ(result["pairs"].size(), 4U);
  EXPECT_EQ(result["study"], "cnn_sweep");
  EXPECT_EQ(result["post_training"]["passes"], Json({"fold", "equalize", "gptq", "correct-bias"}));
  EXPECT_EQ(result["pairs"][0]["passes"], "fold+equalize+gptq+correct-bias");
  std::vector<std::string> other = words;
  other[7] = "int4";
  const Outcome refused = run_ridgeline(other, here);
  EXPECT_EQ(refused.code, 4);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("cnn_sweep"), HasSubstr("other formats"), HasSubstr("runs delete")));
  const Outcome explained = run_ridgeline({"explain", "cnn_sweep", "0", "--db", "x.db", "--device", "zcu104"}, here);
  EXPECT_EQ(explained.code, 0) << explained.err;
  EXPECT_THAT(explained.out, HasSubstr("luts"));
}

}  // namespace
}  // namespace ridgeline
