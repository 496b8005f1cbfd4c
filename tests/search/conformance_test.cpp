// The contract of search/searcher.hpp, for every registered searcher on several kinds of space.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "search/searcher.hpp"
#include "tests/search/kinds_of_space.hpp"
#include "tests/search/problems.hpp"
#include "tests/search/searcher_needs.hpp"

namespace ridgeline {
namespace {

using testing::HasSubstr;

struct Case {
  std::string searcher;
  std::string space;
};

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.searcher + "_on_" + info.param.space;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class Search {
 public:
  Search(const SearchSpace& space, Judge judge) : space_(space), judge_(std::move(judge)) {}

  // One batch; checks what the contract says of it. Returns false when nothing was proposed.
  bool step(Searcher& searcher, std::size_t n) {
    const std::vector<Genome> asked = searcher.ask(n);
    EXPECT_LE(asked.size(), n);
    EXPECT_TRUE(!asked.empty() || searcher.exhausted());
    std::vector<Trial> trials;
    for (const Genome& genome : asked) {
      EXPECT_EQ(space_.violation(genome), std::nullopt);
      EXPECT_EQ(space_.normalise(genome), genome);
      Trial trial;
      trial.id = static_cast<std::int64_t>(history.size());
      trial.genome = genome;
      trial.rung = searcher.rung();
      judge_(trial);
      history.push_back(genome);
      trials.push_back(std::move(trial));
    }
    searcher.tell(trials);
    return !asked.empty();
  }

  void go(Searcher& searcher, std::size_t batches, std::size_t n) {
    for (std::size_t i = 0; i < batches && step(searcher, n); ++i) {
    }
  }

  std::vector<Genome> history;

 private:
  const SearchSpace& space_;
  Judge judge_;
};

class Conformance : public testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Searcher> make(std::size_t objectives, std::uint64_t seed = 1) const {
    return make_searcher(GetParam().searcher, space_, setup_of(GetParam().searcher, objectives, seed));
  }
  bool exhaustible() const { return GetParam().searcher == "exhaustive"; }

  SearchSpace space_ = spaces().at(GetParam().space)();
};

TEST_P(Conformance, TheSeedDecidesEverything) {
  for (const std::size_t objectives : {1, 2, 3}) {
    for (const std::size_t n : {1, 7, 64}) {
      std::vector<std::vector<Genome>> histories;
      for (const std::uint64_t seed : {5, 5, 6}) {
        Search run(space_, values_of(objectives));
        const auto searcher = make(objectives, seed);
        run.go(*searcher, 300 / n + 3, n);
        histories.push_back(run.history);
      }
      EXPECT_EQ(histories[0], histories[1]) << objectives << " objectives, batches of " << n;
      if (GetParam().space == "wide") {
        EXPECT_NE(histories[0], histories[2]);
      }
    }
  }
}

TEST_P(Conformance, ASearcherLoadedAfterEveryBatchContinuesIdentically) {
  for (const std::size_t objectives : {1, 2, 3}) {
    for (const std::size_t n : {1, 7, 64}) {
      for (const Judge& judge : {values_of(objectives), mixed_outcomes(objectives), all_with(Status::failed, 0.0)}) {
        const std::size_t batches = n == 1 ? 250 : 40;
        Search whole(space_, judge);
        const auto searcher = make(objectives);
        whole.go(*searcher, batches, n);
        Search pieces(space_, judge);
        State state = make(objectives)->save();
        for (std::size_t i = 0; i < batches; ++i) {
          const auto resumed = make(objectives);
          resumed->load(through_text(state));
          if (!pieces.step(*resumed, n)) break;
          state = resumed->save();
        }
        ASSERT_EQ(whole.history, pieces.history) << objectives << " objectives, batches of " << n;
      }
    }
  }
}

// A crash between ask and tell loses nothing: what was saved before it asks the same again.
TEST_P(Conformance, AskingAgainFromTheSameStateGivesTheSameBatch) {
  Search run(space_, mixed_outcomes(2));
  const auto searcher = make(2);
  for (int i = 0; i < 10; ++i) {
    const State state = searcher->save();
    EXPECT_EQ(searcher->save().data, state.data);
    const auto again = make(2);
    again->load(through_text(state));
    EXPECT_EQ(again->notes(), searcher->notes());
    const std::vector<Genome> expected = again->ask(5);
    const std::size_t before = run.history.size();
    run.step(*searcher, 5);
    EXPECT_EQ(std::vector<Genome>(run.history.begin() + static_cast<std::ptrdiff_t>(before), run.history.end()),
              expected);
  }
}

TEST_P(Conformance, GoesOnWhateverCandidatesTurnOutToBe) {
  const std::vector<Judge> judges = {
      mixed_outcomes(2),
      all_with(Status::failed, 0.0),
      all_with(Status::unsupported, 0.0),
      all_with(Status::unstable, 0.0),
      all_with(Status::infeasible, 0.0),  // by something that has no measure
      all_with(Status::infeasible, 2.5),
      [](Trial& trial) {
        trial.values = {1.0, 1.0};
      },  // a plain
      [](Trial& trial) {
        values_of(2)(trial);
        trial.status = Status::infeasible;
        trial.violation = 1.0 + noise(trial.genome, 3);
      },
  };
  for (const Judge& judge : judges) {
    for (const std::size_t n : {1, 16, 200}) {
      Search run(space_, judge);
      const auto searcher = make(2);
      run.go(*searcher, 400 / n + 4, n);
      EXPECT_TRUE(exhaustible() || run.history.size() >= 20) << "batches of " << n;
    }
  }
}

// A warm start: what is given is asked for first, and the rest does not depend on where the search was cut.
TEST_P(Conformance, BeginsWithWhatItIsGivenOrRefusesIt) {
  SearcherSetup setup = setup_of(GetParam().searcher, 2);
  Rng rng(8, "warm start");
  std::set<Genome> different;
  for (int i = 0; i < 200 && different.size() < 4; ++i) different.insert(space_.normalise(space_.sample(rng)));
  setup.warm.genomes.assign(different.begin(), different.end());
  setup.warm.similarity = 0.7;
  if (find_searcher(GetParam().searcher).cold) {
    EXPECT_THROW(make_searcher(GetParam().searcher, space_, setup), ConfigError);
    return;
  }
  for (const std::size_t n : {1, 3}) {
    Search whole(space_, values_of(2)), pieces(space_, values_of(2));
    const auto searcher = make_searcher(GetParam().searcher, space_, setup);
    State state = searcher->save();
    whole.go(*searcher, 12, n);
    for (int i = 0; i < 12; ++i) {
      const auto resumed = make_searcher(GetParam().searcher, space_, setup);
      resumed->load(through_text(state));
      pieces.step(*resumed, n);
      state = resumed->save();
    }
    EXPECT_EQ(whole.history, pieces.history);
    const std::size_t first = std::min<std::size_t>(n, different.size());
    EXPECT_TRUE(std::equal(whole.history.begin(), whole.history.begin() + static_cast<std::ptrdiff_t>(first),
                           setup.warm.genomes.begin()));
  }
}

TEST_P(Conformance, OnlyExhaustiveSearchEnds) {
  Search run(space_, values_of(1));
  const auto searcher = make(1);
  run.go(*searcher, 100, 50);
  EXPECT_EQ(searcher->exhausted(), exhaustible());
  if (exhaustible()) {
    EXPECT_TRUE(searcher->ask(3).empty());
  }
}

TEST_P(Conformance, ConstraintOnlyObjectivesTakeNoPart) {
  SearcherSetup setup = setup_of(GetParam().searcher, 3);
  setup.objectives[1].constraint_only = true;
  std::vector<std::vector<Genome>> histories;
  for (const double scale : {1.0, -5.0}) {
    Search run(space_, [&](Trial& trial) {
      values_of(3)(trial);
      trial.values[1] *= scale;
    });
    const auto searcher = make_searcher(GetParam().searcher, space_, setup);
    run.go(*searcher, 40, 8);
    histories.push_back(run.history);
  }
  EXPECT_EQ(histories[0], histories[1]);
}

// What is written with every batch must not grow with the run.
TEST_P(Conformance, TheStateStaysSmall) {
  Search run(space_, values_of(2));
  const auto searcher = make(2);
  run.go(*searcher, 100, 20);
  const std::size_t early = searcher->save().data.dump().size();
  run.go(*searcher, 200, 20);
  const std::size_t late = searcher->save().data.dump().size();
  EXPECT_LT(early, needs_of(GetParam().searcher).most_bytes);
  EXPECT_LT(late, needs_of(GetParam().searcher).most_bytes);
}

TEST_P(Conformance, RefusesTheStateOfAnother) {
  const auto searcher = make(2);
  Search run(space_, values_of(2));
  run.go(*searcher, 8, 10);
  const State state = searcher->save();
  State other = state;
  other.signature = "simulated-annealing/7";
  try {
    make(2)->load(other);
    FAIL() << "another signature was taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr(state.signature));
    EXPECT_THAT(error.what(), HasSubstr("simulated-annealing/7"));
  }
  for (const auto& [name, make_other] : spaces()) {
    const SearchSpace elsewhere = make_other();
    if (name == GetParam().space || !suits(GetParam().searcher, elsewhere)) continue;
    const auto other_searcher = make_searcher(GetParam().searcher, elsewhere, setup_of(GetParam().searcher, 2));
    EXPECT_THROW(other_searcher->load(state), ConfigError) << name;
  }
}

// Calls `visit` with a copy of `whole` for each way of damaging one of its values; `text` says which.
void damage(const Json& whole, const Json::json_pointer& at, const std::function<void(Json, std::string)>& visit) {
  const Json& value = whole.at(at);
  if (!at.empty()) {
    std::vector<Json> wrong = {nullptr, Json::object(), true, Json::array({Json::array()}), "\xc3\xa9 not it"};
    for (const Json& replacement : wrong) {
      if (replacement.type() == value.type() && !value.is_string()) continue;
      Json copy = whole;
      copy.at(at) = replacement;
      visit(copy, at.to_string() + " is " + replacement.dump());
    }
    if (value.is_number()) {
      Json copy = whole;
      copy.at(at) = value.is_number_integer() ? Json(-1) : Json("1.0");
      visit(copy, at.to_string() + " is " + copy.at(at).dump());
    }
  }
  if (value.is_object()) {
    Json copy = whole;
    copy.at(at)["surplus"] = 1;
    visit(copy, "a surplus key in " + at.to_string());
    for (const auto& [key, member] : value.items()) {
      copy = whole;
      copy.at(at).erase(key);
      visit(copy, key + " is missing in " + at.to_string());
      damage(whole, at / key, visit);
    }
  } else if (value.is_array() && !value.empty()) {
    Json copy = whole;
    copy.at(at).erase(value.size() - 1);
    visit(copy, "the last of " + at.to_string() + " is missing");
    damage(whole, at / (value.size() - 1), visit);
  }
}

TEST_P(Conformance, RefusesADamagedState) {
  for (const std::size_t batches : {0, 3, 30}) {
    Search run(space_, values_of(2));
    const auto searcher = make(2);
    run.go(*searcher, batches, 10);
    const State state = searcher->save();
    int tried = 0;
    damage(state.data, Json::json_pointer(), [&](const Json& data, const std::string& how) {
      ++tried;
      EXPECT_THROW(make(2)->load({state.signature, data}), ConfigError) << how;
    });
    EXPECT_GE(tried, 12);
    for (const Json& nothing : {Json(), Json(3), Json::array()}) {
      EXPECT_THROW(make(2)->load({state.signature, nothing}), ConfigError);
    }
  }
}

// Cut, doubled and shuffled texts must be refused or, where they happen to make sense, be a state that works.
TEST_P(Conformance, AGarbledStateNeverBreaksAnything) {
  Search run(space_, mixed_outcomes(2));
  const auto searcher = make(2);
  run.go(*searcher, 12, 10);
  const State state = searcher->save();
  const std::string text = state.data.dump();
  Rng rng(3);
  int parsed = 0;
  const int tries = needs_of(GetParam().searcher).garbled;
  for (int i = 0; i < tries; ++i) {
    std::string garbled = text;
    for (std::uint64_t k = 1 + rng.below(3); k > 0; --k) {
      garbled[rng.below(garbled.size())] = text[rng.below(text.size())];
    }
    const Json data = Json::parse(garbled, nullptr, false);
    if (data.is_discarded()) continue;
    ++parsed;
    const auto victim = make(2);
    try {
      victim->load({state.signature, data});
    } catch (const ConfigError&) {
      continue;
    }
    Search after(space_, mixed_outcomes(2));
    after.go(*victim, 3, 10);
  }
  EXPECT_GT(parsed, tries / 30);
}

TEST_P(Conformance, ChecksTheOrderOfCallsAndTheShapeOfTrials) {
  const auto searcher = make(2);
  EXPECT_THROW(searcher->ask(0), std::logic_error);
  const std::vector<Genome> asked = searcher->ask(1);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_THROW(searcher->ask(1), std::logic_error);
  EXPECT_THROW(searcher->save(), std::logic_error);
  EXPECT_THROW(searcher->tell({}), std::logic_error);
  for (const std::vector<double>& values : {std::vector<double>{}, {1.0}, {1.0, 2.0, 3.0}, {1.0, std::nan("")}}) {
    Trial trial = ok_trial(0, asked[0], values);
    trial.rung = searcher->rung();
    EXPECT_THROW(searcher->tell({&trial, 1}), std::logic_error);
  }
  Trial stranger = ok_trial(0, Genome{std::vector<std::uint16_t>(77, 0)}, {1.0, 2.0});
  stranger.rung = searcher->rung();
  EXPECT_THROW(searcher->tell({&stranger, 1}), std::logic_error);
  Trial trial = ok_trial(0, asked[0], {1.0, 2.0});
  trial.rung = searcher->rung() + 1;
  EXPECT_THROW(searcher->tell({&trial, 1}), std::logic_error);
  trial.rung = searcher->rung();
  searcher->tell({&trial, 1});
  EXPECT_NO_THROW(searcher->save());
}

std::vector<Case> cases() {
  std::vector<Case> made;
  for (const SearcherEntry& entry : searchers()) {
    for (const auto& [space, make] : spaces()) {
      if (!suits(entry.name, make())) continue;  // refused, see Registry
      made.push_back({entry.name, space});
    }
  }
  return made;
}
INSTANTIATE_TEST_SUITE_P(Searchers, Conformance, testing::ValuesIn(cases()), case_name);

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Registry, HasTheSearchersByName) {
  std::vector<std::string> names;
  for (const SearcherEntry& entry : searchers()) {
    names.push_back(entry.name);
    EXPECT_FALSE(entry.about.empty());
    EXPECT_GE(entry.batch, 1U);
    EXPECT_EQ(&find_searcher(entry.name), &entry);
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"auto",
                                            "random",
                                            "exhaustive",
                                            "local-search",
                                            "regularized-evolution",
                                            "nsga2",
                                            "linas",
                                            "sequential",
                                            "nested",
                                            "nsga3",
                                            "sms-emoa",
                                            "hype",
                                            "moead",
                                            "simulated-annealing",
                                            "map-elites",
                                            "mcts",
                                            "ant-colony",
                                            "reinforce",
                                            "ppo",
                                            "multi-agent"}));
  const std::string message = message_of([] { find_searcher("nsga4", "study.json", "searcher.name"); });
  for (const char* part : {"study.json", "searcher.name", "nsga4", "did you mean 'nsga2'", "local-search"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST(Registry, OptionsAreReadStrictly) {
  const SearchSpace space = spaces().at("mixed")();
  for (const SearcherEntry& entry : searchers()) {
    SearcherSetup setup = setup_for(2);
    setup.origin = "study.json";
    setup.options = {{"populaton", 10}};
    const std::string message = message_of([&] { entry.make(space, setup); });
    EXPECT_THAT(message, HasSubstr("study.json")) << entry.name;
    EXPECT_THAT(message, HasSubstr("populaton")) << entry.name;
    setup.options = Json::array({1});
    EXPECT_THAT(message_of([&] { entry.make(space, setup); }), HasSubstr("an object")) << entry.name;
  }
  const std::vector<std::pair<std::string, Json>> bad = {
      {"nsga2", {{"population", 1}}},
      {"nsga2", {{"population", "many"}}},
      {"nsga2", {{"offspring", 0}}},
      {"nsga2", {{"crossover", 1.5}}},
      {"nsga2", {{"mutation", -1}}},
      {"nsga2", {{"begin_with", 3}}},
      {"nsga2", {{"begin_with", {{99}}}}},
      {"regularized-evolution", {{"population", 2.5}}},
      {"regularized-evolution", {{"tournament", 0}}},
      {"local-search", {{"initial", 0}}},
      {"local-search", {{"archive", 0}}},
      {"linas", {{"initial", 0}}},
      {"linas", {{"round", -1}}},
      {"linas", {{"population", 1}}},
      {"linas", {{"near", 1.5}}},
      {"linas", {{"memory", 1}}},
      {"linas", {{"predictor", "rigde"}}},
      {"mcts", {{"exploration", -1}}},
      {"mcts", {{"rollout", "best"}}},
      {"mcts", {{"temperature", 0}}},
      {"mcts", {{"nodes", 1}}},
      {"ant-colony", {{"ants", 0}}},
      {"ant-colony", {{"evaporation", 1.5}}},
      {"ant-colony", {{"sure", 0}}},
      {"reinforce", {{"epochs", 2}}},
      {"reinforce", {{"halting", 1.5}}},
      {"ppo", {{"baseline", 0.5}}},
      {"ppo", {{"rest", "last"}}},
      {"multi-agent", {{"update", "sarsa"}}},
  };
  for (const auto& [name, options] : bad) {
    SearcherSetup setup = setup_for(2);
    setup.options = options;
    EXPECT_THROW(make_searcher(name, space, setup), ConfigError) << name << " " << options;
  }
}

TEST(Registry, SearchersThatCompareNeedSomethingToOptimise) {
  const SearchSpace space = spaces().at("mixed")();
  SearcherSetup setup = setup_for(1);
  setup.objectives[0].constraint_only = true;
  for (const std::string name : {"local-search", "regularized-evolution", "nsga2", "linas", "mcts", "ant-colony"}) {
    EXPECT_THROW(make_searcher(name, space, setup), ConfigError) << name;
  }
  EXPECT_NO_THROW(make_searcher("random", space, setup));
  EXPECT_NO_THROW(make_searcher("exhaustive", space, setup));
}

TEST(Registry, ExhaustiveSearchRefusesWhatItCannotEnumerate) {
  const SearchSpace space = spaces().at("wide")();
  EXPECT_THAT(message_of([&] { make_searcher("exhaustive", space, setup_for(1)); }), HasSubstr("2^40"));
}

TEST(Exhaustive, VisitsEveryCandidateOnce) {
  for (const auto& [name, make] : spaces()) {
    if (name == "wide") continue;
    const SearchSpace space = make();
    // Every combination of choices, normalised: an odometer that knows nothing of SearchSpace::at.
    std::set<Genome> expected;
    Genome genome{std::vector<std::uint16_t>(space.dims().size(), 0)};
    for (bool more = true; more;) {
      if (!space.violation(genome)) expected.insert(space.normalise(genome));
      std::size_t i = 0;
      while (i < genome.genes.size() && ++genome.genes[i] == space.dims()[i].choices.size()) genome.genes[i++] = 0;
      more = i < genome.genes.size();
    }
    Search run(space, values_of(1));
    const auto searcher = make_searcher("exhaustive", space, setup_for(1));
    run.go(*searcher, 10'000, 7);
    EXPECT_TRUE(searcher->exhausted());
    EXPECT_EQ(run.history.size(), expected.size()) << name;
    EXPECT_EQ(std::set<Genome>(run.history.begin(), run.history.end()), expected) << name;
  }
}

TEST(Nsga2, BeginsWithTheGenomesItIsGiven) {
  const SearchSpace space = spaces().at("conditional")();
  Rng rng(4, "begin");
  SearcherSetup setup = setup_for(2);
  std::vector<Genome> given;
  for (int i = 0; i < 3; ++i) {
    given.push_back(space.normalise(space.sample(rng)));
    setup.options["begin_with"].push_back(given.back().genes);
  }
  for (const std::size_t n : {1, 2, 20}) {
    Search run(space, mixed_outcomes(2));
    const auto searcher = make_searcher("nsga2", space, setup);
    while (run.history.size() < 100) run.step(*searcher, n);
    EXPECT_TRUE(std::equal(given.begin(), given.end(), run.history.begin()));
  }
}

TEST(Nsga2, DoesNotDependOnTheBatch) {
  const SearchSpace space = spaces().at("conditional")();
  std::vector<std::vector<Genome>> histories;
  for (const std::size_t n : {1, 3, 1000}) {
    Search run(space, mixed_outcomes(2));
    const auto searcher = make_searcher("nsga2", space, setup_for(2));
    while (run.history.size() < 500) run.step(*searcher, n);
    run.history.resize(500);
    histories.push_back(run.history);
  }
  EXPECT_EQ(histories[0], histories[1]);
  EXPECT_EQ(histories[0], histories[2]);
}

}  // namespace
}  // namespace ridgeline
