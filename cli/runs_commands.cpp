// runs list|show|delete
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/store/environment_json.hpp"

namespace ridgeline {
namespace {

Json record_json(const StudyRecord& record) {
  Json objectives = Json::array();
  for (const Objective& objective : record.objectives) objectives.push_back(objective_json(objective));
  return {{"name", record.name},
          {"space", record.space_name},
          {"state", record.state},
          {"trials", record.trials},
          {"seed", record.seed},
          {"objectives", objectives},
          {"command", record.command},
          {"program_version", record.program_version},
          {"created_utc", record.created_utc},
          {"updated_utc", record.updated_utc},
          {"machine", environment_json(record.environment)},
          {"config", Json::parse(record.config, nullptr, false)}};
}

std::string objective_names(const StudyRecord& record) {
  std::string names;
  for (const ReportObjective& one : described_objectives(record)) {
    if (one.objective.constraint_only) continue;
    names += (names.empty() ? "" : ", ") + one.label;
  }
  return names;
}

int list_runs(const CommandLine& cli, const Store& store, bool json) {
  if (json) {
    Json list = Json::array();
    for (const StudyRecord& record : store.studies()) list.push_back(record_json(record));
    cli.print_json(list);
    return exit_done;
  }
  TextTable table({{"name", false},
                   {"space", false},
                   {"objectives", false},
                   {"state", false},
                   {"trials", true},
                   {"last written (UTC)", false}});
  const std::vector<StudyRecord> records = store.studies();
  for (const StudyRecord& record : records) {
    table.add({record.name, record.space_name, objective_names(record), record.state, grouped(record.trials),
               record.updated_utc});
  }
  cli.print(records.empty() ? "no study in " + store.path() + "\n" : table.text(cli.style));
  return exit_done;
}

int show_run(const CommandLine& cli, const Store& store, const std::string& name, bool json) {
  const StudyRecord record = find_study(store, name);
  if (json) {
    cli.print_json(record_json(record));
    return exit_done;
  }
  std::string text = fmt::format(
      "{}: {}, {} trials\nspace: {}\nseed: {}\ncommand: {}\nprogram: ridgeline {}\nstarted: {} UTC\n"
      "last written: {} UTC\n",
      record.name, record.state, grouped(record.trials), record.space_name, record.seed, record.command,
      record.program_version, record.created_utc, record.updated_utc);
  for (const ReportObjective& one : described_objectives(record)) {
    text += fmt::format("{}: {}{}, {}", one.label, one.objective.constraint_only ? "limited only, " : "",
                        one.objective.direction == Direction::minimise ? "minimised" : "maximised", one.origin);
    if (one.objective.limit) text += fmt::format(", limit {}", pretty(*one.objective.limit, one.objective.unit));
    text += "\n";
  }
  for (const auto& [fact, value] : environment_facts(record.environment)) text += fmt::format("{}: {}\n", fact, value);
  cli.print(text);
  return exit_done;
}

int delete_run(const CommandLine& cli, Store& store, const std::string& name, bool yes) {
  const StudyRecord record = find_study(store, name);
  if (!yes) {
    throw ConfigError({"", "",
                       fmt::format("--yes, to delete '{}' and its {} trials for ever", name, grouped(record.trials)),
                       "no --yes", "add it if that is what you want"});
  }
  store.remove_study(record.id);
  cli.print(fmt::format("deleted '{}' ({} trials)\n", name, grouped(record.trials)));
  return exit_done;
}

struct RunsOptions {
  std::string database, name;
  bool json = false, yes = false;
};

}  // namespace

void add_runs_commands(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<RunsOptions>();
  CLI::App* runs = add_command(app, "runs", "the studies of a database", "ridgeline runs list --db ridgeline.db");
  runs->require_subcommand(1);

  CLI::App* list =
      add_command(*runs, "list", "every study: name, space, state, trials", "ridgeline runs list --db ridgeline.db");
  add_database_option(*list, options->database);
  add_json_option(*list, options->json);
  list->callback([&cli, options] {
    cli.action = [&cli, options] { return list_runs(cli, Store(options->database, Store::Mode::read), options->json); };
  });

  CLI::App* show = add_command(*runs, "show", "one study: objectives, machine, command",
                               "ridgeline runs show demo --db ridgeline.db");
  show->add_option("name", options->name, "name of the stored study")->required();
  add_database_option(*show, options->database);
  add_json_option(*show, options->json);
  show->callback([&cli, options] {
    cli.action = [&cli, options] {
      return show_run(cli, Store(options->database, Store::Mode::read), options->name, options->json);
    };
  });

  CLI::App* remove = add_command(*runs, "delete", "delete one study with its trials and timings",
                                 "ridgeline runs delete demo --db ridgeline.db --yes");
  remove->add_option("name", options->name, "name of the stored study")->required();
  remove->add_flag("--yes", options->yes, "really delete it; there is no way back");
  add_database_option(*remove, options->database);
  remove->callback([&cli, options] {
    cli.action = [&cli, options] {
      {
        const Store store(options->database, Store::Mode::read);  // a mistyped path must not make a database
        find_study(store, options->name);
      }
      Store store(options->database, Store::Mode::write);
      return delete_run(cli, store, options->name, options->yes);
    };
  });
}

}  // namespace ridgeline
