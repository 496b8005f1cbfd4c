// Options that several commands have, in the same words: how many threads, how many seeds, and what is not printed.
#pragma once

#include <string>

#include "cli/command_line.hpp"

namespace ridgeline {

inline void add_quiet_option(CLI::App& command, bool& quiet) { command.add_flag("--quiet", quiet, "no progress"); }

// Of a command whose result is kept somewhere.
inline void add_silent_option(CLI::App& command, bool& quiet) {
  command.add_flag("--quiet", quiet, "no progress and no result; errors only");
}

// Of what is timed or trained: at least one, each on a processor of its own.
inline void add_pinned_threads_option(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "threads, pinned")->check(CLI::Range(1, 1024))->capture_default_str();
}

// Of what is computed: 0 is all there are. `what` stands before that in the help.
inline void add_all_threads_option(CLI::App& command, int& threads, const std::string& what = "threads") {
  command.add_option("--threads", threads, what + "; 0: all")->check(CLI::Range(0, 1024))->capture_default_str();
}

inline void add_seeds_option(CLI::App& command, std::size_t& seeds, const std::string& what) {
  command.add_option("--seeds", seeds, what)
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
}

}  // namespace ridgeline
