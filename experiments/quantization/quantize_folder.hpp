// The folder of a `quantize` run: the network that is searched, the space of its plans, what its layers cost, and the
// chosen plan. Every file is written whole or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "experiments/quantization/post_training.hpp"
#include "spaces/onnx/export.hpp"

namespace ridgeline {

struct QuantizeFolder {
  // Throws ConfigError at `flag` where the folder holds what this command did not make.
  QuantizeFolder(const std::string& path, const std::string& flag);

  std::filesystem::path folder, model, space, layers, quantized, plan;
};

OnnxOptions onnx_options_of(const TrainedModel& model, const std::string& producer_version);

// Writes the network after those passes of `options` that keep its function, and the space of its plans; makes the
// folder. Returns the passes that are left to do for a plan.
PostTrainingOptions write_plan_space(const QuantizeFolder& folder, TrainedModel model, const Dataset& data,
                                     const std::vector<std::string>& formats, const PostTrainingOptions& options,
                                     const std::string& version, const PostTraining::Progress& progress = {});

}  // namespace ridgeline
