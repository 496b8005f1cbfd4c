// ridgeline allocate: the published HAWQ-V3 assignments, the curve, and every kind of bad problem.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "child.hpp"
#include "tests/spaces/published_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

Json json_of(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return Json::parse(outcome.out, nullptr, false);
}

// The bits of the 19 layers in a published configuration: convolutions in order, without the first of the network.
std::string published_bits(const std::vector<CsvRow>& rows, const std::string& name) {
  std::string bits;
  for (const CsvRow& row : rows) {
    const std::string& tensor = row.at("tensor");
    const bool layer = tensor.find("convbn") != std::string::npos && !tensor.starts_with("quant_init_block");
    if (row.at("config_name") == name && layer) bits += row.at("bits");
  }
  return bits;
}

// HAWQ-V3's ResNet-18, a shipped problem. A budget is what all layers in 4 bits cost and a share of the way to all in 8
// bits.
class HawqV3 : public ::testing::TestWithParam<std::pair<std::string, double>> {};

TEST_P(HawqV3, IsReproducedBitForBitWithAProof) {
  const auto& [budget, share] = GetParam();
  const auto configs = read_csv_gz(data_path("tables/hawq_v3_bit_configs.csv.gz"));
  if (!configs) GTEST_SKIP() << "no tables/hawq_v3_bit_configs.csv.gz in RIDGELINE_DATA";
  const TemporaryFolder folder;
  // The child runs in its own folder, where a relative path would mean another place.
  const std::string data = std::filesystem::absolute(data_path("")).string();
  const ChildOptions here{folder.path(), {{"RIDGELINE_DATA", data}}, 0, ""};
  const Json ends = json_of(run_ridgeline({"allocate", "hawq_v3_resnet18", "--method", "greedy", "--json"}, here));
  const double all8 = ends["budgets"][budget]["cost"], all4 = ends["budgets"][budget]["least"];
  const std::string limit = fmt::format("{}={}", budget, all4 + share * (all8 - all4));
  const Json plan = json_of(run_ridgeline({"allocate", "hawq_v3_resnet18", "--budget", limit, "--json"}, here));
  std::string bits;
  for (const Json& layer : plan["layers"]) bits += layer["choice"];
  const std::string kind = budget == "weight_bytes" ? "modelsize" : budget == "latency_s" ? "latency" : "bops";
  const std::string published = published_bits(*configs, fmt::format("resnet18_{}_{}", kind, share));
  EXPECT_EQ(published.size(), 19U);
  EXPECT_EQ(bits, published);
  EXPECT_EQ(plan["status"], "optimal");
  EXPECT_EQ(plan["gap"], 0.0);
  EXPECT_LT(plan["seconds"], 1.0);
  fmt::print("{} {}: {} {} in {:.0f} ms, penalty {:.6g}\n", kind, share, bits, std::string(plan["status"]),
             1e3 * plan["seconds"].get<double>(), plan["penalty"].get<double>());
}

INSTANTIATE_TEST_SUITE_P(ResNet18, HawqV3,
                         ::testing::Values(std::pair("weight_bytes", 0.75), std::pair("weight_bytes", 0.5),
                                           std::pair("weight_bytes", 0.25), std::pair("bit_operations", 0.75),
                                           std::pair("bit_operations", 0.5), std::pair("bit_operations", 0.25),
                                           std::pair("latency_s", 0.75), std::pair("latency_s", 0.5),
                                           std::pair("latency_s", 0.25)),
                         [](const auto& one) {
                           return fmt::format("{}_{:.0f}", one.param.first, 100 * one.param.second);
                         });

TEST(Allocate, PrintsPlanLimitsAndProof) {
  const Outcome outcome = run_ridgeline({"allocate", "example"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("block2.depthwise"), HasSubstr("15000"), HasSubstr("optimal (proved)")));
}

TEST(Allocate, GreedyPrintsTheCurveAndStoresItsSteps) {
  const TemporaryFolder folder;
  const ChildOptions here{folder.path(), {}, 0, ""};
  const Outcome outcome =
      run_ridgeline({"allocate", "example", "--method", "greedy", "--curve", "--out", "plan.json"}, here);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("head: int8 to int4"), HasSubstr("* "), HasSubstr("greedy steps")));
  std::ifstream file(folder.file("plan.json"));
  const Json plan = Json::parse(file);
  ASSERT_GT(plan["steps"].size(), plan["steps_used"].get<std::size_t>());
  double before = plan["steps"][0]["costs"]["average_bits"];
  for (const Json& step : plan["steps"]) {
    EXPECT_LE(step["costs"]["average_bits"], before);
    before = step["costs"]["average_bits"];
  }
  EXPECT_EQ(plan["steps"][plan["steps_used"].get<std::size_t>() - 1]["penalty"], plan["penalty"]);
  const Json exact = json_of(run_ridgeline({"allocate", "example", "--json"}));
  EXPECT_LE(exact["penalty"], plan["penalty"]);
}

TEST(Allocate, AverageBitsAreABudget) {
  const Json plan = json_of(
      run_ridgeline({"allocate", "example", "--budget", "average_bits=4", "--budget", "latency_s=1", "--json"}));
  EXPECT_LE(plan["budgets"]["average_bits"]["cost"], 4.0);
  EXPECT_GT(plan["budgets"]["average_bits"]["cost"], 3.8);
}

TEST(Allocate, AnImpossibleLimitIsCodeThreeAndSaysWhatIsReachable) {
  const TemporaryFolder folder;
  const ChildOptions here{folder.path(), {}, 0, ""};
  for (const char* method : {"exact", "greedy"}) {
    const Outcome outcome = run_ridgeline(
        {"allocate", "example", "--budget", "weight_bytes=100", "--method", method, "--out", "plan.json"}, here);
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("infeasible"), HasSubstr("weight_bytes"), HasSubstr("6744")));
    EXPECT_FALSE(folder.has("plan.json"));
  }
  const Outcome json = run_ridgeline({"allocate", "example", "--budget", "weight_bytes=100", "--json"});
  EXPECT_EQ(json.code, 3);
  EXPECT_EQ(Json::parse(json.out)["status"], "infeasible");
}

TEST(Allocate, AProblemIsNotWrittenOver) {
  const TemporaryFolder folder;
  folder.write("mine.json", R"({"ridgeline_allocation": 1, "name": "mine"})");
  const Outcome outcome = run_ridgeline({"allocate", "example", "--out", "mine.json"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("--out"), HasSubstr("an allocation problem")));
}

TEST(Allocate, BadInputNamesThePlaceAndTheRemedy) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{"allocate", "exmaple"}, {"did you mean 'example'?"}},
      {{"allocate", "./none.json"}, {"./none.json", "no such file"}},
      {{"allocate", "example", "--budget", "weight_byte=5"}, {"--budget", "did you mean 'weight_bytes'?"}},
      {{"allocate", "example", "--budget", "weight_bytes"}, {"--budget", "NAME=LIMIT"}},
      {{"allocate", "example", "--budget", "weight_bytes=-5"}, {"--budget", "0 or more"}},
      {{"allocate", "example", "--budget", "weight_bytes=nan"}, {"--budget", "weight_bytes=nan"}},
      {{"allocate", "example", "--curve"}, {"--curve", "--method greedy"}},
      {{"allocate", "example", "--method", "annealing"}, {"--method", "annealing"}},
      {{"allocate", "example", "--time-limit", "0"}, {"--time-limit"}},
      {{"allocate", "example", "--out", "no/such/plan.json"}, {"--out", "no/such"}}};
  for (const auto& [arguments, said] : cases) {
    const TemporaryFolder folder;
    const Outcome outcome = run_ridgeline(arguments, {folder.path(), {}, 0, ""});
    EXPECT_EQ(outcome.code, 2) << arguments.back();
    EXPECT_EQ(outcome.out, "");
    for (const std::string& part : said) EXPECT_THAT(outcome.err, HasSubstr(part));
    EXPECT_EQ(folder.entries(), 0U);
  }
}

}  // namespace
}  // namespace ridgeline
