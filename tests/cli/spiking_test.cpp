// Spiking networks, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Spiking, EnergiesMeetAtTheBreakEvenRate) {
  const std::vector<std::string> network{"spiking", "spikformer_small", "--seed", "1", "--time-steps", "4"};
  const auto at = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = network;
    words.insert(words.end(), more.begin(), more.end());
    words.emplace_back("--json");
    return parsed(run_ridgeline(words));
  };
  const Json first = at({"--rate", "0.1"});
  const double rate = first.at("sum").at("break_even_rate");
  const Json there = at({"--rate", std::to_string(rate)});
  const double spiking = there.at("sum").at("spiking").at("energy_j");
  const double quantized = there.at("sum").at("quantized").at("energy_j");
  EXPECT_NEAR(spiking / quantized, 1.0, 1e-4);
  const Json by_class = at({"--rate", "0.1", "--rate", "conv2d=0.2"});
  EXPECT_EQ(by_class.at("firing_rate").at("conv2d"), 0.2);
  EXPECT_EQ(by_class.at("firing_rate").at("linear"), 0.1);
  const Outcome text = run_ridgeline(network);
  EXPECT_THAT(text.out, AllOf(HasSubstr("synaptic operations"), HasSubstr("break-even rate"), HasSubstr("4 steps")));
}

TEST(Spiking, NarrowerActivationsMakeSpikesPayLess) {
  const auto rate = [](const char* against) {
    return parsed(run_ridgeline({"spiking", "spikformer_small", "--seed", "1", "--time-steps", "4", "--against",
                                 against, "--json"}))
        .at("sum")
        .at("break_even_rate")
        .get<double>();
  };
  EXPECT_LT(rate("int4@channel/int4"), rate("int8@channel/int8"));
  EXPECT_LT(rate("int8@channel/int8"), rate("f32"));
}

TEST(Spiking, BadInputIsSaidWithItsRemedy) {
  const auto problem = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"spiking", "spikformer_small"});
    const Outcome outcome = run_ridgeline(words);
    EXPECT_EQ(outcome.code, 2);
    return outcome.err;
  };
  EXPECT_THAT(problem({"--device", "eyeriss"}), HasSubstr("spiking_45nm"));
  EXPECT_THAT(problem({"--rate", "2"}), HasSubstr("a share from 0 to 1"));
  EXPECT_THAT(problem({"--rate", "conv=0.1"}), HasSubstr("conv2d, depthwise, linear or matmul"));
  EXPECT_THAT(problem({"--neuron", "PLIF"}), HasSubstr("IF, LIF, CLIF"));
}

TEST(Spiking, TheShippedStudyFindsAFrontOfSpikesAndValues) {
  const TemporaryFolder folder;
  const Outcome outcome =
      run_ridgeline({"search", "spikformer_energy", "--trials", "180", "--db", folder.file("spikes.db"), "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const Json front = parsed(run_ridgeline({"pareto", "spikformer_energy", "--db", folder.file("spikes.db"), "--json"}));
  const std::string text = front.dump();
  EXPECT_THAT(text, HasSubstr("bits_per_value"));
  EXPECT_THAT(text, HasSubstr("\"time_steps\":0"));
}

}  // namespace
}  // namespace ridgeline
