// predictor graph: what it prints, and what it says of input that does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "spaces/json_reader.hpp"
#include "tests/cli/child.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

class PredictorGraph : public ::testing::Test {
 protected:
  PredictorGraph() { folder_.write("study.json", counting_study("counts", "nasbench_macro", 50)); }
  Outcome run(std::vector<std::string> more) const {
    std::vector<std::string> arguments{
        "predictor", "graph",      "./study.json", "--pretrain", "40", "--seeds",   "2", "--epochs",
        "2",         "--held-out", "20",           "--encoders", "1",  "--members", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  TemporaryFolder folder_;
};

TEST_F(PredictorGraph, EveryMethodHasARowForEveryNumberOfLabels) {
  const Json json = parsed(run({"--labels", "12,6", "--json"}));
  ASSERT_EQ(json.at("rows").size(), 8u);
  EXPECT_EQ(json["rows"][0]["labels"], 6);
  EXPECT_EQ(json["rows"][7]["labels"], 12);
  EXPECT_EQ(json.at("gain_by_pretraining").size(), 2u);
  for (const Json& row : json["rows"]) {
    EXPECT_LE(std::abs(row["kendall"]["mean"].get<double>()), 1.0);
    EXPECT_EQ(row["kendall"]["interval"].size(), 2u);
  }
  const Outcome text = run({"--labels", "6", "--transfer-from", "./study.json"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("zero-shot"));
}

TEST_F(PredictorGraph, SlipsAreExplained) {
  const auto refused = [&](const std::vector<std::string>& more, const std::string& words) {
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 2) << words;
    EXPECT_THAT(outcome.err, HasSubstr(words));
  };
  refused({"--objective", "accuracy"}, "an objective of the study");
  refused({"--device", "xeon_gold_6227"}, "xeon_gold_6226");
  refused({"--labels", "0"}, "--labels");
}

}  // namespace
}  // namespace ridgeline
