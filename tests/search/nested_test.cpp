// An outer search over hardware with a search over networks inside, against brute force over toy spaces.
#include "search/staged/nested.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "search/staged/nested_quality.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

using testing::HasSubstr;

using Array = std::pair<std::uint16_t, std::uint16_t>;  // genes of rows and flow

constexpr std::size_t networks = 12, arrays = 8;

SearchSpace network_and_array(const std::string& constraints = "[]") {
  return make_space("both", R"([{"name": "width", "choices": [8, 16, 24, 32], "ordered": true},
      {"name": "rows", "group": "hardware", "choices": [4, 8, 16, 32], "ordered": true},
      {"name": "depth", "choices": [1, 2, 3], "ordered": true},
      {"name": "flow", "group": "hardware", "choices": ["ws", "os"]}])",
                    constraints);
}

Array array_of(const Genome& genome) { return {genome.genes[1], genome.genes[3]}; }

SearcherSetup setup_of(std::size_t objectives, Json options, std::uint64_t seed = 3) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  setup.options = std::move(options);
  setup.origin = "study.json";
  return setup;
}

Json named(const std::string& name) { return {{"name", name}}; }

// Small whole numbers, so that areas are counts of unit squares: an error and a cost, each rugged in the network and in
// the array that it meets.
Judge whole_numbers(std::size_t objectives) {
  return [=](Trial& trial) {
    for (std::size_t k = 0; k < objectives; ++k) trial.values.push_back(std::floor(12.0 * noise(trial.genome, 20 + k)));
  };
}

// By looking at every candidate: the values that each array can have.
std::map<Array, std::vector<std::vector<double>>> by_array(const SearchSpace& space, const Judge& judge) {
  std::map<Array, std::vector<std::vector<double>>> all;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const std::optional<Genome> genome = space.at(i);
    if (!genome) continue;
    Trial trial = ok_trial(0, *genome, {});
    judge(trial);
    if (trial.status == Status::ok) all[array_of(*genome)].push_back(trial.values);
  }
  return all;
}

// Unit squares below and left of (edge, edge) that some point is below and left of.
double squares(const std::vector<std::vector<double>>& points, int edge) {
  double count = 0;
  for (int x = 0; x < edge; ++x) {
    for (int y = 0; y < edge; ++y) {
      count += std::ranges::any_of(points, [&](const auto& point) { return point[0] <= x && point[1] <= y; }) ? 1 : 0;
    }
  }
  return count;
}

double least(const std::vector<std::vector<double>>& points) {
  double value = std::numeric_limits<double>::infinity();
  for (const auto& point : points) value = std::min(value, point[0]);
  return value;
}

std::vector<Trial> run(Searcher& searcher, std::size_t trials, std::size_t n, const Judge& judge) {
  std::vector<Trial> history;
  while (history.size() < trials && step(searcher, n, judge, history)) {
  }
  return history;
}

TEST(Nested, EverythingLookedAtIsWhatBruteForceSays) {
  const SearchSpace space = network_and_array();
  for (const std::size_t objectives : {1, 2}) {
    const Judge judge = whole_numbers(objectives);
    Json options = {{"outer", named("exhaustive")}, {"inner", named("exhaustive")}, {"inner_trials", networks}};
    if (objectives == 2) options["reference"] = {{"f0", 9}, {"f1", 9}};
    double best = objectives == 1 ? -std::numeric_limits<double>::infinity() : 0.0;
    std::set<Array> best_arrays;
    for (const auto& [array, points] : by_array(space, judge)) {
      const double value = objectives == 1 ? -least(points) : squares(points, 9);
      if (value > best) best_arrays.clear();
      best = std::max(best, value);
      if (value == best) best_arrays.insert(array);
    }
    const auto searcher = make_nested(space, setup_of(objectives, options));
    const std::vector<Trial> history = run(*searcher, 1000, 7, judge);
    std::set<Genome> distinct;
    for (const Trial& trial : history) distinct.insert(trial.genome);
    EXPECT_EQ(history.size(), networks * arrays);
    EXPECT_EQ(distinct.size(), history.size());
    EXPECT_TRUE(searcher->exhausted());
    const Json notes = searcher->notes();
    EXPECT_EQ(notes.at("searched"), arrays);
    EXPECT_EQ(notes.at("value"), objectives == 1 ? -best : best);
    EXPECT_EQ(notes.at("quality"), objectives == 1 ? "f0" : "hypervolume");
    Array found;
    for (std::uint16_t gene = 0; gene < 4; ++gene) {
      if (space.dims()[1].choices[gene] == notes.at("best").at("rows")) found.first = gene;
    }
    found.second = notes.at("best").at("flow") == "os" ? 1 : 0;
    EXPECT_TRUE(best_arrays.contains(found)) << notes;
  }
}

// 256 arrays and 256 networks. An array is worth what its best network is, and that depends on both.
TEST(Nested, FindsTheBestHardwareAmongManyInAFractionOfTheTrials) {
  const SearchSpace space =
      make_space("large", R"([{"name": "n", "repeat": 4, "choices": [0, 1, 2, 3], "ordered": true},
      {"name": "h", "group": "hardware", "repeat": 4, "choices": [0, 1, 2, 3], "ordered": true}])");
  const auto loss = [](const Genome& genome) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 4; ++i) {
      const double network = genome.genes[i], hardware = genome.genes[4 + i];
      sum += (network - hardware) * (network - hardware) + (hardware - 2.0) * (hardware - 2.0);
    }
    return sum;
  };
  const Judge judge = [&](Trial& trial) { trial.values = {loss(trial.genome)}; };
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto searcher = make_nested(
        space,
        setup_of(1, {{"inner_trials", 60}, {"inner", {{"name", "nsga2"}, {"population", 10}}}, {"carry", 3}}, seed));
    run(*searcher, 9000, 40, judge);
    EXPECT_EQ(searcher->notes().at("best"), (Json{{"h[0]", 2}, {"h[1]", 2}, {"h[2]", 2}, {"h[3]", 2}})) << seed;
  }
}

TEST(Nested, ResumesAtEveryPoint) {
  const SearchSpace space = make_space("three", R"([{"name": "width", "repeat": 2, "choices": [8, 16, 24, 32]},
      {"name": "format", "group": "precision", "repeat": 2, "choices": ["f32", "int8"]},
      {"name": "rows", "group": "hardware", "choices": [4, 8, 16, 32], "ordered": true},
      {"name": "flow", "group": "hardware", "choices": ["ws", "os"], "active_if": "rows > 4"}])",
                                       R"([{"require": "width[0] < 32 or rows > 4"}])");
  const Json reference = {{"f0", 12}, {"f1", 12}};
  const std::vector<Json> options = {
      {{"inner_trials", 10}},
      {{"inner_trials", 7}, {"parallel", 3}, {"carry", 4}, {"outer", named("regularized-evolution")}},
      {{"inner_trials", 12},
       {"parallel", 1},
       {"outer", named("exhaustive")},
       {"inner", named("exhaustive")},
       {"give_up_after", 3}},
      {{"inner_trials", 14},
       {"parallel", 2},
       {"carry", 2},
       {"outer", {{"name", "linas"}, {"initial", 4}, {"generations", 3}}},
       {"inner", {{"name", "linas"}, {"initial", 6}, {"generations", 3}}}},
      {{"inner_trials", 15},
       {"carry", 1},
       {"outer", named("local-search")},
       {"inner", {{"name", "sequential"}, {"formats", "f32"}, {"first_trials", 6}}}},
      {{"by", "precision"},
       {"inner_trials", 20},
       {"parallel", 2},
       {"outer", named("random")},
       {"inner", {{"name", "nested"}, {"inner_trials", 5}, {"reference", reference}}}},
  };
  const Judge judge = [](Trial& trial) {
    const double draw = noise(trial.genome, 6);
    trial.status = draw < 0.15 ? Status::failed : draw < 0.4 ? Status::infeasible : Status::ok;
    if (trial.status == Status::infeasible) trial.violation = draw;
    if (trial.status != Status::failed) whole_numbers(2)(trial);
  };
  for (Json one : options) {
    one["reference"] = reference;
    for (const std::size_t n : {1, 5, 16}) {
      const SearcherSetup setup = setup_of(2, one);
      std::vector<Trial> whole, pieces;
      const auto searcher = make_nested(space, setup);
      State state = searcher->save();
      for (int i = 0; i < 40; ++i) {
        step(*searcher, n, judge, whole);
        const auto resumed = make_nested(space, setup);
        resumed->load(through_text(state));
        step(*resumed, n, judge, pieces);
        state = resumed->save();
        ASSERT_EQ(state.data, searcher->save().data) << one << " batch " << i;
        EXPECT_EQ(resumed->exhausted(), searcher->exhausted());
        EXPECT_EQ(resumed->notes(), searcher->notes());
      }
      ASSERT_EQ(whole.size(), pieces.size()) << one;
      EXPECT_GE(whole.size(), n == 1 ? 16U : 25U);
      for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(whole[i].genome, pieces[i].genome) << one << i;
    }
  }
}

TEST(Nested, ABatchIsSharedByTheProposalsThatAreSearchedSideBySide) {
  const SearchSpace space = network_and_array();
  const auto searcher = make_nested(space, setup_of(1, {{"inner_trials", 6},
                                                        {"give_up_after", 6},
                                                        {"parallel", 4},
                                                        {"outer", named("exhaustive")},
                                                        {"inner", named("random")}}));
  const std::vector<Trial> history = run(*searcher, 48, 10, whole_numbers(1));
  std::map<Array, int> first;
  for (std::size_t i = 0; i < 10; ++i) ++first[array_of(history[i].genome)];
  std::vector<int> shares;
  for (const auto& [array, count] : first) shares.push_back(count);
  EXPECT_THAT(shares, testing::UnorderedElementsAre(3, 3, 2, 2));
  std::map<Array, int> all;
  for (const Trial& trial : history) ++all[array_of(trial.genome)];
  EXPECT_EQ(all.size(), arrays);
  for (const auto& [array, count] : all) EXPECT_EQ(count, 6);
}

// Told as a study tells: a duplicate by the id of the trial that it repeats.
TEST(Nested, AProposalThatIsRepeatedCostsNothingUntilThereIsNothingElse) {
  const SearchSpace space = make_space("pair", R"([{"name": "n", "repeat": 6, "choices": [0, 1, 2, 3]},
      {"name": "h", "group": "hardware", "choices": ["a", "b"]}])");
  std::vector<Genome> numbered;
  const auto searcher = make_nested(
      space,
      setup_of(1, {{"inner_trials", 9}, {"parallel", 1}, {"outer", named("random")}, {"inner", named("random")}}));
  std::vector<std::size_t> spent(2, 0);
  while (numbered.size() < 40) {
    std::vector<Trial> trials;
    for (const Genome& genome : searcher->ask(4)) {
      const auto id = std::ranges::find(numbered, genome) - numbered.begin();
      if (id == std::ssize(numbered)) {
        numbered.push_back(genome);
        if (id < 18) ++spent[genome.genes[6]];
      }
      trials.push_back(ok_trial(id, genome, {noise(genome, 1)}));
    }
    searcher->tell(trials);
  }
  EXPECT_EQ(spent, (std::vector<std::size_t>{9, 9}));
  EXPECT_GE(searcher->notes().at("searched"), 4);  // then both again
}

TEST(Nested, GivesUpHardwareOnWhichNothingIsFeasible) {
  const SearchSpace space = network_and_array();
  const auto searcher = make_nested(space, setup_of(1, {{"inner_trials", networks},
                                                        {"give_up_after", 5},
                                                        {"outer", named("exhaustive")},
                                                        {"inner", named("exhaustive")}}));
  const Judge judge = [](Trial& trial) {
    trial.values = {noise(trial.genome, 2)};
    if (trial.genome.genes[1] == 2 && trial.genome.genes[3] == 1) return;  // the only array within the limits
    trial.status = Status::infeasible;
    trial.violation = 0.1 + trial.values[0];
    trial.values[0] -= 5.0;  // better, were it allowed
  };
  const std::vector<Trial> history = run(*searcher, 1000, 9, judge);
  std::map<Array, std::size_t> spent;
  for (const Trial& trial : history) ++spent[array_of(trial.genome)];
  ASSERT_EQ(spent.size(), arrays);
  for (const auto& [array, count] : spent) EXPECT_EQ(count, array == Array(2, 1) ? networks : 5U);
  EXPECT_EQ(searcher->notes().at("best"), (Json{{"rows", 16}, {"flow", "os"}}));
}

TEST(Nested, CarriesTheBestNetworksToTheNextHardware) {
  const SearchSpace space = make_space("carry", R"([{"name": "n", "repeat": 5, "choices": [0, 1, 2, 3]},
      {"name": "h", "group": "hardware", "choices": [0, 1, 2, 3, 4, 5]}])");
  const Judge judge = [](Trial& trial) { trial.values = {noise(trial.genome, 4)}; };
  const auto searcher = make_nested(space, setup_of(1, {{"inner_trials", 10},
                                                        {"parallel", 1},
                                                        {"carry", 2},
                                                        {"outer", named("exhaustive")},
                                                        {"inner", named("random")}}));
  std::vector<Trial> history = run(*searcher, 60, 10, judge);
  ASSERT_EQ(history.size(), 60U);
  for (std::size_t begin = 10; begin < 60; begin += 10) {
    std::vector<Trial> before(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(begin));
    const auto best = std::ranges::min_element(before, {}, [](const Trial& trial) { return trial.values[0]; });
    const auto carried = [&](const Trial& trial) {
      return std::ranges::equal(std::span(trial.genome.genes).first(5), std::span(best->genome.genes).first(5));
    };
    EXPECT_TRUE(carried(history[begin]) || carried(history[begin + 1])) << begin;
    EXPECT_NE(history[begin].genome.genes[5], history[begin - 1].genome.genes[5]);
  }
}

TEST(Nested, HardwareThatNoNetworkFitsCostsNoTrial) {
  const SearchSpace space =
      network_and_array(R"([{"require": "rows > 8"}, {"require": "rows < 32 or width * depth < 20"}])");
  const Judge judge = whole_numbers(1);
  const auto searcher = make_nested(
      space, setup_of(1, {{"inner_trials", networks}, {"outer", named("exhaustive")}, {"inner", named("exhaustive")}}));
  const std::vector<Trial> history = run(*searcher, 1000, 6, judge);
  std::size_t valid = 0;
  for (const auto& [array, points] : by_array(space, judge)) valid += points.size();
  EXPECT_EQ(history.size(), valid);
  EXPECT_EQ(searcher->notes().at("searched"), arrays);
}

Population population_of(const SearchSpace& space, const SearcherSetup& setup, const std::vector<Trial>& trials) {
  Population made(space, setup);
  for (const Trial& trial : trials) made.add(trial);
  return made;
}

TEST(NestedQuality, IsTheVolumeOfTheFeasibleElseTheLeastViolation) {
  const SearchSpace space = uniform_space(1, 4);
  SearcherSetup setup = setup_of(2, {{"reference", {{"f0", 2.0}}}});
  setup.objectives[0].direction = Direction::maximise;  // 2 is the worst that counts; its limit is not asked for
  setup.objectives[1].limit = 10.0;
  OptionsReader options(setup);
  const NestedQuality quality(setup, options);
  options.done();
  const auto trial = [](std::uint16_t gene, Status status, double violation, std::vector<double> values) {
    Trial made = ok_trial(gene, Genome{{gene}}, std::move(values));
    made.status = status;
    made.violation = violation;
    return made;
  };
  const Trial front = quality.of(
      population_of(space, setup,
                    {trial(0, Status::ok, 0, {-5.0, 8.0}), trial(1, Status::ok, 0, {-4.0, 7.0}),
                     trial(2, Status::ok, 0, {-1.0, 1.0}), trial(3, Status::infeasible, 0.1, {-99.0, 0.0})}));
  EXPECT_EQ(front.status, Status::ok);
  EXPECT_EQ(front.violation, 0.0);
  EXPECT_EQ(front.values, (std::vector<double>{-(3.0 * 2.0 + 2.0 * 1.0)}));
  const Trial none = quality.of(population_of(
      space, setup, {trial(0, Status::infeasible, 0.5, {-9.0, 1.0}), trial(1, Status::infeasible, 0.25, {-8.0, 2.0})}));
  EXPECT_EQ(none.status, Status::infeasible);
  EXPECT_EQ(none.violation, 0.25);
  EXPECT_EQ(none.values.size(), 1U);
  EXPECT_EQ(quality.of(Population(space, setup)).status, Status::failed);
  EXPECT_TRUE(better(front, none));
  EXPECT_TRUE(better(none, quality.of(Population(space, setup))));
  EXPECT_FALSE(better(none, front));
}

TEST(Nested, SaysWhatIsWrong) {
  const auto message = [](const SearchSpace& space, const Json& options, std::size_t objectives = 1) -> std::string {
    try {
      make_nested(space, setup_of(objectives, options));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "taken";
  };
  const SearchSpace space = network_and_array();
  EXPECT_EQ(message(space, Json::object()), "taken");
  EXPECT_THAT(message(space, {{"inner", named("nsga4")}}), HasSubstr("did you mean 'nsga2'"));
  EXPECT_THAT(message(space, {{"outer", named("randon")}}), HasSubstr("did you mean 'random'"));
  EXPECT_THAT(message(space, {{"inner", {{"populaton", 3}}}}), HasSubstr("inner.populaton"));
  EXPECT_THAT(message(space, {{"outer", {{"population", 1}}}}), HasSubstr("outer.population"));
  for (const char* key : {"inner_trials", "parallel", "give_up_after"}) {
    EXPECT_THAT(message(space, {{key, 0}}), HasSubstr(key));
  }
  EXPECT_THAT(message(space, {{"carry", -1}}), HasSubstr("carry"));
  EXPECT_THAT(message(space, {{"by", "hardwear"}}), HasSubstr("hardware"));
  for (const char* part : {"study.json", "'hardware'", "none in 'uniform'", "\"group\": \"hardware\""}) {
    EXPECT_THAT(message(uniform_space(3, 3), Json::object()), HasSubstr(part));
  }
  EXPECT_THAT(message(uniform_space(3, 3), {{"by", "architecture"}}), HasSubstr("nothing for the inner search"));
  EXPECT_THAT(message(space, Json::object(), 2), HasSubstr("reference.f0"));
  EXPECT_THAT(message(space, {{"reference", {{"f0", 1}, {"f3", 1}}}}, 2), HasSubstr("reference.f3"));
  EXPECT_THAT(message(space, {{"reference", {{"f0", 1}}}}), HasSubstr("leave it out"));
  EXPECT_EQ(message(space, {{"reference", {{"f0", 1}, {"f1", -3.5}}}}, 2), "taken");
}

}  // namespace
}  // namespace ridgeline
