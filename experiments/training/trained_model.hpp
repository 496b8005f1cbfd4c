// A trained network out of a file: a checkpoint that `train` wrote, or an ONNX model of any origin.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/training/checkpoint.hpp"
#include "spaces/onnx/export.hpp"

namespace ridgeline {

struct TrainedModel {
  std::string name;                      // of its space, or its graph
  Design design;                         // of one sample; of a checkpoint in f32
  std::vector<std::string> class_names;  // empty: not known
  Normalisation normalisation;           // of its input; empty: as the data set says
  // Of a checkpoint that was trained through number formats: the same network in them, over the ranges it has learned.
  std::optional<Design> in_formats{};
  std::string formats{};  // their text
};

// `name_or_path`: of a checkpoint, or the path of an .onnx file. Throws ConfigError: as load_model and import_onnx.
TrainedModel load_trained_model(const std::string& name_or_path, const Resources& resources);
TrainedModel trained_model(LoadedModel loaded);
bool is_model_file(const std::string& path);  // an .onnx file, or a checkpoint

// How its file says what it is and how it is used; for any batch.
OnnxOptions onnx_options_of(const TrainedModel& model, const std::string& producer_version);

// What the model does not say of its input and its classes, said by the data set it is to be used on. Throws
// ConfigError where the two do not fit: classes, channels.
void adapt(TrainedModel& model, const Dataset& data);

}  // namespace ridgeline
