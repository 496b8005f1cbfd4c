#include "experiments/allocation_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "search/allocation/exact_allocation.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A row a choice, with two metrics; a second table brings the latency, a row a layer.
constexpr const char* description = R"({
  "ridgeline_allocation": 1, "name": "toy",
  "budgets": {"average_bits": {"unit": "bit", "limit": 6}, "latency_s": {"unit": "s"}},
  "metrics": [{"name": "ssim", "layers": ["attn*"]}, {"name": "sqnr", "layers": ["*"]}],
  "tables": [
    {"file": "losses.csv", "where": {"network": "toy"}, "layer": "{layer}",
     "choices": {"w{w}a{a}": {"format": "a{a}", "penalty": {"ssim": ["ssim"], "sqnr": ["trace", "error"]},
                              "costs": {"average_bits": {"mean": ["w"], "over": ["parameters"]}}}}},
    {"file": "latency.csv", "layer": "{name}",
     "choices": {"w8a8": {"costs": {"latency_s": ["ms8", 0.001]}}, "w4a8": {"costs": {"latency_s": ["ms4", 0.001]}},
                 "w4a4": {"costs": {"latency_s": ["ms4", 0.0005]}}}}],
  "ties": [["attn.*"]],
  "boundaries": [{"producer": "attn.q", "consumer": "mlp", "size": [100]},
                 {"file": "edges.csv", "producer": "{from}", "consumer": "{to}", "size": ["n", 2]}],
  "conversions": [{"from": "a8", "to": "a4", "costs": {"latency_s": 1e-6}}]
})";

constexpr const char* losses =
    "network,layer,w,a,ssim,trace,error,parameters\n"
    "toy,attn.q,8,8,0.1,1,1,100\ntoy,attn.q,4,8,0.2,1,1,100\ntoy,attn.q,4,4,0.4,1,1,100\n"
    "toy,attn.k,8,8,0.1,1,1,100\ntoy,attn.k,4,8,0.2,1,1,100\ntoy,attn.k,4,4,0.5,1,1,100\n"
    "toy,mlp,8,8,9,2,0.5,300\ntoy,mlp,4,8,9,2,3,300\ntoy,mlp,4,4,9,2,7,300\n"
    "other,mlp,8,8,9,2,0.5,300\n";

class AllocationFileTest : public ::testing::Test {
 protected:
  AllocationFile load(const std::string& json = description, const std::string& table = losses,
                      const std::vector<std::string>& limits = {}) {
    scratch_.write("losses.csv", table);
    scratch_.write("latency.csv", "name,ms8,ms4\nattn.q,2,1\nattn.k,2,1\nmlp,6,4\n");
    scratch_.write("edges.csv", "from,to,n\nattn.k,mlp,50\n");
    return load_allocation(scratch_.write("toy.json", json), Resources(RIDGELINE_SOURCE_DIR, ""), limits);
  }
  std::string refusal(const std::string& json = description, const std::string& table = losses,
                      const std::vector<std::string>& limits = {}) {
    return what_of([&] { load(json, table, limits); });
  }
  static std::string with(std::string text, const std::string& part, const std::string& by) {
    const std::size_t at = text.find(part);
    if (at == std::string::npos) throw std::logic_error("no '" + part + "'");
    return text.replace(at, part.size(), by);
  }
  Scratch scratch_;
};

TEST_F(AllocationFileTest, JoinsTablesAndTakesEachLayersMetric) {
  const AllocationProblem problem = load().problem;
  ASSERT_EQ(problem.layers.size(), 3U);
  EXPECT_EQ(problem.budgets[0].limit, 6.0);
  EXPECT_TRUE(std::isinf(problem.budgets[1].limit));
  EXPECT_THAT(problem.metrics, ElementsAre("ssim", "sqnr"));
  EXPECT_EQ(problem.layers[1].metric, 0U);
  EXPECT_EQ(problem.layers[2].metric, 1U);
  EXPECT_EQ(problem.layers[1].choices[2].name, "w4a4");
  EXPECT_EQ(problem.layers[1].choices[2].format, "a4");
  EXPECT_EQ(problem.layers[1].choices[2].penalty, 0.5);
  EXPECT_EQ(problem.layers[2].choices[1].penalty, 6.0);  // trace * error
  EXPECT_DOUBLE_EQ(problem.layers[2].choices[2].costs[1], 0.002);
  EXPECT_THAT(problem.ties, ElementsAre(ElementsAre(0, 1)));
  ASSERT_EQ(problem.boundaries.size(), 2U);
  EXPECT_EQ(problem.boundaries[0].size, 100.0);
  EXPECT_EQ(problem.boundaries[1].producer, 1U);
  EXPECT_EQ(problem.boundaries[1].size, 100.0);
}

TEST_F(AllocationFileTest, AMeanIsWeightedOverLayers) {
  const AllocationProblem problem = load().problem;
  EXPECT_DOUBLE_EQ(allocation_plan(problem, std::vector<std::size_t>{0, 0, 0}).costs[0], 8.0);
  EXPECT_DOUBLE_EQ(allocation_plan(problem, std::vector<std::size_t>{0, 0, 1}).costs[0], (200 * 8 + 300 * 4) / 500.0);
  const AllocationPlan mixed = allocation_plan(problem, std::vector<std::size_t>{0, 0, 2});
  EXPECT_DOUBLE_EQ(mixed.costs[1], 0.002 + 0.002 + 0.002 + 200e-6);  // both boundaries are converted
}

TEST_F(AllocationFileTest, LimitsOfTheCommandLineReplaceTheFiles) {
  const AllocationProblem problem = load(description, losses, {"average_bits=4.5", "latency_s=6e-3"}).problem;
  EXPECT_EQ(problem.budgets[0].limit, 4.5);
  EXPECT_EQ(problem.budgets[1].limit, 0.006);
  EXPECT_THAT(refusal(description, losses, {"average_bit=4"}), HasSubstr("did you mean 'average_bits'?"));
  EXPECT_THAT(refusal(description, losses, {"average_bits=many"}), HasSubstr("NAME=LIMIT"));
}

TEST_F(AllocationFileTest, TheShippedExampleIsSolved) {
  const Resources shipped(RIDGELINE_SOURCE_DIR, "");
  const AllocationFile example = load_allocation(shipped.allocation("example"), shipped);
  EXPECT_EQ(exact_allocation(example.problem).status, AllocationStatus::optimal);
}

TEST_F(AllocationFileTest, WildcardsStandForAnyText) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("block*.attn.*", "block12.attn.q"));
  EXPECT_FALSE(matches("block*.attn", "block1.attn.q"));
  EXPECT_FALSE(matches("a", "ab"));
}

TEST_F(AllocationFileTest, BadDescriptionsAreRefusedWithTheirPlace) {
  EXPECT_THAT(refusal(with(description, "\"ties\"", "\"tied\"")), HasSubstr("did you mean 'ties'?"));
  EXPECT_THAT(refusal(with(description, "\"where\"", "\"were\"")), AllOf(HasSubstr("tables[0]"), HasSubstr("were")));
  EXPECT_THAT(refusal(with(description, "losses.csv", "none.csv")),
              AllOf(HasSubstr("none.csv"), HasSubstr("RIDGELINE_DATA")));
  EXPECT_THAT(refusal(with(description, "\"trace\"", "\"trase\"")), HasSubstr("did you mean 'trace'?"));
  EXPECT_THAT(refusal(with(description, "w{w}a{a}", "w{w}a{a")), HasSubstr("close the brace"));
  EXPECT_THAT(refusal(with(description, "{\"latency_s\": [\"ms8\"", "{\"latency\": [\"ms8\"")),
              AllOf(HasSubstr("costs.latency"), HasSubstr("did you mean 'latency_s'?")));
  EXPECT_THAT(refusal(with(description, "{\"ssim\": [\"ssim\"]", "{\"sim\": [\"ssim\"]")),
              HasSubstr("did you mean 'ssim'?"));
  EXPECT_THAT(refusal(with(description, "\"attn.*\"", "\"attention.*\"")), HasSubstr("ties[0]"));
  EXPECT_THAT(refusal(with(description, "\"attn.q\", \"consumer\"", "\"attn.v\", \"consumer\"")),
              HasSubstr("'attn.v'"));
  EXPECT_THAT(refusal(with(description, "\"toy\"}", "\"tot\"}")), HasSubstr("where"));
  EXPECT_THAT(
      refusal(with(description, "{\"name\": \"sqnr\", \"layers\": [\"*\"]}", "{\"name\": \"sqnr\", \"layers\": []}")),
      AllOf(HasSubstr("layer 'mlp'"), HasSubstr("metric")));
  EXPECT_THAT(refusal(with(description, "{\"from\": \"a8\"", "{\"form\": \"a8\"")), HasSubstr("did you mean 'from'?"));
}

TEST_F(AllocationFileTest, BadCellsAreRefusedWithTheirRow) {
  EXPECT_THAT(refusal(description, with(losses, "0.4", "nan")), AllOf(HasSubstr("row 4"), HasSubstr("column 'ssim'")));
  EXPECT_THAT(refusal(description, with(losses, "toy,mlp,4,4", "toy,mlp,4,8")), HasSubstr("a second one"));
  EXPECT_THAT(refusal(description, with(losses, "toy,mlp,4,4,9,2,7,300", "toy,mlp,4,4,9,2,7,301")),
              HasSubstr("weight"));
  EXPECT_THAT(refusal(description, with(losses, "toy,mlp,8,8", "toy,mlp,8,9")),
              AllOf(HasSubstr("layer 'mlp', choice 'w8a9'"), HasSubstr("cost 'latency_s'")));
  EXPECT_THAT(refusal(description, with(losses, "toy,attn.k,4,4,0.5,1,1,100", "toy,attn.k,4,4,0.5,1,1,-100")),
              HasSubstr("weight"));
  EXPECT_THAT(refusal(with(description, "\"ms8\", 0.001", "\"ms8\", -1")),
              AllOf(HasSubstr("cost 'latency_s'"), HasSubstr("0 or more")));
}

}  // namespace
}  // namespace ridgeline::testing
