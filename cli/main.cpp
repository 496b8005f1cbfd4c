#include "cli/command_line.hpp"

int main(int argc, char** argv) { return ridgeline::run_program(argc, argv); }
