// Tables of sensitivities, the allocation problems made of them, and the plans that follow.
#include "experiments/quantization/sensitivity_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "experiments/allocation_file.hpp"
#include "search/allocation/exact_allocation.hpp"
#include "spaces/rng.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::what_of;

// Random penalties of twelve layers in 4, 8 and 16 bits, by three methods.
Sensitivity made_up(std::uint64_t seed) {
  Rng rng(seed);
  Sensitivity made;
  made.methods = {"cca", "prune", "taylor"};
  for (NodeId node = 0; node < 12; ++node) {
    const double scale = std::exp(2 * rng.normal());
    const auto parameters = static_cast<std::int64_t>(100 + rng.below(5000));
    for (const auto& [word, bits] : {std::pair{"bf16", 16.0}, {"int8", 8.0}, {"int4", 4.0}}) {
      SensitivityRow row;
      row.node = node;
      row.layer = node == 3 ? "a \"name\", with commas" : "layer" + std::to_string(node);
      row.format = word;
      for (int method = 0; method < 3; ++method) {
        row.penalties.push_back(scale * std::pow(4.0, -bits) * (0.5 + rng.uniform()));
      }
      row.parameters = parameters;
      row.macs = 7 * parameters;
      row.bits = bits;
      row.bit_operations = static_cast<double>(row.macs) * bits * bits;
      row.weight_bytes = static_cast<double>(parameters) * bits / 8 + 40;
      made.rows.push_back(std::move(row));
    }
  }
  return made;
}

void expect_same(const Sensitivity& a, const Sensitivity& b) {
  EXPECT_EQ(a.methods, b.methods);
  EXPECT_EQ(a.part, b.part);
  ASSERT_EQ(a.rows.size(), b.rows.size());
  for (std::size_t i = 0; i < a.rows.size(); ++i) {
    EXPECT_EQ(a.rows[i].layer, b.rows[i].layer);
    EXPECT_EQ(a.rows[i].format, b.rows[i].format);
    EXPECT_EQ(a.rows[i].penalties, b.rows[i].penalties);  // bit for bit
    EXPECT_EQ(a.rows[i].parameters, b.rows[i].parameters);
    EXPECT_EQ(a.rows[i].macs, b.rows[i].macs);
    EXPECT_EQ(a.rows[i].bits, b.rows[i].bits);
    EXPECT_EQ(a.rows[i].bit_operations, b.rows[i].bit_operations);
    EXPECT_EQ(a.rows[i].weight_bytes, b.rows[i].weight_bytes);
  }
}

TEST(SensitivityFile, ATableIsReadAsItWasWritten) {
  const testing::Scratch scratch;
  Sensitivity made = made_up(1);
  expect_same(read_sensitivity(scratch.write("s.csv", sensitivity_csv(made))), made);
  made.part = SensitivityPart::weights;
  expect_same(read_sensitivity(scratch.write("s.csv", sensitivity_csv(made))), made);
}

TEST(SensitivityFile, SomebodyElsesTableNeedsLittle) {
  const testing::Scratch scratch;
  const Sensitivity found = read_sensitivity(scratch.write(
      "s.csv", "format,trace,macs,layer,parameters\nint8,0.5,200,a,64\nint4/int8,-2e-3,200,a,64\nint8,1,10,b,3\n"));
  EXPECT_EQ(found.methods, std::vector<std::string>{"trace"});
  EXPECT_EQ(found.layers(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(found.rows[1].penalties[0], -2e-3);
  EXPECT_EQ(found.rows[1].bits, 4);
  EXPECT_EQ(found.rows[1].bit_operations, 200.0 * 4 * 8);
  EXPECT_EQ(found.rows[1].weight_bytes, 32);
  const Sensitivity json = read_sensitivity(
      scratch.write("s.json", R"([{"layer": "a", "format": "e4m3", "kl": 0.25, "parameters": 8, "macs": 9}])"));
  EXPECT_EQ(json.rows[0].penalties[0], 0.25);
  EXPECT_EQ(json.rows[0].weight_bytes, 8);
}

TEST(SensitivityFile, TheProblemIsAcceptedAndIsTheOneInMemory) {
  const testing::Scratch scratch;
  const Sensitivity made = made_up(2);
  const ProblemFiles files = write_allocation_problems(scratch.path("problem"), made);
  ASSERT_EQ(files.problems.size(), 3U);
  expect_same(read_sensitivity(files.csv), made);
  for (std::size_t m = 0; m < 3; ++m) {
    const AllocationFile read =
        load_allocation(files.problems[m], testing::resources(), {"average_bits=6", "weight_bytes=1e9"});
    AllocationProblem expected = allocation_problem(made, made.methods[m]);
    ASSERT_EQ(read.problem.budgets.size(), 3U);
    ASSERT_EQ(read.problem.layers.size(), 12U);
    for (std::size_t b = 0; b < 3; ++b) EXPECT_EQ(read.problem.budgets[b].name, expected.budgets[b].name);
    for (std::size_t l = 0; l < 12; ++l) {
      EXPECT_EQ(read.problem.layers[l].name, expected.layers[l].name);
      for (std::size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(read.problem.layers[l].choices[c].name, expected.layers[l].choices[c].name);
        EXPECT_EQ(read.problem.layers[l].choices[c].penalty, expected.layers[l].choices[c].penalty);
        for (std::size_t b = 0; b < 3; ++b) {
          EXPECT_NEAR(read.problem.layers[l].choices[c].costs[b], expected.layers[l].choices[c].costs[b], 1e-12);
        }
      }
    }
    const Allocation solved = exact_allocation(read.problem, {10});
    ASSERT_TRUE(solved.plan.has_value());
    EXPECT_LE(solved.plan->costs[0], 6.0 + 1e-9);
  }
  write_allocation_problems(scratch.path("problem"), made_up(3));  // over what it made
}

TEST(SensitivityFile, NothingOfSomebodyElsesIsWrittenOver) {
  const testing::Scratch scratch;
  std::filesystem::create_directories(scratch.path("problem"));
  scratch.write("problem/cca.json", "{\"mine\": 1}");
  EXPECT_THAT(what_of([&] { write_allocation_problems(scratch.path("problem"), made_up(1)); }),
              AllOf(HasSubstr("--problem"), HasSubstr("cca.json")));
  EXPECT_FALSE(std::filesystem::exists(scratch.path("problem/sensitivity.csv")));
  scratch.write("file", "");
  EXPECT_THAT(what_of([&] { write_allocation_problems(scratch.path("file"), made_up(1)); }), HasSubstr("a file"));
}

// CPTQuant: a lower target never raises a layer's bits, by any of the rankings.
TEST(SensitivityFile, LowerTargetsNeverRaiseBits) {
  const auto bits_of = [](const std::string& word) { return word == "int4" ? 4 : word == "int8" ? 8 : 16; };
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Sensitivity made = made_up(seed);
    std::vector<FormatPlan> looser;
    double compression = 0;
    for (const double target : {16.0, 12.0, 9.5, 8.0, 6.0, 5.0, 4.0}) {
      const std::vector<FormatPlan> plans = format_plans(made, target);
      ASSERT_EQ(plans.size(), 3U);
      for (std::size_t m = 0; m < 3; ++m) {
        EXPECT_LE(plans[m].average_bits, target + 1e-9);
        double average = 0, weights = 0, penalty = 0;
        for (std::size_t l = 0; l < 12; ++l) {
          const int bits = bits_of(plans[m].formats[l]);
          const int before = looser.empty() ? 16 : bits_of(looser[m].formats[l]);
          EXPECT_LE(bits, before) << target;
          const SensitivityRow& row = made.rows[3 * l + (bits == 16 ? 0U : bits == 8 ? 1U : 2U)];
          average += bits * static_cast<double>(row.parameters);
          weights += static_cast<double>(row.parameters);
          penalty += row.penalties[m];
        }
        EXPECT_NEAR(plans[m].average_bits, average / weights, 1e-9);
        EXPECT_NEAR(plans[m].penalty, penalty, 1e-9 * (1 + penalty));
      }
      EXPECT_GE(plans[0].compression, compression);
      compression = plans[0].compression;
      looser = plans;
    }
    double in_f32 = 0, in_int4 = 0;  // 40 bytes a layer stay
    for (std::size_t l = 0; l < 12; ++l) {
      in_f32 += 4.0 * static_cast<double>(made.rows[3 * l].parameters);
      in_int4 += 0.5 * static_cast<double>(made.rows[3 * l].parameters) + 40;
    }
    EXPECT_NEAR(compression, in_f32 / in_int4, 1e-9);
  }
  EXPECT_THAT(what_of([] { format_plans(made_up(1), 3.0); }),
              AllOf(HasSubstr("--target-bits"), HasSubstr("at least 4")));
}

TEST(SensitivityFile, APlanIsOneOfTheNetwork) {
  Network network;
  Op linear;
  linear.kind = OpKind::linear;
  linear.channels = 4;
  const NodeId first = network.add(linear, {network.add_input({1, 4})});
  network.mark_output(network.add(linear, {first}));
  Sensitivity made;
  made.methods = {"kl"};
  for (const NodeId node : {first, first + 1}) {
    for (const char* word : {"int8", "int4/e4m3"}) {
      made.rows.push_back({node, "l" + std::to_string(node), word, {0.0}, 16, 16, 8, 1, 16});
    }
  }
  FormatPlan plan{"kl", {"int4/e4m3", "int8"}};
  const PrecisionPlan found = precision_plan(network, made, plan);
  EXPECT_EQ(found.at(first).weights.text() + " " + found.at(first).activations.text(), "int4 e4m3");
  EXPECT_EQ(found.at(first + 1).weights.text() + " " + found.at(first + 1).activations.text(), "int8@channel int8");
  made.part = SensitivityPart::weights;
  EXPECT_EQ(precision_plan(network, made, plan).at(first).activations, f32);
}

TEST(SensitivityFile, BadTablesNameThePlace) {
  const testing::Scratch scratch;
  const auto read = [&](const std::string& text) {
    const std::string path = scratch.write("s.csv", text);
    return what_of([&] { read_sensitivity(path); });
  };
  EXPECT_THAT(read("layer,format,kl\na,int8,1\n"), HasSubstr("a column 'parameters'"));
  EXPECT_THAT(read("layer,format,parameters,macs\na,int8,1,1\n"), HasSubstr("a column of penalties"));
  const std::string header = "layer,format,kl,parameters,macs\n";
  EXPECT_THAT(read(header + "a,int8,nan,1,1\n"), AllOf(HasSubstr("row 2"), HasSubstr("'kl'"), HasSubstr("finite")));
  EXPECT_THAT(read(header + "a,int8,1,-1,1\n"), HasSubstr("0 or more"));
  EXPECT_THAT(read(header + "a,int99,1,1,1\n"), HasSubstr("int99"));
  EXPECT_THAT(read(header + "a,int8,1,1,1\na,int8,1,1,1\n"), AllOf(HasSubstr("row 3"), HasSubstr("once")));
  EXPECT_THAT(read("layer,format,part,kl,parameters,macs\na,int8,half,1,1,1\n"), HasSubstr("both, weights"));
  EXPECT_THAT(read("layer,format,part,kl,parameters,macs\na,int8,both,1,1,1\nb,int8,weights,1,1,1\n"),
              HasSubstr("the part of the rows before it"));
  EXPECT_THAT(read(header), HasSubstr("a table with rows"));
  EXPECT_THAT(what_of([] { read_sensitivity("none.csv"); }), HasSubstr("none.csv"));
}

}  // namespace
}  // namespace ridgeline
