// A space evolved from a stored study, and what takes the file it writes, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SpaceEvolve : public ProgramTest {};

TEST_F(SpaceEvolve, WritesASpaceThatOtherCommandsTake) {
  search(counting_study("tiny", "nasbench201", 60));
  const Json json = parsed({"space", "evolve", "tiny", "--evolve", "edge=3", "--evolve", "edge[0]=1", "--spaces", "8",
                            "--targets", "3", "--seed", "5", "--out", "fast.json", "--json"});
  EXPECT_EQ(json.at("targets").size(), 3U);
  EXPECT_EQ(json.at("scored"), 8);
  EXPECT_EQ(json.at("trials"), 60);
  EXPECT_EQ(json.at("sub_spaces"), 5e5);
  EXPECT_GE(json.at("start").at("score"), json.at("best")[0].at("score"));
  EXPECT_GE(json.at("best")[0].at("score"), json.at("best")[1].at("score"));
  EXPECT_GT(json.at("cross_validation").at("cost").at("spearman").get<double>(), 0.5);

  const Json file = Json::parse(contents("fast.json"));
  EXPECT_EQ(file, json.at("file"));
  EXPECT_EQ(file.at("name"), "fast");
  EXPECT_EQ(file.at("narrows"), "nasbench201");
  EXPECT_EQ(file.at("choices").at("edge[0]").size(), 1U);
  EXPECT_EQ(file.at("choices").at("edge[5]").size(), 3U);
  EXPECT_EQ(parsed({"space", "check", "fast.json", "--json"}).at("ok"), true);
  EXPECT_EQ(parsed({"space", "count", "fast.json", "--json"}).at("valid"), 243);
  const SearchSpace whole = SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/nasbench201.json");
  for (const Json& one : parsed({"space", "sample", "fast.json", "--n", "40", "--json"})) {
    EXPECT_EQ(whole.violation(whole.from_json(one.at("genome"))), std::nullopt);
  }
  EXPECT_EQ(run({"estimate", "fast.json", "--device", "pixel_6"}).code, 0);
  search(counting_study("narrow", "fast.json", 30));
  EXPECT_EQ(parsed({"runs", "show", "narrow", "--json"}).at("trials"), 30);
  EXPECT_EQ(run({"explain", "narrow", "3"}).code, 0);

  // From the narrower study, the choices of its own file go on to hold.
  const Json again =
      parsed({"space", "evolve", "narrow", "--evolve", "edge=1", "--spaces", "8", "--out", "faster.json", "--json"});
  EXPECT_EQ(again.at("sub_spaces"), 243);
  EXPECT_EQ(again.at("file").at("narrows"), "fast.json");
  EXPECT_EQ(parsed({"space", "count", "faster.json", "--json"}).at("valid"), 1);
}

TEST_F(SpaceEvolve, TheSameSeedPrintsTheSame) {
  Json study = Json::parse(counting_study("tiny", "nasbench201", 40));
  study["choices"] = {{"edge", {"none", "nor_conv_1x1", "nor_conv_3x3"}}};
  search(study.dump());
  std::vector<std::string> arguments{"space", "evolve", "tiny",   "--evolve", "edge=1", "--spaces",
                                     "12",    "--out",  "a.json", "--top",    "2"};
  const Outcome first = run(arguments);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("Spearman"), HasSubstr("12 of 729 sub-spaces scored"),
                               HasSubstr("sub-space 2"), HasSubstr("edge[5]"), HasSubstr("wrote a.json")));
  const std::string written = contents("a.json");
  // A space is not written over.
  EXPECT_EQ(run(arguments).code, 2);
  arguments[8] = "b.json";
  ASSERT_EQ(run(arguments).code, 0);
  const Json a = Json::parse(written), b = Json::parse(contents("b.json"));
  EXPECT_EQ(a.at("choices"), b.at("choices"));
  for (const auto& [name, list] : a.at("choices").items()) {
    ASSERT_EQ(list.size(), 1U);
    EXPECT_NE(list[0], "avg_pool_3x3") << name;  // the study's own choices
  }
}

TEST_F(SpaceEvolve, MistakesSayWhatToDo) {
  search(counting_study("short", "nasbench201", 20));
  Json single = Json::parse(counting_study("single", "nasbench201", 40));
  single["objectives"].erase(1);
  search(single.dump());
  search(counting_study("tiny", "nasbench201", 40));
  const auto refusal = [&](const std::string& study, const std::vector<std::string>& flags) {
    std::vector<std::string> arguments{"space", "evolve", study, "--out", "x.json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_FALSE(folder_.has("x.json"));
    return outcome.err;
  };
  EXPECT_THAT(refusal("tinny", {"--evolve", "edge=1"}), HasSubstr("did you mean 'tiny'?"));
  EXPECT_THAT(refusal("short", {"--evolve", "edge=1"}),
              AllOf(HasSubstr("at least 30 ok trials"), HasSubstr("found 20"), HasSubstr("resume short --trials 30")));
  EXPECT_THAT(refusal("single", {"--evolve", "edge=1"}), HasSubstr("the first maximised and the second minimised"));
  EXPECT_THAT(refusal("tiny", {"--evolve", "egde=1"}), HasSubstr("did you mean 'edge'?"));
  EXPECT_THAT(refusal("tiny", {"--evolve", "edge=6"}), HasSubstr("1 to 5 choices of edge[0]"));
  EXPECT_THAT(refusal("tiny", {"--evolve", "edge"}), HasSubstr("NAME=COUNT"));
  EXPECT_THAT(refusal("tiny", {"--evolve", "edge=-1"}), HasSubstr("NAME=COUNT"));
  EXPECT_THAT(refusal("tiny", {"--evolve", "edge=1", "--target", "1e-9"}), HasSubstr("--target"));
  EXPECT_THAT(refusal("tiny", {"--evolve", "edge=1", "--target", "0"}), HasSubstr("--target"));
}

}  // namespace
}  // namespace ridgeline
