// sweep
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/post_training_options.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "cli/version.hpp"
#include "experiments/quantization/format_sweep.hpp"
#include "experiments/report/report_html.hpp"

namespace ridgeline {
namespace {

struct SweepFlags {
  FormatSweepConfig config;
  PostTrainingFlags post_training;
  std::string database, weights = "all", activations = "all", csv, html;
  bool json = false, quiet = false;
};

std::string stretch_text(const FamilyStretch& one) {
  const std::string luts = one.pairs == 1 ? grouped(std::llround(one.least_luts))
                                          : fmt::format("{} to {}", grouped(std::llround(one.least_luts)),
                                                        grouped(std::llround(one.most_luts)));
  const std::string error = one.pairs == 1 ? fmt::format("{:.2f}", one.most_error)
                                           : fmt::format("{:.2f} to {:.2f}", one.most_error, one.least_error);
  return fmt::format("{} from {} LUTs, error {} %", name_of(one.family), luts, error);
}

std::string result_text(const FormatSweepResult& result, const SweepFlags& flags, const TextStyle& style) {
  TextTable table({{"weights", false},
                   {"activations", false},
                   {"family", false},
                   {"error (%)", true},
                   {"LUTs", true},
                   {"trial", true}});
  std::array<std::size_t, 3> on_front{}, in_all{};
  for (const SweepPair& pair : result.pairs) {
    if (!pair.error) continue;
    ++in_all[static_cast<std::size_t>(pair.family)];
    if (pair.on_front) ++on_front[static_cast<std::size_t>(pair.family)];
  }
  for (const std::size_t i : result.front) {
    const SweepPair& pair = result.pairs[i];
    table.add({pair.weights, pair.activations, std::string(name_of(pair.family)), fmt::format("{:.2f}", *pair.error),
               grouped(std::llround(pair.luts)), std::to_string(*pair.trial)});
  }
  std::string text = table.text(style) + "\n";
  text += fmt::format("error on {} validation images; {:.2f} % as it is, in f32; LUTs on {}\n",
                      grouped(static_cast<std::int64_t>(result.images)), result.baseline_error, flags.config.device);
  text += fmt::format("passes {}; calibration {}\n", result.post_training.text(),
                      calibration_method_names()[static_cast<std::size_t>(result.post_training.calibration)]);
  text += fmt::format("on the front: {} of {} integer pairs, {} of {} mixed, {} of {} minifloat\n", on_front[0],
                      in_all[0], on_front[1], in_all[1], on_front[2], in_all[2]);
  std::string where;
  for (const FamilyStretch& one : stretches(result)) where += (where.empty() ? "" : "; ") + stretch_text(one);
  return text + "which family wins where: " + where + "\n";
}

Json pair_json(const SweepPair& pair, const PostTrainingOptions& options) {
  return {{"weights", pair.weights},
          {"activations", pair.activations},
          {"family", name_of(pair.family)},
          {"passes", options.text()},
          {"calibration", calibration_method_names()[static_cast<std::size_t>(options.calibration)]},
          {"error_percent", pair.error ? Json(*pair.error) : Json()},
          {"luts", pair.luts},
          {"dsps", pair.dsps},
          {"brams", pair.brams},
          {"front", pair.on_front},
          {"trial", pair.trial ? Json(*pair.trial) : Json()},
          {"reason", pair.reason}};
}

Json result_json(const FormatSweepResult& result, const SweepFlags& flags) {
  Json json{{"study", flags.config.name},
            {"device", flags.config.device},
            {"images", result.images},
            {"baseline_error_percent", result.baseline_error},
            {"post_training", result.post_training.json()},
            {"front", Json::array()},
            {"pairs", Json::array()}};
  for (const std::size_t i : result.front) json["front"].push_back(pair_json(result.pairs[i], result.post_training));
  for (const SweepPair& pair : result.pairs) json["pairs"].push_back(pair_json(pair, result.post_training));
  return json;
}

void fill_names(SweepFlags& flags) {
  FormatSweepConfig& config = flags.config;
  config.weights = sweep_formats(flags.weights, "--weights");
  config.activations = sweep_formats(flags.activations, "--activations");
  config.post_training = flags.post_training.options();
  if (config.name.empty()) config.name = std::filesystem::path(config.model).stem().string() + "_sweep";
  if (config.folder.empty())
    config.folder = (std::filesystem::path(flags.database).parent_path() / config.name).string();
  if (!flags.csv.empty()) check_writable(flags.csv, "--csv");
  if (!flags.html.empty()) check_writable(flags.html, "--html");
  check_different(flags.csv, "--csv", flags.html, "--html");
}

int nothing_fits(const FormatSweepResult& result) {
  const auto why = std::ranges::find_if(result.pairs, [](const SweepPair& pair) { return !pair.reason.empty(); });
  std::fputs(fmt::format("no pair has an error and fits the device{}{}\n",
                         why == result.pairs.end() ? "" : "; the first: ", why == result.pairs.end() ? "" : why->reason)
                 .c_str(),
             stderr);
  return exit_infeasible;
}

int run_sweep(const CommandLine& cli, SweepFlags flags) {
  fill_names(flags);
  const InterruptFlag interrupt;
  StudyHooks hooks;
  hooks.stop = &interrupt.flag();
  hooks.program_version = program_version();
  const auto form = flags.quiet || flags.json ? ProgressLine::Form::none
                    : cli.progress_bar        ? ProgressLine::Form::bar
                                              : ProgressLine::Form::lines;
  Objective accuracy;
  accuracy.name = "accuracy";
  accuracy.unit = "%";
  accuracy.direction = Direction::maximise;
  ProgressLine line(form, cli.style.unicode, accuracy);
  hooks.progress = [&](const StudyProgress& progress) { line.show(progress); };
  Store store(flags.database, Store::Mode::write);
  const FormatSweepResult result = sweep_pairs(flags.config, cli.resources, store, cli.command, hooks);
  line.finish();
  if (result.end == StudyResult::End::interrupted) {
    std::fputs(fmt::format("interrupted; everything is saved. Go on with:\n  {}\n", cli.command).c_str(), stderr);
    return exit_interrupted;
  }
  if (!flags.csv.empty()) write_file(flags.csv, sweep_csv(result), "--csv");
  if (!flags.html.empty()) {
    write_file(flags.html, report_html(report_of(store, flags.config.name, cli.resources)), "--html");
  }
  if (flags.json) {
    cli.print_json(result_json(result, flags));
  } else if (!flags.quiet && !result.front.empty()) {
    cli.print(result_text(result, flags, cli.style));
  }
  return result.front.empty() ? nothing_fits(result) : exit_done;
}

}  // namespace

void add_sweep_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<SweepFlags>();
  FormatSweepConfig& config = flags->config;
  CLI::App* command = add_command(
      app, "sweep", "every pair of small integers and minifloats for weights and activations: error against FPGA LUTs",
      "ridgeline sweep cnn.ckpt --data glyphs --device zcu104 --weights int4,int8,e2m1 --activations all --csv "
      "pairs.csv");
  command->add_option("model", config.model, "a checkpoint, or an .onnx file")->required();
  command->add_option("--data", config.data, "folder of a data set: train calibrates, validation scores")->required();
  add_database_option(*command, flags->database);
  command->add_option("--device", config.device, "device file of an FPGA, or the name of a shipped one")
      ->capture_default_str();
  const std::string words = ", with commas: integers, minifloats and all are those of 3 to 8 bits; a scale ";
  command->add_option("--weights", flags->weights, "formats" + words + "an output channel")->capture_default_str();
  command->add_option("--activations", flags->activations, "formats" + words + "a tensor")->capture_default_str();
  command->add_option("--edges", config.edges, "a format that the first and the last operator keep, as int8");
  add_post_training_options(*command, flags->post_training);
  command->add_option("--images", config.images, "validation images, at most what there is")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--out", config.folder,
                      "folder for the network and its space; default: NAME beside the database");
  command->add_option("--name", config.name, "of the study in the database; default: MODEL_sweep");
  command->add_option("--trials", config.trials, "pairs to try: fewer than all are searched by NSGA-II; default: all")
      ->check(CLI::PositiveNumber);
  command->add_option("--time-budget", config.wall_s, "stop after so many seconds; the same command goes on")
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", config.seed, "of a search with --trials")->capture_default_str();
  command->add_option("--csv", flags->csv, "write every pair as CSV")->type_name("FILE");
  command->add_option("--html", flags->html, "write the study's report as one HTML file")->type_name("FILE");
  add_silent_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return run_sweep(cli, *flags); }; });
}

}  // namespace ridgeline
