// What each cache answers from memory, against plain sets over everything that a searcher asks for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "search/searcher.hpp"
#include "spaces/hash.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// 81 candidates of 49 functions, as it is the same on which side of a layer an identity stands.
Json repeating_study(const std::string& cache, const std::string& searcher) {
  Json study = small_study("s");
  study["cache"] = cache;
  study["searcher"] = {{"name", searcher}};
  for (const char* layer : {"layer[0]", "layer[1]", "layer[2]", "layer[5]"})
    study["choices"][layer] = Json::array({"id"});
  return study;
}

struct Counted {
  std::int64_t evaluated = 0;
  SavedEvaluations saved;
  std::set<Genome> genomes;
};

// The study's loop, with sets.
Counted plain_count(const Json& study, StudyCache cache) {
  const StudyConfig config = config_of(study);
  const SearchSpace space = resources().load_space(config.space, config.space_options);
  SearcherSetup setup{7, {}, Json::object(), "test"};
  for (const ObjectiveConfig& one : config.objectives) setup.objectives.push_back(one.objective);
  const auto searcher = make_searcher(config.searcher, space, setup);
  Counted counted;
  std::map<std::uint64_t, Trial> functions;  // the key is the genome's own where genomes are told apart
  while (counted.evaluated < config.stop.trials) {
    std::vector<Trial> answers;
    for (const Genome& genome : searcher->ask(static_cast<std::size_t>(config.batch))) {
      const Design design = space.decode(genome);
      Trial trial;
      trial.id = counted.evaluated;
      trial.genome = genome;
      trial.values = {-static_cast<double>(parameters(design.network)), static_cast<double>(macs(design.network))};
      std::uint64_t key = function_hash(design);
      if (cache == StudyCache::genome) key = Hasher().add(std::string_view(Json(genome.genes).dump())).value();
      if (cache == StudyCache::off) key = static_cast<std::uint64_t>(counted.evaluated);
      const auto [known, fresh] = functions.try_emplace(key, trial);
      if (fresh) {
        ++counted.evaluated;
        counted.genomes.insert(genome);
      } else {
        ++(known->second.genome == genome ? counted.saved.by_genome : counted.saved.by_function);
        trial = known->second;
        trial.genome = genome;
      }
      answers.push_back(std::move(trial));
    }
    searcher->tell(answers);
  }
  return counted;
}

class EveryCache : public ::testing::TestWithParam<std::string> {
 protected:
  StudyCache cache() const {
    return static_cast<StudyCache>(std::ranges::find(cache_names(), GetParam()) - cache_names().begin());
  }
  std::string database(const std::string& name) const { return scratch_.path(name); }
  std::optional<SavedEvaluations> stored(const std::string& path) const {
    return Store(path, Store::Mode::read).find("s")->saved;
  }
  Scratch scratch_;
};

TEST_P(EveryCache, SavesWhatSetsSay) {
  for (const char* searcher : {"random", "nsga2", "local-search"}) {
    Json study = repeating_study(GetParam(), searcher);
    study["stop"]["trials"] = 30;
    const std::string path = database(std::string(searcher) + ".db");
    const StudyResult result = run_study(study, path);
    const Counted plain = plain_count(study, cache());
    EXPECT_EQ(result.trials, 30) << searcher;
    EXPECT_EQ(result.cache, cache());
    EXPECT_EQ(result.saved.by_genome, plain.saved.by_genome) << searcher;
    EXPECT_EQ(result.saved.by_function, plain.saved.by_function) << searcher;
    EXPECT_EQ(stored(path), result.saved) << searcher;
    std::set<Genome> genomes;
    for (const Trial& trial : trials_of(path, "s")) genomes.insert(trial.genome);
    EXPECT_LE(genomes.size(), plain.genomes.size());         // the last batch may reach beyond the budget
    const bool repeats = std::string(searcher) == "random";  // others may avoid what they know
    if (cache() == StudyCache::off) {
      EXPECT_EQ(result.saved.total(), 0);
      EXPECT_TRUE(!repeats || genomes.size() < 30U) << "nothing repeats: the test shows nothing";
    } else {
      EXPECT_TRUE(!repeats || result.saved.by_genome > 0);
      EXPECT_EQ(genomes.size(), 30U);
      EXPECT_EQ(result.saved.by_function > 0, cache() == StudyCache::functional) << searcher;
    }
  }
}

TEST_P(EveryCache, TimesEveryTrialOnce) {
  Json study = timed_study("s");
  study["cache"] = GetParam();
  study["choices"] = repeating_study("off", "random")["choices"];
  study["stop"]["trials"] = 24;
  int timed = 0;
  StudyHooks hooks;
  hooks.measure = [&](const Design& design, const MeasureOptions& options) {
    ++timed;
    return fake_timing(design, options);
  };
  run_study(study, database("a.db"), hooks);
  EXPECT_EQ(timed, 24);
}

// Ended by an error in the middle of a batch, as a kill would: nothing is written at the end.
TEST_P(EveryCache, ResumedEqualsUninterrupted) {
  Json study = repeating_study(GetParam(), "nsga2");
  study["objectives"][1] = timed_study("s")["objectives"][1];
  study["stop"]["trials"] = 34;
  run_study(study, database("whole.db"));
  StudyHooks hooks;
  hooks.progress = [](const StudyProgress& progress) {
    if (progress.trials == 17) throw std::runtime_error("cut");
  };
  EXPECT_THROW(run_study(study, database("cut.db"), hooks), std::runtime_error);
  ASSERT_EQ(trials_of(database("cut.db"), "s").size(), 17U);
  Json half = study;
  half["stop"]["trials"] = 28;
  run_study(half, database("cut.db"));
  const StudyResult resumed = run_study(study, database("cut.db"));
  expect_same_trials(trials_of(database("cut.db"), "s"), trials_of(database("whole.db"), "s"));
  EXPECT_EQ(stored(database("cut.db")), stored(database("whole.db")));
  EXPECT_EQ(resumed.saved, stored(database("whole.db")));
}

TEST_P(EveryCache, IsPartOfAStoredStudy) {
  Json study = repeating_study(GetParam(), "random");
  study["stop"]["trials"] = 10;
  run_study(study, database("a.db"));
  for (const std::string& other : cache_names()) {
    study["cache"] = other;
    const std::string message = what_of([&] { run_study(study, database("a.db")); });
    if (other == GetParam()) {
      EXPECT_EQ(message, "");
    } else {
      EXPECT_THAT(message, AllOf(HasSubstr("begun with another configuration"), HasSubstr("another name")));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Caches, EveryCache, ::testing::Values("functional", "genome", "off"),
                         [](const auto& one) { return one.param; });

// Counts agree for candidates of one function; a function of the genes, which the hash knows nothing of, does not.
TEST(Cache, AnswersCanBeVerified) {
  const Scratch scratch;
  Json study = repeating_study("functional", "random");
  study["verify_cache"] = true;
  study["stop"]["trials"] = 40;
  const StudyResult right = run_study(study, scratch.path("a.db"));
  EXPECT_GT(right.cache_check.checked, 0);
  EXPECT_LE(right.cache_check.checked, right.saved.by_function);
  EXPECT_EQ(right.cache_check.differing, 0) << right.cache_check.example;
  study.erase("verify_cache");
  EXPECT_EQ(run_study(study, scratch.path("b.db")).cache_check.checked, 0);
  expect_same_trials(trials_of(scratch.path("a.db"), "s"), trials_of(scratch.path("b.db"), "s"));
  EXPECT_EQ(run_study(study, scratch.path("a.db")).trials, 40) << "it is no part of what a study is known by";

  // A table in the place of the published one, with an accuracy of its own for each genome.
  std::filesystem::create_directories(scratch.path("tables"));
  std::string table = "arch,mean_acc,acc_run1,acc_run2,acc_run3,std,params,macs\n";
  for (int i = 0; i < 6561; ++i) {
    std::string code;
    for (int rest = i, digit = 0; digit < 8; ++digit, rest /= 3) code += static_cast<char>('0' + rest % 3);
    table += code + "," + std::to_string(i) + ",1,1,1,1,1,1\n";
  }
  scratch.write("tables/nasbench_macro_cifar10.csv.gz", table);
  study["verify_cache"] = true;
  study["objectives"][0] = Json::parse(R"({"name": "accuracy", "direction": "maximise",
      "from": {"evaluator": "table", "table": "nasbench_macro", "column": "accuracy"}})");
  Store store(scratch.path("c.db"), Store::Mode::write);
  const StudyResult wrong = Study(config_of(study), {RIDGELINE_SOURCE_DIR, scratch.path("")}, store, "test").run();
  EXPECT_GT(wrong.cache_check.checked, 0);
  EXPECT_EQ(wrong.cache_check.differing, wrong.cache_check.checked);
  EXPECT_THAT(wrong.cache_check.example, HasSubstr("'accuracy' of trial"));
}

TEST(Cache, StudiesOfBeforeTheCountsDoNotClaimAny) {
  const Scratch scratch;
  Json study = repeating_study("functional", "random");
  study["stop"]["trials"] = 12;
  run_study(study, scratch.path("a.db"));
  sql(scratch.path("a.db"), "UPDATE studies SET saved_by_genome = NULL, saved_by_function = NULL");
  sql(scratch.path("a.db"), "UPDATE checkpoints SET saved_by_genome = NULL, saved_by_function = NULL");
  study["stop"]["trials"] = 22;
  EXPECT_EQ(run_study(study, scratch.path("a.db")).trials, 22);
  EXPECT_FALSE(Store(scratch.path("a.db"), Store::Mode::read).find("s")->saved);
}

TEST(Cache, UnknownWordsAreRefused) {
  EXPECT_THAT(what_of([] { config_of(repeating_study("functionl", "random")); }),
              AllOf(HasSubstr("cache"), HasSubstr("functional")));
}

}  // namespace
}  // namespace ridgeline::testing
