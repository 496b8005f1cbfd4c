// patches
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/quantization/patch_plan.hpp"
#include "experiments/training/trained_model.hpp"
#include "hwmodels/mcu.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

struct PatchesFlags {
  std::string model, data, device;
  PatchPlanOptions options;
  std::optional<double> outlier_share;
  bool stream_input = false, json = false, quiet = false;
};

// What a microcontroller has, and how it runs; --sram goes before it.
void take_device(const CommandLine& cli, PatchesFlags& flags) {
  if (flags.device.empty()) return;
  const std::unique_ptr<HardwareModel> model = load_device(cli.resources.device(flags.device));
  const auto* const mcu = dynamic_cast<const McuModel*>(model.get());
  if (mcu == nullptr) {
    throw ConfigError({"--device", "", "a microcontroller, a device file of \"model\": \"mcu\"",
                       fmt::format("'{}'", flags.device), "for example stm32f746"});
  }
  flags.options.memory = mcu->device().memory;
  if (flags.options.sram_bytes > 0) return;
  flags.options.sram_bytes = mcu->device().sram_bytes;
  flags.options.reserved_bytes = mcu->device().reserved_sram_bytes;
}

int show_patches(const CommandLine& cli, PatchesFlags flags) {
  take_device(cli, flags);
  flags.options.memory.stream_input = flags.options.memory.stream_input || flags.stream_input;
  flags.options.outliers.share = flags.outlier_share;
  TrainedModel model = load_trained_model(flags.model, cli.resources);
  const Dataset data = load_dataset(flags.data);
  const PinnedThreads pinned(flags.options.threads);
  PhaseLine line(!flags.quiet && !flags.json, cli.progress_bar, 1.0);
  flags.options.progress = [&](const std::string& phase) { line.show(phase, 0, 1); };
  const PatchPlanReport report = patch_plan(std::move(model), data, flags.options);
  if (flags.json) {
    cli.print_json(patch_plan_json(report));
  } else {
    cli.print(patch_plan_text(report, cli.style));
  }
  return report.mixed().fits ? exit_done : exit_infeasible;
}

void add_search_options(CLI::App& command, PatchesFlags& flags) {
  PatchPlanOptions& options = flags.options;
  command.add_option("--lambda", options.lambda, "weight of the entropy that is lost against bit operations saved")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--outlier-deviations", options.outliers.deviations,
                  "standard deviations from the mean beyond which an input value is an outlier")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command
      .add_option("--outlier-share", flags.outlier_share,
                  "share of outliers above which a patch keeps 8 bits; default: a normal distribution's")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--calibration-images", options.calibration_images, "training images that are looked at")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--images", options.images, "validation images that the plans are run on; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_pinned_threads_option(command, options.threads);
}

}  // namespace

void add_patches_command(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<PatchesFlags>();
  CLI::App* command = add_command(
      app, "patches",
      "mixed precision for patch-based inference: outliers, bits a feature map and patch, SRAM, accuracy (QuantMCU)",
      "ridgeline patches cnn.ckpt --data glyphs --device stm32f746 --patch-layers 4 --patch-grid 3");
  command->add_option("model", flags->model, "trained network: a checkpoint, or an .onnx file")->required();
  command->add_option("--data", flags->data, "folder of the data set it was trained for")->required();
  command->add_option("--patch-layers", flags->options.layers, "so many executed layers run patch by patch")
      ->required()
      ->check(CLI::Range(2, 1'000'000));
  command->add_option("--patch-grid", flags->options.grid, "on a grid of n x n patches")
      ->check(CLI::Range(std::int64_t{2}, most_patch_grid))
      ->capture_default_str();
  command->add_option("--device", flags->device, "a microcontroller (name or file): its SRAM, and how it runs layers");
  command->add_option("--sram", flags->options.sram_bytes, "bytes for activations, in place of the device's")
      ->check(CLI::PositiveNumber);
  command->add_flag("--stream-input", flags->stream_input, "patches get their part of the input from outside the SRAM");
  add_search_options(*command, *flags);
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return show_patches(cli, *flags); }; });
}

}  // namespace ridgeline
