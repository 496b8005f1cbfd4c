// compare
#include <fmt/format.h>

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "experiments/report/comparison_formats.hpp"

namespace ridgeline {
namespace {

struct CompareOptions {
  std::string database, baseline, html;
  std::vector<std::string> studies;
  bool csv = false, json = false, markdown = false;
};

int compare(const CommandLine& cli, const CompareOptions& options) {
  if (!options.html.empty()) check_writable(options.html, "--html");
  check_different(options.html, "--html", options.database, "--db");
  const Store store(options.database, Store::Mode::read);
  const ComparisonReport report = comparison_report_of(store, options.studies, cli.resources, options.baseline);
  if (!options.html.empty()) write_file(options.html, comparison_html(report), "--html");
  if (options.json) {
    cli.print_json(comparison_json(report));
  } else if (options.csv) {
    std::fputs(comparison_csv(report).c_str(), stdout);
  } else if (options.markdown) {
    cli.print(comparison_markdown(report));
  } else {
    cli.print(comparison_text(report, cli.style));
    if (!options.html.empty()) cli.print("wrote " + options.html + "\n");
  }
  if (!report.table.box.ideal.empty()) return exit_done;
  std::cerr << "no study has a feasible candidate, so there is no front to compare\n";
  return exit_infeasible;
}

}  // namespace

void add_compare_command(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command =
      add_command(app, "compare", "fronts side by side: a study and its variants, or several studies",
                  "ridgeline compare demo --db ridgeline.db --html compare.html\n"
                  "  ridgeline compare demo_seed1 demo_seed2 demo_seed3 --baseline random --csv > compare.csv");
  command
      ->add_option("study", options->studies,
                   "names of stored studies; where each of several has variants, means over them")
      ->required();
  add_database_option(*command, options->database);
  command->add_option("--baseline", options->baseline,
                      "what others are compared with at equal quality: a variant or a study; default: the last one");
  command->add_option("--html", options->html, "write one self-contained HTML file")->type_name("FILE");
  auto* csv = command->add_flag("--csv", options->csv, "print CSV: a row a line, hypervolumes as shares");
  auto* markdown = command->add_flag("--markdown", options->markdown, "print a Markdown table")->excludes(csv);
  command->add_flag("--json", options->json, "print JSON: stable keys, SI units")->excludes(csv)->excludes(markdown);
  command->callback([&cli, options] { cli.action = [&cli, options] { return compare(cli, *options); }; });
}

}  // namespace ridgeline
