// Narrowed spaces against the whole ones, enumerated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>

#include <filesystem>
#include <fstream>
#include <set>

#include "spaces/network.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Depth decides which kernels are active, one of which decides whether the pool is; the activation of a stage that is
// not there is read all the same, so that what an inactive gene stands for shows.
const std::string text = R"json({
  "ridgeline_space": 1, "name": "narrow",
  "dimensions": [
    {"name": "depth", "choices": [1, 2, 3], "ordered": true},
    {"name": "kernel", "repeat": 3, "index": ["slot"], "choices": [1, 3, 5], "ordered": true, "active_if": "slot < depth"},
    {"name": "width", "repeat": 2, "index": ["i"], "choices": "range(i + 2)"},
    {"name": "act", "choices": ["relu", "none", "swish"], "active_if": "kernel[1] == 1"}
  ],
  "constraints": [{"require": "sum(kernel) <= 9", "why": "small kernels"}],
  "network": {"input": [3, 8, 8], "body": [
    {"repeat": "depth", "index": "i", "body": [
      {"op": "conv2d", "channels": "4 + width[0] + 2 * width[1]", "kernel": "kernel[i]"}]},
    {"activate": "act"}]}
})json";

SearchSpace space_of(const std::map<std::string, Json>& choices) {
  SpaceOptions options;
  options.choices = choices;
  return SearchSpace::parse(JsonDocument::parse(text, "narrow.json"), options);
}

std::set<Genome> candidates(const SearchSpace& space) {
  std::set<Genome> all;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    if (const std::optional<Genome> genome = space.at(i)) all.insert(*genome);
  }
  return all;
}

std::string refusal(const std::map<std::string, Json>& choices) {
  try {
    space_of(choices);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

const std::vector<std::map<std::string, Json>> narrowings = {
    {{"act", {"swish"}}},
    {{"act", {"none", "swish"}}, {"depth", {3, 2}}},
    {{"kernel", {3, 5}}},
    {{"kernel", {3, 5}}, {"kernel[1]", {1, 5}}, {"width[1]", {2}}},
    {{"depth", {1}}, {"kernel[2]", {5}}},
};

// The list that stands for a dimension, or nothing.
const Json* list_of(const std::map<std::string, Json>& choices, const std::string& name) {
  auto found = choices.find(name);
  if (found == choices.end()) found = choices.find(name.substr(0, name.find('[')));
  return found == choices.end() ? nullptr : &found->second;
}

TEST(Narrowing, KeepsExactlyTheCandidatesWhoseActiveChoicesAreLeft) {
  const SearchSpace whole = space_of({});
  for (const auto& choices : narrowings) {
    const SearchSpace space = space_of(choices);
    std::set<Genome> expected;
    for (const Genome& genome : candidates(whole)) {
      const std::vector<bool> active = whole.active(genome);
      bool left = true;
      for (std::size_t i = 0; i < active.size(); ++i) {
        const Json* list = list_of(choices, whole.dims()[i].name);
        const Json& choice = whole.dims()[i].choices[genome.genes[i]];
        left = left && (!active[i] || list == nullptr || std::find(list->begin(), list->end(), choice) != list->end());
      }
      if (left) expected.insert(genome);
    }
    std::set<Genome> found;
    for (const Genome& genome : candidates(space)) {
      const Genome same = space.in_whole(genome);
      EXPECT_TRUE(found.insert(same).second);
      EXPECT_EQ(whole.violation(same), std::nullopt);
      EXPECT_EQ(space.describe(genome), whole.describe(same));
      EXPECT_EQ(space.from_json(space.describe(genome)), genome);
      EXPECT_EQ(structural_hash(space.decode(genome).network), structural_hash(whole.decode(same).network));
    }
    EXPECT_EQ(found, expected) << Json(choices).dump();
    EXPECT_FALSE(expected.empty());
    EXPECT_LT(expected.size(), candidates(whole).size());
    EXPECT_EQ(space.whole().fingerprint(), whole.fingerprint());
  }
}

TEST(Narrowing, SizesCountWhatIsLeft) {
  const SearchSpace space = space_of({{"act", {"none", "swish"}}, {"depth", {2, 3}}, {"width[1]", {0, 1}}});
  EXPECT_EQ(space.enumeration_size(), 2U * 27U * 2U * 2U * 2U);
  std::set<Genome> normal;  // constraints not considered
  Genome genome;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    genome.genes.assign(space.dims().size(), 0);
    std::uint64_t rest = i;
    for (std::size_t k = genome.genes.size(); k-- > 0;) {
      genome.genes[k] = static_cast<std::uint16_t>(rest % space.dims()[k].choices.size());
      rest /= space.dims()[k].choices.size();
    }
    normal.insert(space.normalise(genome));
  }
  EXPECT_NEAR(space.log10_size(), std::log10(static_cast<double>(normal.size())), 1e-9);
  Rng rng(3, "narrowed");
  for (int draw = 0; draw < 200; ++draw) {
    const Genome sampled = space.sample(rng);
    EXPECT_EQ(space.violation(sampled), std::nullopt);
    EXPECT_EQ(space.normalise(sampled), sampled);
    EXPECT_NE(space.describe(sampled).at("depth"), Json(1));
  }
}

TEST(Narrowing, FingerprintsAreOfWhatIsLeft) {
  std::set<std::uint64_t> seen = {space_of({}).fingerprint()};
  for (const auto& choices : narrowings) EXPECT_TRUE(seen.insert(space_of(choices).fingerprint()).second);
  EXPECT_EQ(space_of({{"depth", {1, 2, 3}}}).fingerprint(), space_of({}).fingerprint());
  EXPECT_EQ(space_of({{"depth", {3, 1}}}).fingerprint(), space_of({{"depth", {1, 3}}}).fingerprint());
  EXPECT_EQ(space_of({{"kernel", {1, 5}}}).fingerprint(),
            space_of({{"kernel[0]", {1, 5}}, {"kernel[1]", {1, 5}}, {"kernel[2]", {1, 5}}}).fingerprint());
}

TEST(Narrowing, MistakesNameTheDimensionAndItsChoices) {
  EXPECT_THAT(refusal({{"detph", {1}}}), AllOf(HasSubstr("choices: detph"), HasSubstr("did you mean 'depth'?")));
  EXPECT_THAT(refusal({{"kernel[3]", {1}}}), HasSubstr("choices: kernel[3]: expected a dimension of the space"));
  EXPECT_THAT(refusal({{"act", {"relu", "swihs"}}}),
              AllOf(HasSubstr("choices: act: expected choices of the dimension, found \"swihs\""),
                    HasSubstr("did you mean 'swish'?"), HasSubstr("relu, none, swish")));
  EXPECT_THAT(refusal({{"depth", {4}}}), AllOf(HasSubstr("found 4"), HasSubstr("1, 2, 3")));
  EXPECT_THAT(refusal({{"depth", Json::array()}}), HasSubstr("a list of the choices that are left"));
  EXPECT_THAT(refusal({{"depth", 2}}), HasSubstr("a list of the choices that are left"));
  EXPECT_THAT(refusal({{"depth", {1, 1}}}), HasSubstr("1 (number) twice"));
  EXPECT_THAT(refusal({{"width", {2}}}), AllOf(HasSubstr("a choice of width[0] too"), HasSubstr("it has [0,1]")));
  const std::string both = refusal({{"depth", {4}}, {"acts", {"relu"}}});
  EXPECT_THAT(both, AllOf(HasSubstr("choices: depth"), HasSubstr("choices: acts")));
}

TEST(Narrowing, KeepingGenesIsNarrowingByTheirChoices) {
  const SearchSpace whole = space_of({});
  const SearchSpace start = space_of({{"act", {"none", "swish"}}});
  std::vector<std::vector<std::uint16_t>> left = {{1, 2}, {0, 1}, {0, 1, 2}, {2}, {0, 1}, {1, 2}, {1}};
  const SearchSpace kept = start.keeping(left);
  const SearchSpace same = space_of(
      {{"act", {"swish"}}, {"depth", {2, 3}}, {"kernel[0]", {1, 3}}, {"kernel[2]", {5}}, {"width[1]", {1, 2}}});
  ASSERT_EQ(candidates(kept), candidates(same));
  for (const Genome& genome : candidates(kept)) {
    EXPECT_EQ(kept.describe(genome), same.describe(genome));
    EXPECT_EQ(kept.in_whole(genome), same.in_whole(genome));
  }
  EXPECT_EQ(kept.whole().fingerprint(), whole.fingerprint());
  EXPECT_EQ(kept.enumeration_size(), same.enumeration_size());
  EXPECT_EQ(kept.fingerprint(), start.keeping(left).fingerprint());
  left[0] = {0, 1};
  EXPECT_NE(kept.fingerprint(), start.keeping(left).fingerprint());
  for (const std::vector<std::uint16_t>& wrong : {std::vector<std::uint16_t>{}, {3}, {1, 1}, {2, 1}}) {
    left[0] = wrong;
    EXPECT_THROW(start.keeping(left), std::invalid_argument);
  }
  left.pop_back();
  EXPECT_THROW(start.keeping(left), std::invalid_argument);
}

// Space files in a folder of their own, as tests run side by side.
class NarrowsFile : public ::testing::Test {
 protected:
  NarrowsFile() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "library");
    write("library/narrow.json", text);
  }
  ~NarrowsFile() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& json) const {
    std::ofstream(folder_ / name, std::ios::binary) << json;
    return (folder_ / name).string();
  }
  SpaceOptions options(const std::map<std::string, Json>& choices = {}) const {
    return {.choices = choices, .library = (folder_ / "library").string()};
  }
  std::string refused(const std::string& json) const {
    try {
      SearchSpace::load(write("refused.json", json), options());
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }
  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("narrows_file_" + std::to_string(::getpid()));
};

TEST_F(NarrowsFile, IsTheSpaceWithTheseChoices) {
  const std::map<std::string, Json> choices = {{"kernel[1]", {1, 3}}, {"kernel", {3, 5}}, {"width", {1}}};
  const SearchSpace same = space_of(choices);
  for (const char* base : {"narrow", "library/narrow.json"}) {
    const Json file{
        {"ridgeline_space", 1}, {"name", "fast"}, {"about", "few"}, {"narrows", base}, {"choices", choices}};
    const SearchSpace space = SearchSpace::load(write("fast.json", file.dump()), options());
    EXPECT_EQ(space.name(), "fast");
    EXPECT_EQ(space.about(), "few");
    EXPECT_EQ(space.whole().name(), "narrow");
    EXPECT_EQ(space.fingerprint(), same.fingerprint());
    EXPECT_EQ(space.whole().fingerprint(), same.whole().fingerprint());
    EXPECT_EQ(candidates(space), candidates(same));
  }
}

TEST_F(NarrowsFile, MayNarrowAnotherAndBeNarrowed) {
  write("first.json", R"({"ridgeline_space": 1, "name": "first", "narrows": "narrow", "choices": {"depth": [2, 3]}})");
  const std::string second = write("second.json", R"({"ridgeline_space": 1, "name": "second", "narrows": "first.json",
      "choices": {"depth": [3], "act": ["none", "swish"]}})");
  const SearchSpace space = SearchSpace::load(second, options({{"act", {"swish"}}}));
  const SearchSpace same = space_of({{"depth", {3}}, {"act", {"swish"}}});
  EXPECT_EQ(space.name(), "second");
  EXPECT_EQ(space.fingerprint(), same.fingerprint());
  EXPECT_EQ(candidates(space), candidates(same));
  EXPECT_EQ(space.whole().fingerprint(), same.whole().fingerprint());
  for (const Genome& genome : candidates(space)) EXPECT_EQ(space.in_whole(genome), same.in_whole(genome));
}

TEST_F(NarrowsFile, ParametersPassThrough) {
  Json base = Json::parse(text);
  base["parameters"] = {{"side", 8}, {"channels", 3}};
  base["network"]["input"] = {"channels", "side", "side"};
  write("base.json", base.dump());
  const std::string file = write("small.json", R"({"ridgeline_space": 1, "name": "small", "narrows": "base.json",
      "parameters": {"side": 4, "channels": 1}, "choices": {"depth": [1]}})");
  SpaceOptions given = options();
  given.parameters = {{"channels", 2}};
  const SearchSpace space = SearchSpace::load(file, given);
  const Network network = space.decode(*space.at(0)).network;
  EXPECT_EQ(network.shape(0), (Shape{1, 2, 4, 4}));
  given.parameters["side"] = 4;
  given.choices = {{"depth", {1}}};
  EXPECT_EQ(space.fingerprint(), SearchSpace::load((folder_ / "base.json").string(), given).fingerprint());
}

TEST_F(NarrowsFile, MistakesHaveTheirPlace) {
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "name": "x", "narrows": "narow", "choices": {}})"),
              AllOf(HasSubstr("refused.json: narrows"), HasSubstr("'narow'"), HasSubstr("did you mean 'narrow'?")));
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "name": "x", "narrows": "no/such.json", "choices": {}})"),
              AllOf(HasSubstr("refused.json: narrows"), HasSubstr("check the path")));
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "narrows": 3, "dimensions": []})"),
              AllOf(HasSubstr("narrows"), HasSubstr("name"), HasSubstr("choices"), HasSubstr("dimensions")));
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "name": "x", "narrows": "narrow", "choices": {"act": ["swihs"]}})"),
              AllOf(HasSubstr("refused.json: choices.act"), HasSubstr("did you mean 'swish'?")));
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "name": "x", "narrows": "narrow", "choices": {"acts": ["swish"]}})"),
              AllOf(HasSubstr("refused.json: choices.acts"), HasSubstr("did you mean 'act'?")));
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "name": "x", "narrows": "refused.json", "choices": {}})"),
              HasSubstr("a longer one, or a circle"));
  EXPECT_THAT(refused(R"({"ridgeline_space": 1, "name": "x", "narrows": "narrow", "parameters": {"classes": 3},
      "choices": {}})"),
              HasSubstr("parameters.classes"));
}

}  // namespace
}  // namespace ridgeline
