// schedule
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "cli/output_file.hpp"
#include "experiments/device_costs.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/schedule_report.hpp"
#include "spaces/config_error.hpp"
#include "spaces/network_parts.hpp"

namespace ridgeline {
namespace {

struct ScheduleCommand {
  DesignOptions design;
  std::vector<std::string> with;
  std::string study, database, device, out;
  std::optional<std::int64_t> trial;
  ScheduleReportOptions schedule;
  bool json = false;
};

struct Subject {
  std::string name;
  Design design;
  std::vector<std::string> devices;  // that its study costs it on
};

Subject trial_subject(const CommandLine& cli, const ScheduleCommand& options) {
  const Store store(options.database, Store::Mode::read);
  const std::int64_t trial = chosen_trial(store, options.study, options.trial);
  TrialExplanation found = explain_trial(store, options.study, trial, cli.resources);
  if (!found.design) {
    throw ConfigError(
        {store.path(), options.study, "a trial whose network can be made again", found.space_problem, ""});
  }
  Subject subject{fmt::format("{}, trial {}", options.study, trial), std::move(*found.design), {}};
  for (const DeviceEstimate& one : found.estimates) subject.devices.push_back(one.device);
  return subject;
}

Subject subject_of(const CommandLine& cli, const ScheduleCommand& options) {
  if (options.design.space.empty() == options.study.empty()) {
    throw ConfigError({"schedule", "", "networks to look at: SPACE, or --study NAME",
                       options.study.empty() ? "neither" : "both", "see ridgeline schedule --help"});
  }
  if (!options.study.empty()) return trial_subject(cli, options);
  if (options.trial) throw ConfigError({"--trial", "", "a stored study beside it", "none", "name one with --study"});
  ChosenDesign chosen = choose_design(options.design, cli.resources);
  if (options.with.empty()) return {chosen.space, std::move(chosen.design), {}};
  std::vector<NamedDesign> designs{{chosen.space, std::move(chosen.design)}};
  std::string name = chosen.space;
  for (const std::string& space : options.with) {
    DesignOptions other;
    other.space = space;
    other.batch = options.design.batch;
    other.format = options.design.format;
    other.seed = options.design.seed;
    ChosenDesign one = choose_design(other, cli.resources);
    const auto alike =
        std::ranges::count_if(designs, [&](const NamedDesign& before) { return before.name.starts_with(one.space); });
    name += " + " + one.space;
    designs.push_back({alike == 0 ? one.space : fmt::format("{} {}", one.space, alike + 1), std::move(one.design)});
  }
  return {name, side_by_side(designs), {}};
}

std::unique_ptr<HardwareModel> device_of(const CommandLine& cli, const ScheduleCommand& options,
                                         const Subject& subject) {
  std::vector<std::string> devices = subject.devices;
  if (!options.device.empty()) devices = {options.device};
  for (const std::string& device : devices) {
    std::unique_ptr<HardwareModel> model = load_device_for(cli.resources.device(device), subject.design);
    if (dynamic_cast<const HeterogeneousModel*>(model.get()) != nullptr) return model;
  }
  throw ConfigError({"--device", "", "a device of several accelerators, a file of \"model\": \"heterogeneous\"",
                     devices.empty() ? "none" : "'" + devices.front() + "'",
                     "for example nasaic; 'ridgeline device list' shows which there are"});
}

bool is_page(const std::string& path) { return path.ends_with(".html") || path.ends_with(".htm"); }

void check_drawing(const std::string& path) {
  if (path.empty()) return;
  if (!is_page(path) && !path.ends_with(".svg")) {
    throw ConfigError(
        {"--out", "", "a file that ends in .svg or .html", "'" + path + "'", "the ending says what to draw"});
  }
  check_writable(path, "--out");
}

int show_schedule(const CommandLine& cli, const ScheduleCommand& options) {
  check_drawing(options.out);
  const Subject subject = subject_of(cli, options);
  const std::unique_ptr<HardwareModel> model = device_of(cli, options, subject);
  ScheduleReportOptions schedule = options.schedule;
  schedule.seed = options.design.seed;
  const auto& several = dynamic_cast<const HeterogeneousModel&>(*model);
  const ScheduleReport report = schedule_report(subject.design, subject.name, several, schedule);
  if (!options.out.empty()) {
    write_file(options.out, is_page(options.out) ? schedule_html(report) : schedule_svg(report), "--out");
  }
  if (options.json) {
    cli.print_json(schedule_json(report));
  } else {
    cli.print(schedule_text(report, cli.style));
    if (!options.out.empty()) cli.print(fmt::format("drawing: {}\n", options.out));
  }
  return report.schedules[report.shown].cost.unsupported.empty() ? exit_done : exit_infeasible;
}

}  // namespace

void add_schedule_command(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<ScheduleCommand>();
  CLI::App* command = add_command(
      app, "schedule", "which accelerator of a heterogeneous device runs which layer, and when: HEFT beside the exact",
      "ridgeline schedule mobilenet_v2 --with mobilenet_v1 --device nasaic --format int8 --out schedule.svg");
  add_space_options(*command, options->design);
  command->get_option("space")->required(false)->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*command, options->design);
  add_format_option(*command, options->design);
  command
      ->add_option("--with", options->with,
                   "a random network of this space, by --seed, runs beside it on the same device; may be repeated")
      ->type_name("SPACE")
      ->allow_extra_args(false);
  command->add_option("--study", options->study, "a trial of this stored study, in place of a space")
      ->type_name("NAME");
  add_database_option(*command, options->database);
  command->add_option("--trial", options->trial, "which; default: of its front the best in the first objective")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--device", options->device,
                      "device file, or the name of a shipped device of several accelerators; default: the study's");
  command->add_option("--solver", options->schedule.solver, "whose schedule is listed and drawn: exact or heft")
      ->check(CLI::IsMember(std::vector<std::string>(schedule_solver_names().begin(), schedule_solver_names().end())))
      ->capture_default_str();
  command->add_option("--states", options->schedule.effort.most_states, "that exact looks at, about")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--noise", options->schedule.noise,
                   "also carry the plans out with times up to this share off: mean and longest makespan")
      ->check(CLI::Range(0.0, 0.99));
  command->add_option("--runs", options->schedule.runs, "of these, with factors drawn by --seed")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--out", options->out, "draw the schedule into this file: .svg, or .html with its layers")
      ->type_name("FILE");
  add_json_option(*command, options->json);
  command->callback([&cli, options] { cli.action = [&cli, options] { return show_schedule(cli, *options); }; });
}

}  // namespace ridgeline
