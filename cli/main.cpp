#include "cli/command_line.hpp"
#include "cli/crash_notice.hpp"

int main(int argc, char** argv) {
  ridgeline::install_crash_notice();
  return ridgeline::run_program(argc, argv);
}
