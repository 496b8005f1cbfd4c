// Learning curves through the program, on a table whose costs are sums over edges.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PredictorCurve : public ProgramTest {
 protected:
  void SetUp() override {
    std::string text = "ops,ms,other\n";
    for (int row = 0; row < 200; ++row) {
      std::string cell;
      int cost = 1;
      for (int edge = 0, rest = row * 78; edge < 6; ++edge, rest /= 5) {
        cell += static_cast<char>('0' + rest % 5);
        cost += rest % 5 * (edge + 1);
      }
      text += fmt::format("{},{},{}\n", cell, cost, 2 * cost + 5);
    }
    folder_.write("cells.csv", text);
    folder_.write("cells.json", R"({
      "ridgeline_table": 1, "name": "cells", "source": "nowhere", "file": "cells.csv", "space": "nasbench201",
      "key": [{"column": "ops", "genes": ["edge"], "digits": true, "words": {"0": "none", "1": "skip_connect",
               "2": "nor_conv_1x1", "3": "nor_conv_3x3", "4": "avg_pool_3x3"}}],
      "values": {"latency_s": {"column": "ms", "unit": "s", "direction": "minimise"},
                 "latency_s_other": {"column": "other", "unit": "s", "direction": "minimise"}}})");
  }
  static std::vector<std::string> words(const std::vector<std::string>& more) {
    std::vector<std::string> all{"predictor", "curve", "./cells.json", "--objective", "latency_s",
                                 "--samples", "10,60", "--seeds",      "3",           "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static double spearman(const nlohmann::json& curve, std::size_t point) {
    return curve.at("points").at(point).at("figures").at("spearman").at("mean");
  }
};

TEST_F(PredictorCurve, MoreSamplesRankBetterAndTheSameSeedsPrintTheSame) {
  const nlohmann::json made = parsed(words({"--choose", "random,spread", "--json"}));
  EXPECT_EQ(made.at("table"), "cells");
  EXPECT_EQ(made.at("rows"), 200);
  ASSERT_EQ(made.at("curves").size(), 2U);
  for (const nlohmann::json& curve : made.at("curves")) {
    EXPECT_EQ(curve.at("draws"), 3);
    EXPECT_LT(spearman(curve, 0), spearman(curve, 1));
    EXPECT_GT(spearman(curve, 1), 0.95);  // a sum over edges is linear in the genes
    EXPECT_EQ(curve.at("points").at(0).at("figures").at("spearman").at("interval").size(), 2U);
  }
  EXPECT_EQ(parsed(words({"--choose", "random,spread", "--threads", "2", "--json"})).at("curves"), made.at("curves"));
  const Outcome text = run(words({}));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("latency_s of cells, 200 rows"), HasSubstr("Spearman"),
                              HasSubstr(fmt::format("{:.3f} +-", spearman(made.at("curves").at(0), 1)))));
}

TEST_F(PredictorCurve, AnotherDevicesValuesLeaveLittleToLearn) {
  const nlohmann::json made = parsed(words({"--from", "others", "--json"}));
  EXPECT_EQ(made.at("from"), nlohmann::json({"latency_s_other"}));
  ASSERT_EQ(made.at("curves").size(), 1U);
  EXPECT_GT(spearman(made.at("curves").at(0), 0), 0.98);
}

TEST_F(PredictorCurve, SaysWhatIsWrong) {
  const Outcome objective = run({"predictor", "curve", "./cells.json", "--objective", "latency"});
  EXPECT_EQ(objective.code, 2);
  EXPECT_THAT(objective.err, HasSubstr("did you mean 'latency_s'"));
  EXPECT_EQ(run(words({"--predictor", "rigde"})).code, 2);
  EXPECT_EQ(run(words({"--seeds", "0"})).code, 2);
  EXPECT_EQ(run({"predictor", "curve", "./none.json", "--objective", "latency_s"}).code, 2);
}

}  // namespace
}  // namespace ridgeline
