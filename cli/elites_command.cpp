// elites
#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "experiments/report/elites.hpp"

namespace ridgeline {
namespace {

struct ElitesFlags {
  std::string database, out;
  ElitesOptions options;
  bool json = false;
};

int show_elites(const CommandLine& cli, const ElitesFlags& flags) {
  if (!flags.out.empty()) check_writable(flags.out, "--out");
  check_different(flags.out, "--out", flags.database, "--db");
  const Store store(flags.database, Store::Mode::read);
  const ElitesReport report = elites_of(store, cli.resources, flags.options);
  if (!flags.out.empty()) {
    const bool picture = flags.out.ends_with(".svg");
    write_file(flags.out, picture ? elites_svg(report) : elites_html(report), "--out");
  }
  if (flags.json) {
    cli.print_json(elites_json(report));
  } else {
    cli.print(elites_text(report, cli.style));
    if (!flags.out.empty()) cli.print("wrote " + flags.out + "\n");
  }
  return report.answer && !report.answer->best ? exit_infeasible : exit_done;
}

}  // namespace

void add_elites_command(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<ElitesFlags>();
  ElitesOptions& options = flags->options;
  CLI::App* command =
      add_command(app, "elites", "the best candidate of each kind from a stored study, and the best under conditions",
                  "ridgeline elites demo --by latency_s=0:0.02:10 --by parameters --where \"latency_s<0.005\" "
                  "--out elites.html");
  command->add_option("study", options.study, "name of the stored study, whatever searched it")->required();
  add_database_option(*command, flags->database);
  command
      ->add_option("--by", options.by,
                   "what makes a kind: an objective, NAME or NAME=FROM:TO:CELLS in its unit, or a dimension; may be "
                   "repeated; default: the descriptors of the study's map-elites")
      ->type_name("AXIS")
      ->allow_extra_args(false);
  command->add_option("--score", options.score, "the objective that is best in a cell; default: the first");
  command
      ->add_option("--where", options.where,
                   "ask for the best candidate with this: \"latency_s<0.005\", \"edge[0]=none\"; all of several hold; "
                   "with none the nearest filled cell is shown, exit code 3")
      ->type_name("CONDITION")
      ->allow_extra_args(false);
  command
      ->add_option("--near", options.near,
                   "ask for the filled cell nearest to this: latency_s=0.004, an axis of --by; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--out,--html,--svg", flags->out, "draw the heat map into this file: .svg, or .html with all elites")
      ->type_name("FILE");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return show_elites(cli, *flags); }; });
}

}  // namespace ridgeline
