// The folder of a search of precision plans: the network that is searched, the space of its plans, and what a
// `quantize` run adds to them. Every file is written whole or not at all.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/quantization/post_training.hpp"
#include "experiments/store/store.hpp"

namespace ridgeline {

struct PlanFolder {
  // Throws ConfigError at --out where the path is empty or the folder holds what was not made for a space of this file
  // name.
  PlanFolder(const std::string& path, const std::string& space_name);

  std::filesystem::path folder, model, space;
};

struct QuantizeFolder : PlanFolder {
  explicit QuantizeFolder(const std::string& path);

  std::filesystem::path layers, quantized, plan;
};

// Keeps other processes from working in a folder, which it makes, as long as it lives. Throws ConfigError at --out
// where there is another, or where no folder can be made.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_ = -1;  // less than 0 where the file system has no such locks
};

// The passes that are left to do for a plan, after those that keep the network's function.
PostTrainingOptions passes_of_plans(const PostTrainingOptions& options);

struct PlanSpaceRequest {
  const Store& store;
  std::string study;                 // that will search the space
  std::string name;                  // of the space
  std::vector<std::string> formats;  // choices of every operator
  PostTrainingOptions post_training;
  std::string version;                // of the program
  PostTraining::Progress progress{};  // of the calibration
  // What the space says beside its formats, "ties" and "fixed"; empty: nothing.
  std::function<void(Json& space, std::vector<std::string> operators)> rules{};
};

// Writes the network after those passes that keep its function, batch norms folded, and the space of its plans; makes
// the folder. Throws ConfigError, and leaves the folder as it was:
// it cannot be written; the study is stored and of another network or space, which it could not go on without.
void write_plan_space(const PlanFolder& folder, const TrainedModel& model, const Dataset& data,
                      const PlanSpaceRequest& request);

}  // namespace ridgeline
