// choices
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/report/front_choices.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

struct ChoicesFlags {
  std::string database;
  FrontChoicesOptions options;
  bool json = false, quiet = false;
};

// A row a choice of an element.
std::string elements_text(const FrontChoices& found, const TextStyle& style) {
  std::vector<double> all;
  for (const ElementChoices& element : found.elements) {
    for (const ChoiceCost& cost : element.choices) {
      if (cost.seconds) all.push_back(*cost.seconds);
    }
  }
  const UnitScale scale = scale_for(all, "s");
  TextTable table({{found.dimension, false},
                   {"choice", false},
                   {"on the front", true},
                   {fmt::format("its operators ({})", scale.unit), true},
                   {"MACs", true}});
  for (const ElementChoices& element : found.elements) {
    bool first = true;
    for (const ChoiceCost& cost : element.choices) {
      table.add({std::exchange(first, false) ? element.element : "", choice_text(cost.choice),
                 fmt::format("{} of {}", cost.on_front, element.active),
                 cost.seconds ? scale.number(*cost.seconds) : "not timed", cost.seconds ? pretty(cost.macs, "") : ""});
    }
  }
  return table.text(style);
}

std::string classes_text(const FrontChoices& found, const TextStyle& style) {
  if (found.classes.empty()) return "";
  std::vector<TextTable::Column> columns{{"operators", false}};
  for (const std::string& format : found.formats) columns.push_back({format, true});
  columns.push_back({fmt::format("{} over {}", found.formats.back(), found.formats.front()), true});
  TextTable table(std::move(columns));
  for (const ClassTimes& one : found.classes) {
    std::vector<std::string> cells{one.name};
    for (const auto& seconds : one.seconds) cells.push_back(seconds ? pretty(*seconds, "s") : "");
    const auto &least = one.seconds.front(), &most = one.seconds.back();
    cells.push_back(least && most ? fmt::format("{:.2f}", *most / *least) : "");
    table.add(std::move(cells));
  }
  return "\nthe same networks in one format throughout, operators by class, means over the timed members\n" +
         table.text(style);
}

std::string choices_text(const FrontChoices& found, const TextStyle& style) {
  std::string trials;
  for (const std::int64_t trial : found.members) trials += fmt::format("{}{}", trials.empty() ? "" : ", ", trial);
  std::string text = fmt::format(
      "'{}' on the front of {} ({} members); operators that differ between the choices, timed here in {} of them, "
      "means (trials {})\n",
      found.dimension, found.study, found.front, found.members.size(), trials);
  text += elements_text(found, style) + classes_text(found, style);
  for (const std::string& problem : found.problems) text += "\nnot timed: " + problem;
  return text + (found.problems.empty() ? "" : "\n");
}

int show(const CommandLine& cli, ChoicesFlags& flags) {
  const Store store(flags.database, Store::Mode::read);
  const FrontChoices found = [&] {
    PhaseLine line(!flags.quiet, cli.progress_bar, 2.0);
    flags.options.progress = [&](std::size_t done, std::size_t total) { line.show("timings", done, total); };
    return front_choices(store, cli.resources, flags.options);
  }();
  if (flags.json) {
    cli.print_json(front_choices_json(found));
  } else {
    cli.print(choices_text(found, cli.style));
  }
  return exit_done;
}

}  // namespace

void add_choices_command(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<ChoicesFlags>();
  CLI::App* command = add_command(
      app, "choices", "what a front has of one dimension, and the measured time of what each choice would have meant",
      "ridgeline choices demo --dimension block");
  command->add_option("study", flags->options.study, "name of the stored study")->required();
  add_database_option(*command, flags->database);
  command
      ->add_option("--dimension", flags->options.dimension, "which choices: all elements of it, or one, as block[1][0]")
      ->required();
  command->add_option("--members", flags->options.members, "how many networks of the front are timed, spread over it")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_pinned_threads_option(*command, flags->options.threads);
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return show(cli, *flags); }; });
}

}  // namespace ridgeline
