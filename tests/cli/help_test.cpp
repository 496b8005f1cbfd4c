// Every command explains itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <regex>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// The names under "Subcommands:" of a help text.
std::vector<std::string> subcommands(const std::string& help) {
  std::vector<std::string> names;
  const std::size_t begin = help.find("Subcommands:");
  if (begin == std::string::npos) return names;
  const std::string section = help.substr(begin, help.find("\n\n", begin) - begin);
  const std::regex line(R"(\n  ([a-z]+))");
  for (std::sregex_iterator it(section.begin(), section.end(), line), end; it != end; ++it) names.push_back((*it)[1]);
  return names;
}

// Calls `look` with every command's words and help text, the program's own first.
void for_every_command(const std::function<void(const std::vector<std::string>&, const std::string&)>& look,
                       std::vector<std::string> words = {}) {
  std::vector<std::string> arguments = words;
  arguments.emplace_back("--help");
  const Outcome outcome = run_ridgeline(arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  look(words, outcome.out);
  for (const std::string& name : subcommands(outcome.out)) {
    std::vector<std::string> deeper = words;
    deeper.push_back(name);
    for_every_command(look, deeper);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text = "ridgeline";
  for (const std::string& word : words) text += " " + word;
  return text;
}

TEST(Help, EveryCommandIsThere) {
  EXPECT_THAT(subcommands(run_ridgeline({"--help"}).out),
              UnorderedElementsAre("search", "resume", "runs", "pareto", "report", "compare", "bench", "choices",
                                   "cross", "elites", "explain", "space", "device", "estimate", "measure", "mapping",
                                   "memory", "patches", "schedule", "scratchpad", "spiking", "allocate", "sensitivity",
                                   "quantize", "sweep", "data", "train", "predictor", "evaluate", "extract", "rank",
                                   "winners", "export", "version"));
  EXPECT_THAT(subcommands(run_ridgeline({"runs", "--help"}).out), UnorderedElementsAre("list", "show", "delete"));
  EXPECT_THAT(subcommands(run_ridgeline({"space", "--help"}).out),
              UnorderedElementsAre("list", "show", "count", "sample", "check", "evolve", "shrink"));
  EXPECT_THAT(subcommands(run_ridgeline({"device", "--help"}).out),
              UnorderedElementsAre("list", "show", "calibrate", "check"));
  EXPECT_THAT(subcommands(run_ridgeline({"predictor", "--help"}).out),
              UnorderedElementsAre("train", "eval", "export", "graph", "curve", "list"));
  EXPECT_THAT(subcommands(run_ridgeline({"data", "--help"}).out), UnorderedElementsAre("make", "show"));
  EXPECT_THAT(subcommands(run_ridgeline({"data", "make", "--help"}).out), UnorderedElementsAre("glyphs"));
}

TEST(Help, EveryCommandShowsAnExampleOfItself) {
  int commands = 0;
  for_every_command([&](const std::vector<std::string>& words, const std::string& help) {
    ++commands;
    const std::size_t example = help.find("Example:\n  ridgeline ");
    ASSERT_NE(example, std::string::npos) << joined(words);
    EXPECT_THAT(help.substr(example), HasSubstr(joined(words))) << joined(words);
  });
  EXPECT_EQ(commands, 58);
}

// An example that uses a flag which does not exist would teach a mistake.
TEST(Help, ExamplesUseOnlyFlagsOfTheirCommand) {
  for_every_command([&](const std::vector<std::string>& words, const std::string& help) {
    if (words.empty()) return;
    std::string example = help.substr(help.find("Example:"));
    example = example.substr(0, example.find_first_of("|>"));
    if (!subcommands(help).empty()) return;
    const std::string options = help.substr(0, help.find("Example:"));
    const std::regex flag(R"((--[a-z-]+))");
    for (std::sregex_iterator it(example.begin(), example.end(), flag), end; it != end; ++it) {
      EXPECT_THAT(options, HasSubstr((*it)[1].str())) << joined(words);
    }
  });
}

TEST(Help, ExitCodesAreListed) {
  EXPECT_THAT(run_ridgeline({"--help"}).out,
              HasSubstr("0 done, 2 bad input, 3 nothing feasible, 4 database, 70 internal"));
}

}  // namespace
}  // namespace ridgeline
