// bench
#include <fmt/format.h>

#include <iostream>
#include <limits>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "cli/version.hpp"
#include "experiments/bench/report.hpp"

namespace ridgeline {
namespace {

struct BenchCommand {
  std::string study, database, html, cache, reach;
  std::vector<std::string> overrides, searchers, grids, reference, warm_start;
  std::vector<std::int64_t> at;
  BenchOptions options;
  std::optional<std::int64_t> asks;
  std::optional<std::uint64_t> first_seed;
  bool markdown = false, json = false, quiet = false;
};

std::optional<StudyCache> cache_named(const std::string& word) {
  const auto found = std::ranges::find(cache_names(), word);
  if (found == cache_names().end()) return std::nullopt;
  return static_cast<StudyCache>(found - cache_names().begin());
}

BenchReport run(const CommandLine& cli, const BenchCommand& command, const InterruptFlag& interrupt) {
  BenchOptions options = command.options;
  options.budget.asks = command.asks.value_or(100 * options.budget.evaluations);
  for (const std::int64_t at : command.at) {
    if (at <= options.budget.evaluations) continue;
    throw ConfigError({"--at", "", fmt::format("at most the {} of --evaluations", options.budget.evaluations),
                       fmt::to_string(at), ""});
  }
  const StudyConfig config = load_study(command.study, command.overrides, cli.resources);
  options.first_seed = command.first_seed.value_or(config.seed);
  const std::uint64_t last = std::numeric_limits<std::uint64_t>::max() - options.seeds + 1;
  if (options.first_seed > last) {
    throw ConfigError({"--first-seed", "", fmt::format("at most {}, so that every run has a seed of its own", last),
                       fmt::to_string(options.first_seed), ""});
  }
  const BenchProblem problem(config, cli.resources, cache_named(command.cache));
  const BenchSettings settings = bench_settings(problem, command.searchers, command.grids, command.warm_start);
  check_bench_reference(problem, command.reference);
  BenchRequest request{options.budget.evaluations, command.at, command.reference, {}};
  if (!command.reach.empty()) request.reach = reach_setting(settings.settings, command.reach);
  std::optional<Store> store;
  if (!command.database.empty()) store.emplace(command.database, Store::Mode::write);
  PhaseLine line(!command.quiet, cli.progress_bar, 1);
  BenchHooks hooks;
  hooks.stop = &interrupt.flag();
  hooks.command = cli.command;
  hooks.program_version = program_version();
  hooks.progress = [&](const std::string& phase, std::size_t done, std::size_t total) {
    line.show(phase, done, total);
  };
  const BenchResult result = run_bench(problem, settings.settings, options, store ? &*store : nullptr, hooks);
  BenchReport report;
  report.study = config.name;
  report.space = config.space;
  report.about = config.canonical.value("about", "");
  report.log10_size = problem.space().log10_size();
  report.figures = bench_figures(problem, settings.settings, result, request);
  report.budget = options.budget;
  report.cache = problem.cache();
  report.skipped = settings.skipped;
  report.runs = result.runs.size();
  report.stored = result.stored;
  report.first_seed = options.first_seed;
  report.threads = result.threads;
  report.elapsed_s = result.elapsed_s;
  report.interrupted = result.interrupted;
  report.begun = result.begun;
  report.command = cli.command;
  report.program_version = program_version();
  return report;
}

int bench(const CommandLine& cli, const BenchCommand& command) {
  if (!command.html.empty()) check_writable(command.html, "--out");
  if (!command.database.empty()) check_different(command.html, "--out", command.database, "--db");
  const InterruptFlag interrupt;
  const BenchReport report = run(cli, command, interrupt);
  if (!command.html.empty()) write_file(command.html, bench_html(report), "--out");
  if (command.json) {
    cli.print_json(bench_json(report));
  } else if (command.markdown) {
    cli.print(bench_markdown(report));
  } else {
    cli.print(bench_text(report, cli.style));
    if (!command.html.empty()) cli.print("wrote " + command.html + "\n");
  }
  if (!report.interrupted) return exit_done;
  std::cerr << "interrupted"
            << (command.database.empty() ? "" : "; what was run is saved, and the same command goes on from there")
            << "\n";
  return exit_interrupted;
}

}  // namespace

void add_bench_command(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<BenchCommand>();
  CLI::App* command = add_command(
      app, "bench", "searchers side by side on one problem: many seeds, equal numbers of evaluations",
      "ridgeline bench nasbench_macro_accuracy --seeds 100 --evaluations 100 --at 50 --out bench.html\n"
      "  ridgeline bench nasbench201_gold6226 --evaluations 300 --at 100 --reference accuracy=50 "
      "--reference latency_s=1.1x\n"
      "  ridgeline bench zdt1 --searcher nsga2 --grid nsga2.population=20,50,100 --evaluations 1000 --seeds 20\n"
      "  ridgeline bench nasbench201_gold6226 --searcher mcts --db runs.db --warm-start nasbench201_accuracy\n"
      "  ridgeline bench separable --searcher \"nsga2 population=1000 offspring=1000\" --cache off --evaluations "
      "1000000 --seeds 1 --threads 1");
  command->add_option("study", options->study, "study file, or the name of a shipped one: the problem")->required();
  command->add_option("--set", options->overrides, "change the study: path=value")->type_name("PATH=VALUE");
  command->add_option(
      "--searcher", options->searchers,
      "a searcher, with options after its name: \"nsga2 population=50\"; default: all that can run the study");
  command->add_option("--grid", options->grids,
                      "values of a searcher's option, each a setting: nsga2.population=20,50");
  command
      ->add_option("--warm-start", options->warm_start,
                   "run every searcher once more, beginning with the best of the nearest of these studies stored in "
                   "--db ('*': of all others); may be repeated")
      ->type_name("STUDY")
      ->allow_extra_args(false);
  add_seeds_option(*command, options->options.seeds, "runs of each setting");
  command->add_option("--first-seed", options->first_seed, "seed of the first run; default: the study's");
  command->add_option("--evaluations", options->options.budget.evaluations, "distinct evaluations of a run")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command->add_option("--at", options->at, "smaller budgets to state figures for")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  command
      ->add_option("--reach", options->reach,
                   "how many evaluations every other searcher needs to have what this one has at each budget of --at")
      ->type_name("SEARCHER");
  command
      ->add_option("--asks", options->asks,
                   "end a run after so many candidates asked for; default: 100 times the evaluations")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000'000}));
  command
      ->add_option("--cache", options->cache,
                   "which candidates are one evaluation: functional, genome or off; default: the study's")
      ->check(CLI::IsMember(std::vector<std::string>(cache_names().begin(), cache_names().end())));
  command->add_option(
      "--reference", options->reference,
      "a value of the hypervolume's reference point, or a multiple of the exact front's worst: latency_s=1.1x");
  command
      ->add_option("--enumerate", options->options.most_enumerated,
                   "compute the exact answer of spaces of at most so many combinations")
      ->capture_default_str();
  add_all_threads_option(*command, options->options.threads, "threads, each a run at a time");
  command
      ->add_option("--db", options->database,
                   "keep every run as a study in this database; what is there is not run again")
      ->type_name("FILE");
  command->add_option("--out,--html", options->html, "write one self-contained HTML file")->type_name("FILE");
  auto* markdown = command->add_flag("--md,--markdown", options->markdown, "print Markdown");
  command->add_flag("--json", options->json, "print JSON: stable keys, SI units")->excludes(markdown);
  add_quiet_option(*command, options->quiet);
  command->callback([&cli, options] { cli.action = [&cli, options] { return bench(cli, *options); }; });
}

}  // namespace ridgeline
