// What every command shares: where data is found, how the terminal looks, and how an error becomes one clear line and
// an exit code. A command file adds its sub-command to the parser and sets `action`, which runs after everything was
// parsed.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "experiments/report/report_text.hpp"
#include "experiments/resources.hpp"

namespace ridgeline {

enum ExitCode : int {
  exit_done = 0,
  exit_bad_input = 2,
  exit_infeasible = 3,
  exit_store = 4,
  exit_internal = 70,
  exit_interrupted = 130,  // what was done is saved
};

struct CommandLine {
  Resources resources;
  TextStyle style;            // of standard output
  bool progress_bar = false;  // standard error is a terminal
  std::string command;        // what the user typed, as a shell reads it back
  std::function<int()> action;

  // Text for people, to standard output, in ASCII where the terminal has no UTF-8.
  void print(const std::string& text) const;
  void print_json(const Json& json) const;
};

// argv to exit code; never throws.
int run_program(int argc, char** argv);
// Does the command that these words begin with (without the program's name) take the option? False where it is none.
bool takes_option(std::span<const std::string> words, const std::string& option);

void add_search_commands(CLI::App& app, CommandLine& cli);          // search, resume
void add_runs_commands(CLI::App& app, CommandLine& cli);            // runs list|show|delete
void add_report_commands(CLI::App& app, CommandLine& cli);          // pareto, report, explain
void add_compare_command(CLI::App& app, CommandLine& cli);          // compare
void add_bench_command(CLI::App& app, CommandLine& cli);            // bench
void add_choices_command(CLI::App& app, CommandLine& cli);          // choices
void add_cross_command(CLI::App& app, CommandLine& cli);            // cross
void add_elites_command(CLI::App& app, CommandLine& cli);           // elites
void add_space_commands(CLI::App& app, CommandLine& cli);           // space list|show|count|sample|check|evolve|shrink
void add_space_evolve_command(CLI::App& spaces, CommandLine& cli);  // space evolve
void add_space_shrink_command(CLI::App& spaces, CommandLine& cli);  // space shrink
void add_device_commands(CLI::App& app, CommandLine& cli);          // device list|show|calibrate|check
void add_calibration_commands(CLI::App& device, CommandLine& cli);  // device calibrate, device check
void add_measure_commands(CLI::App& app, CommandLine& cli);         // estimate, measure
void add_mapping_command(CLI::App& app, CommandLine& cli);          // mapping
void add_memory_command(CLI::App& app, CommandLine& cli);           // memory
void add_schedule_command(CLI::App& app, CommandLine& cli);         // schedule
void add_patches_command(CLI::App& app, CommandLine& cli);          // patches
void add_data_commands(CLI::App& app, CommandLine& cli);            // data make glyphs, data show
void add_train_commands(CLI::App& app, CommandLine& cli);           // train, evaluate
void add_supernet_commands(CLI::App& app, CommandLine& cli);        // extract, rank, winners
void add_export_command(CLI::App& app, CommandLine& cli);           // export
void add_allocate_command(CLI::App& app, CommandLine& cli);         // allocate
void add_quantize_command(CLI::App& app, CommandLine& cli);         // quantize
void add_sensitivity_command(CLI::App& app, CommandLine& cli);      // sensitivity
void add_sweep_command(CLI::App& app, CommandLine& cli);            // sweep
void add_scratchpad_command(CLI::App& app, CommandLine& cli);       // scratchpad
void add_spiking_command(CLI::App& app, CommandLine& cli);          // spiking
void add_predictor_commands(CLI::App& app, CommandLine& cli);       // predictor train|eval|list
void add_predictor_export_command(CLI::App& predictors, CommandLine& cli);  // predictor export
void add_graph_command(CLI::App& predictors, CommandLine& cli);             // predictor graph
void add_curve_command(CLI::App& predictors, CommandLine& cli);             // predictor curve
void add_version_command(CLI::App& app, CommandLine& cli);

// A sub-command with its one-line description and an example, which --help shows last.
CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& about, const std::string& example);
CLI::Option* add_database_option(CLI::App& command, std::string& path);
void add_json_option(CLI::App& command, bool& json);

// Set by the first SIGINT or SIGTERM while it lives; the second one ends the program at once.
class InterruptFlag {
 public:
  InterruptFlag();
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;
  const std::atomic<bool>& flag() const;
};

}  // namespace ridgeline
