#include "experiments/quantization/plan_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "experiments/whole_file.hpp"
#include "kernels/pinning.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse(const std::string& flag, const std::string& expected, const std::string& found,
                         const std::string& remedy) {
  throw ConfigError(Problem{flag, "", expected, found, remedy});
}

// Files beside those of the folder, until it is known that they may take their place.
struct Draft {
  explicit Draft(const PlanFolder& of)
      : folder(of.folder / "draft"), model(folder / of.model.filename()), space(folder / of.space.filename()) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
      refuse("--out", "a folder that can be made and written",
             fmt::format("'{}': {}", of.folder.string(), error.message()), "choose another name");
    }
  }
  ~Draft() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void publish(const PlanFolder& to_folder) const {
    for (const auto& [from, to] : {std::pair{model, to_folder.model}, {space, to_folder.space}}) {
      std::error_code error;
      fs::rename(from, to, error);
      if (error)
        refuse("--out", "a file that can be written", fmt::format("'{}': {}", to.string(), error.message()),
               "choose another folder");
    }
  }

  const fs::path folder, model, space;
};

// Of the draft's network. The space has the name of the folder's file.
Json space_of(const Draft& draft, const PlanSpaceRequest& request) {
  Json space{{"ridgeline_space", 1},
             {"name", request.name},
             {"model", draft.model.filename().string()},
             {"formats", request.formats}};
  if (!request.rules) return space;
  std::vector<std::string> operators;
  const SearchSpace every = SearchSpace::parse(JsonDocument::from_value(space, draft.space.string()));
  for (const Dimension& dimension : every.dims()) operators.push_back(dimension.name);
  request.rules(space, std::move(operators));
  return space;
}

}  // namespace

PlanFolder::PlanFolder(const std::string& path, const std::string& space_name)
    : folder(path), model(folder / "model.onnx"), space(folder / space_name) {
  std::error_code error;
  if (!fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error))) return;
  std::ifstream file(space, std::ios::binary);
  const Json made = Json::parse(file, nullptr, false);
  if (made.is_object() && made.contains("ridgeline_space") && made.value("model", "") == model.filename()) return;
  refuse("--out", "a new folder, an empty one, or one that this command made", "'" + path + "'", "choose another name");
}

QuantizeFolder::QuantizeFolder(const std::string& path)
    : PlanFolder(path, "plans.json"),
      layers(folder / "layers.json"),
      quantized(folder / "quantized.onnx"),
      plan(folder / "quantized_plan.json") {}

OnnxOptions onnx_options_of(const TrainedModel& model, const std::string& producer_version) {
  OnnxOptions options;
  options.graph_name = model.name;
  options.producer_version = producer_version;
  options.class_names = model.class_names;
  options.mean = model.normalisation.mean;
  options.stddev = model.normalisation.stddev;
  return options;
}

PostTrainingOptions write_plan_space(const PlanFolder& folder, const TrainedModel& model, const Dataset& data,
                                     const PlanSpaceRequest& request) {
  PostTrainingOptions whole = request.post_training, left = request.post_training;
  std::erase_if(whole.passes, [](QuantizationPass pass) { return !keeps_function(pass); });
  std::erase_if(left.passes, [](QuantizationPass pass) { return keeps_function(pass); });
  if (!left.passes.empty()) left.passes.insert(left.passes.begin(), QuantizationPass::fold);
  if (whole.passes.empty()) whole.passes = {QuantizationPass::fold};
  whole.calibration = CalibrationMethod::minmax;
  const PostTraining transformed(model, data.train, whole, allowed_processors(), request.progress);
  const Draft draft(folder);
  write_whole_file(draft.model.string(), onnx_model(transformed.design(), onnx_options_of(model, request.version)),
                   "--out");
  write_whole_file(draft.space.string(), space_of(draft, request).dump(2) + "\n", "--out");
  const std::uint64_t fingerprint = SearchSpace::load(draft.space.string()).fingerprint();
  const std::optional<StudyRecord> stored = request.store.find(request.study);
  if (stored && stored->space_fingerprint != fingerprint) {
    throw StoreError(fmt::format(
        "{}: study '{}' was begun with another network, other formats or other passes, by: {}; give the new "
        "one another name, or delete the study with 'ridgeline runs delete {}'",
        request.store.path(), request.study, stored->command, request.study));
  }
  draft.publish(folder);
  return left;
}

}  // namespace ridgeline
