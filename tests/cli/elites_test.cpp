// The archive of a stored study, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"

namespace ridgeline {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ElitesCommand : public ProgramTest {
 protected:
  void SetUp() override { search(counting_study("tiny", "nasbench201", 60)); }
};

TEST_F(ElitesCommand, ShowsDrawsAndAnswers) {
  const std::vector<std::string> words{"elites", "tiny", "--by", "macs=0:2e8:8", "--by", "edge[0]"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = words;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const json made = parsed(run(with({"--json"})));
  EXPECT_EQ(made.at("cells"), 40);
  EXPECT_EQ(made.at("filled"), made.at("elites").size());
  EXPECT_GT(made.at("qd_score"), 0);
  EXPECT_EQ(made.at("axes")[0].at("bounds").size(), 9U);

  const Outcome text = run(with({"--out", "map.svg"}));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("of 40 cells"), HasSubstr("edge[0]"), HasSubstr("wrote map.svg")));
  EXPECT_THAT(contents("map.svg"), HasSubstr("<svg"));
  EXPECT_EQ(run(with({"--html", "map.html"})).code, 0);
  EXPECT_THAT(contents("map.html"), AllOf(HasSubstr("<!doctype html>"), HasSubstr("The best of each kind")));

  // The best with fewer MACs than a member of the archive is answered from what is stored.
  const double macs = made.at("elites")[0].at("values").at("macs");
  const json answer = parsed(run(with({"--where", "macs<=" + std::to_string(macs), "--json"}))).at("where");
  EXPECT_GE(answer.at("best").at("score"), made.at("elites")[0].at("score"));
  EXPECT_LE(answer.at("best").at("values").at("macs"), macs);
  const Outcome none = run(with({"--where", "macs<0"}));
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.out, HasSubstr("the nearest filled cell"));
  EXPECT_EQ(parsed(run(with({"--near", "macs=1e7", "--json"}))).at("near").at("distance").is_number(), true);
}

TEST_F(ElitesCommand, MistakesSayWhatToDo) {
  const Outcome without = run({"elites", "tiny"});
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.err, AllOf(HasSubstr("searched by nsga2"), HasSubstr("--by macs")));
  EXPECT_EQ(run({"elites", "tiny", "--by", "macs", "--out", "ridgeline.db"}).code, 2);
  EXPECT_EQ(run({"elites", "tinny", "--by", "macs"}).code, 2);
}

}  // namespace
}  // namespace ridgeline
