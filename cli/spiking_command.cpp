// spiking
#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "experiments/device_costs.hpp"
#include "experiments/report/spiking_report.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

struct SpikingFlags {
  DesignOptions design;
  std::string device = "spiking_45nm", against, neuron, encoding;
  std::vector<std::string> rates;
  std::optional<std::int64_t> time_steps;
  std::optional<double> input_rate;
  bool json = false;
};

// "0.1", or "conv2d=0.1" for one class of operators.
void add_rate(Json& schedule, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string key = equals == std::string::npos ? "firing_rate" : "firing_rate." + text.substr(0, equals);
  const std::string number = equals == std::string::npos ? text : text.substr(equals + 1);
  const Json value = Json::parse(number, nullptr, false);
  const auto names = efficiency_class_names().first(efficiency_class_count - 1);
  const bool known = equals == std::string::npos || std::ranges::find(names, text.substr(0, equals)) != names.end();
  if (!known || !value.is_number() || value.get<double>() < 0 || value.get<double>() > 1) {
    throw ConfigError({"--rate", "", "a share from 0 to 1, or CLASS=SHARE for conv2d, depthwise, linear or matmul",
                       '"' + text + '"', "for example --rate 0.1 --rate matmul=0.05"});
  }
  if (equals == std::string::npos) {  // holds for all classes, also those that the space has rates for
    for (const std::string& name : names) schedule.erase("firing_rate." + name);
  }
  schedule[key] = value;
}

// What the flags say goes before what the space's genes do, and that before the device's own run.
Design scheduled(Design design, const SpikingFlags& flags) {
  Json schedule = design.schedule ? *design.schedule : Json::object();
  if (flags.time_steps) schedule["time_steps"] = *flags.time_steps;
  for (const std::string& rate : flags.rates) add_rate(schedule, rate);
  if (flags.input_rate) schedule["input_rate"] = *flags.input_rate;
  if (!flags.encoding.empty()) schedule["encoding"] = flags.encoding;
  if (!flags.neuron.empty()) schedule["neuron"] = flags.neuron;
  design.schedule = std::make_shared<const Json>(std::move(schedule));
  return design;
}

int show_spiking(const CommandLine& cli, const SpikingFlags& flags) {
  const ChosenDesign chosen = choose_design(flags.design, cli.resources);
  const std::unique_ptr<HardwareModel> model = load_device_for(cli.resources.device(flags.device), chosen.design);
  const auto* const device = dynamic_cast<const SpikingModel*>(model.get());
  if (device == nullptr) {
    throw ConfigError({"--device", "", "hardware for spiking networks, a device file of \"model\": \"spiking\"",
                       fmt::format("'{}'", flags.device), "for example spiking_45nm"});
  }
  const Design design = scheduled(chosen.design, flags);
  std::string why;
  const auto run = spiking_run(design, device->device().run, device->device().neurons, why);
  if (!run) throw ConfigError({"spiking", "", "a run that the device has", why, "see ridgeline device show"});
  Design quantized = chosen.design;
  if (!flags.against.empty()) quantized.precision = PrecisionPlan::uniform(quantized.network, flags.against);
  const SpikingReport report = spiking_report(design, quantized, chosen.space, *device, *run);
  if (flags.json) {
    Json json = spiking_json(report);
    json["genome"] = chosen.genome;
    cli.print_json(json);
  } else {
    cli.print(design_summary(chosen) + "\n" + spiking_text(report, cli.style));
  }
  return exit_done;
}

}  // namespace

void add_spiking_command(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<SpikingFlags>();
  CLI::App* command = add_command(
      app, "spiking", "the energy of a network with spikes and without, and the firing rate where they meet",
      "ridgeline spiking spikformer_small --seed 1 --format int8 --time-steps 4 --rate 0.1");
  add_space_options(*command, flags->design);
  command->get_option("space")->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*command, flags->design);
  add_format_option(*command, flags->design);
  command->add_option("--against", flags->against,
                      "formats of the network without spikes, WEIGHTS/ACTIVATIONS; default: the same");
  command->add_option("--device", flags->device, "device file, or the name of a shipped device: spiking")
      ->capture_default_str();
  command->add_option("--time-steps", flags->time_steps, "steps an inference takes; default: the space's or device's")
      ->check(CLI::Range(std::int64_t{1}, most_time_steps));
  command
      ->add_option("--rate", flags->rates,
                   "share of neurons that fire a step; CLASS=SHARE: of those that conv2d, depthwise, linear or matmul "
                   "read; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--input-rate", flags->input_rate, "rate encoding: share of the input that is spikes a step")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--encoding", flags->encoding, "how the input is read: direct (its values) or rate (spikes)");
  command->add_option("--neuron", flags->neuron, "kind of neuron, one that the device has");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return show_spiking(cli, *flags); }; });
}

}  // namespace ridgeline
