// memory
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "cli/output_file.hpp"
#include "experiments/device_costs.hpp"
#include "experiments/report/memory_report.hpp"
#include "experiments/report/report_explain.hpp"
#include "hwmodels/mcu.hpp"

namespace ridgeline {
namespace {

struct MemoryCommand {
  DesignOptions design;
  std::string study, database, device, svg, patch_format;
  std::optional<std::int64_t> trial;
  std::optional<std::size_t> patch_layers;
  std::optional<std::int64_t> patch_grid;
  MemoryOptions memory;
  bool no_fusion = false, no_in_place = false, schedules = false, json = false;
  const CLI::App* parsed = nullptr;  // which options were given

  bool given(const std::string& option) const { return parsed->get_option(option)->count() > 0; }
};

struct Subject {
  std::string name;
  Design design;
  std::string device;  // that its study costs it on, where it has one
};

bool is_mcu(const CommandLine& cli, const std::string& device) {
  try {
    return dynamic_cast<const McuModel*>(load_device(cli.resources.device(device)).get()) != nullptr;
  } catch (const ConfigError&) {  // the study's device is gone; --device names another
    return false;
  }
}

Subject trial_subject(const CommandLine& cli, const MemoryCommand& options) {
  const Store store(options.database, Store::Mode::read);
  TrialExplanation found =
      explain_trial(store, options.study, chosen_trial(store, options.study, options.trial), cli.resources);
  if (!found.design) {
    throw ConfigError(
        {store.path(), options.study, "a trial whose network can be made again", found.space_problem, ""});
  }
  Subject subject{fmt::format("{}, trial {}", options.study, found.trial.id), std::move(*found.design), ""};
  for (const DeviceEstimate& one : found.estimates) {
    if (subject.device.empty() && is_mcu(cli, one.device)) subject.device = one.device;
  }
  return subject;
}

Subject subject_of(const CommandLine& cli, const MemoryCommand& options) {
  if (options.design.space.empty() == options.study.empty()) {
    throw ConfigError({"memory", "", "a network to look at: SPACE, or --study NAME",
                       options.study.empty() ? "neither" : "both", "see ridgeline memory --help"});
  }
  if (!options.study.empty()) {
    for (const char* option : {"--genome", "--random", "--seed", "--format", "--parameter", "--choices", "--batch"}) {
      if (options.given(option)) {
        throw ConfigError(
            {option, "", "no choice of a network beside --study", "one", "a trial has its own; leave it out"});
      }
    }
    return trial_subject(cli, options);
  }
  if (options.trial) throw ConfigError({"--trial", "", "a stored study beside it", "none", "name one with --study"});
  ChosenDesign chosen = choose_design(options.design, cli.resources);
  return {chosen.space, std::move(chosen.design), ""};
}

std::unique_ptr<HardwareModel> device_of(const CommandLine& cli, const std::string& device, const Design& design) {
  if (device.empty()) return nullptr;
  std::unique_ptr<HardwareModel> model = load_device_for(cli.resources.device(device), design);
  if (dynamic_cast<const McuModel*>(model.get()) == nullptr) {
    throw ConfigError({"--device", "", "a microcontroller, a device file of \"model\": \"mcu\"",
                       fmt::format("'{}'", device),
                       "for example stm32f746; 'ridgeline device list' shows which there are"});
  }
  return model;
}

// A device's own options hold where a flag says nothing else.
MemoryOptions options_for(const MemoryCommand& options, const McuModel* device) {
  MemoryOptions memory = device == nullptr ? MemoryOptions{} : device->device().memory;
  if (options.no_fusion) memory.fusion = false;
  if (options.no_in_place) memory.in_place = memory.depthwise_in_place = memory.tokens_in_place = false;
  memory.depthwise_in_place = memory.depthwise_in_place || options.memory.depthwise_in_place;
  memory.tokens_in_place = memory.tokens_in_place || options.memory.tokens_in_place;
  memory.stream_input = memory.stream_input || options.memory.stream_input;
  if (options.given("--alignment")) memory.alignment_bytes = options.memory.alignment_bytes;
  return memory;
}

Design scheduled(Design design, const MemoryCommand& options) {
  const bool any = options.patch_layers || options.patch_grid || !options.patch_format.empty();
  if (!any) return design;
  std::string why;
  const std::optional<PatchSchedule> own = patch_schedule(design, why);
  const PatchSchedule before = own.value_or(PatchSchedule{});
  const std::size_t layers = options.patch_layers.value_or(before.layers);
  const std::int64_t grid = options.patch_grid.value_or(before.grid);
  if ((layers > 0) != (grid > 1)) {
    throw ConfigError({"--patch-layers", "", "both --patch-layers and --patch-grid (2 or more), or 0 and 1",
                       fmt::format("{} layers on a grid of {} x {}", layers, grid, grid), "name the other one too"});
  }
  return with_patches(std::move(design), layers, grid, options.patch_format);
}

int show_memory(const CommandLine& cli, const MemoryCommand& options) {
  if (!options.svg.empty()) check_writable(options.svg, "--svg");
  Subject subject = subject_of(cli, options);
  const std::string device = options.device.empty() ? subject.device : options.device;
  const std::unique_ptr<HardwareModel> model = device_of(cli, device, subject.design);
  const auto* const mcu = dynamic_cast<const McuModel*>(model.get());
  const MemoryOptions memory = options_for(options, mcu);
  const Design design = scheduled(std::move(subject.design), options);
  const MemoryReport report = memory_report(design, subject.name, memory, mcu);
  std::vector<ScheduleCost> schedules;
  if (options.schedules) schedules = best_schedules(design, memory, 8);
  if (!options.svg.empty()) write_file(options.svg, memory_svg(report), "--svg");
  if (options.json) {
    Json json = memory_json(report);
    if (options.schedules) json["schedules"] = schedules_json(schedules);
    cli.print_json(json);
  } else {
    cli.print(memory_text(report, cli.style));
    if (options.schedules) cli.print(fmt::format("\n{}", schedules_text(schedules, report.layout.macs, cli.style)));
    if (!options.svg.empty()) cli.print(fmt::format("drawing: {}\n", options.svg));
  }
  return mcu == nullptr || report.used_bytes() <= report.sram_bytes ? exit_done : exit_infeasible;
}

void add_plan_options(CLI::App& command, MemoryCommand& options) {
  command.add_flag("--no-fusion", options.no_fusion, "every operator makes a tensor of its own");
  command.add_flag("--no-in-place", options.no_in_place, "nothing writes over what it reads");
  command.add_flag("--depthwise-in-place", options.memory.depthwise_in_place,
                   "depthwise convolutions write over their input, channel by channel (MCUNet)");
  command.add_flag("--tokens-in-place", options.memory.tokens_in_place,
                   "linear layers and 1x1 convolutions that do not widen write over their input (MCUFormer)");
  command.add_flag("--stream-input", options.memory.stream_input,
                   "patches get their part of the input from outside the SRAM");
  command.add_option("--alignment", options.memory.alignment_bytes, "bytes that every buffer is a multiple of")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
}

}  // namespace

void add_memory_command(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<MemoryCommand>();
  CLI::App* memory = add_command(
      app, "memory", "where a network's activations lie in memory: a plan with addresses, its peak and its bound",
      "ridgeline memory mobilenet_v2_mcu --seed 3 --device stm32f746 --patch-layers 9 --patch-grid 3 --svg plan.svg");
  options->parsed = memory;
  add_space_options(*memory, options->design);
  memory->get_option("space")->required(false)->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*memory, options->design);
  add_format_option(*memory, options->design);
  memory->add_option("--study", options->study, "a trial of this stored study, in place of a space")->type_name("NAME");
  add_database_option(*memory, options->database);
  memory->add_option("--trial", options->trial, "which; default: of its front the best in the first objective")
      ->check(CLI::NonNegativeNumber);
  memory->add_option("--device", options->device,
                     "a microcontroller (name or file): its options, and whether the plan fits; default: the study's");
  memory->add_option("--patch-layers", options->patch_layers, "so many executed layers run patch by patch");
  memory->add_option("--patch-grid", options->patch_grid, "on a grid of n x n patches")
      ->check(CLI::Range(std::int64_t{1}, most_patch_grid));
  memory->add_option(
      "--patch-format", options->patch_format,
      "of the activations between these layers; with commas: one a patch, row by row, or one a patch and feature map");
  add_plan_options(*memory, *options);
  memory->add_flag("--schedules", options->schedules, "also list the best patch schedules, grids of 2 to 8");
  memory->add_option("--svg", options->svg, "draw the plan into this file")->type_name("FILE");
  add_json_option(*memory, options->json);
  memory->callback([&cli, options] { cli.action = [&cli, options] { return show_memory(cli, *options); }; });
}

}  // namespace ridgeline
