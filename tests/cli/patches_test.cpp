// Mixed precision for patches, through the program: what it refuses. What it finds is tested in tests/experiments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

TEST(Patches, BadInputIsSaidWithItsRemedy) {
  const auto problem = [](std::vector<std::string> words) {
    words.insert(words.begin(), "patches");
    const Outcome outcome = run_ridgeline(words);
    EXPECT_EQ(outcome.code, 2);
    return outcome.err;
  };
  EXPECT_THAT(problem({"none.ckpt", "--data", "none", "--patch-layers", "3", "--device", "eyeriss"}),
              HasSubstr("a microcontroller"));
  EXPECT_THAT(problem({"none.ckpt", "--data", "none", "--patch-layers", "3"}), HasSubstr("none.ckpt"));
  EXPECT_THAT(problem({"none.ckpt", "--data", "none"}), HasSubstr("--patch-layers"));
  EXPECT_THAT(problem({"none.ckpt", "--data", "none", "--patch-layers", "3", "--lambda", "2"}), HasSubstr("--lambda"));
}

}  // namespace
}  // namespace ridgeline
