// quantize
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/post_training_options.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "cli/version.hpp"
#include "experiments/quantization/quantize_report.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_html.hpp"

namespace ridgeline {
namespace {

struct QuantizeFlags {
  QuantizeConfig config;
  QuantizeGoal goal;
  PostTrainingFlags post_training;
  std::string database, formats = "f32,bf16,int8", metric = "accuracy";
  std::optional<std::int64_t> max_size;
  bool json = false, quiet = false;
};

Objective objective_of(const QuantizeConfig& config) {
  Objective objective;
  objective.name = quality_metric_names()[static_cast<std::size_t>(config.metric)];
  objective.unit = unit_of(config.metric);
  objective.direction = direction_of(config.metric);
  return objective;
}

void complete(QuantizeFlags& flags) {
  const auto metrics = quality_metric_names();
  flags.config.metric = static_cast<QualityMetric>(std::ranges::find(metrics, flags.metric) - metrics.begin());
  flags.config.formats = words_of(flags.formats);
  flags.config.post_training = flags.post_training.options();
  flags.goal.max_weight_bytes = flags.max_size;
  if (flags.config.name.empty()) {
    flags.config.name = std::filesystem::path(flags.config.model).stem().string() + "_plans";
  }
}

int run_quantize(const CommandLine& cli, QuantizeFlags flags) {
  complete(flags);
  const InterruptFlag interrupt;
  QuantizeHooks hooks;
  hooks.study.stop = &interrupt.flag();
  hooks.study.program_version = program_version();
  const bool silent = flags.quiet || flags.json;
  ProgressLine line(silent             ? ProgressLine::Form::none
                    : cli.progress_bar ? ProgressLine::Form::bar
                                       : ProgressLine::Form::lines,
                    cli.style.unicode, objective_of(flags.config));
  PhaseLine phase(!silent, cli.progress_bar, 1.0);
  hooks.study.progress = [&](const StudyProgress& progress) { line.show(progress); };
  hooks.phase = [&](const std::string& name, std::size_t done, std::size_t total) {
    line.finish();
    phase.show(name, done, total);
  };
  check(flags.config, cli.resources);
  Store store(flags.database, Store::Mode::write);
  const QuantizeResult result = quantize(flags.config, flags.goal, cli.resources, store, cli.command, hooks);
  line.finish();
  if (result.end == StudyResult::End::interrupted) {
    const std::string plan = result.plan.empty() ? "" : "the best plan so far: " + result.plan + "\n";
    std::fputs(fmt::format("interrupted; everything is saved. {}Go on with:\n  {}\n", plan, cli.command).c_str(),
               stderr);
    return exit_interrupted;
  }
  const std::string report = (std::filesystem::path(flags.config.folder) / "report.html").string();
  const QuantizeReport found{flags.config, result};
  write_file(report, report_html(report_of(store, flags.config.name, cli.resources), found.html()), "--out");
  if (flags.json) {
    cli.print_json(found.json());
  } else if (!flags.quiet) {
    cli.print(found.text(cli.style) + "report: " + report + "\n");
  }
  if (result.goal_met) return exit_done;
  std::fputs(fmt::format("{}\n", found.missed(flags.goal)).c_str(), stderr);
  return exit_infeasible;
}

}  // namespace

void add_quantize_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<QuantizeFlags>();
  const auto metrics = quality_metric_names();
  CLI::App* command = add_command(
      app, "quantize", "the number formats that a trained network should have on this machine: searched, run and timed",
      "ridgeline quantize cnn.ckpt --data glyphs --max-drop 0.5 --out quantized");
  command->add_option("model", flags->config.model, "a checkpoint, or an .onnx file")->required();
  command->add_option("--data", flags->config.data, "folder of a data set: train calibrates, validation scores")
      ->required();
  command->add_option("--out", flags->config.folder, "folder for the chosen plan and its ONNX model")->required();
  add_database_option(*command, flags->database);
  command->add_option("--name", flags->config.name, "of the study in the database; default: MODEL_plans");
  command->add_option("--formats", flags->formats, "choices of every operator, with commas; the first is the baseline")
      ->capture_default_str();
  command
      ->add_option("--metric", flags->metric,
                   "accuracy, top5; agreement with the f32 network (%); nll, divergence from the f32 network (nats)")
      ->check(CLI::IsMember(std::vector<std::string>(metrics.begin(), metrics.end())))
      ->capture_default_str();
  command->add_option("--max-drop", flags->goal.max_drop, "of the metric that may be lost: points, or nats")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--min-speedup", flags->goal.min_speedup, "at least so many times as fast as the baseline")
      ->check(CLI::PositiveNumber);
  command->add_option("--max-size", flags->max_size, "bytes of weights at most")->check(CLI::PositiveNumber);
  add_post_training_options(*command, flags->post_training);
  command->add_option("--device", flags->config.device,
                      "price plans by this described device instead of timing them here (see: ridgeline device list)");
  command->add_option("--threads", flags->config.threads, "that latency is for")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--trials", flags->config.trials, "plans to run and time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--time-budget", flags->config.wall_s, "stop searching after so many seconds")
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", flags->config.seed, "of the search")->capture_default_str();
  add_silent_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return run_quantize(cli, *flags); }; });
}

}  // namespace ridgeline
