#include "cli/command_line.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <string_view>

#include "experiments/store/store.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// The installed data beside the program, else the source tree it was built from.
std::string data_root() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path installed = self.parent_path().parent_path() / "share" / "ridgeline";
    if (is_folder(installed / "spaces" / "library")) return installed.string();
  }
  if (is_folder(fs::path(RIDGELINE_SOURCE_ROOT) / "spaces" / "library")) return RIDGELINE_SOURCE_ROOT;
  return ".";
}

// Published tables, which are not part of Ridgeline.
std::string external_data() {
  if (std::string named = environment_variable("RIDGELINE_DATA"); !named.empty()) return named;
  for (const fs::path& base : {fs::path(RIDGELINE_SOURCE_ROOT), fs::path(".")}) {
    const fs::path folder = base / ".." / "shared" / "data";
    if (is_folder(folder)) return folder.lexically_normal().string();
  }
  return "";
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = environment_variable(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos ||
           value.find("UTF8") != std::string::npos || value.find("utf-8") != std::string::npos;
  }
  return false;
}

TextStyle terminal_style() {
  TextStyle style;
  style.unicode = locale_is_utf8();
  style.width = 100;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) style.width = size.ws_col;
  return style;
}

bool is_utf8(const std::string& text) {
  try {
    return !Json(text).dump().empty();
  } catch (const Json::type_error&) {
    return false;
  }
}

std::string typed_command(int argc, char** argv) {
  std::string command = "ridgeline";
  for (int i = 1; i < argc; ++i) command += " " + shell_quoted(argv[i]);
  return command;
}

// The sub-command that was being parsed.
const CLI::App* innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().back();
  return at;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + " " + app.get_name();
}

// "unknown option '--trails'; did you mean '--trials'?" for the first argument that nothing took, or empty.
std::string unknown_argument(const CLI::App& app, const CLI::App& at) {
  const std::vector<std::string> rest = app.remaining(true);
  if (rest.empty()) return "";
  const std::string word = rest.front().substr(0, rest.front().find('='));
  const bool option = word.starts_with("-");
  std::vector<std::string> known;
  if (option) {
    for (const CLI::Option* one : at.get_options()) {
      for (const std::string& name : one->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* one : at.get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(one->get_name());
  }
  const std::string found = fmt::format("{} '{}'",
                                        option          ? "unknown option"
                                        : known.empty() ? "unexpected argument"
                                                        : "unknown command",
                                        word);
  return known.empty() ? found : found + "; " + known_words(word, known);
}

// "--trials: Value 0 is not above 0": for a range without an end CLI11 prints all digits of the largest double.
std::string without_endless_range(const std::string& message) {
  constexpr std::string_view begins = "Value ", lies = " not in range ";
  const std::string endless = fmt::format(" to {:f}", std::numeric_limits<double>::max());
  const std::size_t value = message.find(begins), range = message.find(lies), end = message.find(endless);
  if (value == std::string::npos || range == std::string::npos || end == std::string::npos) return message;
  const double number = std::strtod(message.c_str() + value + begins.size(), nullptr);
  const char* wrong = number > 0 ? " is too large" : number < 0 ? " is below 0" : " is not above 0";
  return message.substr(0, range) + wrong + message.substr(end + endless.size());
}

int report_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {  // --help
    return app.exit(error, std::cout, std::cerr) == 0 ? exit_done : exit_bad_input;
  }
  const CLI::App* at = innermost(app);
  std::string message = unknown_argument(app, *at);
  if (message.empty()) message = without_endless_range(error.what());
  std::cerr << full_name(*at) << ": " << message << "\nsee " << full_name(*at) << " --help\n";
  return exit_bad_input;
}

int run_action(const CommandLine& cli) {
  try {
    return cli.action();
  } catch (const ConfigError& error) {
    std::cerr << error.what() << "\n";
    return exit_bad_input;
  } catch (const StoreError& error) {
    std::cerr << error.what() << "\n";
    return exit_store;
  } catch (const std::bad_alloc&) {
    std::cerr << "this needs more memory than there is; take a smaller network, batch or space\n";
    return exit_bad_input;
  } catch (const std::exception& error) {
    std::cerr << "internal error: " << error.what() << "\nthis is a bug of ridgeline; command: " << cli.command << "\n";
    return exit_internal;
  }
}

void add_commands(CLI::App& app, CommandLine& cli) {
  add_search_commands(app, cli);
  add_runs_commands(app, cli);
  add_report_commands(app, cli);
  add_compare_command(app, cli);
  add_bench_command(app, cli);
  add_choices_command(app, cli);
  add_cross_command(app, cli);
  add_elites_command(app, cli);
  add_space_commands(app, cli);
  add_device_commands(app, cli);
  add_measure_commands(app, cli);
  add_mapping_command(app, cli);
  add_memory_command(app, cli);
  add_schedule_command(app, cli);
  add_patches_command(app, cli);
  add_data_commands(app, cli);
  add_train_commands(app, cli);
  add_supernet_commands(app, cli);
  add_export_command(app, cli);
  add_allocate_command(app, cli);
  add_sensitivity_command(app, cli);
  add_quantize_command(app, cli);
  add_sweep_command(app, cli);
  add_scratchpad_command(app, cli);
  add_spiking_command(app, cli);
  add_predictor_commands(app, cli);
  add_version_command(app, cli);
}

std::atomic<bool> interrupted{false};

void on_signal(int number) {
  interrupted = true;
  std::signal(number, SIG_DFL);  // a second one is not asked twice
}

// No number of the program may be NaN, which passes every check of a range, and none that counts may be negative, which
// wraps.
void refuse_odd_numbers(CLI::App& app) {
  const CLI::Validator number(
      [](std::string& text) {
        double value = 0;
        const bool read = CLI::detail::lexical_cast(text, value);
        return read && std::isnan(value) ? "a number was expected, found " + text : std::string();
      },
      "", "number");
  const CLI::Validator count(
      [](std::string& text) {
        const bool digits = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        return digits ? std::string() : "a whole number of 0 or more was expected, found '" + text + "'";
      },
      "", "count");
  for (CLI::Option* option : app.get_options()) {
    if (option->get_type_name().starts_with("FLOAT")) option->check(number);
    if (option->get_type_name().starts_with("UINT")) option->check(count);
  }
  for (CLI::App* command : app.get_subcommands({})) refuse_odd_numbers(*command);
}

}  // namespace

void CommandLine::print(const std::string& text) const {
  const std::string shown = style.unicode ? text : ascii_text(text);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::fflush(stdout);
}

void CommandLine::print_json(const Json& json) const {
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int run_program(int argc, char** argv) {
  try {
    for (int i = 1; i < argc; ++i) {
      if (is_utf8(argv[i])) continue;  // what was typed is stored and printed as text
      std::cerr << "ridgeline: argument " << i << " is not UTF-8 text\n";
      return exit_bad_input;
    }
    CommandLine cli{Resources(data_root(), external_data()),
                    terminal_style(),
                    isatty(STDERR_FILENO) == 1,
                    typed_command(argc, argv),
                    {}};
    CLI::App app(
        "Ridgeline finds the neural architectures and number formats worth deploying on a device:\n"
        "the Pareto front of quality against latency, energy, memory and size.",
        "ridgeline");
    app.require_subcommand(1);
    app.footer(
        "Exit codes: 0 done, 2 bad input, 3 nothing feasible, 4 database, 70 internal error,\n"
        "130 interrupted (what was done is saved).\n\n"
        "Example:\n  ridgeline search demo --db ridgeline.db --report report.html");
    add_commands(app, cli);
    refuse_odd_numbers(app);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return report_parse_error(app, error);
    }
    const int code = run_action(cli);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    std::cerr << "standard output could not be written; is its disk full, or was it closed?\n";
    return code == exit_done ? exit_bad_input : code;
  } catch (const std::exception& error) {
    std::cerr << "internal error: " << error.what() << "\n";
    return exit_internal;
  }
}

bool takes_option(std::span<const std::string> words, const std::string& option) {
  CommandLine cli{Resources("", ""), {}, false, {}, {}};
  CLI::App app;
  add_commands(app, cli);
  const CLI::App* at = &app;
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> below =
        at->get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
    if (below.empty()) break;
    at = below.front();
  }
  return at != &app && at->get_option_no_throw(option) != nullptr;
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& about, const std::string& example) {
  CLI::App* command = parent.add_subcommand(name, about);
  command->footer("Example:\n  " + example);
  return command;
}

CLI::Option* add_database_option(CLI::App& command, std::string& path) {
  path = "ridgeline.db";
  return command.add_option("--db", path, "database file with every study")->capture_default_str();
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "print JSON: stable keys, SI units");
}

InterruptFlag::InterruptFlag() {
  interrupted = false;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

InterruptFlag::~InterruptFlag() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

const std::atomic<bool>& InterruptFlag::flag() const { return interrupted; }

}  // namespace ridgeline
