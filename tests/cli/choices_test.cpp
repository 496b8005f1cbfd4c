// What a front chose of one dimension and what each choice would have meant there, against the front's own genomes and
// the sizes of whole networks with the one choice exchanged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "spaces/counts.hpp"
#include "spaces/search_space.hpp"
#include "tests/cli/child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Choices : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  void search(const std::string& space, int trials) const {
    Json study = Json::parse(counting_study("small", space, trials));
    if (space == "mobiledets_small") {
      study["choices"] = {{"format", {"int8", "f32"}}, {"end_format", {"int8", "f32"}}, {"depth", {1}}};
    }
    folder_.write("study.json", study.dump());
    const Outcome outcome = run({"search", "./study.json", "--quiet"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  TemporaryFolder folder_;
};

TEST_F(Choices, TextAndMistakes) {
  search("mobiledets_small", 20);
  const Outcome text = run({"choices", "small", "--dimension", "block[0][0]", "--members", "1", "--quiet"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("inverted"), HasSubstr("fused"), HasSubstr("block[0][0]"),
                              HasSubstr("conv2d pointwise"), HasSubstr("f32 over int8")));
  EXPECT_THAT(text.out, Not(HasSubstr("block[1][0]")));
  const Outcome unknown = run({"choices", "small", "--dimension", "blok"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("--dimension"), HasSubstr("'blok'"), HasSubstr("block")));
  EXPECT_EQ(run({"choices", "none", "--dimension", "block"}).code, 2);
  EXPECT_EQ(run({"choices", "small"}).code, 2);
  EXPECT_EQ(run({"choices", "small", "--dimension", "block", "--members", "0"}).code, 2);
}

TEST_F(Choices, CountsAndSizesAreThoseOfTheFront) {
  search("mobiledets_small", 40);
  const Json found = parsed(run({"choices", "small", "--dimension", "block", "--members", "1", "--json"}));
  const Json front = parsed(run({"pareto", "small", "--json"})).at("front");
  EXPECT_EQ(found.at("front"), front.size());
  ASSERT_EQ(found.at("members").size(), 1U);
  EXPECT_EQ(found.at("problems"), Json::array());

  const SearchSpace space =
      SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/mobiledets_small.json",
                        {.choices = {{"format", {"int8", "f32"}}, {"end_format", {"int8", "f32"}}, {"depth", {1}}}});
  Json member;
  for (const Json& one : front) member = one.at("trial") == found.at("members")[0] ? one.at("genome") : member;
  const auto dim_of = [&](const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(space.dims(), name, &Dimension::name) - space.dims().begin());
  };
  // What most other blocks of the member have, the first choice where that is equal.
  const auto usual = [&](const std::string& dimension) -> std::uint16_t {
    std::size_t counts[2] = {0, 0};
    for (const auto& [name, choice] : member.items()) {
      if (name.starts_with(dimension + "[")) ++counts[choice == space.dims()[dim_of(name)].choices[1] ? 1 : 0];
    }
    return counts[1] > counts[0] ? 1 : 0;
  };
  const auto sized = [&](const std::string& kind, const std::string& element) {
    const std::string at = element.substr(element.find('['));
    Genome genome = space.from_json(member);
    const auto& kinds = space.dims()[dim_of(element)].choices;
    genome.genes[dim_of(element)] = static_cast<std::uint16_t>(std::ranges::find(kinds, Json(kind)) - kinds.begin());
    for (const std::string dimension : {"kernel", "expand"}) {
      if (!member.contains(dimension + at)) genome.genes[dim_of(dimension + at)] = usual(dimension);
    }
    return static_cast<double>(macs(space.decode(space.normalise(genome)).network));
  };
  std::size_t timed = 0;
  for (const Json& element : found.at("elements")) {
    const auto name = element.at("element").get<std::string>();
    std::map<std::string, std::size_t> counts;
    std::size_t active = 0;
    for (const Json& one : front) {
      if (!one.at("genome").contains(name)) continue;
      ++active;
      ++counts[one.at("genome").at(name).get<std::string>()];
    }
    EXPECT_EQ(element.at("active"), active) << name;
    std::map<std::string, double> macs_there;
    for (const Json& choice : element.at("choices")) {
      const auto text = choice.at("choice").get<std::string>();
      EXPECT_EQ(choice.at("on_front"), counts[text]) << name << " " << text;
      macs_there[text] = choice.at("macs").get<double>();
      if (element.at("timed") == 1) {
        EXPECT_GT(choice.at("operators_s").get<double>(), 0.0);
      }
    }
    EXPECT_EQ(element.at("timed"), member.contains(name) ? 1 : 0);
    if (element.at("timed") == 0) continue;
    ++timed;
    // Whole networks with the one choice exchanged differ by what the blocks there differ by.
    const double own = sized(member.at(name).get<std::string>(), name);
    for (const auto& [kind, there] : macs_there) {
      EXPECT_EQ(there - macs_there[member.at(name).get<std::string>()], sized(kind, name) - own) << name << " " << kind;
    }
  }
  EXPECT_GT(timed, 0U);
  ASSERT_FALSE(found.at("classes").empty());
  for (const Json& one : found.at("classes")) EXPECT_TRUE(one.at("operators_s").contains("int8"));
}

}  // namespace
}  // namespace ridgeline
