#include "experiments/quantization/quantize_folder.hpp"

#include <algorithm>
#include <fstream>

#include "experiments/whole_file.hpp"
#include "kernels/pinning.hpp"

namespace ridgeline {
namespace fs = std::filesystem;

QuantizeFolder::QuantizeFolder(const std::string& path, const std::string& flag)
    : folder(path),
      model(folder / "model.onnx"),
      space(folder / "plans.json"),
      layers(folder / "layers.json"),
      quantized(folder / "quantized.onnx"),
      plan(folder / "quantized_plan.json") {
  std::error_code error;
  if (!fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error))) return;
  std::ifstream file(space, std::ios::binary);
  const Json made = Json::parse(file, nullptr, false);
  if (made.is_object() && made.contains("ridgeline_space") && made.value("model", "") == model.filename()) return;
  throw ConfigError(Problem{flag, "", "a new folder, an empty one, or one that this command made", "'" + path + "'",
                            "choose another name"});
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

PostTrainingOptions write_plan_space(const QuantizeFolder& folder, TrainedModel model, const Dataset& data,
                                     const std::vector<std::string>& formats, const PostTrainingOptions& options,
                                     const std::string& version, const PostTraining::Progress& progress) {
  PostTrainingOptions whole = options, left = options;
  std::erase_if(whole.passes, [](QuantizationPass pass) { return !keeps_function(pass); });
  std::erase_if(left.passes, [](QuantizationPass pass) { return keeps_function(pass); });
  if (!left.passes.empty()) left.passes.insert(left.passes.begin(), QuantizationPass::fold);
  if (whole.passes.empty()) whole.passes = {QuantizationPass::fold};
  whole.calibration = CalibrationMethod::minmax;
  const PostTraining transformed(model, data.train, whole, allowed_processors(), progress);
  std::error_code error;
  fs::create_directories(folder.folder, error);
  write_whole_file(folder.model.string(), onnx_model(transformed.design(), onnx_options_of(model, version)), "--out");
  const Json space{{"ridgeline_space", 1},
                   {"name", model.name + "_plans"},
                   {"model", folder.model.filename().string()},
                   {"formats", formats}};
  write_whole_file(folder.space.string(), space.dump(2) + "\n", "--out");
  return left;
}

}  // namespace ridgeline
