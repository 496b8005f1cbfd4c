// Layers on arrays of multipliers, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Json mapped(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "mapping");
  arguments.emplace_back("--json");
  return parsed(run_ridgeline(arguments));
}

TEST(Mapping, FoldsOfASystolicArrayAreThoseOfItsProducts) {
  const Json json = mapped({"mobilenet_v1", "--seed", "1", "--device", "systolic_64x64"});
  ASSERT_EQ(json.at("layers").size(), 28U);
  for (const Json& layer : json.at("layers")) {
    const auto product = layer.at("product").get<std::vector<std::int64_t>>();
    const std::int64_t folds =
        (product[1] + 63) / 64 * ((product[2] + 63) / 64) * layer.at("count").get<std::int64_t>();
    EXPECT_EQ(layer.at("folds"), folds);
    EXPECT_EQ(layer.at("cycles"), folds * (2 * 64 + 64 + product[0] - 2));
    EXPECT_LE(layer.at("utilisation"), layer.at("mapping_efficiency"));
  }
  const Outcome text = run_ridgeline({"mapping", "mobilenet_v1", "--seed", "1", "--device", "systolic_64x64"});
  EXPECT_THAT(text.out, AllOf(HasSubstr("64 x 64 units, weight-stationary"), HasSubstr("conv2d 3x3 /2")));
}

TEST(Mapping, SimulatesStalls) {
  const Json json = mapped({"plain_cnn", "--seed", "2", "--format", "int8", "--device", "gemmini_16x16", "--simulate"});
  for (const Json& layer : json.at("layers")) {
    ASSERT_TRUE(layer.contains("simulated"));
    EXPECT_EQ(layer.at("simulated").at("last_cycle").get<std::int64_t>() -
                  layer.at("simulated").at("stall_cycles").get<std::int64_t>() + 1,
              layer.at("cycles").get<std::int64_t>());
  }
}

TEST(Mapping, LoopsOfASpatialAcceleratorMakeTheWholeLayer) {
  const Json json = mapped({"plain_cnn", "--seed", "2", "--format", "int16", "--device", "eyeriss"});
  ASSERT_FALSE(json.at("layers").empty());
  for (const Json& layer : json.at("layers")) {
    EXPECT_EQ(layer.at("levels").size(), 5U);
    EXPECT_GT(layer.at("cycles"), 0);
    EXPECT_LE(layer.at("utilisation"), 1);
  }
  const Outcome text =
      run_ridgeline({"mapping", "plain_cnn", "--seed", "2", "--format", "int16", "--device", "eyeriss"});
  EXPECT_THAT(text.out, AllOf(HasSubstr("global buffer"), HasSubstr("over instances")));
}

TEST(Mapping, BadInputIsSaidWithItsRemedy) {
  const Outcome roofline = run_ridgeline({"mapping", "plain_cnn", "--device", "raspberry_pi_4"});
  EXPECT_EQ(roofline.code, 2);
  EXPECT_THAT(roofline.err, AllOf(HasSubstr("array of multipliers"), HasSubstr("ridgeline device list")));
  const Outcome format = run_ridgeline({"mapping", "plain_cnn", "--device", "gemmini_16x16", "--format", "f32"});
  EXPECT_EQ(format.code, 2);
  EXPECT_THAT(format.err, HasSubstr("choose --format"));
  const Outcome spatial = run_ridgeline({"mapping", "plain_cnn", "--device", "eyeriss", "--format", "f32"});
  EXPECT_EQ(spatial.code, 2);
  EXPECT_THAT(spatial.err, AllOf(HasSubstr("not in f32"), HasSubstr("choose --format")));
  const Outcome stalls =
      run_ridgeline({"mapping", "plain_cnn", "--device", "eyeriss", "--format", "int16", "--simulate"});
  EXPECT_EQ(stalls.code, 2);
  EXPECT_THAT(stalls.err, HasSubstr("a systolic array"));
}

// A row has as many cycles as an array that the genes made, 8 x 8 or 128 x 128, needs for it; not the file's.
TEST(Mapping, IsOnTheHardwareOfTheCandidate) {
  for (const std::int64_t side : {8, 128}) {
    const std::string choice = std::to_string(side);
    const Json json = mapped({"mobilenet_codesign", "--seed", "1", "--format", "int8", "--choices", "rows=" + choice,
                              "--choices", "cols=" + choice, "--choices", "dataflow=ws", "--device", "systolic_64x64"});
    for (const Json& layer : json.at("layers")) {
      const auto product = layer.at("product").get<std::vector<std::int64_t>>();
      EXPECT_EQ(
          layer.at("folds").get<std::int64_t>(),
          (product[1] + side - 1) / side * ((product[2] + side - 1) / side) * layer.at("count").get<std::int64_t>());
    }
  }
}

// A device that has no place for the candidate's hardware is costed as it stands, and that is said.
TEST(Mapping, EstimateSaysWhoseHardwareItCosts) {
  const Outcome other = run_ridgeline({"estimate", "mobilenet_v1_eyeriss", "--seed", "1", "--device", "pixel_6"});
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_THAT(other.out, AllOf(HasSubstr("pixel_6: as its file has it"), HasSubstr("levels.DRAM")));
  const Outcome own = run_ridgeline({"estimate", "mobilenet_v1_eyeriss", "--seed", "1", "--device", "eyeriss"});
  EXPECT_EQ(own.code, 0) << own.err;
  EXPECT_THAT(own.out, Not(HasSubstr("as its file has it")));
}

// A network and its array under limits that the network alone does not look at.
TEST(Mapping, JointlySearchedNetworksAndArraysKeepLimitsThatOneAfterTheOtherDoesNot) {
  const TemporaryFolder folder;
  const Outcome outcome = run_ridgeline(
      {"search", "codesign", "--trials", "600", "--set", "compare[0].override.searcher.first_trials=300", "--json"},
      {folder.path(), {}, 0, ""});
  EXPECT_THAT(outcome.err, HasSubstr("nothing feasible in codesign/sequential"));
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(outcome.code, 3);  // of the sequential route
  ASSERT_FALSE(json.at("front").empty());
  for (const Json& member : json.at("front")) {
    EXPECT_LE(member.at("values").at("latency_s"), 0.002);
    EXPECT_LE(member.at("values").at("energy_j"), 0.0018);
    EXPECT_LE(member.at("values").at("area_mm2"), 1.2);
  }
  const Outcome nested = run_ridgeline({"report", "codesign/nested"}, {folder.path(), {}, 0, ""});
  EXPECT_THAT(nested.out, HasSubstr("hardware proposed and searched on"));
  const Outcome compared = run_ridgeline({"compare", "codesign", "--csv"}, {folder.path(), {}, 0, ""});
  for (const char* row : {"codesign,", "sequential,", "nested,"}) EXPECT_THAT(compared.out, HasSubstr(row));
}

}  // namespace
}  // namespace ridgeline
