// Programs of the user's own, for tests: plugins/program.py in a folder of this source tree.
#pragma once

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "hwmodels/plugin/program_model.hpp"

namespace ridgeline::test {

// A Python interpreter without what a user's PATH may put before it; empty where there is none.
inline std::string python() {
  for (const char* path : {"/usr/bin/python3", "/usr/local/bin/python3"}) {
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

inline ProgramOptions program(const std::string& fault) {
  ProgramOptions options;
  options.device_file = "device.json";
  options.folder = std::string(RIDGELINE_SOURCE_DIR) + "/tests/hwmodels/plugins";
  options.name = "mine";
  options.command = {python(), "-I", "-S", "./program.py", fault};
  options.timeout_s = 60;
  options.start_timeout_s = 60;
  return options;
}

// No child of this process is left, neither running nor as a zombie.
inline bool no_child_left() { return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

}  // namespace ridgeline::test

// Skips a test where there is no Python to run the programs.
#define RIDGELINE_NEEDS_PYTHON() \
  if (ridgeline::test::python().empty()) GTEST_SKIP() << "no /usr/bin/python3 to run the test's program"
