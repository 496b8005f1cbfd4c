// The commands that a study runs before and after it, in this process, as a user would type them.
#pragma once

#include <span>
#include <string>

#include "cli/command_line.hpp"
#include "experiments/study_config.hpp"

namespace ridgeline {

struct StepContext {
  std::string study, database;
  // Nothing but the steps' errors, and no result on standard output: what they print goes to standard error.
  bool quiet = false, json = false;
};

// One after the other, until one does not end well; its exit code. Steps whose file is there are left out, and said to
// be.
int run_steps(std::span<const StudyStep> steps, const StepContext& context);

}  // namespace ridgeline
