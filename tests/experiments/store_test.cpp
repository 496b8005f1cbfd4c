#include "experiments/store/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "search/fronts/pareto.hpp"
#include "tests/experiments/store_support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Store, GivesBackWhatItWasGiven) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  const std::vector<Trial> trials = random_trials(100, 3);
  const StudyRecord wanted = some_record("one");
  {
    Store store(path, Store::Mode::write);
    const StudyRecord opened = store.open_study(wanted);
    EXPECT_EQ(opened.trials, 0);
    store.append(opened.id, trials, {}, std::nullopt);
  }
  const Store store(path, Store::Mode::read);
  const StudyRecord record = store.find("one").value();
  EXPECT_EQ(record.trials, 100);
  EXPECT_EQ(record.config_hash, wanted.config_hash);
  EXPECT_EQ(record.space_fingerprint, wanted.space_fingerprint);
  EXPECT_EQ(record.seed, wanted.seed);
  EXPECT_EQ(record.config, wanted.config);
  EXPECT_EQ(record.command, wanted.command);
  EXPECT_EQ(record.program_version, wanted.program_version);
  EXPECT_EQ(record.state, "running");
  EXPECT_EQ(record.environment.fingerprint(), wanted.environment.fingerprint());
  EXPECT_EQ(record.environment.os, wanted.environment.os);
  ASSERT_EQ(record.objectives.size(), wanted.objectives.size());
  for (std::size_t i = 0; i < record.objectives.size(); ++i) {
    EXPECT_EQ(record.objectives[i].name, wanted.objectives[i].name);
    EXPECT_EQ(record.objectives[i].unit, wanted.objectives[i].unit);
    EXPECT_EQ(record.objectives[i].direction, wanted.objectives[i].direction);
    EXPECT_EQ(record.objectives[i].limit, wanted.objectives[i].limit);
    EXPECT_EQ(record.objectives[i].constraint_only, wanted.objectives[i].constraint_only);
  }
  expect_same_trials(store.load(record.id), trials);
  EXPECT_EQ(describe_trial(store.trial(record.id, 42).value()), describe_trial(trials[42]));
  EXPECT_FALSE(store.trial(record.id, 100).has_value());
  EXPECT_FALSE(store.find("two").has_value());
  EXPECT_EQ(store.studies().size(), 1U);
}

TEST(Store, KeepsValuesInNaturalDirectionAndGenomesAsJson) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  Trial trial;
  trial.genome.genes = {1, 0, 2, 65535};
  trial.values = {-93.5, 0.25, 7.0};  // the first is maximised
  {
    Store store(path, Store::Mode::write);
    store.append(store.open_study(some_record("one")).id, std::span(&trial, 1), {}, std::nullopt);
  }
  EXPECT_EQ(sql(path, "SELECT genome FROM trials"), "[1,0,2,65535]");
  EXPECT_EQ(sql(path, "SELECT value FROM trial_values WHERE objective = 0"), "93.5");
  EXPECT_EQ(sql(path, "SELECT value FROM trial_values WHERE objective = 1"), "0.25");
  EXPECT_EQ(sql(path, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(sql(path, "SELECT count(*) FROM pragma_table_list WHERE strict = 0 AND name NOT LIKE 'sqlite_%'"), "0");
}

TEST(Store, FrontEqualsBruteForce) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  const std::vector<Trial> trials = random_trials(600, 5);
  StudyId study = 0;
  for (std::size_t part = 0; part < 6; ++part) {  // reopened each time, the order of ids turned round
    Store store(path, Store::Mode::write);
    study = store.open_study(some_record("one")).id;
    store.append(study, std::span(trials).subspan(500 - part * 100, 100), {}, std::nullopt);
  }
  const Store store(path, Store::Mode::read);
  std::size_t members = 0;
  for (const Fidelity fidelity : {Fidelity::analytic, Fidelity::predicted, Fidelity::measured}) {
    std::set<std::int64_t> expected;
    for (const Trial& a : trials) {
      if (a.status != Status::ok || a.fidelity != fidelity) continue;
      bool beaten = false;
      for (const Trial& b : trials) {
        if (b.status != Status::ok || b.fidelity != fidelity || &a == &b) continue;
        // The third objective is limited only and does not count.
        const bool no_worse = b.values[0] <= a.values[0] && b.values[1] <= a.values[1];
        const bool better = b.values[0] < a.values[0] || b.values[1] < a.values[1];
        beaten = beaten || (no_worse && (better || b.id < a.id));
      }
      if (!beaten) expected.insert(a.id);
    }
    std::set<std::int64_t> got;
    for (const Trial& trial : store.front(study, fidelity)) {
      got.insert(trial.id);
      EXPECT_EQ(describe_trial(trial), describe_trial(trials[static_cast<std::size_t>(trial.id)]));
    }
    EXPECT_EQ(got, expected);
    members += got.size();
  }
  EXPECT_GT(members, 5U);
}

TEST(Store, ABatchIsStoredWholeOrNotAtAll) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  std::vector<Trial> trials = random_trials(20, 1);
  store.append(study, std::span(trials).first(10), {}, Checkpoint{0, 0, {"s/1", Json{{"a", 1}}}});
  const auto before = store.front(study, Fidelity::analytic);

  std::vector<Trial> bad(trials.begin() + 10, trials.end());
  bad[5] = Trial{};
  bad[5].id = 15;
  bad[5].genome = trials[15].genome;
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    bad[5].values = {-1e9, value, 0.0};
    EXPECT_THAT(what_of([&] {
                  store.append(study, bad, {}, Checkpoint{1, 10, {"s/1", Json{{"a", 2}}}});
                }),
                AllOf(HasSubstr("trial 15"), HasSubstr("'latency_s'"), HasSubstr("finite")));
  }
  bad[5].values = {-1e9, 0.0, 0.0};
  bad[5].violation = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(store.append(study, bad, {}, std::nullopt), StoreError);
  bad[5].violation = 0.0;
  bad[5].values.pop_back();
  EXPECT_THROW(store.append(study, bad, {}, std::nullopt), StoreError);
  bad[5] = trials[5];  // an id that is there already
  EXPECT_THROW(store.append(study, bad, {}, std::nullopt), StoreError);

  expect_same_trials(store.load(study), {trials.begin(), trials.begin() + 10});
  expect_same_trials(store.front(study, Fidelity::analytic), before);
  EXPECT_EQ(store.checkpoint(study)->state.data, (Json{{"a", 1}}));
  EXPECT_EQ(store.find("one")->trials, 10);
  store.append(study, std::span(trials).subspan(10), {}, std::nullopt);
  expect_same_trials(store.load(study), trials);
}

TEST(Store, KeepsTheLastCheckpointOnly) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  EXPECT_FALSE(store.checkpoint(study).has_value());
  for (std::int64_t batch = 0; batch < 5; ++batch) {
    store.append(study, {}, {}, Checkpoint{batch, 10 * batch, {"nsga2/1", Json{{"batch", batch}}}});
  }
  const Checkpoint last = store.checkpoint(study).value();
  EXPECT_EQ(last.batch, 4);
  EXPECT_EQ(last.first_trial, 40);
  EXPECT_EQ(last.state.signature, "nsga2/1");
  EXPECT_EQ(last.state.data, (Json{{"batch", 4}}));
  EXPECT_EQ(sql(path, "SELECT count(*) FROM checkpoints"), "1");
}

TEST(Store, RefusesAnotherConfigurationUnderTheSameName) {
  const Scratch scratch;
  Store store(scratch.path("a.db"), Store::Mode::write);
  store.open_study(some_record("one"));
  StudyRecord other = some_record("one");
  other.config_hash = 0xabc;
  EXPECT_THAT(what_of([&] { store.open_study(other); }), HasSubstr("another content of a file"));
  other.config = "{}";
  EXPECT_THAT(what_of([&] { store.open_study(other); }),
              AllOf(HasSubstr("another configuration"), HasSubstr("0000000000000abc"), HasSubstr("0123456789abcdef"),
                    HasSubstr("another name")));
  other = some_record("one");
  other.space_fingerprint = 0xdef;
  EXPECT_THAT(what_of([&] { store.open_study(other); }),
              AllOf(HasSubstr("another search space"), HasSubstr("0000000000000def")));
}

TEST(Store, TimingsComeBackAndAreUsedAgainOnlyWhereTheyHold) {
  const Scratch scratch;
  Store store(scratch.path("a.db"), Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  const MeasurementRecord given = some_measurement();
  store.append(study, {}, std::span(&given, 1), std::nullopt);
  const std::vector<MeasurementRecord> stored = store.measurements(study);
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].trial_id, given.trial_id);
  EXPECT_EQ(stored[0].objective, given.objective);
  EXPECT_EQ(stored[0].purpose, given.purpose);
  EXPECT_EQ(stored[0].protocol, given.protocol);
  EXPECT_EQ(stored[0].function_hash, given.function_hash);
  EXPECT_EQ(stored[0].predicted, given.predicted);
  EXPECT_EQ(stored[0].environment, some_environment().fingerprint());
  EXPECT_EQ(stored[0].measured_utc.size(), std::string("2026-01-31T12:00:00.000Z").size());
  EXPECT_EQ(stored[0].measurement.samples_s, given.measurement.samples_s);
  EXPECT_EQ(stored[0].measurement.median_s, given.measurement.median_s);
  EXPECT_EQ(stored[0].measurement.ci_low_s, given.measurement.ci_low_s);
  EXPECT_EQ(stored[0].measurement.ci_high_s, given.measurement.ci_high_s);
  EXPECT_EQ(stored[0].measurement.mad_s, given.measurement.mad_s);
  EXPECT_EQ(stored[0].measurement.arena_bytes, given.measurement.arena_bytes);
  ASSERT_EQ(stored[0].measurement.ops.size(), 1U);
  EXPECT_EQ(stored[0].measurement.ops[0].step.implementation, "jit");
  EXPECT_EQ(stored[0].measurement.ops[0].step.fused, (std::vector<NodeId>{3, 4}));
  EXPECT_EQ(stored[0].measurement.ops[0].median_s, 0.001);

  EXPECT_TRUE(store.reusable(given.function_hash, given.protocol).has_value());
  EXPECT_FALSE(store.reusable(given.function_hash + 1, given.protocol).has_value());
  EXPECT_FALSE(store.reusable(given.function_hash, "{\"threads\":2}").has_value());
  StudyRecord elsewhere = some_record("two");
  elsewhere.environment.onednn_version = "9.9";
  store.open_study(elsewhere);
  EXPECT_FALSE(store.reusable(given.function_hash, given.protocol).has_value()) << "another library";

  MeasurementRecord shaky = some_measurement();
  shaky.function_hash = 99;
  shaky.measurement.outcome = Measurement::Outcome::unstable;
  shaky.measurement.reason = "spread";
  store.append(study, {}, std::span(&shaky, 1), std::nullopt);
  store.open_study(some_record("one"));
  EXPECT_FALSE(store.reusable(99, shaky.protocol).has_value());
  MeasurementRecord broken = some_measurement();
  broken.measurement.samples_s[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(store.append(study, {}, std::span(&broken, 1), std::nullopt), StoreError);
}

TEST(Store, LayersAreKeptByDevice) {
  const Scratch scratch;
  Store store(scratch.path("a.db"), Store::Mode::write);
  const std::vector<LayerLatency> layers = {{"conv 3x3", "f32", 1, 0.5, 0.01, 20},
                                            {"conv 3x3", "int8", 1, 0.25, 0.01, 20}};
  store.put_layers("host", layers);
  store.put_layers("host", layers);  // replaces
  store.put_layers("other", std::span(layers).first(1));
  const std::vector<LayerLatency> got = store.layers("host");
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1].format, "int8");
  EXPECT_EQ(got[1].latency_s, 0.25);
  EXPECT_EQ(got[1].samples, 20);
  EXPECT_EQ(store.layers("other").size(), 1U);
  EXPECT_TRUE(store.layers("none").empty());
}

TEST(Store, RemovesAStudyWithEverythingOfIt) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  const StudyId other = store.open_study(some_record("two")).id;
  const MeasurementRecord timing = some_measurement();
  for (const StudyId id : {study, other}) {
    store.append(id, random_trials(30, 2), std::span(&timing, 1), Checkpoint{0, 0, {"s/1", Json::object()}});
  }
  store.remove_study(study);
  EXPECT_EQ(store.studies().size(), 1U);
  EXPECT_EQ(store.load(other).size(), 30U);
  for (const char* table :
       {"trials", "trial_values", "front", "checkpoints", "locks", "measurements", "objectives", "rungs"}) {
    EXPECT_EQ(sql(path, std::string("SELECT count(*) FROM ") + table + " WHERE study = " + std::to_string(study)), "0")
        << table;
  }
  EXPECT_THAT(what_of([&] { store.remove_study(study); }), HasSubstr("no study"));
}

TEST(Store, RefusesToWriteAStudyItDoesNotHold) {
  const Scratch scratch;
  Store store(scratch.path("a.db"), Store::Mode::write);
  EXPECT_THROW(store.append(1, random_trials(1, 1), {}, std::nullopt), StoreError);
}

// The databases of older schema versions that are kept beside this file open, migrate, and mean what they meant. They
// are made again, after a change that is meant to change them and only then, as schemas/README.md says.
class StoreMigration : public ::testing::TestWithParam<int> {};

TEST_P(StoreMigration, OpensTheDatabaseOfSchemaVersion) {
  const Scratch scratch;
  const std::string version = std::to_string(GetParam());
  const std::string golden = std::string(RIDGELINE_SOURCE_DIR) + "/tests/experiments/schemas/v" + version + ".sqlite";
  const std::string path = scratch.path("old.db");
  if (std::getenv("RIDGELINE_WRITE_GOLDEN") != nullptr && GetParam() == Store::schema_version()) write_golden(golden);
  std::filesystem::copy_file(golden, path);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  ASSERT_EQ(sql(path, "PRAGMA user_version"), version);
  for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write}) {
    const Store store(path, mode);
    const StudyRecord record = store.find("golden").value();
    EXPECT_EQ(record.config_hash, 0x0123456789abcdefU);
    EXPECT_EQ(record.state, "done");
    EXPECT_EQ(record.trials, 12);
    EXPECT_EQ(record.rung_costs, std::vector<double>{1.0});
    EXPECT_EQ(record.saved, GetParam() == 1 ? std::nullopt : std::optional(SavedEvaluations{3, 4}));
    expect_same_trials(store.load(record.id), random_trials(12, 11));  // all of them whole evaluations
    EXPECT_EQ(store.trials_by_rung(record.id), std::vector<std::int64_t>{12});
    EXPECT_EQ(store.front(record.id, Fidelity::measured).size(), 2U);
    const Checkpoint checkpoint = store.checkpoint(record.id).value();
    EXPECT_EQ(checkpoint.state.data, (Json{{"position", 12}}));
    EXPECT_EQ(checkpoint.saved, GetParam() == 1 ? std::nullopt : std::optional(SavedEvaluations{1, 2}));
    ASSERT_EQ(store.measurements(record.id).size(), 1U);
    EXPECT_EQ(store.measurements(record.id)[0].measurement.samples_s, some_measurement().measurement.samples_s);
    EXPECT_EQ(store.layers("host").size(), 1U);
  }
  EXPECT_EQ(sql(path, "PRAGMA user_version"), std::to_string(Store::schema_version()));
  EXPECT_EQ(sql(path, "PRAGMA integrity_check"), "ok");
}

INSTANTIATE_TEST_SUITE_P(Store, StoreMigration, ::testing::Range(1, 4));

TEST(Store, EverySchemaVersionHasItsDatabase) { EXPECT_EQ(Store::schema_version(), 3); }

TEST(Store, KeepsTheRungOfATrialAndWhatItCosts) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  StudyRecord record = some_record("one");
  record.rung_costs = {1.0, 0.25, 0.125};
  std::vector<Trial> trials = random_trials(40, 3);
  for (std::size_t i = 0; i < trials.size(); ++i) trials[i].rung = i < 30 ? 2 : i < 36 ? 1 : 0;
  StudyId id = 0;
  {
    Store store(path, Store::Mode::write);
    id = store.open_study(record).id;
    store.append(id, trials, {}, Checkpoint{0, 0, {"s/1", Json::object()}});
  }
  const Store store(path, Store::Mode::read);
  EXPECT_EQ(store.find("one")->rung_costs, record.rung_costs);
  EXPECT_EQ(store.trials_by_rung(id), (std::vector<std::int64_t>{4, 6, 30}));
  expect_same_trials(store.load_every_rung(id), trials);
  const std::vector<Trial> whole(trials.begin() + 36, trials.end());
  expect_same_trials(store.load(id), whole);
  EXPECT_EQ(store.trial(id, 31)->rung, 1);
  for (const Fidelity fidelity : {Fidelity::analytic, Fidelity::predicted, Fidelity::measured}) {
    for (const Trial& member : store.front(id, fidelity)) EXPECT_GE(member.id, 36);
  }
}

}  // namespace
}  // namespace ridgeline::testing
