// search, resume
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/version.hpp"
#include "experiments/report_explain.hpp"
#include "experiments/report_formats.hpp"
#include "experiments/report_html.hpp"
#include "experiments/report_preview.hpp"
#include "experiments/study.hpp"

namespace ridgeline {
namespace {

struct RunOptions {
  std::string study;  // file or shipped name; of resume: the stored name
  std::string database, name, report;
  std::vector<std::string> overrides;  // path=value
  std::optional<std::int64_t> trials;
  std::optional<std::uint64_t> seed;
  std::optional<int> threads;
  std::optional<double> wall_s;
  bool dry_run = false, quiet = false, json = false;
};

// --set first, so that a flag wins over it.
std::vector<std::string> all_overrides(const RunOptions& options) {
  std::vector<std::string> overrides = options.overrides;
  if (!options.name.empty()) overrides.push_back("name=" + Json(options.name).dump());
  if (options.trials) overrides.push_back(fmt::format("stop.trials={}", *options.trials));
  if (options.wall_s) overrides.push_back(fmt::format("stop.wall_s={}", *options.wall_s));
  if (options.seed) overrides.push_back(fmt::format("seed={}", *options.seed));
  if (options.threads) overrides.push_back(fmt::format("threads={}", *options.threads));
  return overrides;
}

const char* end_phrase(StudyResult::End end) {
  switch (end) {
    case StudyResult::End::budget:
      return "the budget of trials is used";
    case StudyResult::End::wall_clock:
      return "the time is used";
    case StudyResult::End::stagnation:
      return "the front has not changed for as many trials as the stagnation rule allows";
    case StudyResult::End::exhausted:
      return "the searcher has nothing left to propose";
    case StudyResult::End::interrupted:
      return "interrupted";
    case StudyResult::End::infeasible:
      return "nothing feasible was found";
  }
  return "";
}

const char* end_word(StudyResult::End end) {
  static const char* const words[] = {"budget", "wall_clock", "stagnation", "exhausted", "interrupted", "infeasible"};
  return words[static_cast<std::size_t>(end)];
}

std::string phases_text(const StudyResult& result) {
  double total = 0;
  for (const PhaseTime& phase : result.phases) total += phase.seconds;
  if (total <= 0) return "";
  std::string text = "time:";
  for (const PhaseTime& phase : result.phases) {
    if (phase.seconds < 0.0005) continue;
    text += fmt::format(" {} {} ({:.0f} %),", phase.phase, duration(phase.seconds), 100 * phase.seconds / total);
  }
  text.back() = '\n';
  return text;
}

void print_result(const CommandLine& cli, const RunOptions& options, const StudyResult& result,
                  const StudyReport& report) {
  if (options.json) {
    Json json = report_json(report);
    json["run"] = {{"end", end_word(result.end)},
                   {"duplicates", result.duplicates},
                   {"resumed_trials", result.resumed},
                   {"reused_timings", result.reused},
                   {"phases_s", Json::object()}};
    for (const PhaseTime& phase : result.phases) json["run"]["phases_s"][phase.phase] = phase.seconds;
    cli.print_json(json);
    return;
  }
  if (options.quiet) return;
  cli.print(report_text(report, cli.style));
  cli.print(
      fmt::format("\n{}; {} duplicates answered from memory{}\n{}", end_phrase(result.end), grouped(result.duplicates),
                  result.resumed > 0 ? fmt::format(", {} trials were there already", grouped(result.resumed)) : "",
                  phases_text(result)));
}

int run_study(const CommandLine& cli, const RunOptions& options, StudyConfig config) {
  if (!options.report.empty()) check_writable(options.report, "--report");
  check_different(options.report, "--report", options.database, "--db");
  const InterruptFlag interrupt;
  Objective first = config.objectives.front().objective;
  const auto form = options.quiet || options.json ? ProgressLine::Form::none
                    : cli.progress_bar            ? ProgressLine::Form::bar
                                                  : ProgressLine::Form::lines;
  ProgressLine line(form, cli.style.unicode, first);
  StudyHooks hooks;
  hooks.stop = &interrupt.flag();
  hooks.program_version = program_version();
  hooks.progress = [&](const StudyProgress& progress) { line.show(progress); };
  const std::string name = config.name;
  Store store(options.database, Store::Mode::write);
  Study study(std::move(config), cli.resources, store, cli.command, hooks);
  const StudyResult result = study.run();
  line.finish();
  StudyReport report = report_of(store, name, cli.resources);
  report.searcher_notes = result.searcher_notes;  // those of the last batch too
  print_result(cli, options, result, report);
  if (!options.report.empty()) {
    write_file(options.report, report_html(report), "--report");
    if (!options.quiet && !options.json) cli.print("report: " + options.report + "\n");
  }
  if (result.end == StudyResult::End::infeasible) {
    std::cerr << "nothing feasible: " << result.infeasibility << "\n";
    return exit_infeasible;
  }
  if (result.end == StudyResult::End::interrupted) {
    std::cerr << "interrupted; everything is saved. Go on with:\n  ridgeline resume " << shell_quoted(name) << " --db "
              << shell_quoted(options.database) << "\n";
    return exit_interrupted;
  }
  return exit_done;
}

std::string preview_text(const StudyPreview& preview, const TextStyle& style) {
  std::string text =
      fmt::format("{}: {} candidates in {} dimensions; {} of {} random combinations keep the space's constraints\n",
                  preview.space, size_text(preview.log10_size), preview.dimensions, percent(preview.valid_share),
                  grouped(static_cast<std::int64_t>(preview.draws)));
  text += fmt::format("{} of a random sample of {} keep every limit that was checked\n\n",
                      percent(preview.feasible_share), grouped(static_cast<std::int64_t>(preview.sample)));
  TextTable table(
      {{"objective", false}, {"least", true}, {"median", true}, {"most", true}, {"within limit", true}, {"by", false}});
  for (const PreviewObjective& one : preview.objectives) {
    const UnitScale& scale = one.objective.scale;
    const bool has = one.values > 0;
    table.add({one.objective.label, has ? scale.text(one.least) : "", has ? scale.text(one.median) : "",
               has ? scale.text(one.most) : "", one.objective.objective.limit && has ? percent(one.within_limit) : "",
               one.by.empty() ? "only timing can tell; not done in a dry run" : one.by});
  }
  text += table.text(style);
  for (const auto& [reason, count] : preview.reasons) text += fmt::format("{:>8} had no value: {}\n", count, reason);
  return text;
}

int preview(const CommandLine& cli, const RunOptions& options, const StudyConfig& config) {
  const StudyPreview preview = preview_study(config, cli.resources);
  if (options.json) {
    cli.print_json(preview_json(preview));
  } else {
    cli.print(preview_text(preview, cli.style));
  }
  return preview.feasible_share > 0 ? exit_done : exit_infeasible;
}

void add_run_options(CLI::App& command, RunOptions& options) {
  add_database_option(command, options.database);
  command
      .add_option("--trials", options.trials,
                  "distinct trials in the study, stored ones included; default: the study's")
      ->check(CLI::PositiveNumber);
  command.add_option("--wall", options.wall_s, "stop after so many seconds of this run; default: the study's")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--threads", options.threads,
                  "threads for what is computed (timings have their own); 0 = all; default: the study's")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--report", options.report, "also write an HTML report to this file");
  command.add_flag("--quiet", options.quiet, "no progress and no result; errors only");
  add_json_option(command, options.json);
}

}  // namespace

void add_search_commands(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* search = add_command(
      app, "search", "search a space as a study file says; a study that is there already goes on",
      "ridgeline search demo --db ridgeline.db --trials 400 --set objectives[1].limit=0.02 --report report.html");
  search->add_option("study", options->study, "study file, or the name of a shipped study")->required();
  search->add_option("--set", options->overrides, "path=value: replace a value of the study file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  search->add_option("--seed", options->seed, "seed of everything random; default: the study's");
  search->add_option("--name", options->name, "name under which the study is stored; default: the study's");
  search->add_flag("--dry-run", options->dry_run,
                   "only print size of the space, range of the costs and feasibility of a sample");
  add_run_options(*search, *options);
  search->callback([&cli, options] {
    cli.action = [&cli, options] {
      StudyConfig config = load_study(cli.resources.study(options->study), all_overrides(*options), cli.resources);
      return options->dry_run ? preview(cli, *options, config) : run_study(cli, *options, std::move(config));
    };
  });

  auto resumed = std::make_shared<RunOptions>();
  CLI::App* resume =
      add_command(app, "resume", "go on with a stored study, with the configuration it has in the database",
                  "ridgeline resume demo --db ridgeline.db --trials 800");
  resume->add_option("name", resumed->study, "name of the stored study")->required();
  add_run_options(*resume, *resumed);
  resume->callback([&cli, resumed] {
    cli.action = [&cli, resumed] {
      std::string stored;
      {
        const Store store(resumed->database, Store::Mode::read);
        stored = find_study(store, resumed->study).config;
      }
      Json document = JsonDocument::parse(stored, "configuration stored in " + resumed->database).value();
      const std::string origin = "configuration stored in " + resumed->database;
      document = with_overrides(std::move(document), all_overrides(*resumed));
      return run_study(cli, *resumed, parse_study(JsonDocument::from_value(std::move(document), origin)));
    };
  });
}

}  // namespace ridgeline
