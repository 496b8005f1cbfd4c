// Every registered searcher on every shipped space, with one objective and with three: it completes, goes on the same
// from every saved state, and proposes nothing that the space forbids. The contract in detail: conformance_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/search/searcher_needs.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t kTrials = 30;
constexpr std::size_t kBatch = 6;

struct Case {
  std::string searcher;
  std::string space;
};

SearchSpace library_space(const std::string& name) {
  return SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/" + name + ".json");
}

std::vector<Case> all_cases() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library")) {
    if (file.path().extension() == ".json") names.push_back(file.path().stem().string());
  }
  std::ranges::sort(names);
  std::vector<Case> cases;
  for (const SearcherEntry& searcher : searchers()) {
    for (const std::string& name : names) cases.push_back({searcher.name, name});
  }
  return cases;
}

class Matrix : public testing::TestWithParam<Case> {
 protected:
  // `resumed`: every batch by a searcher that was made anew and loaded with what the one before saved.
  std::vector<Trial> run(std::size_t objectives, bool resumed) const {
    const auto make = [&] { return make_searcher(GetParam().searcher, space_, setup(objectives)); };
    std::vector<Trial> history;
    auto searcher = make();
    while (history.size() < kTrials && step(*searcher, kBatch, mixed_outcomes(objectives), history)) {
      if (!resumed) continue;
      const State state = searcher->save();
      searcher = make();
      searcher->load(through_text(state));
    }
    return history;
  }

  SearcherSetup setup(std::size_t objectives) const {
    SearcherSetup made = setup_of(GetParam().searcher, objectives);
    static const std::vector<std::string> predicting{"bananas", "bayesian", "boshnas", "linas"};
    if (std::ranges::find(predicting, GetParam().searcher) != predicting.end()) made.options["initial"] = kTrials / 2;
    if (GetParam().searcher == "sequential") made.options["formats"] = some_format();
    return made;
  }

  Json some_format() const {
    return std::ranges::find(space_.dims(), GeneGroup::precision, &Dimension::group)->choices.front();
  }

  SearchSpace space_ = library_space(GetParam().space);
};

TEST_P(Matrix, CompletesResumesAndKeepsToTheSpace) {
  for (const std::size_t objectives : {1, 3}) {
    const std::vector<Trial> whole = run(objectives, false);
    const std::vector<Trial> pieces = run(objectives, true);
    ASSERT_GE(whole.size(), kTrials);
    ASSERT_EQ(whole.size(), pieces.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      ASSERT_EQ(whole[i].genome, pieces[i].genome) << objectives << " objectives, trial " << i;
      ASSERT_EQ(space_.violation(whole[i].genome), std::nullopt);
      ASSERT_EQ(space_.normalise(whole[i].genome), whole[i].genome);
    }
  }
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.searcher + "_on_" + info.param.space;
  std::ranges::replace(name, '-', '_');
  return name;
}

// Where a searcher has nothing to work on it says so.
bool suits_case(const Case& one) {
  const SearchSpace space = library_space(one.space);
  if (one.searcher == "exhaustive") return suits(one.searcher, space);
  const std::optional<GeneGroup> group = needs_of(one.searcher).group;
  return !group || std::ranges::find(space.dims(), *group, &Dimension::group) != space.dims().end();
}

std::vector<Case> cases_that(bool suit) {
  std::vector<Case> chosen;
  std::ranges::copy_if(all_cases(), std::back_inserter(chosen),
                       [&](const Case& one) { return suits_case(one) == suit; });
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(All, Matrix, testing::ValuesIn(cases_that(true)), case_name);

TEST(MatrixRefusals, ASearcherWithoutWhatItNeedsNamesIt) {
  const std::vector<Case> unsuited = cases_that(false);
  ASSERT_FALSE(unsuited.empty());
  for (const Case& one : unsuited) {
    const SearchSpace space = library_space(one.space);
    EXPECT_THROW(make_searcher(one.searcher, space, setup_of(one.searcher, 1)), ConfigError) << one.space;
  }
}

}  // namespace
}  // namespace ridgeline
