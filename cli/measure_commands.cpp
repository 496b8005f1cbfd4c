// estimate, measure
#include <fmt/format.h>

#include <cmath>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "cli/operators.hpp"
#include "cli/shared_options.hpp"
#include "experiments/calibration/device_conformance.hpp"
#include "experiments/device_costs.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/store/environment_json.hpp"

namespace ridgeline {
namespace {

struct EstimateOptions {
  DesignOptions design;
  std::vector<std::string> devices;
  bool json = false;
};

struct FormatCost {
  std::string format;
  Cost cost;
};

std::vector<FormatCost> costs_by_format(DesignOptions options, const HardwareModel& model, const Resources& resources) {
  std::vector<FormatCost> costs;
  for (const std::string& format : common_formats()) {
    options.format = format;
    Cost cost = model.estimate(choose_design(options, resources).design);
    if (cost.problem().empty()) costs.push_back({format, std::move(cost)});
  }
  return costs;
}

std::string formats_text(const std::vector<FormatCost>& costs, const std::string& device, const TextStyle& style) {
  std::vector<TextTable::Column> columns{
      {device, false}, {"latency", true}, {"energy", true}, {"weights", true}, {"activations at the peak", true}};
  if (!costs.empty()) {
    for (const ResourceUse& resource : costs.front().cost.resources) columns.push_back({resource.name, true});
  }
  TextTable table(columns);
  for (const FormatCost& one : costs) {
    std::vector<std::string> row{one.format, pretty(one.cost.latency_s, "s"),
                                 one.cost.energy_j > 0 ? pretty(one.cost.energy_j, "J") : "not modelled",
                                 pretty(static_cast<double>(one.cost.weight_bytes), "B"),
                                 pretty(static_cast<double>(one.cost.peak_bytes), "B")};
    for (const ResourceUse& resource : one.cost.resources) row.push_back(resource_text(resource));
    table.add(std::move(row));
  }
  return table.text(style);
}

int estimate(const CommandLine& cli, const EstimateOptions& options) {
  const ChosenDesign chosen = choose_design(options.design, cli.resources);
  Json json{{"space", chosen.space}, {"genome", chosen.genome}, {"devices", Json::object()}};
  std::string text = design_summary(chosen) + "\n";
  std::vector<DeviceEstimate> estimates;
  for (const std::string& device : options.devices) {
    std::string without;
    const std::unique_ptr<HardwareModel> model = load_device_for(cli.resources.device(device), chosen.design, &without);
    if (!without.empty()) {
      text += fmt::format("{}: as its file has it, the candidate's hardware does not fit ({})\n", device, without);
    }
    DeviceEstimate one{device, "", model->estimate(chosen.design)};
    one.problem = one.cost.problem();
    const std::vector<FormatCost> formats = costs_by_format(options.design, *model, cli.resources);
    text += formats_text(formats, device, cli.style) + "\n";
    json["devices"][device] = cost_json(one.cost, chosen.design.network);
    json["devices"][device]["own_hardware"] = chosen.design.hardware && without.empty();
    for (const FormatCost& other : formats) {
      json["devices"][device]["formats"][other.format] = {
          {"latency_s", other.cost.latency_s},
          {"energy_j", other.cost.energy_j > 0 ? Json(other.cost.energy_j) : Json()},
          {"weight_bytes", other.cost.weight_bytes},
          {"peak_bytes", other.cost.peak_bytes}};
      for (const ResourceUse& resource : other.cost.resources) {
        json["devices"][device]["formats"][other.format][resource.name] = resource.used;
      }
    }
    estimates.push_back(std::move(one));
  }
  if (options.json) {
    cli.print_json(json);
  } else {
    cli.print(text + operators_text(chosen.design, estimates, cli.style));
  }
  const bool any = estimates.empty() ||
                   std::ranges::any_of(estimates, [](const DeviceEstimate& one) { return one.problem.empty(); });
  return any ? exit_done : exit_infeasible;
}

struct TimingOptions {
  DesignOptions design;
  MeasureOptions measure;
  bool cold = false, json = false, no_operators = false;
};

int time_design(const CommandLine& cli, const TimingOptions& options) {
  const ChosenDesign chosen = choose_design(options.design, cli.resources);
  MeasureOptions protocol = options.measure;
  protocol.cache = options.cold ? CacheState::cold : CacheState::hot;
  protocol.per_operator = !options.no_operators;
  const Measurement measurement = measure(chosen.design, protocol);
  if (options.json) {
    Json json = measurement_json(measurement);
    json["space"] = chosen.space;
    json["genome"] = chosen.genome;
    json["protocol"] = {{"threads", protocol.threads},
                        {"cache", options.cold ? "cold" : "hot"},
                        {"warmup_s", protocol.warmup_s},
                        {"target_s", protocol.target_s},
                        {"min_samples", protocol.min_samples},
                        {"max_samples", protocol.max_samples},
                        {"max_relative_mad", protocol.max_relative_mad}};
    json["environment"] = environment_json(this_environment());
    cli.print_json(json);
  } else {
    std::string text = design_summary(chosen) + "\n" + measurement_line(measurement) + "\n";
    text += fmt::format("{} thread{}, {} cache, {} warm-up, at least {} samples and {}\n", protocol.threads,
                        protocol.threads == 1 ? "" : "s", options.cold ? "cold" : "hot", duration(protocol.warmup_s),
                        protocol.min_samples, duration(protocol.target_s));
    text += fmt::format("{} of packed weights, {} of activations\n",
                        pretty(static_cast<double>(measurement.weight_bytes), "B"),
                        pretty(static_cast<double>(measurement.arena_bytes), "B"));
    cli.print(text + "\n" + steps_text(chosen.design, measurement, cli.style));
  }
  return measurement.outcome == Measurement::Outcome::ok ? exit_done : exit_infeasible;
}

}  // namespace

void add_measure_commands(CLI::App& app, CommandLine& cli) {
  auto estimates = std::make_shared<EstimateOptions>();
  CLI::App* estimated =
      add_command(app, "estimate", "what one network costs on described devices, in every format they have",
                  "ridgeline estimate ofa_mobilenet_v3 --seed 3 --device pixel_6 --device nvidia_t4 --format int8");
  add_space_options(*estimated, estimates->design);
  estimated->get_option("space")->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*estimated, estimates->design);
  add_format_option(*estimated, estimates->design);
  estimated->add_option("--device", estimates->devices, "device file, or the name of a shipped device; may be repeated")
      ->required()
      ->allow_extra_args(false);
  add_json_option(*estimated, estimates->json);
  estimated->callback([&cli, estimates] { cli.action = [&cli, estimates] { return estimate(cli, *estimates); }; });

  auto timing = std::make_shared<TimingOptions>();
  CLI::App* timed =
      add_command(app, "measure", "time one network on this machine: median, interval, spread, every operator",
                  "ridgeline measure mobilenet_v2 --seed 3 --format int8 --threads 2");
  add_space_options(*timed, timing->design);
  timed->get_option("space")->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*timed, timing->design);
  add_format_option(*timed, timing->design);
  MeasureOptions& protocol = timing->measure;
  add_pinned_threads_option(*timed, protocol.threads);
  timed->add_flag("--cold", timing->cold, "empty the caches before every run; default: hot");
  timed->add_option("--target", protocol.target_s, "seconds to time for")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  timed->add_option("--min-samples", protocol.min_samples, "runs timed at least")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  timed->add_option("--max-samples", protocol.max_samples, "runs timed at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  timed
      ->add_option("--max-spread", protocol.max_relative_mad,
                   "median absolute deviation / median above which the result is unstable")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  timed->add_flag("--no-operators", timing->no_operators, "do not time the operators one by one");
  add_json_option(*timed, timing->json);
  timed->callback([&cli, timing] { cli.action = [&cli, timing] { return time_design(cli, *timing); }; });
}

}  // namespace ridgeline
