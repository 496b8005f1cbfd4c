// ridgeline sensitivity, as a user types it: of a network, of a table, and on to an allocation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr const char* table =
    "layer,format,task,cca,parameters,macs\n"
    "stem,bf16,0,0.001,432,9000\nstem,int8,0.5,0.02,432,9000\nstem,int4,9,0.4,432,9000\n"
    "body,bf16,0,0.0001,9000,9000\nbody,int8,0.1,0.002,9000,9000\nbody,int4,1,0.03,9000,9000\n"
    "head,bf16,0,0.0002,640,640\nhead,int8,0.2,0.001,640,640\nhead,int4,3,0.1,640,640\n";

class SensitivityOfTables : public ::testing::Test {
 protected:
  SensitivityOfTables() { folder_.write("s.csv", table); }
  Outcome run(std::vector<std::string> words) const {
    words.insert(words.begin(), "sensitivity");
    return run_ridgeline(words, {folder_.path(), {}, 0, ""});
  }
  TemporaryFolder folder_;
};

TEST_F(SensitivityOfTables, AreRankedComparedAndAllocated) {
  const Outcome ranked = run({"s.csv", "--method", "cca"});
  EXPECT_EQ(ranked.code, 0) << ranked.err;
  EXPECT_LT(ranked.out.find("stem"), ranked.out.find("head"));
  EXPECT_LT(ranked.out.find("head"), ranked.out.find("body"));
  const Outcome compared = run({"s.csv", "--compare", "--target-bits", "6"});
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_THAT(compared.out, AllOf(HasSubstr("Spearman"), HasSubstr("times smaller"), HasSubstr("predicted penalty")));
  const Outcome json =
      run({"s.csv", "--compare", "--target-bits", "6", "--problem", "p", "--csv", "copy.csv", "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const Json found = Json::parse(json.out);
  EXPECT_EQ(found["methods"]["cca"]["ranking"], Json({"stem", "head", "body"}));
  EXPECT_GT(found["methods"]["cca"]["spearman"], 0.8);
  EXPECT_EQ(found["plans"].size(), 2U);
  for (const Json& plan : found["plans"]) EXPECT_LE(plan["average_bits"], 6.0);
  EXPECT_TRUE(folder_.has("copy.csv"));
  const Outcome allocated =
      run_ridgeline({"allocate", "p/cca.json", "--budget", "average_bits=6", "--method", "greedy", "--json"},
                    {folder_.path(), {}, 0, ""});
  ASSERT_EQ(allocated.code, 0) << allocated.err;
  const Json plan = Json::parse(allocated.out);
  for (const Json& layer : plan["layers"]) {
    EXPECT_EQ(layer["choice"], found["plans"][1]["formats"][layer["layer"].get<std::string>()]);
  }
}

TEST_F(SensitivityOfTables, BadInputNamesTheRemedy) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{"s.csv", "--data", "set"}, {"--data", "a table"}},
      {{"s.csv", "--method", "caa"}, {"--method", "did you mean 'cca'?"}},
      {{"s.csv", "--method", "cca", "--target-bits", "2"}, {"--target-bits", "at least 4"}},
      {{"s.csv", "--csv", "s.csv"}, {"--csv"}},
      {{"none.csv"}, {"none.csv"}},
      {{"s.csv", "--part", "half"}, {"--part"}},
      {{"cnn.ckpt"}, {"--data", "data set"}},
      {{"cnn.ckpt", "--data", "set", "--method", "klm"}, {"--method", "did you mean 'kl'?"}},
      {{"cnn.ckpt", "--data", "nowhere"}, {"nowhere"}},
      {{}, {"model"}}};
  for (const auto& [words, said] : cases) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_EQ(outcome.out, "");
    for (const std::string& part : said) EXPECT_THAT(outcome.err, HasSubstr(part));
  }
  const std::string head = "layer,format,kl,parameters,macs\n";
  const std::vector<std::pair<std::string, std::vector<std::string>>> tables = {
      {"", {"an empty file"}},
      {"layer,format,kl,macs\na,int8,1,1\n", {"header", "'parameters'"}},
      {"layer,format,kl,parameters,macs,kl\na,int8,1,1,1,2\n", {"one column 'kl'", "found 2"}},
      {"layer;format;kl\na;int8;1\n", {"separate cells by commas"}},
      {std::string("\xff\xfe\0l\0a", 6), {"UTF-8"}},
      {head + "a,int8,1,10,10\na,int4,2", {"row 3", "expected 5 cells", "found 3"}},
      {head + "a,int8,1,10,10\na,int8,2,10,10\n", {"row 3", "each format of a layer once"}},
      {head + "a,int8,nan,10,10\n", {"row 2", "'kl'", "a finite number", "'nan'"}},
      {head + "a,int99,1,10,10\n", {"row 2", "'format'", "int99"}},
      {head + "a,int8,1,10,10\na,int4,2,20,10\n", {"row 3", "'parameters'", "10, as the layer's first row has"}}};
  for (const auto& [text, said] : tables) {
    folder_.write("bad.csv", text);
    const Outcome outcome = run({"bad.csv"});
    EXPECT_EQ(outcome.code, 2) << text << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr("bad.csv: "));
    for (const std::string& part : said) EXPECT_THAT(outcome.err, HasSubstr(part));
  }
  EXPECT_THAT(run({"s.csv", "--target-bits", "0"}).err, HasSubstr("is not above 0"));
  EXPECT_THAT(run({"s.csv", "--target-bits", "inf"}).err, HasSubstr("inf is too large"));
  EXPECT_EQ(run({"s.csv", "--target-bits", "inf"}).code, 2);
  folder_.write("alone.csv", "layer,format,kl,parameters,macs\na,int8,1,1,1\n");
  EXPECT_THAT(run({"alone.csv", "--compare"}).err, AllOf(HasSubstr("--compare"), HasSubstr("'task'")));
}

TEST(SensitivityCommand, MeasuresATrainedNetwork) {
  const TemporaryFolder folder;
  const ChildOptions here{folder.path(), {}, 0, ""};
  const Outcome made = run_ridgeline(
      {"data", "make", "glyphs", "--out", "set", "--train", "470", "--validation", "94", "--test", "94"}, here);
  if (made.err.find("apt-get install") != std::string::npos) GTEST_SKIP() << made.err;  // the fonts are not installed
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome trained = run_ridgeline({"train", "plain_cnn", "--genome", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", "--data",
                                         "set", "--batch", "47", "--epochs", "1", "--out", "cnn.ckpt", "--quiet"},
                                        here);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome found =
      run_ridgeline({"sensitivity", "cnn.ckpt", "--data", "set", "--formats", "int8,int4@channel/int8", "--compare",
                     "--images", "60", "--target-bits", "6", "--csv", "s.csv", "--json"},
                    here);
  ASSERT_EQ(found.code, 0) << found.err;
  const Json json = Json::parse(found.out);
  EXPECT_EQ(json["images"], 60);
  EXPECT_EQ(json["methods"].size(), 11U);
  EXPECT_EQ(json["plans"].size(), 11U);
  for (const Json& row : json["rows"]) {
    if (row["format"] != "int8") continue;
    EXPECT_LT(row["penalties"]["norm"], 0.01);
  }
  const Outcome again = run_ridgeline({"sensitivity", "s.csv", "--json"}, here);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(Json::parse(again.out)["rows"], json["rows"]);
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"sensitivity", "cnn.ckpt", "--data", "set"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_ridgeline(words, here);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    return outcome.err;
  };
  // Before anything is measured: a network that cannot be read would have been named else.
  folder.write("broken.ckpt", "none");
  const std::string low =
      run_ridgeline({"sensitivity", "broken.ckpt", "--data", "set", "--target-bits", "3"}, here).err;
  EXPECT_THAT(low, AllOf(HasSubstr("--target-bits"), HasSubstr("at least 4")));
  EXPECT_THAT(refused({"--problem", "cnn.ckpt"}), AllOf(HasSubstr("--problem"), HasSubstr("which is a file")));
  EXPECT_THAT(refused({"--formats", "int8,int99"}), AllOf(HasSubstr("--formats"), HasSubstr("int99")));
  const Outcome many = run_ridgeline({"sensitivity", "cnn.ckpt", "--data", "set", "--images", "1000"}, here);
  EXPECT_EQ(many.code, 2);
  EXPECT_THAT(many.err, AllOf(HasSubstr("--images"), HasSubstr("at most 94")));
}

}  // namespace
}  // namespace ridgeline
