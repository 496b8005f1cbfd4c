// A search that was killed and resumed, or run with another number of threads, is the same search.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/study/study_parts.hpp"
#include "search/searcher.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

class EverySearcher : public ::testing::TestWithParam<std::string> {
 protected:
  Json study() const {
    Json study = timed_study("s");
    study["searcher"] = {{"name", GetParam()}};
    if (GetParam() == "linas") study["searcher"].update(Json{{"initial", 12}, {"generations", 5}});
    if (GetParam() == "bananas") study["searcher"].update(Json{{"predictor", "ridge"}, {"pool", 40}});
    if (GetParam() == "boshnas") {
      study["searcher"].update(Json{{"members", 2}, {"hidden", {4}}, {"epochs", 10}, {"starts", 2}, {"steps", 4}});
    }
    // A screen too: which candidates it lets pass must not depend on where the batch was cut.
    study["objectives"][1]["screen"] = {{"evaluator", "count"}, {"quantity", "macs"}, {"keep", 0.5}};
    study["objectives"][1]["limit"] = 1.2e-3;
    study.erase("batch");
    if (find_searcher(GetParam()).rungs) study["objectives"][1]["from"]["target_s"] = {0.3, 0.1, 0.02};
    if (GetParam() == "sequential") {  // wants precision genes, and is to reach its second stage
      study["space"] = "mobilenet_v2_mixed";
      study["searcher"].update(Json{{"formats", "f32"}, {"first_trials", 20}});
      study["objectives"][1]["limit"] = 4e-3;
    }
    if (GetParam() == "nested") {  // several searches end and begin, several of them at once
      study["space"] = "mobilenet_v2_mixed";
      study["batch"] = 10;
      study["objectives"][1]["limit"] = 4e-3;
      study["searcher"].update(Json{{"by", "precision"}, {"inner_trials", 8}, {"parallel", 2}, {"carry", 3}});
      study["searcher"]["reference"] = {{study["objectives"][0]["name"], 0.0}};
    }
    return study;
  }
  // What the trials cost: their number, but for those that ask on rungs.
  static double cost_of(const std::string& database) {
    const Store store(database, Store::Mode::read);
    const StudyRecord record = store.find("s").value();
    return cost_through(store.load_every_rung(record.id), record.rung_costs).back();
  }
  Scratch scratch_;
};

// Runs the study in a process of its own that kills itself as soon as `trials` are committed.
void run_and_die(const Json& study, const std::string& database, std::int64_t trials) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    StudyHooks hooks;
    hooks.progress = [&](const StudyProgress& progress) {
      if (progress.trials >= trials) kill(getpid(), SIGKILL);
    };
    try {
      run_study(study, database, hooks);
    } catch (...) {
    }
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "ended before it could be killed";
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_P(EverySearcher, KilledAndResumedEqualsUninterrupted) {
  const std::string whole = scratch_.path("whole.db");
  run_study(study(), whole);
  const std::vector<Trial> expected = trials_of(whole, "s");
  ASSERT_NEAR(cost_of(whole), 50.0, find_searcher(GetParam()).rungs ? 1.0 : 0.0);

  const std::string cut = scratch_.path("cut.db");
  run_and_die(study(), cut, 25);
  ASSERT_GE(trials_of(cut, "s").size(), 25U);
  ASSERT_LT(trials_of(cut, "s").size(), expected.size());
  const StudyResult resumed = run_study(study(), cut);
  EXPECT_GE(resumed.resumed, 25);
  expect_same_trials(trials_of(cut, "s"), expected);
}

TEST_P(EverySearcher, TwoBudgetsEqualOne) {
  const std::string whole = scratch_.path("whole.db");
  run_study(study(), whole);
  Json half = study();
  half["stop"]["trials"] = 23;  // inside a batch
  const std::string cut = scratch_.path("cut.db");
  run_study(half, cut);
  ASSERT_NEAR(cost_of(cut), 23.0, find_searcher(GetParam()).rungs ? 1.0 : 0.0);
  ASSERT_LE(cost_of(cut), 23.0 + 1e-9);
  run_study(study(), cut);
  expect_same_trials(trials_of(cut, "s"), trials_of(whole, "s"));
}

TEST_P(EverySearcher, EightThreadsEqualOne) {
  Json one = study();
  one["threads"] = 1;
  Json eight = study();
  eight["threads"] = 8;
  run_study(one, scratch_.path("one.db"));
  run_study(eight, scratch_.path("eight.db"));
  expect_same_trials(trials_of(scratch_.path("eight.db"), "s"), trials_of(scratch_.path("one.db"), "s"));
}

std::vector<std::string> searcher_names() {
  std::vector<std::string> names;
  for (const SearcherEntry& entry : searchers()) names.push_back(entry.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Registry, EverySearcher, ::testing::ValuesIn(searcher_names()), [](const auto& one) {
  std::string name = one.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace ridgeline::testing
