#include "experiments/training/trained_model.hpp"

#include <filesystem>

#include "experiments/training/evaluate.hpp"
#include "kernels/training/executed_formats.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/onnx/import.hpp"

namespace ridgeline {

namespace {

bool is_onnx(const std::filesystem::path& path) { return path.extension() == ".onnx"; }

}  // namespace

bool is_model_file(const std::string& path) { return is_onnx(path) || is_checkpoint(path); }

TrainedModel trained_model(LoadedModel loaded) {
  const std::string formats = trained_formats(loaded.checkpoint);
  std::optional<Design> in_formats;
  if (!loaded.plan.operators.empty()) {
    in_formats = executed_in_formats(loaded.network, loaded.plan, loaded.weights, loaded.ranges);
  }
  Design design{std::move(loaded.network), {}, std::make_shared<const Weights>(std::move(loaded.weights))};
  return {std::filesystem::path(loaded.checkpoint.model.space).stem().string(),
          std::move(design),
          std::move(loaded.checkpoint.class_names),
          {std::move(loaded.checkpoint.mean), std::move(loaded.checkpoint.stddev)},
          std::move(in_formats),
          formats == by_genes ? "the formats of its genes" : formats};
}

TrainedModel load_trained_model(const std::string& name_or_path, const Resources& resources) {
  const std::filesystem::path path(name_or_path);
  if (!is_onnx(path)) {
    LoadedModel loaded = load_model(resources.checkpoint(name_or_path), resources);
    check_finite(loaded.network, loaded.weights, name_or_path);
    return trained_model(std::move(loaded));
  }
  ImportedModel imported = import_onnx(name_or_path);
  return {path.stem().string(),
          std::move(imported.design),
          std::move(imported.class_names),
          {std::move(imported.mean), std::move(imported.stddev)}};
}

OnnxOptions onnx_options_of(const TrainedModel& model, const std::string& producer_version) {
  OnnxOptions options;
  options.graph_name = model.name;
  options.producer_version = producer_version;
  options.class_names = model.class_names;
  options.mean = model.normalisation.mean;
  options.stddev = model.normalisation.stddev;
  return options;
}

void adapt(TrainedModel& model, const Dataset& data) {
  check_fit(model.design.network, data.train, data.class_names.size(), data.name);
  if (model.class_names.empty()) model.class_names = data.class_names;
  check_classes(model.class_names, data);
  if (model.normalisation.mean.empty()) model.normalisation = data.normalisation;
}

}  // namespace ridgeline
