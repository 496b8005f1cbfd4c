#include "experiments/quantization/quantize_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "kernels/pinning.hpp"

namespace ridgeline {
namespace fs = std::filesystem;

void write_whole(const fs::path& path, const std::string& text) {
  const fs::path fresh = path.string() + ".new";
  errno = 0;
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  std::error_code error;
  if (!file) error.assign(errno != 0 ? errno : EIO, std::generic_category());
  if (!error) fs::rename(fresh, path, error);
  if (!error) return;
  std::error_code ignored;
  fs::remove(fresh, ignored);
  throw ConfigError(Problem{path.string(), "", "a file that can be written", error.message(),
                            "make room, change its rights, or choose another folder"});
}

// The lock is the system's, on the folder itself: it ends with the process, however that ends.
FolderLock::FolderLock(const fs::path& folder, const std::string& flag) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder)) {
    throw ConfigError(Problem{flag, "", "a folder that can be made", "'" + folder.string() + "'",
                              error ? error.message() : "choose another name"});
  }
  descriptor_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0 || flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  close(descriptor_);
  throw ConfigError(Problem{flag, "", "a folder that no other process works in",
                            "'" + folder.string() + "' in use by another ridgeline quantize",
                            "wait until it has ended, or choose another folder"});
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

QuantizeFolder::QuantizeFolder(const std::string& path, const std::string& flag)
    : folder(path),
      model(folder / "model.onnx"),
      space(folder / "plans.json"),
      layers(folder / "layers.json"),
      quantized(folder / "quantized.onnx"),
      plan(folder / "quantized_plan.json") {
  if (path.empty()) throw ConfigError(Problem{flag, "", "the path of a folder", "nothing", ""});
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  const std::string unfinished = space.filename().string() + ".new";  // what is written first
  const auto left = [&](const fs::directory_entry& entry) { return entry.path().filename() == unfinished; };
  if (fs::is_directory(folder, error) && std::ranges::all_of(fs::directory_iterator(folder, error), left)) return;
  std::ifstream file(space, std::ios::binary);
  const Json made = Json::parse(file, nullptr, false);
  if (made.is_object() && made.contains("ridgeline_space") && made.value("model", "") == model.filename()) return;
  const bool damaged = fs::exists(space, error) && !made.is_object();
  throw ConfigError(Problem{flag, "", "a new folder, an empty one, or one that this command made",
                            "'" + path + "'" + (damaged ? ", whose plans.json is damaged" : ""),
                            damaged ? "delete the folder, or choose another name" : "choose another name"});
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

PostTrainingOptions passes_of_plans(const PostTrainingOptions& options) {
  PostTrainingOptions left = options;
  std::erase_if(left.passes, [](QuantizationPass pass) { return keeps_function(pass); });
  if (!left.passes.empty()) left.passes.insert(left.passes.begin(), QuantizationPass::fold);
  return left;
}

void write_plan_space(const QuantizeFolder& folder, TrainedModel model, const Dataset& data,
                      const std::vector<std::string>& formats, const PostTrainingOptions& options,
                      const std::string& version) {
  PostTrainingOptions whole = options;
  std::erase_if(whole.passes, [](QuantizationPass pass) { return !keeps_function(pass); });
  if (whole.passes.empty()) whole.passes = {QuantizationPass::fold};
  whole.calibration = CalibrationMethod::minmax;
  const PostTraining transformed(model, data.train, whole, allowed_processors());
  const std::string bytes = onnx_model(transformed.design(), onnx_options_of(model, version));
  const Json space{{"ridgeline_space", 1},
                   {"name", model.name + "_plans"},
                   {"model", folder.model.filename().string()},
                   {"formats", formats}};
  write_whole(folder.space, space.dump(2) + "\n");
  write_whole(folder.model, bytes);
}

}  // namespace ridgeline
