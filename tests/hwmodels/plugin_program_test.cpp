// Programs of the user's own: every fault becomes a failed estimate with the program's own words, or a stop, soon, and
// leaves no process behind.
#include "hwmodels/plugin/program_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"
#include "tests/hwmodels/plugin_support.hpp"

namespace ridgeline {
namespace {

using test::no_child_left;
using test::program;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Why one network has no cost; what else must hold of every fault is checked.
std::string failure(ProgramOptions options) {
  const auto begin = std::chrono::steady_clock::now();
  std::string failed;
  {
    const ProgramModel model(std::move(options));
    const Cost cost = model.estimate(test::one_conv(f32));
    EXPECT_EQ(cost.unsupported, "");
    EXPECT_EQ(cost.latency_s, 0);
    failed = cost.failed;
  }
  EXPECT_TRUE(no_child_left()) << failed;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30)) << failed;
  return failed;
}

std::string failure(const std::string& fault) { return failure(program(fault)); }

std::string failure_in_time(const std::string& fault) {
  ProgramOptions options = program(fault);
  options.timeout_s = 0.2;
  return failure(options);
}

std::string refusal(ProgramOptions options) {
  try {
    const ProgramModel model(std::move(options));
  } catch (const ConfigError& error) {
    EXPECT_TRUE(no_child_left());
    return error.what();
  }
  return "made";
}

TEST(PluginProgram, GivesWhatItSays) {
  RIDGELINE_NEEDS_PYTHON();
  {
    const ProgramModel model(program("good"));
    EXPECT_EQ(model.name(), "mine");
    EXPECT_TRUE(model.has_energy());
    EXPECT_THAT(std::vector<std::string>(model.resources().begin(), model.resources().end()), ElementsAre("luts"));
    const Cost cost = model.estimate(test::one_conv(f32));
    EXPECT_EQ(cost.problem(), "");
    EXPECT_DOUBLE_EQ(cost.latency_s, 1e-9 * 64 * 64 * 9 * 256 + 1e-6);
    ASSERT_NE(cost.resource("luts"), nullptr);
    EXPECT_EQ(cost.resource("luts")->available, 100);
    model.estimate({}, {});
  }
  EXPECT_TRUE(no_child_left());
}

TEST(PluginProgram, AnswersFromSeveralThreads) {
  RIDGELINE_NEEDS_PYTHON();
  const ProgramModel model(program("good"));
  std::vector<Cost> costs(4);
  std::vector<std::thread> threads;
  for (Cost& cost : costs) threads.emplace_back([&] { cost = model.estimate(test::one_conv(f32)); });
  for (std::thread& one : threads) one.join();
  for (const Cost& cost : costs) EXPECT_EQ(cost.latency_s, costs[0].latency_s);
  EXPECT_GT(costs[0].latency_s, 0);
}

TEST(PluginProgram, WrongNumbersFailTheirDesign) {
  RIDGELINE_NEEDS_PYTHON();
  EXPECT_THAT(failure("nan"), AllOf(HasSubstr("JSON with finite numbers"), HasSubstr("failed")));
  EXPECT_EQ(failure("negative"), "mine: its energy_j is negative");
  EXPECT_THAT(failure("text"), AllOf(HasSubstr("latency_s"), HasSubstr("\"fast\" (string)")));
  EXPECT_THAT(failure("typo"), HasSubstr("latency_s"));
  EXPECT_EQ(failure("failed"), "mine: the table has no such row");
  EXPECT_THAT(failure("count"), AllOf(HasSubstr("as many costs as designs"), HasSubstr("found 0")));
  EXPECT_THAT(failure("batch"), HasSubstr("the number of the request"));
}

TEST(PluginProgram, ACrashIsReportedInItsOwnWords) {
  RIDGELINE_NEEDS_PYTHON();
  EXPECT_EQ(failure("crash"),
            "mine: it ended with exit code 3; its own words: \"first made up: the table has no such row\"");
  EXPECT_THAT(failure("signal"), AllOf(HasSubstr("signal 11"), HasSubstr("Segmentation fault")));
  EXPECT_THAT(failure("partial, ends"), HasSubstr("exit code 0 in the middle of its answer"));
}

TEST(PluginProgram, AHangEndsInTime) {
  RIDGELINE_NEEDS_PYTHON();
  EXPECT_EQ(failure_in_time("hang"), "mine: no answer within 0.2 s; its own words: \"still thinking\"");
  EXPECT_THAT(failure_in_time("partial, hangs"), HasSubstr("no end of its answer within 0.2 s"));
  EXPECT_THAT(failure_in_time("flood, hangs"), AllOf(HasSubstr("no answer"), HasSubstr("a warning")));
  EXPECT_THAT(failure_in_time("grandchild"), HasSubstr("no answer"));
}

TEST(PluginProgram, WhatIsNoAnswerIsShown) {
  RIDGELINE_NEEDS_PYTHON();
  EXPECT_THAT(failure("garbage"), AllOf(HasSubstr("loading the table ..."), HasSubstr("standard error")));
  EXPECT_THAT(failure("two lines"), HasSubstr("more than one line"));
  EXPECT_THAT(failure("huge"), HasSubstr("a line of more than 64 MiB"));
  EXPECT_THAT(failure("closes its input"), HasSubstr("closed its input"));
}

TEST(PluginProgram, ALayerTooFewFailsItsDesign) {
  RIDGELINE_NEEDS_PYTHON();
  const ProgramModel model(program("layers"));
  EXPECT_EQ(model.estimate(test::one_conv(f32)).problem(), "");
  EXPECT_THAT(model.estimate(test::mobile_block(f32)).failed, HasSubstr("one entry a layer"));
}

TEST(PluginProgram, AFloodOfWarningsIsReadOver) {
  RIDGELINE_NEEDS_PYTHON();
  const ProgramModel model(program("flood"));
  EXPECT_EQ(model.estimate(test::one_conv(f32)).problem(), "");
}

TEST(PluginProgram, UnsupportedIsAnAnswerOnOneLine) {
  RIDGELINE_NEEDS_PYTHON();
  const ProgramModel model(program("unsupported"));
  const Cost cost = model.estimate(test::one_conv(f32));
  EXPECT_EQ(cost.unsupported, "no such arithmetic");
  EXPECT_EQ(cost.failed, "");
}

TEST(PluginProgram, WhatCannotBeUsedIsRefusedWhenItIsLoaded) {
  RIDGELINE_NEEDS_PYTHON();
  EXPECT_THAT(refusal(program("version")), AllOf(HasSubstr("version 1 of the protocol"), HasSubstr("version 7")));
  EXPECT_THAT(refusal(program("hello is garbage")), HasSubstr("\"hello\""));
  EXPECT_THAT(refusal(program("exits at once")), AllOf(HasSubstr("exit code 1"), HasSubstr("no licence")));
  ProgramOptions silent = program("silent");
  silent.start_timeout_s = 0.2;
  EXPECT_THAT(refusal(silent), HasSubstr("no answer within 0.2 s"));
  ProgramOptions missing = program("good");
  missing.command = {"./nowhere"};
  EXPECT_THAT(refusal(missing), AllOf(HasSubstr("./nowhere"), HasSubstr("No such file")));
  missing.command = {"./program.py"};
  EXPECT_THAT(refusal(missing), AllOf(HasSubstr("./program.py"), HasSubstr("Permission denied")));
  missing.command = {test::python(), "nowhere.py"};
  EXPECT_THAT(refusal(missing), HasSubstr("nowhere.py"));
}

TEST(PluginProgram, OneDesignOfABatchFailsAlone) {
  RIDGELINE_NEEDS_PYTHON();
  for (const char* fault : {"marked crash", "marked hang"}) {
    ProgramOptions options = program(fault);
    if (std::string(fault) == "marked hang") options.timeout_s = 0.5;
    const ProgramModel model(options);
    const std::vector<Design> designs{test::one_conv(f32), test::mobile_block(f32), test::one_conv(int8)};
    std::vector<Cost> costs(3);
    model.estimate(designs, costs);
    EXPECT_EQ(costs[0].problem(), "");
    EXPECT_THAT(costs[1].failed, HasSubstr("its own words")) << fault;
    EXPECT_EQ(costs[2].problem(), "");
  }
  EXPECT_TRUE(no_child_left());
}

TEST(PluginProgram, FailingEveryTimeIsAStop) {
  RIDGELINE_NEEDS_PYTHON();
  ProgramOptions options = program("crash");
  options.restarts = 2;
  const ProgramModel model(options);
  EXPECT_THAT(model.estimate(test::one_conv(f32)).failed, HasSubstr("exit code 3"));
  EXPECT_THAT(model.estimate(test::one_conv(f32)).failed, HasSubstr("exit code 3"));
  try {
    model.estimate(test::one_conv(f32));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("device.json"), HasSubstr("3 failures one after the other"),
                                    HasSubstr("the table has no such row"), HasSubstr("restarts")));
  }
  EXPECT_TRUE(no_child_left());
}

TEST(PluginProgram, ItsFilesOrWhatItStatesAreItsFingerprint) {
  RIDGELINE_NEEDS_PYTHON();
  const std::uint64_t good = ProgramModel(program("good")).contents_hash();
  EXPECT_EQ(ProgramModel(program("nan")).contents_hash(), good);
  EXPECT_NE(ProgramModel(program("stated")).contents_hash(), good);
}

TEST(PluginProgram, ADeviceFileIsReadStrictly) {
  const auto problems = [](const char* text) {
    try {
      ProgramModel::make(JsonDocument::parse(text, "device.json"));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("made");
  };
  EXPECT_THAT(problems(R"({"ridgeline_device": 1, "model": "program", "name": "x", "comand": ["a"], "timeout_s": 0})"),
              AllOf(HasSubstr("comand"), HasSubstr("command"), HasSubstr("timeout_s")));
}

}  // namespace
}  // namespace ridgeline
