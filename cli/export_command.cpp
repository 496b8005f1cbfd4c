// export
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/version.hpp"
#include "experiments/report_formats.hpp"
#include "experiments/training/checkpoint.hpp"
#include "spaces/onnx_check.hpp"
#include "spaces/onnx_export.hpp"

namespace ridgeline {
namespace {

struct ExportFlags {
  std::string model, out, batch = "dynamic";
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

int export_model(const CommandLine& cli, const ExportFlags& flags) {
  OnnxOptions options;
  options.batch = batch_of(flags.batch);
  check_writable(flags.out, "--out");
  check_different(flags.out, "--out", flags.model, "the checkpoint");
  LoadedModel model = load_model(cli.resources.checkpoint(flags.model), cli.resources);
  const ModelCheckpoint& checkpoint = model.checkpoint;
  const Design design{std::move(model.network), {}, std::make_shared<Weights>(std::move(model.weights))};
  options.graph_name = std::filesystem::path(checkpoint.model.space).stem().string();
  options.producer_version = program_version();
  options.class_names = checkpoint.class_names;
  options.mean = checkpoint.mean;
  options.stddev = checkpoint.stddev;
  const std::string bytes = onnx_model(design, options);
  const OnnxSummary summary = check_onnx_model(bytes, onnx_tensors(design.network, options.batch));
  write_file(flags.out, bytes, "--out");
  if (flags.json) {
    cli.print_json({{"checkpoint", flags.model},
                    {"onnx", flags.out},
                    {"file_bytes", bytes.size()},
                    {"opset", onnx_opset},
                    {"format", "f32"},
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
                  "ridgeline export cnn.ckpt --out winner.onnx --batch 1");
  command->add_option("checkpoint", flags->model, "what ridgeline train has written")->required();
  command->add_option("--out", flags->out, "the ONNX file; one that is there is written over")->required();
  command->add_option("--batch", flags->batch, "images a run: a number, or dynamic for any number")
      ->type_name("N|dynamic")
      ->capture_default_str();
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return export_model(cli, *flags); }; });
}

}  // namespace ridgeline
