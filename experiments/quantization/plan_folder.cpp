#include "experiments/quantization/plan_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "experiments/whole_file.hpp"
#include "kernels/pinning.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace fs = std::filesystem;
namespace {

constexpr const char* draft_name = "draft";

[[noreturn]] void refuse(const std::string& flag, const std::string& expected, const std::string& found,
                         const std::string& remedy) {
  throw ConfigError(Problem{flag, "", expected, found, remedy});
}

// Files beside those of the folder, until it is known that they may take their place.
struct Draft {
  explicit Draft(const PlanFolder& of)
      : folder(of.folder / draft_name), model(folder / of.model.filename()), space(folder / of.space.filename()) {
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

  // The space first: it tells whose folder this is, wherever a run is stopped.
  void publish(const PlanFolder& to_folder) const {
    for (const auto& [from, to] : {std::pair{space, to_folder.space}, {model, to_folder.model}}) {
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
  if (path.empty()) refuse("--out", "the path of a folder", "nothing", "");
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  const auto is_draft = [](const fs::directory_entry& entry) { return entry.path().filename() == draft_name; };
  if (fs::is_directory(folder, error) && std::ranges::all_of(fs::directory_iterator(folder, error), is_draft)) return;
  std::ifstream file(space, std::ios::binary);
  const Json made = Json::parse(file, nullptr, false);
  if (made.is_object() && made.contains("ridgeline_space") && made.value("model", "") == model.filename()) return;
  const bool damaged = fs::exists(space, error) && !made.is_object();
  refuse("--out", "a new folder, an empty one, or one that this command made",
         damaged ? fmt::format("'{}', whose {} is damaged", path, space_name) : fmt::format("'{}'", path),
         damaged ? "delete the folder, or choose another name" : "choose another name");
}

QuantizeFolder::QuantizeFolder(const std::string& path)
    : PlanFolder(path, "plans.json"),
      layers(folder / "layers.json"),
      quantized(folder / "quantized.onnx"),
      plan(folder / "quantized_plan.json") {}

// The lock is the system's, on the folder itself: it ends with the process, however that ends.
FolderLock::FolderLock(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder)) {
    refuse("--out", "a folder that can be made", fmt::format("'{}'", folder.string()),
           error ? error.message() : "choose another name");
  }
  descriptor_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0 || flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  close(descriptor_);
  refuse("--out", "a folder that no other process works in",
         fmt::format("'{}', in use by another ridgeline", folder.string()),
         "wait until it has ended, or choose another folder");
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

PostTrainingOptions passes_of_plans(const PostTrainingOptions& options) {
  PostTrainingOptions left = options;
  std::erase_if(left.passes, [](QuantizationPass pass) { return keeps_function(pass); });
  if (!left.passes.empty()) left.passes.insert(left.passes.begin(), QuantizationPass::fold);
  return left;
}

void write_plan_space(const PlanFolder& folder, const TrainedModel& model, const Dataset& data,
                      const PlanSpaceRequest& request) {
  PostTrainingOptions whole = request.post_training;
  std::erase_if(whole.passes, [](QuantizationPass pass) { return !keeps_function(pass); });
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
}

}  // namespace ridgeline
