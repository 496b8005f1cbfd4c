// Searches with hardware models of the user's own: the example gives trials and the same ones when resumed; faults are
// failed trials or a stop, and what was stored stays.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/experiments/support.hpp"
#include "tests/hwmodels/plugin_support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string examples = std::string(RIDGELINE_SOURCE_DIR) + "/hwmodels/examples";

Json study_on(const std::string& name, const std::string& device, int trials) {
  Json study = small_study(name);
  study["searcher"] = {{"name", "nsga2"}, {"population", 8}};
  study["stop"]["trials"] = trials;
  study["objectives"][1] = Json{{"name", "latency"},
                                {"unit", "s"},
                                {"direction", "minimise"},
                                {"from", {{"evaluator", "cost"}, {"device", device}, {"quantity", "latency_s"}}}};
  return study;
}

// The example's device file with an interpreter that is not looked for.
std::string example_device(const Scratch& scratch) {
  Json device = JsonDocument::load(examples + "/program/my_program.json").value();
  device["command"] = {test::python(), "-I", "-S", examples + "/program/my_model.py"};
  return scratch.write("device.json", device.dump());
}

std::string faulty_device(const Scratch& scratch, const std::string& fault, const Json& changes = Json::object()) {
  Json device{{"ridgeline_device", 1}, {"model", "program"}, {"name", "mine"}};
  const std::string program = std::string(RIDGELINE_SOURCE_DIR) + "/tests/hwmodels/plugins/program.py";
  device["command"] = {test::python(), "-I", "-S", program, fault, scratch.path("")};
  device.update(changes);
  return scratch.write("device.json", device.dump());
}

TEST(PluginStudy, TheExampleGivesTrialsAndTheSameOnesWhenResumed) {
  RIDGELINE_NEEDS_PYTHON();
  const Scratch scratch;
  const std::string device = example_device(scratch), database = scratch.path("s.db");
  Json study = study_on("whole", device, 24);
  study["objectives"].push_back(Json{{"name", "energy"},
                                     {"unit", "J"},
                                     {"direction", "minimise"},
                                     {"from", {{"evaluator", "cost"}, {"device", device}, {"quantity", "energy_j"}}}});
  study["constraints"] =
      Json::array({{{"name", "sram"},
                    {"unit", "B"},
                    {"direction", "minimise"},
                    {"limit", 1e9},
                    {"from", {{"evaluator", "cost"}, {"device", device}, {"quantity", "sram_bytes"}}}}});
  EXPECT_EQ(run_study(study, database).trials, 24);
  study["name"] = "parts";
  study["stop"]["trials"] = 11;
  EXPECT_EQ(run_study(study, database).trials, 11);
  study["stop"]["trials"] = 24;
  EXPECT_EQ(run_study(study, database).resumed, 11);
  const std::vector<Trial> trials = trials_of(database, "whole");
  expect_same_trials(trials, trials_of(database, "parts"));
  for (const Trial& trial : trials) EXPECT_EQ(trial.status, Status::ok) << trial.reason;
  EXPECT_TRUE(test::no_child_left());
}

TEST(PluginStudy, ADesignThatCrashesItIsAFailedTrialHoweverBatchesAreCut) {
  RIDGELINE_NEEDS_PYTHON();
  const Scratch scratch;
  const std::string database = scratch.path("s.db");
  Json study = study_on("ten", faulty_device(scratch, "marked crash", {{"restarts", 100}}), 12);
  study["searcher"] = {{"name", "random"}};
  run_study(study, database);
  study["name"] = "three";
  study["batch"] = 3;
  study["stop"]["trials"] = 5;
  run_study(study, database);
  study["stop"]["trials"] = 12;
  run_study(study, database);
  const std::vector<Trial> trials = trials_of(database, "ten");
  expect_same_trials(trials, trials_of(database, "three"));
  std::size_t failed = 0;
  for (const Trial& trial : trials) {
    if (trial.status == Status::ok) continue;
    ++failed;
    EXPECT_EQ(trial.status, Status::failed);
    EXPECT_THAT(trial.reason, AllOf(HasSubstr("mine: "), HasSubstr("its own words")));
  }
  EXPECT_GT(failed, 0U);
  EXPECT_LT(failed, trials.size());
  EXPECT_TRUE(test::no_child_left());
}

TEST(PluginStudy, FailingEveryTimeStopsItAndWhatIsStoredStays) {
  RIDGELINE_NEEDS_PYTHON();
  const Scratch scratch;
  const std::string device = faulty_device(scratch, "dies after", {{"restarts", 2}});
  const std::string database = scratch.path("s.db"), whole = scratch.path("whole.db");
  const Json study = study_on("s", device, 60);
  scratch.write("left", "1000");
  run_study(study, whole);
  scratch.write("left", "2");
  const std::string what = what_of([&] { run_study(study, database); });
  EXPECT_THAT(what, AllOf(HasSubstr("device.json"), HasSubstr("failures one after the other"),
                          HasSubstr("the licence server is away"), HasSubstr("What is stored stays")));
  const std::size_t stored = trials_of(database, "s").size();
  EXPECT_GT(stored, 0U);
  EXPECT_LT(stored, 60U);
  scratch.write("left", "1000");  // it is back
  EXPECT_EQ(run_study(study, database).resumed, static_cast<std::int64_t>(stored));
  expect_same_trials(trials_of(database, "s"), trials_of(whole, "s"));
  EXPECT_TRUE(test::no_child_left());
}

TEST(PluginStudy, AHangEveryTimeEndsSoonWithItsWords) {
  RIDGELINE_NEEDS_PYTHON();
  const Scratch scratch;
  const std::string device = faulty_device(scratch, "hang", {{"restarts", 1}, {"timeout_s", 0.1}});
  EXPECT_THAT(what_of([&] { run_study(study_on("s", device, 60), scratch.path("s.db")); }),
              AllOf(HasSubstr("2 failures one after the other"), HasSubstr("no answer within 0.1 s"),
                    HasSubstr("still thinking")));
  EXPECT_TRUE(test::no_child_left());
}

TEST(PluginStudy, EveryNumberWrongIsNothingFeasible) {
  RIDGELINE_NEEDS_PYTHON();
  const Scratch scratch;
  const StudyResult result = run_study(study_on("s", faulty_device(scratch, "negative"), 20), scratch.path("s.db"));
  EXPECT_EQ(result.end, StudyResult::End::infeasible);
  EXPECT_THAT(result.infeasibility, HasSubstr("energy_j is negative"));
  ASSERT_EQ(result.reasons.size(), 1U);
  EXPECT_EQ(result.reasons[0].second, 20);
}

TEST(PluginStudy, AnotherProgramIsAnotherStudy) {
  RIDGELINE_NEEDS_PYTHON();
  const Scratch scratch;
  std::filesystem::copy(examples + "/program/my_model.py", scratch.path("my_model.py"));
  Json device = JsonDocument::load(examples + "/program/my_program.json").value();
  device["command"][0] = test::python();
  const Json study = study_on("s", scratch.write("device.json", device.dump()), 10);
  run_study(study, scratch.path("s.db"));
  std::ofstream(scratch.path("my_model.py"), std::ios::app) << "# changed\n";
  EXPECT_THAT(what_of([&] { run_study(study, scratch.path("s.db")); }), HasSubstr("'s'"));
}

}  // namespace
}  // namespace ridgeline::testing
