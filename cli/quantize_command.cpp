// quantize
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/post_training_options.hpp"
#include "cli/progress.hpp"
#include "cli/version.hpp"
#include "experiments/quantization/quantize.hpp"
#include "experiments/report.hpp"
#include "experiments/report_formats.hpp"
#include "experiments/report_html.hpp"

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

// "int8 x 8, f32: conv0 fc11": the format of most operators, and who has another.
std::string plan_text(const PlanResult& plan, const QuantizeResult& result, const std::vector<std::string>& formats) {
  std::vector<std::vector<std::string>> users(formats.size());
  for (std::size_t i = 0; i < plan.genome.genes.size(); ++i) {
    users[plan.genome.genes[i]].push_back(result.operators[i]);
  }
  const auto most = std::ranges::max_element(users, {}, [](const auto& names) { return names.size(); });
  std::string text = fmt::format("{} x {}", formats[static_cast<std::size_t>(most - users.begin())], most->size());
  for (std::size_t k = 0; k < users.size(); ++k) {
    if (users[k].empty() || users.begin() + static_cast<std::ptrdiff_t>(k) == most) continue;
    text += fmt::format(", {}: {}", formats[k], fmt::join(users[k], " "));
  }
  return shortened(text, 100);
}

Json plan_json(const PlanResult& plan, const QuantizeResult& result, const QuantizeFlags& flags) {
  Json choices = Json::object();
  for (std::size_t i = 0; i < plan.genome.genes.size(); ++i) {
    choices[result.operators[i]] = flags.config.formats[plan.genome.genes[i]];
  }
  return {{"trial", plan.trial},
          {flags.metric, plan.quality},
          {"latency_s", plan.latency_s},
          {"ci_low_s", plan.timed_again ? Json(plan.ci_low_s) : Json()},
          {"ci_high_s", plan.timed_again ? Json(plan.ci_high_s) : Json()},
          {"sum_of_layers_s", plan.sum_of_layers_s ? Json(*plan.sum_of_layers_s) : Json()},
          {"measurable_here", plan.executed},
          {"weight_bytes", plan.weight_bytes},
          {"formats", std::move(choices)}};
}

Json kept_json(const KeptLayer& layer) {
  return {{"layer", layer.layer},
          {"format", layer.format},
          {"instead", layer.instead},
          {"quality_change", layer.quality_change},
          {"latency_change_s", layer.latency_change_s ? Json(*layer.latency_change_s) : Json()},
          {"tie", layer.tie},
          {"breaks_goal", layer.breaks_goal},
          {"unsupported", layer.unsupported}};
}

Json result_json(const QuantizeResult& result, const QuantizeFlags& flags) {
  const std::vector<std::string>& formats = flags.config.formats;
  Json json{{"study", flags.config.name},
            {"metric", flags.metric},
            {"device", flags.config.device.empty() ? Json() : Json(flags.config.device)},
            {"post_training", flags.config.post_training.json()},
            {"goal_met", result.goal_met},
            {"uniform", Json::object()},
            {"front", Json::array()},
            {"high_precision", Json::array()},
            {"plan", result.plan},
            {"onnx", result.onnx}};
  for (std::size_t i = 0; i < result.uniform.size(); ++i) {
    json["uniform"][formats[i]] = result.uniform[i] ? plan_json(*result.uniform[i], result, flags) : Json();
  }
  for (const PlanResult& plan : result.front) json["front"].push_back(plan_json(plan, result, flags));
  if (result.chosen) json["chosen"] = plan_json(result.front[*result.chosen], result, flags);
  for (const KeptLayer& layer : result.kept) json["high_precision"].push_back(kept_json(layer));
  return json;
}

std::string quality_text(double value, const QuantizeFlags& flags) {
  return flags.config.metric == QualityMetric::accuracy || flags.config.metric == QualityMetric::top5 ||
                 flags.config.metric == QualityMetric::agreement
             ? fmt::format("{:.2f}", value)
             : fmt::format("{:.4f}", value);
}

std::string table_text(const QuantizeResult& result, const QuantizeFlags& flags, const TextStyle& style) {
  const std::vector<std::string>& formats = flags.config.formats;
  const bool here = flags.config.device.empty();
  TextTable table({{"", false},
                   {fmt::format("{} ({})", flags.metric, unit_of(flags.config.metric)), true},
                   {"latency (us)", true},
                   {here ? "95 %" : "of", false},
                   {"sum of layers", true},
                   {"times " + formats[0], true},
                   {"weights", true},
                   {"formats", false}});
  const std::optional<PlanResult>& baseline = result.uniform.front();
  const auto timing = [&](const PlanResult& plan) -> std::string {
    if (!here) return plan.executed ? "the device" : "the device; not measurable here";
    if (!plan.timed_again) return "in the search only";
    return fmt::format("{:.2f} to {:.2f}", plan.ci_low_s * 1e6, plan.ci_high_s * 1e6);
  };
  const auto add = [&](const std::string& name, const PlanResult& plan, const std::string& what) {
    table.add({name, quality_text(plan.quality, flags), fmt::format("{:.2f}", plan.latency_s * 1e6), timing(plan),
               plan.sum_of_layers_s ? fmt::format("{:.2f}", *plan.sum_of_layers_s * 1e6) : "-",
               baseline ? fmt::format("{:.2f}", baseline->latency_s / plan.latency_s) : "",
               pretty(static_cast<double>(plan.weight_bytes), "B"), what});
  };
  for (std::size_t i = 0; i < formats.size(); ++i) {
    if (result.uniform[i]) {
      add("uniform", *result.uniform[i], formats[i]);
    } else {
      table.add({"uniform", "", "not here", "", "", "", "", formats[i]});
    }
  }
  for (std::size_t i = 0; i < result.front.size(); ++i) {
    add(result.chosen == i ? "chosen" : "front", result.front[i], plan_text(result.front[i], result, formats));
  }
  return table.text(style);
}

// Why a layer keeps its bits, from what the plan was measured to be without them.
std::string reason_text(const KeptLayer& layer, const QuantizeFlags& flags) {
  if (!layer.unsupported.empty()) return fmt::format("{} does not run: {}", layer.instead, layer.unsupported);
  const bool more = direction_of(flags.config.metric) == Direction::maximise;
  const double loss = more ? -layer.quality_change : layer.quality_change;
  const std::string unit = flags.config.metric == QualityMetric::nll ? "nat" : unit_of(flags.config.metric);
  const std::string quality = loss > 0   ? fmt::format("lose {:.3g} {}", loss, unit == "%" ? "points" : unit)
                              : loss < 0 ? fmt::format("win {:.3g} {}", -loss, unit == "%" ? "points" : unit)
                                         : "lose nothing";
  std::string latency = "time not known";
  if (layer.latency_change_s) {
    const double us = *layer.latency_change_s * 1e6;
    latency = layer.tie ? "be no faster (a tie)"
              : us < 0  ? fmt::format("save {:.2f} us", -us)
                        : fmt::format("take {:.2f} us more", us);
  }
  return fmt::format("{} would {} and {}{}", layer.instead, latency, quality,
                     layer.breaks_goal ? ", and miss the goal" : "");
}

std::string kept_text(const QuantizeResult& result, const QuantizeFlags& flags, const TextStyle& style) {
  if (result.kept.empty()) return "";
  TextTable table({{"keeps more bits", false}, {"format", false}, {"because", false}});
  for (const KeptLayer& layer : result.kept) table.add({layer.layer, layer.format, reason_text(layer, flags)});
  return "\n" + table.text(style);
}

std::string result_text(const QuantizeResult& result, const QuantizeFlags& flags, const TextStyle& style) {
  std::string text = table_text(result, flags, style);
  if (!result.chosen) return text;
  text += kept_text(result, flags, style);
  text += "\nplan: " + result.plan + "\n";
  if (result.onnx.empty()) return text + "no ONNX file holds the plan's formats\n";
  text += "model: " + result.onnx + "\n";
  const std::vector<std::uint16_t>& genes = result.front[*result.chosen].genome.genes;
  const bool bf16 =
      std::ranges::any_of(genes, [&](std::uint16_t gene) { return flags.config.formats[gene] == "bf16"; });
  return bf16 ? text + "operators in bf16 are f32 in the file\n" : text;
}

std::string missed_goal(const QuantizeResult& result, const std::vector<std::string>& formats) {
  if (!result.chosen) return "no plan could be run and timed here";
  if (result.uniform.front()) return "no plan keeps the goal; the most accurate one of the front was taken";
  return fmt::format(
      "the goal could not be compared: the uniform plan in {} was not timed here; is the machine busy, or is that "
      "format "
      "not executed here? the most accurate plan of the front was taken",
      formats[0]);
}

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
  write_file(report, report_html(report_of(store, flags.config.name, cli.resources)), "--out");
  if (flags.json) {
    cli.print_json(result_json(result, flags));
  } else if (!flags.quiet) {
    cli.print(result_text(result, flags, cli.style) + "report: " + report + "\n");
  }
  if (result.goal_met) return exit_done;
  std::fputs(fmt::format("{}\n", missed_goal(result, flags.config.formats)).c_str(), stderr);
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
  command->add_flag("--quiet", flags->quiet, "no progress and no result; errors only");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return run_quantize(cli, *flags); }; });
}

}  // namespace ridgeline
