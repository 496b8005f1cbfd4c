// quantize
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/progress.hpp"
#include "cli/version.hpp"
#include "experiments/quantization/quantize.hpp"
#include "experiments/report_formats.hpp"

namespace ridgeline {
namespace {

struct QuantizeFlags {
  QuantizeConfig config;
  QuantizeGoal goal;
  std::string database, formats = "f32,bf16,int8";
  std::optional<std::int64_t> max_size;
  bool json = false, quiet = false;
};

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    words.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
  return words;
}

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

Json plan_json(const PlanResult& plan, const QuantizeResult& result, const std::vector<std::string>& formats) {
  Json choices = Json::object();
  for (std::size_t i = 0; i < plan.genome.genes.size(); ++i) {
    choices[result.operators[i]] = formats[plan.genome.genes[i]];
  }
  return {{"trial", plan.trial},
          {"accuracy", plan.accuracy},
          {"latency_s", plan.latency_s},
          {"ci_low_s", plan.timed_again ? Json(plan.ci_low_s) : Json()},
          {"ci_high_s", plan.timed_again ? Json(plan.ci_high_s) : Json()},
          {"weight_bytes", plan.weight_bytes},
          {"formats", std::move(choices)}};
}

Json result_json(const QuantizeResult& result, const QuantizeFlags& flags) {
  const std::vector<std::string>& formats = flags.config.formats;
  Json json{{"study", flags.config.name}, {"goal_met", result.goal_met}, {"uniform", Json::object()},
            {"front", Json::array()},     {"plan", result.plan},         {"onnx", result.onnx}};
  for (std::size_t i = 0; i < result.uniform.size(); ++i) {
    json["uniform"][formats[i]] = result.uniform[i] ? plan_json(*result.uniform[i], result, formats) : Json();
  }
  for (const PlanResult& plan : result.front) json["front"].push_back(plan_json(plan, result, formats));
  if (result.chosen) json["chosen"] = plan_json(result.front[*result.chosen], result, formats);
  return json;
}

std::string result_text(const QuantizeResult& result, const QuantizeFlags& flags, const TextStyle& style) {
  const std::vector<std::string>& formats = flags.config.formats;
  TextTable table({{"", false},
                   {"accuracy (%)", true},
                   {"latency (us)", true},
                   {"95 %", false},
                   {"times " + formats[0], true},
                   {"weights", true},
                   {"formats", false}});
  const std::optional<PlanResult>& baseline = result.uniform.front();
  const auto add = [&](const std::string& name, const PlanResult& plan, const std::string& what) {
    table.add({name, fmt::format("{:.2f}", plan.accuracy), fmt::format("{:.2f}", plan.latency_s * 1e6),
               plan.timed_again ? fmt::format("{:.2f} to {:.2f}", plan.ci_low_s * 1e6, plan.ci_high_s * 1e6)
                                : "in the search only",
               baseline ? fmt::format("{:.2f}", baseline->latency_s / plan.latency_s) : "",
               pretty(static_cast<double>(plan.weight_bytes), "B"), what});
  };
  for (std::size_t i = 0; i < formats.size(); ++i) {
    if (result.uniform[i]) {
      add("uniform", *result.uniform[i], formats[i]);
    } else {
      table.add({"uniform", "", "not here", "", "", "", formats[i]});
    }
  }
  for (std::size_t i = 0; i < result.front.size(); ++i) {
    add(result.chosen == i ? "chosen" : "front", result.front[i], plan_text(result.front[i], result, formats));
  }
  std::string text = table.text(style);
  if (!result.chosen) return text;
  text += "\nplan: " + result.plan + "\n";
  if (result.onnx.empty()) return text + "no ONNX file holds the plan's formats\n";
  text += "model: " + result.onnx + "\n";
  const std::vector<std::uint16_t>& genes = result.front[*result.chosen].genome.genes;
  const bool bf16 = std::ranges::any_of(genes, [&](std::uint16_t gene) { return formats[gene] == "bf16"; });
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

int run_quantize(const CommandLine& cli, QuantizeFlags flags) {
  flags.config.formats = words_of(flags.formats);
  flags.goal.max_weight_bytes = flags.max_size;
  if (flags.config.name.empty()) {
    flags.config.name = std::filesystem::path(flags.config.model).stem().string() + "_plans";
  }
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
  const QuantizeResult result = quantize(flags.config, flags.goal, cli.resources, store, cli.command, hooks);
  line.finish();
  if (result.end == StudyResult::End::interrupted) {
    std::fputs(fmt::format("interrupted; everything is saved. Go on with:\n  {}\n", cli.command).c_str(), stderr);
    return exit_interrupted;
  }
  if (flags.json) {
    cli.print_json(result_json(result, flags));
  } else if (!flags.quiet) {
    cli.print(result_text(result, flags, cli.style));
  }
  if (result.goal_met) return exit_done;
  std::fputs(fmt::format("{}\n", missed_goal(result, flags.config.formats)).c_str(), stderr);
  return exit_infeasible;
}

}  // namespace

void add_quantize_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<QuantizeFlags>();
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
  command->add_option("--max-drop", flags->goal.max_drop, "points of accuracy that may be lost")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--min-speedup", flags->goal.min_speedup, "at least so many times as fast as the baseline")
      ->check(CLI::PositiveNumber);
  command->add_option("--max-size", flags->max_size, "bytes of weights at most")->check(CLI::PositiveNumber);
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
