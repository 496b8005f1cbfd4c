// Masks against brute force: a choice is allowed exactly where some valid candidate goes on with it.
#include "spaces/choice_walk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/search/kinds_of_space.hpp"

namespace ridgeline {
namespace {

std::vector<Genome> all_valid(const SearchSpace& space) {
  std::vector<Genome> found;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    if (std::optional<Genome> genome = space.at(i)) found.push_back(std::move(*genome));
  }
  return found;
}

// Walks at random, and at each step holds the mask against the valid candidates that share what is chosen.
void expect_exact_masks(const SearchSpace& space, int walks) {
  const std::vector<Genome> valid = all_valid(space);
  ChoiceWalk walk(space);
  Rng rng(5);
  for (int i = 0; i < walks; ++i) {
    std::vector<Genome> left = valid;
    std::vector<bool> visited(space.dims().size(), false);
    for (walk.begin(); !walk.done();) {
      const std::size_t dim = walk.dim();
      std::vector<std::uint8_t> expected(space.dims()[dim].choices.size(), 0);
      for (const Genome& genome : left) expected[genome.genes[dim]] = 1;
      const std::span<const std::uint8_t> allowed = walk.allowed();
      ASSERT_EQ(std::vector<std::uint8_t>(allowed.begin(), allowed.end()), expected) << space.dims()[dim].name;
      std::uint16_t gene = 0;
      do {
        gene = static_cast<std::uint16_t>(rng.below(expected.size()));
      } while (expected[gene] == 0);
      visited[dim] = true;
      std::erase_if(left, [&](const Genome& genome) { return genome.genes[dim] != gene; });
      walk.choose(gene);
    }
    EXPECT_EQ(space.violation(walk.genome()), std::nullopt);
    EXPECT_EQ(space.normalise(walk.genome()), walk.genome());
    EXPECT_EQ(space.active(walk.genome()), visited);
  }
}

TEST(ChoiceWalk, AllowsExactlyWhatLeadsToAValidCandidate) {
  for (const auto& [name, make] : spaces()) {
    if (name == "wide") continue;
    SCOPED_TRACE(name);
    expect_exact_masks(make(), 200);
  }
}

TEST(ChoiceWalk, PutsADimensionAfterThoseItsConditionReads) {
  const SearchSpace space = make_space("late", R"([
      {"name": "size", "choices": [1, 2, 3], "active_if": "kind == 'large' and more"},
      {"name": "kind", "choices": ["small", "large"]},
      {"name": "free", "choices": [0, 1]},
      {"name": "more", "choices": [false, true], "active_if": "kind == 'large'"}])",
                                       R"([{"require": "size < 3 or free == 1"}])");
  const std::vector<std::uint32_t> order{1, 3, 0, 2};
  EXPECT_TRUE(std::ranges::equal(ChoiceWalk(space).order(), order));
  expect_exact_masks(space, 200);
}

// Two constraints over dimensions that they do not share, and dimensions that are in none.
TEST(ChoiceWalk, KeepsConstraintsThatAreNotConnectedApart) {
  expect_exact_masks(make_space("two", R"([{"name": "a", "repeat": 3, "choices": [0, 1, 2]},
      {"name": "b", "repeat": 3, "choices": [0, 1, 2]}, {"name": "c", "choices": [0, 1]}])",
                                R"([{"require": "sum(a) == 5"}, {"require": "b[0] + b[2] == 4"}])"),
                     100);
}

// 4^14 combinations of which one is valid, the last that a search from the front looks at.
TEST(ChoiceWalk, AllowsWhatItCannotDecide) {
  const SearchSpace space = make_space("needle", R"([{"name": "w", "repeat": 14, "choices": [0, 1, 2, 3]}])",
                                       R"([{"require": "sum(w) == 42"}])");
  ChoiceWalk walk(space);
  const std::vector<std::uint8_t> all{1, 1, 1, 1}, last{0, 0, 0, 1}, nothing{0, 0, 0, 0};
  const auto allowed = [&walk] {
    const std::span<const std::uint8_t> mask = walk.allowed();
    return std::vector<std::uint8_t>(mask.begin(), mask.end());
  };
  EXPECT_EQ(allowed(), all);
  for (int i = 0; i < 12; ++i) walk.choose(3);
  EXPECT_EQ(allowed(), last);
  walk.choose(2);
  EXPECT_EQ(allowed(), nothing);
}

}  // namespace
}  // namespace ridgeline
