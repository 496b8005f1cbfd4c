// Commands that look at spaces, devices and this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Json parsed(const std::vector<std::string>& arguments) {
  const Outcome outcome = run_ridgeline(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  Json json = Json::parse(outcome.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << outcome.out;
  return json;
}

TEST(Spaces, AreListedWithTheirSizes) {
  const Json list = parsed({"space", "list", "--json"});
  ASSERT_GE(list.size(), 5U);
  const auto it =
      std::find_if(list.begin(), list.end(), [](const Json& one) { return one.at("name") == "nasbench201"; });
  ASSERT_NE(it, list.end());
  EXPECT_NEAR(it->at("log10_size").get<double>(), 6 * std::log10(5.0), 1e-9);
  EXPECT_THAT(run_ridgeline({"space", "list"}).out, AllOf(HasSubstr("nasbench_macro"), HasSubstr("15,625")));
}

TEST(Spaces, AreCountedExactlyWhereTheyAreSmall) {
  EXPECT_EQ(parsed({"space", "count", "nasbench_macro", "--json"}).at("valid"), 6561);
  EXPECT_EQ(parsed({"space", "count", "nasbench_macro", "--choices", R"(layer=["id","ir_5x5_t6"])", "--choices",
                    "layer[0]=id", "--json"})
                .at("valid"),
            128);
  EXPECT_TRUE(parsed({"space", "count", "ofa_mobilenet_v3", "--json"}).at("valid").is_null());
}

TEST(Spaces, SampleIsTheSameForTheSameSeed) {
  const std::vector<std::string> arguments{"space", "sample", "resnet", "--n", "5", "--seed", "7"};
  const Outcome first = run_ridgeline(arguments), again = run_ridgeline(arguments);
  EXPECT_EQ(first.out, again.out);
  EXPECT_EQ(std::count(first.out.begin(), first.out.end(), '\n'), 5);
  EXPECT_NE(first.out, run_ridgeline({"space", "sample", "resnet", "--n", "5", "--seed", "8"}).out);
}

TEST(Spaces, ASampledGenomeIsAcceptedAgain) {
  const Json sample = parsed({"space", "sample", "mobilenet_v2", "--json"});
  for (const char* form : {"genome", "genes"}) {
    const Json again =
        parsed({"estimate", "mobilenet_v2", "--genome", sample.at(0).at(form).dump(), "--device", "pixel_6", "--json"});
    EXPECT_EQ(again.at("genome"), sample.at(0).at("genome"));
  }
}

TEST(Spaces, ShowAndCheckSurveyTheNetworks) {
  const Json show = parsed({"space", "show", "nasbench201", "--sample", "20", "--json"});
  EXPECT_EQ(show.at("dimensions").size(), 6U);
  EXPECT_LE(show.at("survey").at("macs").at("least"), show.at("survey").at("macs").at("most"));
  EXPECT_TRUE(parsed({"space", "check", "nasbench201", "--sample", "5", "--json"}).at("ok").get<bool>());
  const std::string dot = run_ridgeline({"space", "show", "nasbench201", "--dot"}).out;
  EXPECT_THAT(dot, AllOf(StartsWith("digraph"), HasSubstr(" -> "), HasSubstr("conv2d 3x3")));
}

TEST(Spaces, ParametersAndBatchReachTheNetwork) {
  const Json small = parsed({"space", "sample", "nasbench201", "--parameter", "classes=10", "--json"});
  const Json large = parsed({"space", "sample", "nasbench201", "--parameter", "classes=110", "--json"});
  // 100 more classes on 64 channels: 100 * 64 weights and 100 biases.
  EXPECT_EQ(large.at(0).at("parameters").get<int>() - small.at(0).at("parameters").get<int>(), 6500);
  const Json eight = parsed({"space", "sample", "nasbench201", "--parameter", "classes=10", "--batch", "8", "--json"});
  EXPECT_EQ(eight.at(0).at("macs").get<std::int64_t>(), 8 * small.at(0).at("macs").get<std::int64_t>());
}

TEST(Devices, AreListedAndShownWithSources) {
  EXPECT_GE(parsed({"device", "list", "--json"}).size(), 15U);
  const std::string text = run_ridgeline({"device", "show", "pixel_6"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("peak_ops_per_s.f32"), HasSubstr("memory.DRAM.bandwidth_bytes_per_s"),
                          HasSubstr("source")));
  EXPECT_EQ(parsed({"device", "show", "pixel_6", "--json"}).at("ridgeline_device"), 1);
}

TEST(Estimate, ListsTheFormatsADeviceHas) {
  const Json json = parsed({"estimate", "nasbench201", "--device", "nvidia_t4", "--device", "pixel_6", "--json"});
  EXPECT_EQ(json.at("devices").size(), 2U);
  const Json& formats = json.at("devices").at("nvidia_t4").at("formats");
  EXPECT_TRUE(formats.contains("f32"));
  EXPECT_LT(formats.at("int8").at("weight_bytes"), formats.at("f32").at("weight_bytes"));
}

TEST(Measure, TimesANetworkWithItsOperators) {
  const Json json =
      parsed({"measure", "nasbench201", "--target", "0.01", "--min-samples", "5", "--max-spread", "100", "--json"});
  EXPECT_EQ(json.at("outcome"), "ok");
  EXPECT_GE(json.at("samples_s").size(), 5U);
  EXPECT_LE(json.at("ci_low_s"), json.at("median_s"));
  EXPECT_GE(json.at("ci_high_s"), json.at("median_s"));
  double sum = 0;
  for (const Json& op : json.at("operators")) {
    EXPECT_FALSE(op.at("implementation").get<std::string>().empty());
    sum += op.at("median_s").get<double>();
  }
  EXPECT_NEAR(sum, json.at("sum_of_operators_s").get<double>(), 1e-9);
  const Outcome text = run_ridgeline(
      {"measure", "nasbench201", "--target", "0.01", "--max-spread", "100", "--format", "int8", "--cold"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("95 %"), HasSubstr("MAD"), HasSubstr("cold cache"), HasSubstr("sum of steps"),
                              HasSubstr("int8")));
}

TEST(Measure, AFormatThisMachineCannotRunIsAnAnswer) {
  const Outcome outcome = run_ridgeline({"measure", "nasbench201", "--format", "int4@group32"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.out, HasSubstr("int4"));
}

TEST(Calibrate, WritesADeviceThatEstimatesAndIsChecked) {
  const TemporaryFolder folder;
  const std::string file = folder.file("host.json"), database = folder.file("host.db");
  const Json made = parsed({"device", "calibrate", "--space", "nasbench_macro", "--format", "f32", "--budget", "10",
                            "--out", file, "--db", database, "--json"});
  EXPECT_GT(made.at("layers"), 0);
  EXPECT_EQ(made.at("fits").at(0).at("format"), "f32");
  const Json estimate = parsed({"estimate", "nasbench_macro", "--device", file, "--json"});
  EXPECT_GT(estimate.at("devices").at(file).at("latency_s").get<double>(), 0.0);
  const Json check =
      parsed({"device", "check", file, "--space", "nasbench_macro", "--n", "8", "--seconds", "2", "--json"});
  ASSERT_EQ(check.at("checks").size(), 1U);
  EXPECT_EQ(check.at("checks").at(0).at("pairs").size(), 8U);
  for (const Json& pair : check.at("checks").at(0).at("pairs")) EXPECT_GT(pair.at("predicted_s").get<double>(), 0.0);
}

TEST(Version, NamesTheProgramItsLibrariesAndTheSchema) {
  const Json json = parsed({"version", "--json"});
  EXPECT_FALSE(json.at("version").get<std::string>().empty());
  EXPECT_FALSE(json.at("environment").at("onednn_version").get<std::string>().empty());
  EXPECT_GE(json.at("database_schema"), 1);
}

}  // namespace
}  // namespace ridgeline
