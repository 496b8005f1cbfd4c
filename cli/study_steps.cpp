#include "cli/study_steps.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

namespace ridgeline {
namespace {

// Standard output goes elsewhere while it lives: where results are JSON to standard error, where none are wanted
// nowhere.
class OutputAside {
 public:
  explicit OutputAside(const StepContext& context) {
    if (!context.json && !context.quiet) return;
    std::fflush(stdout);
    std::cout.flush();
    kept_ = dup(STDOUT_FILENO);
    const int target = context.quiet ? open("/dev/null", O_WRONLY) : dup(STDERR_FILENO);
    dup2(target, STDOUT_FILENO);
    close(target);
  }
  ~OutputAside() {
    if (kept_ < 0) return;
    std::fflush(stdout);
    std::cout.flush();
    dup2(kept_, STDOUT_FILENO);
    close(kept_);
  }
  OutputAside(const OutputAside&) = delete;
  OutputAside& operator=(const OutputAside&) = delete;

 private:
  int kept_ = -1;
};

std::string filled_in(std::string word, const StepContext& context) {
  const auto replace = [&](std::string_view name, const std::string& value) {
    for (std::size_t at = word.find(name); at != std::string::npos; at = word.find(name, at + value.size())) {
      word.replace(at, name.size(), value);
    }
  };
  replace("{study}", context.study);
  replace("{db}", context.database);
  return word;
}

int run_words(std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  return run_program(static_cast<int>(words.size()), arguments.data());
}

}  // namespace

int run_steps(std::span<const StudyStep> steps, const StepContext& context) {
  const OutputAside aside(context);
  for (const StudyStep& step : steps) {
    std::vector<std::string> words{"ridgeline"};
    for (const std::string& word : step.words) words.push_back(filled_in(word, context));
    std::string command = words[0];
    for (std::size_t i = 1; i < words.size(); ++i) command += " " + shell_quoted(words[i]);
    std::error_code error;
    const std::string makes = filled_in(step.makes, context);
    const bool there = !makes.empty() && std::filesystem::exists(makes, error);
    if (!context.quiet) {
      std::cerr << (there ? fmt::format("{} is there already: {}\n", makes, command) : command + "\n");
    }
    if (there) continue;
    if (context.quiet && takes_option(step.words, "--quiet")) words.push_back("--quiet");
    const int code = run_words(words);
    if (code != exit_done) return code;
  }
  return exit_done;
}

}  // namespace ridgeline
