// The folder of a `quantize` run: the network that is searched, the space of its plans, what its layers cost, and the
// chosen plan. Every file is written whole or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "experiments/quantization/post_training.hpp"
#include "spaces/onnx/export.hpp"

namespace ridgeline {

struct QuantizeFolder {
  // Throws ConfigError at `flag` where the path is empty or the folder holds what this command did not make.
  QuantizeFolder(const std::string& path, const std::string& flag);

  std::filesystem::path folder, model, space, layers, quantized, plan;
};

// Keeps other processes from working in a folder, which it makes, as long as it lives. Throws ConfigError at `flag`
// where there is another, or where no folder can be made.
class FolderLock {
 public:
  FolderLock(const std::filesystem::path& folder, const std::string& flag);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_ = -1;  // less than 0 where the file system has no such locks
};

// Throws ConfigError where the file cannot be written; then nothing is left of it.
void write_whole(const std::filesystem::path& path, const std::string& text);

OnnxOptions onnx_options_of(const TrainedModel& model, const std::string& producer_version);

// The passes of `options` that are left to do for a plan, after those that keep the network's function.
PostTrainingOptions passes_of_plans(const PostTrainingOptions& options);

// Writes the space of the network's plans and the network after those passes of `options` that keep its function.
void write_plan_space(const QuantizeFolder& folder, TrainedModel model, const Dataset& data,
                      const std::vector<std::string>& formats, const PostTrainingOptions& options,
                      const std::string& version);

}  // namespace ridgeline
