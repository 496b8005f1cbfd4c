// Spaces that refuse candidates beside their constraints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

SearchSpace toy() {
  return SearchSpace::parse(JsonDocument::parse(R"({"ridgeline_space": 1, "name": "toy",
      "dimensions": [{"name": "a", "choices": [0, 1, 2, 3]}, {"name": "b", "choices": [0, 1, 2, 3], "active_if": "a > 0"},
                     {"name": "c", "choices": [0, 1]}],
      "constraints": [{"require": "a != 3"}],
      "network": {"input": [1, 4, 4], "body": [{"op": "relu"}]}})",
                                                "toy.json"));
}

std::optional<std::string> odd(const Genome& genome) {
  if ((genome.genes[0] + genome.genes[1] + genome.genes[2]) % 2 == 0) return std::nullopt;
  return "odd";
}

TEST(Refusing, ViolationSampleAndEnumerationKeepToIt) {
  const SearchSpace whole = toy();
  const SearchSpace even = whole.refusing(odd);
  EXPECT_EQ(even.fingerprint(), whole.fingerprint());
  std::size_t left = 0;
  for (std::uint64_t i = 0; i < whole.enumeration_size(); ++i) {
    const auto genome = whole.at(i);
    if (!genome) {
      EXPECT_FALSE(even.at(i).has_value());
      continue;
    }
    EXPECT_EQ(even.at(i).has_value(), !odd(*genome));
    EXPECT_EQ(even.violation(*genome), odd(*genome));
    left += odd(*genome) ? 0U : 1U;
  }
  EXPECT_EQ(left, 1U + 4U + 4U);  // a = 0: c = 0 alone; a = 1 and 2: half of 4 x 2
  Rng rng(2);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(odd(even.sample(rng)), std::nullopt);
  EXPECT_EQ(even.violation(Genome{{3, 0, 0}}), whole.violation(Genome{{3, 0, 0}}));
  // It is asked of what the genome means: an inactive gene is 0.
  EXPECT_EQ(even.violation(Genome{{0, 3, 0}}), std::nullopt);
}

TEST(Refusing, SpacesMadeOfItRefuseTheSameCandidates) {
  const SearchSpace even = toy().refusing(odd);
  const SearchSpace kept = even.keeping(std::vector<std::vector<std::uint16_t>>{{1, 2}, {1, 3}, {0, 1}});
  const SearchSpace held = kept.holding(std::vector<std::optional<std::uint16_t>>{std::nullopt, 1, std::nullopt});
  for (std::uint16_t a = 0; a < 2; ++a) {
    for (std::uint16_t c = 0; c < 2; ++c) {
      for (std::uint16_t b = 0; b < 2; ++b) {
        const Genome there{{static_cast<std::uint16_t>(a + 1), static_cast<std::uint16_t>(b == 0 ? 1 : 3), c}};
        EXPECT_EQ(kept.violation(Genome{{a, b, c}}), odd(there));
      }
      const Genome there{{static_cast<std::uint16_t>(a + 1), 3, c}};
      EXPECT_EQ(held.violation(Genome{{a, 0, c}}), odd(there));
    }
  }
  const auto none = [](const Genome& genome) {
    return genome.genes[2] == 0 ? std::optional<std::string>("without c") : std::nullopt;
  };
  const SearchSpace both = kept.refusing(none);
  EXPECT_EQ(both.violation(Genome{{0, 0, 0}}), "without c");
  EXPECT_EQ(both.violation(Genome{{0, 0, 1}}), "odd");
  EXPECT_EQ(both.violation(Genome{{1, 0, 1}}), std::nullopt);  // 2 + 1 + 1
}

TEST(Refusing, SamplingFromNothingSaysWhatRefused) {
  const SearchSpace none = toy().refusing([](const Genome&) { return std::optional<std::string>("too dear"); });
  Rng rng(1);
  try {
    none.sample(rng);
    FAIL() << "something was drawn";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("too dear"));
  }
}

}  // namespace
}  // namespace ridgeline
