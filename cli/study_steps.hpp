// The commands that a study runs before and after it, in this process, as a user would type them.
#pragma once

#include <span>
#include <string>

#include "cli/command_line.hpp"
#include "experiments/study/study_config.hpp"

namespace ridgeline {

struct StepContext {
  std::string study, database;
  // quiet: errors only; json: what steps print goes to standard error, as standard output is one document.
  bool quiet = false, json = false;
};

// One after the other, until one does not end well; its exit code. Steps whose file is there are left out, and said to
// be.
int run_steps(std::span<const StudyStep> steps, const StepContext& context);

}  // namespace ridgeline
