// cross
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/report/cross_device.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

struct CrossFlags {
  std::string database;
  CrossOptions options;
  bool json = false, quiet = false;
};

std::string column_text(const CrossDevice& cross, std::size_t column, const TextStyle& style) {
  const CrossCost& cost = cross.costs[column];
  TextTable table({{"front of", false},
                   {"runs", true},
                   {"hypervolume (%)", true},
                   {"times the cost of its own front", true},
                   {"largest", true}});
  for (std::size_t row = 0; row < cross.figures.size(); ++row) {
    const CrossFigures& figures = cross.figures[row][column];
    const auto ratio = [](const std::optional<double>& value) {
      return value ? fmt::format("{:.2f}", *value) : "none";
    };
    table.add({cross.costs[row].study,
               fmt::format("{} of {}", figures.members.size(), figures.members.size() + figures.unsupported),
               fmt::format("{:.1f}", 100.0 * figures.hypervolume), ratio(figures.over_own.mean),
               ratio(figures.over_own.largest)});
  }
  return fmt::format("{} of {} ({})\n", plain_name(cost.objective, cost.cost.unit), cost.study, cost.by) +
         table.text(style);
}

int show(const CommandLine& cli, CrossFlags& flags) {
  const Store store(flags.database, Store::Mode::read);
  const CrossDevice cross = [&] {
    PhaseLine line(!flags.quiet, cli.progress_bar, 2.0);
    flags.options.progress = [&](std::size_t done, std::size_t total) { line.show("costs", done, total); };
    return cross_device(store, cli.resources, flags.options);
  }();
  if (flags.json) {
    cli.print_json(cross_device_json(cross));
    return exit_done;
  }
  std::string text;
  for (std::size_t column = 0; column < cross.costs.size(); ++column) {
    text += (column > 0 ? "\n" : "") + column_text(cross, column, cli.style);
  }
  text += "\nAt equal quality: the cost of each member over the least cost of the front that was searched for it.\n";
  for (const std::string& problem : cross.problems) text += "has no cost: " + problem + "\n";
  cli.print(text);
  return exit_done;
}

}  // namespace

void add_cross_command(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<CrossFlags>();
  CLI::App* command =
      add_command(app, "cross", "fronts across devices: each study's front at the cost that the others searched for",
                  "ridgeline cross joint_glyphs joint_pi --db joint.db");
  command->add_option("study", flags->options.studies, "names of stored studies of one quality, each with its own cost")
      ->required();
  add_database_option(*command, flags->database);
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return show(cli, *flags); }; });
}

}  // namespace ridgeline
