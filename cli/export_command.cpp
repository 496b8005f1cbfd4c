// export
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/post_training_options.hpp"
#include "cli/version.hpp"
#include "experiments/quantization/post_training.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/pinning.hpp"
#include "spaces/onnx/check.hpp"

namespace ridgeline {
namespace {

struct ExportFlags {
  std::string model, out, batch = "dynamic", format, data;
  PostTrainingFlags post_training;
  bool json = false;
};

std::optional<std::int64_t> batch_of(const std::string& text) {
  if (text == "dynamic") return std::nullopt;
  constexpr std::int64_t most = 65536;
  std::int64_t batch = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), batch);
  if (error == std::errc{} && end == text.data() + text.size() && batch >= 1 && batch <= most) return batch;
  throw ConfigError({"--batch", "", fmt::format("'dynamic', or a number of images from 1 to {}", most), text, ""});
}

// "Nx1x32x32"
std::string extents(const Shape& shape) {
  std::vector<std::string> words;
  for (const std::int64_t extent : shape) words.push_back(extent == symbolic_batch ? "N" : std::to_string(extent));
  return fmt::format("{}", fmt::join(words, "x"));
}

Json values_json(const std::vector<OnnxValue>& values) {
  Json list = Json::array();
  for (const OnnxValue& value : values) {
    Json shape = Json::array();
    for (const std::int64_t extent : value.shape) {
      if (extent == symbolic_batch) {
        shape.push_back("N");
      } else {
        shape.push_back(extent);
      }
    }
    list.push_back({{"name", value.name}, {"shape", std::move(shape)}});
  }
  return list;
}

std::string values_text(const std::vector<OnnxValue>& values) {
  std::vector<std::string> words;
  words.reserve(values.size());
  for (const OnnxValue& value : values) words.push_back(fmt::format("{} [{}]", value.name, extents(value.shape)));
  return fmt::format("{}", fmt::join(words, ", "));
}

// As the passes have it, batch norms folded in any case: files hold kernels in 8 bits.
void quantize(TrainedModel& model, const ExportFlags& flags) {
  const Dataset data = load_dataset(flags.data);
  adapt(model, data);
  PostTrainingOptions options = flags.post_training.options();
  if (options.passes.empty()) options.passes = {QuantizationPass::fold};
  const PostTraining prepared(model, data.train, options, allowed_processors());
  model.design = prepared.quantized(PrecisionPlan::uniform(model.design.network, flags.format));
}

// In f32, in the 8 bits that it was trained through, or in 8 bits after training.
std::string choose_formats(TrainedModel& model, const ExportFlags& flags) {
  if (flags.format == "int8") {
    if (flags.data.empty()) {
      throw ConfigError({"--data", "", "a data set to measure ranges on, with --format int8", "none", ""});
    }
    quantize(model, flags);
    return flags.format;
  }
  if (!flags.format.empty() || !model.in_formats) return "f32";
  const std::vector<OperatorFormats>& plan = model.in_formats->precision.operators;
  const bool other = std::any_of(plan.begin(), plan.end(), [](const OperatorFormats& one) {
    const auto is_stored = [](const Format& format) {
      return !format.is_quantized() || (format.kind == Format::Kind::integer && format.width_bits == 8);
    };
    return !is_stored(one.weights) || !is_stored(one.activations);
  });
  if (other) {
    throw ConfigError({"--format", "", "a network that was trained through int8", "'" + model.formats + "'",
                       "--format f32 writes its weights without rounding"});
  }
  model.design = *model.in_formats;
  return model.formats;
}

int export_model(const CommandLine& cli, const ExportFlags& flags) {
  const std::optional<std::int64_t> batch = batch_of(flags.batch);
  check_writable(flags.out, "--out");
  check_different(flags.out, "--out", flags.model, "the checkpoint");
  TrainedModel model = load_trained_model(flags.model, cli.resources);
  Design& design = model.design;
  const std::string format = choose_formats(model, flags);
  OnnxOptions options = onnx_options_of(model, program_version());
  options.batch = batch;
  const std::string bytes = onnx_model(design, options);
  const OnnxSummary summary = check_onnx_model(bytes, onnx_tensors(design.network, options.batch));
  write_file(flags.out, bytes, "--out");
  if (flags.json) {
    cli.print_json({{"checkpoint", flags.model},
                    {"onnx", flags.out},
                    {"file_bytes", bytes.size()},
                    {"opset", onnx_opset},
                    {"format", format},
                    {"post_training", flags.post_training.options().json()},
                    {"nodes", summary.nodes},
                    {"initializers", summary.initializers},
                    {"inputs", values_json(summary.inputs)},
                    {"outputs", values_json(summary.outputs)},
                    {"classes", options.class_names},
                    {"mean", options.mean},
                    {"stddev", options.stddev}});
  } else {
    cli.print(fmt::format("{}: {}, {} nodes, opset {}: {} -> {}\n", flags.out,
                          pretty(static_cast<double>(bytes.size()), "B"), summary.nodes, onnx_opset,
                          values_text(summary.inputs), values_text(summary.outputs)));
  }
  return exit_done;
}

}  // namespace

void add_export_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<ExportFlags>();
  CLI::App* command =
      add_command(app, "export",
                  "write a trained network as ONNX, for any runtime: input [N,C,H,W], (pixel in 0..1 - mean) / stddev; "
                  "class names, mean and stddev are in its metadata",
                  "ridgeline export cnn.ckpt --format int8 --data glyphs --out winner.onnx");
  command->add_option("checkpoint", flags->model, "what ridgeline train has written, or an .onnx file")->required();
  command->add_option("--out", flags->out, "the ONNX file; one that is there is written over")->required();
  command->add_option("--batch", flags->batch, "images a run: a number, or dynamic for any number")
      ->type_name("N|dynamic")
      ->capture_default_str();
  command->add_option("--data", flags->data, "folder of a data set to measure ranges on");
  CLI::Option* format =
      command
          ->add_option("--format", flags->format,
                       "int8: s8 kernels, u8 and s8 activations (QDQ), ranges measured on --data; default: f32, or "
                       "what it was trained through")
          ->check(CLI::IsMember({"f32", "int8"}));
  add_post_training_options(*command, flags->post_training, format);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return export_model(cli, *flags); }; });
}

}  // namespace ridgeline
