// Hardware models of the user's own, as he uses them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

const fs::path examples = fs::path(RIDGELINE_SOURCE_DIR) / "hwmodels/examples";

TEST(DeviceCheck, SaysWhatHoldsAndWhatDoesNot) {
  const nlohmann::json json = parsed(run_ridgeline({"device", "check", "pixel_6", "--json"}));
  EXPECT_TRUE(json.at("passed").get<bool>());
  for (const auto& one : json.at("conformance")) EXPECT_EQ(one.at("outcome"), "pass");
  const Outcome slow = run_ridgeline({"device", "check", "pixel_6", "--candidate", "1e-9"});
  EXPECT_EQ(slow.code, 2);
  EXPECT_THAT(slow.out, AllOf(HasSubstr("FAIL"), HasSubstr("at most 1e-09 s"), HasSubstr("speed: ")));
}

TEST(DeviceCheck, TellsAnEmptyFileFromOneThatCannotBeRead) {
  const TemporaryFolder folder;
  folder.write("empty.json", "");
  const Outcome empty = run_ridgeline({"device", "check", folder.file("empty.json")});
  EXPECT_EQ(empty.code, 2);
  EXPECT_THAT(empty.err, AllOf(HasSubstr("empty.json"), Not(HasSubstr("rights"))));
}

TEST(DeviceCheck, OptionsOfTheMeasurementNeedASpace) {
  const Outcome outcome = run_ridgeline({"device", "check", "pixel_6", "--n", "8"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--space"));
}

TEST(Plugins, TheExampleProgramIsADevice) {
  if (!fs::exists("/usr/bin/python3")) GTEST_SKIP() << "no /usr/bin/python3 to run the example";
  const std::string file = (examples / "program/my_program.json").string();
  // From another folder: what the file names is beside the file.
  const TemporaryFolder folder;
  const ChildOptions there{folder.path(), {}, 0, ""};
  const nlohmann::json json = parsed(run_ridgeline({"estimate", "nasbench201", "--device", file, "--json"}, there));
  const auto& cost = json.at("devices").at(file);
  EXPECT_GT(cost.at("latency_s").get<double>(), 0);
  EXPECT_GT(cost.at("energy_j").get<double>(), 0);
  EXPECT_GT(cost.at("resources").at("sram_bytes").at("used").get<double>(), 0);
  const Outcome check = run_ridgeline({"device", "check", file}, there);
  EXPECT_EQ(check.code, 0) << check.out << check.err;
}

TEST(Plugins, ABrokenProgramIsAnErrorBeforeAnythingIsSearched) {
  const TemporaryFolder folder;
  folder.write("mine.json", R"({"ridgeline_device": 1, "model": "program", "name": "mine", "command": ["./nowhere"]})");
  const Outcome outcome =
      run_ridgeline({"estimate", "nasbench201", "--device", "./mine.json"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("mine.json"), HasSubstr("./nowhere"), HasSubstr("No such file")));
}

// A library that does what its fault says, and a study of 40 random trials on it.
void write_library_study(const TemporaryFolder& folder, const std::string& fault) {
  const nlohmann::json device{{"ridgeline_device", 1},
                              {"model", "library"},
                              {"name", "mine"},
                              {"library", PLUGIN_FOLDER "/plugin_good.so"},
                              {"options", {{"fault", fault}}},
                              {"timeout_s", fault == "hang" ? 0.2 : 600.0}};
  folder.write("mine.json", device.dump());
  const nlohmann::json study{
      {"ridgeline_study", 1},
      {"name", "fragile"},
      {"space", "nasbench201"},
      {"searcher", {{"name", "random"}}},
      {"batch", 10},
      {"objectives",
       {{{"name", "latency"},
         {"unit", "s"},
         {"direction", "minimise"},
         {"from", {{"evaluator", "cost"}, {"device", "./mine.json"}, {"quantity", "latency_s"}}}}}},
      {"stop", {{"trials", 40}}}};
  folder.write("study.json", study.dump());
}

TEST(Plugins, ACrashOfALibraryNamesItAndLosesNothing) {
  const TemporaryFolder folder;
  write_library_study(folder, "crash");  // on the 31st design that a process asks for
  const ChildOptions there{folder.path(), {}, 0, ""};
  const Outcome crash = run_ridgeline({"search", "./study.json"}, there);
  EXPECT_GT(crash.code, 128);
  EXPECT_THAT(crash.err, AllOf(HasSubstr("plugin_good.so crashed"), HasSubstr("ridgeline resume")));
  const nlohmann::json kept = parsed(run_ridgeline({"runs", "show", "fragile", "--json"}, there));
  EXPECT_GE(kept.at("trials").get<int>(), 20);
  const Outcome rest = run_ridgeline({"resume", "fragile"}, there);
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(parsed(run_ridgeline({"runs", "show", "fragile", "--json"}, there)).at("trials"), 40);
}

TEST(Plugins, AHangingLibraryEndsTheSearchWithAMessage) {
  const TemporaryFolder folder;
  write_library_study(folder, "hang");
  const Outcome outcome = run_ridgeline({"search", "./study.json"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("plugin_good.so still at work"), HasSubstr("timeout_s")));
}

TEST(Plugins, ALibraryThatEndsTheProgramIsNoSuccess) {
  const TemporaryFolder folder;
  write_library_study(folder, "exit");
  const Outcome outcome = run_ridgeline({"search", "./study.json"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("plugin_good.so called exit()"), HasSubstr("ridgeline resume")));
}

// An installation whose list of devices holds a program: looking at it must not start it.
TEST(Plugins, AListStartsNoProgram) {
  const TemporaryFolder folder;
  const fs::path root = folder.path();
  fs::create_directories(root / "bin");
  fs::create_directories(root / "share/ridgeline/spaces/library");
  fs::create_directories(root / "share/ridgeline/hwmodels/devices");
  fs::copy_file(RIDGELINE_PROGRAM, root / "bin/ridgeline");
  const std::string device = (root / "share/ridgeline/hwmodels/devices/evil.json").string();
  std::ofstream(device) << R"({"ridgeline_device": 1, "model": "program", "name": "evil", "command": ["touch", ")" +
                               folder.file("touched") + R"("]})";
  for (const char* words : {"list", "show evil"}) {
    const std::string command = (root / "bin/ridgeline").string() + " device " + words + " > " + folder.file("out");
    EXPECT_EQ(std::system(command.c_str()), 0) << words;
    std::ifstream out(folder.file("out"));
    const std::string text{std::istreambuf_iterator<char>(out), {}};
    EXPECT_THAT(text, HasSubstr("evil"));
    EXPECT_FALSE(folder.has("touched")) << words;
  }
}

}  // namespace
}  // namespace ridgeline
