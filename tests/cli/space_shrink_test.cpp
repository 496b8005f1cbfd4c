// A space shrunk by a stored study's trials, and what takes the file it writes, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "child.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SpaceShrink : public ProgramTest {};

TEST_F(SpaceShrink, WritesASpaceThatSearchTakes) {
  search(counting_study("tiny", "nasbench201", 60));
  const std::vector<std::string> words{"space", "shrink",       "tiny",       "--to",        "2.5",  "--rounds",
                                       "3",     "--candidates", "100",        "--contexts",  "8",    "--diversity",
                                       "0.3",   "--out",        "small.json", "--predictor", "ridge"};
  std::vector<std::string> as_json = words;
  as_json.emplace_back("--json");
  const Json json = parsed(as_json);
  EXPECT_EQ(json.at("trials"), 60);
  EXPECT_EQ(json.at("reached"), true);
  ASSERT_EQ(json.at("rounds").size(), 3U);
  EXPECT_NEAR(json.at("rounds")[0].at("log10_before").get<double>(), 6 * std::log10(5.0), 1e-9);
  EXPECT_LE(json.at("rounds")[2].at("log10_after"), 2.5 + 1e-9);
  std::size_t dropped = 0;
  for (const Json& round : json.at("rounds")) dropped += round.at("dropped").size();
  EXPECT_GE(dropped, 6U);

  const Json file = Json::parse(contents("small.json"));
  EXPECT_EQ(file, json.at("file"));
  EXPECT_EQ(file.at("narrows"), "nasbench201");
  EXPECT_EQ(parsed({"space", "check", "small.json", "--json"}).at("ok"), true);
  const double valid = parsed({"space", "count", "small.json", "--json"}).at("valid");
  EXPECT_NEAR(std::log10(valid), json.at("rounds")[2].at("log10_after").get<double>(), 1e-9);
  search(counting_study("narrow", "small.json", 30));
  EXPECT_EQ(parsed({"runs", "show", "narrow", "--json"}).at("trials"), 30);

  // The same again is the same, in words.
  std::vector<std::string> again = words;
  again[14] = "again.json";
  const Outcome text = run(again);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("log10 size before"), HasSubstr("4.19"), HasSubstr("Spearman"),
                              HasSubstr("diversity"), HasSubstr("wrote again.json")));
  EXPECT_EQ(Json::parse(contents("again.json")).at("choices"), file.at("choices"));
}

TEST_F(SpaceShrink, MistakesSayWhatToDo) {
  search(counting_study("short", "nasbench201", 20));
  search(counting_study("tiny", "nasbench201", 40));
  const auto refusal = [&](const std::string& study, const std::vector<std::string>& flags) {
    std::vector<std::string> arguments{"space", "shrink", study, "--out", "x.json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_FALSE(folder_.has("x.json"));
    return outcome.err;
  };
  EXPECT_THAT(refusal("tinny", {}), HasSubstr("did you mean 'tiny'?"));
  EXPECT_THAT(refusal("short", {}), AllOf(HasSubstr("at least 30 ok trials"), HasSubstr("resume short --trials 30")));
  EXPECT_THAT(refusal("tiny", {"--to", "9"}), HasSubstr("--to"));
  EXPECT_THAT(refusal("tiny", {"--predictor", "rigde"}), AllOf(HasSubstr("--predictor"), HasSubstr("ridge")));
  EXPECT_THAT(refusal("tiny", {"--diversity", "2"}), HasSubstr("--diversity"));
}

}  // namespace
}  // namespace ridgeline
