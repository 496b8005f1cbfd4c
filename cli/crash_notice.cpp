#include "cli/crash_notice.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "cli/command_line.hpp"
#include "hwmodels/plugin/timed_calls.hpp"

namespace ridgeline {
namespace {

constexpr std::array crashes{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
std::array<struct sigaction, crashes.size()> before;

// Only what may be called in a handler: nothing that allocates or locks.
void say(const char* text) {
  const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
  static_cast<void>(written);  // there is nobody left to tell
}

void on_crash(int number) {
  const char* library = call_under_way();
  say("\nridgeline: ");
  say(library == nullptr ? "an internal error; this is a fault of Ridgeline" : library);
  if (library != nullptr) say(" crashed: a hardware model of yours, which runs inside Ridgeline");
  say(".\nWhat was stored stays; ridgeline resume goes on with a search.\n");
  for (std::size_t i = 0; i < crashes.size(); ++i) {
    if (crashes[i] == number) sigaction(number, &before[i], nullptr);
  }
  raise(number);
}

// A library that calls exit() would end the search as if all had gone well.
void on_exit() {
  const char* library = call_under_way();
  if (library == nullptr) return;
  say("\nridgeline: ");
  say(library);
  say(" called exit(): a hardware model of yours, which runs inside Ridgeline.\n"
      "What was stored stays; ridgeline resume goes on with a search.\n");
  _exit(exit_bad_input);
}

}  // namespace

void install_crash_notice() {
  struct sigaction action {};
  action.sa_handler = on_crash;
  for (std::size_t i = 0; i < crashes.size(); ++i) sigaction(crashes[i], &action, &before[i]);
  if (std::atexit(on_exit) != 0) say("ridgeline: no handler of exit() is left\n");
}

}  // namespace ridgeline
