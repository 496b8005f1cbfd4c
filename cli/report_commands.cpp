// pareto, report, explain
#include <fmt/format.h>

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/operators.hpp"
#include "cli/output_file.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_html.hpp"
#include "experiments/study/study_config.hpp"
#include "experiments/training/training_report.hpp"

namespace ridgeline {
namespace {

struct ParetoOptions {
  std::string database, name, fidelity;
  bool csv = false, json = false, markdown = false;
};

// Where a file is written, its reader would not learn it.
void say_what_is_missing(const StudyReport& report) {
  if (report.space_problem.empty()) return;
  std::cerr << "genomes are given as gene indices: " << report.space_problem << "\n";
}

int print_front(const CommandLine& cli, const ParetoOptions& options) {
  std::optional<Fidelity> fidelity;
  for (std::size_t i = 0; i < fidelity_names().size(); ++i) {
    if (fidelity_names()[i] == options.fidelity) fidelity = static_cast<Fidelity>(i);
  }
  const Store store(options.database, Store::Mode::read);
  const StudyReport report = front_of(store, options.name, cli.resources, fidelity);
  say_what_is_missing(report);
  if (options.json) {
    cli.print_json({{"study", options.name},
                    {"fidelity", fidelity_names()[static_cast<std::size_t>(report.front_fidelity)]},
                    {"front", front_json(report)}});
  } else if (options.csv) {
    std::fputs(front_csv(report).c_str(), stdout);
  } else if (options.markdown) {
    cli.print(front_markdown(report));
  } else {
    cli.print(front_table_text(report, cli.style, report.front.size()));
    if (report.front.size() > 1) cli.print("\n" + front_plot_text(report, cli.style));
  }
  return report.front.empty() ? exit_infeasible : exit_done;
}

struct ReportFiles {
  std::string database, name, html, csv, markdown;
  bool json = false;
  const CLI::Option* database_option = nullptr;
};

// Writes every file that was asked for; the text to print where there is none.
class ReportWriter {
 public:
  ReportWriter(const CommandLine& cli, const ReportFiles& files) : cli_(cli), files_(files) {}
  void write(const std::string& path, const std::string& flag, const std::function<std::string()>& text) {
    if (path.empty()) return;
    const std::string made = text();
    write_file(path, made, flag);
    written_ += fmt::format("wrote {} ({})\n", path, pretty(static_cast<double>(made.size()), "B"));
  }
  void print(const std::function<Json()>& json, const std::function<std::string()>& text) const {
    if (files_.json) {
      cli_.print_json(json());
    } else {
      cli_.print(written_.empty() ? text() : written_);
    }
  }

 private:
  const CommandLine& cli_;
  const ReportFiles& files_;
  std::string written_;
};

void check_files(const ReportFiles& options, const std::string& source, const std::string& source_flag) {
  for (const auto& [path, flag] :
       {std::pair{options.html, "--html"}, {options.csv, "--csv"}, {options.markdown, "--markdown"}}) {
    if (!path.empty()) check_writable(path, flag);
    check_different(path, flag, source, source_flag);
  }
  check_different(options.csv, "--csv", options.html, "--html");
  check_different(options.markdown, "--markdown", options.html, "--html");
  check_different(options.markdown, "--markdown", options.csv, "--csv");
}

int write_training_report(const CommandLine& cli, const ReportFiles& options) {
  if (options.database_option->count() > 0) {
    throw ConfigError({"--db", "", "the name of a stored study", options.name + " (a checkpoint)",
                       "a checkpoint is reported without --db"});
  }
  check_files(options, options.name, "the checkpoint");
  const TrainingReport report = training_report_of(options.name, cli.resources);
  ReportWriter writer(cli, options);
  writer.write(options.html, "--html", [&] { return training_report_html(report); });
  writer.write(options.csv, "--csv", [&] { return training_report_csv(report); });
  writer.write(options.markdown, "--markdown", [&] { return training_report_markdown(report); });
  writer.print([&] { return training_report_json(report); }, [&] { return training_report_text(report, cli.style); });
  return exit_done;
}

int write_report(const CommandLine& cli, const ReportFiles& options) {
  // A name that ends so is no study's: a missing file is said to be missing.
  if (is_checkpoint(options.name) || options.name.ends_with(".ckpt")) return write_training_report(cli, options);
  check_files(options, options.database, "--db");
  const Store store(options.database, Store::Mode::read);
  const StudyReport report = report_of(store, options.name, cli.resources);
  say_what_is_missing(report);
  ReportWriter writer(cli, options);
  writer.write(options.html, "--html", [&] { return report_html(report); });
  writer.write(options.csv, "--csv", [&] { return trials_csv_of(store, report, cli.resources); });
  writer.write(options.markdown, "--markdown", [&] { return report_markdown(report); });
  writer.print([&] { return report_json(report); }, [&] { return report_text(report, cli.style); });
  return exit_done;
}

struct ExplainOptions {
  std::string database, name;
  std::int64_t trial = 0;
  std::vector<std::string> devices;
  bool json = false;
};

std::string values_text(const TrialExplanation& explanation, const TextStyle& style) {
  TextTable table({{"objective", false}, {"value", true}, {"predicted", true}, {"error", true}, {"from", false}});
  for (const ExplainedObjective& one : explanation.objectives) {
    const std::string& unit = one.objective.objective.unit;
    std::string error;
    if (one.value && one.estimate && *one.value != 0.0) {
      error = fmt::format("{:+.1f} %", 100 * (*one.estimate - *one.value) / std::abs(*one.value));
    }
    table.add({one.objective.label, one.value ? pretty(*one.value, unit) : "none",
               one.estimate ? pretty(*one.estimate, unit) : "", error,
               one.estimate ? one.objective.origin + "; predicted by " + one.estimate_by : one.objective.origin});
  }
  return table.text(style);
}

std::string measurements_text(const TrialExplanation& explanation) {
  std::string text;
  for (const MeasurementRecord& one : explanation.measurements) {
    text += fmt::format("{} ({}, {} UTC): {}\n", one.objective, one.purpose, one.measured_utc,
                        measurement_line(one.measurement));
    text += "  " + protocol_text(one.protocol) + "\n";
  }
  return text;
}

int explain(const CommandLine& cli, const ExplainOptions& options) {
  const Store store(options.database, Store::Mode::read);
  for (const std::string& device : options.devices) cli.resources.device(device);  // before anything is printed
  const TrialExplanation explanation =
      explain_trial(store, options.name, options.trial, cli.resources, options.devices);
  if (options.json) {
    cli.print_json(explanation_json(explanation));
    return exit_done;
  }
  const Trial& trial = explanation.trial;
  std::string text = fmt::format("trial {} of {}: {}, {} values{}{}\n\n", trial.id, explanation.record.name,
                                 status_names()[static_cast<std::size_t>(trial.status)],
                                 fidelity_names()[static_cast<std::size_t>(trial.fidelity)],
                                 trial.rung > 0 ? fmt::format(" of a cheaper evaluation, rung {}", trial.rung) : "",
                                 trial.reason.empty() ? "" : ": " + trial.reason);
  for (const auto& [name, choices] : explanation.choices) text += fmt::format("{}: {}\n", name, choices);
  if (explanation.choices.empty()) text += "genes: " + explanation.genome.dump() + "\n";
  if (!explanation.space_problem.empty()) text += "no operators can be shown: " + explanation.space_problem + "\n";
  text += "\n" + values_text(explanation, cli.style);
  if (explanation.design) {
    text += fmt::format("\n{} MACs, {} parameters, {} of weights, {} of activations at the peak\n",
                        pretty(static_cast<double>(explanation.macs), ""),
                        pretty(static_cast<double>(explanation.parameters), ""),
                        pretty(static_cast<double>(explanation.weight_bytes), "B"),
                        pretty(static_cast<double>(explanation.peak_activation_bytes), "B"));
    text += "\n" + operators_text(*explanation.design, explanation.estimates, cli.style);
  }
  if (!explanation.measurements.empty()) text += "\nmeasurements\n" + measurements_text(explanation);
  if (!explanation.commands.empty()) text += "\nagain\n";
  for (const std::string& command : explanation.commands) text += "  " + command + "\n";
  cli.print(text);
  return exit_done;
}

}  // namespace

void add_report_commands(CLI::App& app, CommandLine& cli) {
  auto pareto = std::make_shared<ParetoOptions>();
  CLI::App* front = add_command(app, "pareto", "the front of a stored study",
                                "ridgeline pareto demo --db ridgeline.db --csv > front.csv");
  front->add_option("name", pareto->name, "name of the stored study")->required();
  add_database_option(*front, pareto->database);
  front
      ->add_option("--fidelity", pareto->fidelity,
                   "analytic, predicted or measured values; default: the highest there is")
      ->check(CLI::IsMember(std::vector<std::string>(fidelity_names().begin(), fidelity_names().end())));
  auto* csv = front->add_flag("--csv", pareto->csv, "print CSV: SI units");
  auto* markdown = front->add_flag("--markdown", pareto->markdown, "print a Markdown table")->excludes(csv);
  front->add_flag("--json", pareto->json, "print JSON: stable keys, SI units")->excludes(csv)->excludes(markdown);
  front->callback([&cli, pareto] { cli.action = [&cli, pareto] { return print_front(cli, *pareto); }; });

  auto files = std::make_shared<ReportFiles>();
  CLI::App* report = add_command(app, "report", "the report of a stored study, or of a training by its checkpoint",
                                 "ridgeline report demo --db ridgeline.db --html report.html --csv trials.csv");
  report->add_option("name", files->name, "name of the stored study, or what ridgeline train has written")->required();
  files->database_option = add_database_option(*report, files->database);
  report->add_option("--html", files->html, "write one self-contained HTML file")->type_name("FILE");
  report->add_option("--csv", files->csv, "write every trial, or epoch, as CSV: SI units")->type_name("FILE");
  report->add_option("--markdown", files->markdown, "write Markdown")->type_name("FILE");
  add_json_option(*report, files->json);
  report->callback([&cli, files] { cli.action = [&cli, files] { return write_report(cli, *files); }; });

  auto one = std::make_shared<ExplainOptions>();
  CLI::App* explained =
      add_command(app, "explain", "one trial: genome, operators, what bounds each, predictions beside the measurement",
                  "ridgeline explain demo 17 --db ridgeline.db --device raspberry_pi_4");
  explained->add_option("name", one->name, "name of the stored study")->required();
  explained->add_option("trial", one->trial, "number of the trial")->required()->check(CLI::NonNegativeNumber);
  add_database_option(*explained, one->database);
  explained->add_option("--device", one->devices, "also estimate it on this device (name or file); may be repeated")
      ->allow_extra_args(false);
  add_json_option(*explained, one->json);
  explained->callback([&cli, one] { cli.action = [&cli, one] { return explain(cli, *one); }; });
}

}  // namespace ridgeline
