// A trained network and a data set to precision plans that were really run and really timed: the network with its batch
// norms folded and the space of its plans are written as files, and searched like any other space.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/report.hpp"
#include "experiments/study_config.hpp"

namespace ridgeline {

struct QuantizeConfig {
  std::string model, data;                                   // a checkpoint or ONNX file; a data set
  std::string folder;                                        // of what is written; made where it is not there
  std::string name;                                          // of the study
  std::vector<std::string> formats{"f32", "bf16", "int8"};   // the choices of every operator; the first is the baseline
  int threads = 1;                                           // that latency is for
  std::int64_t trials = 200;
  std::optional<double> wall_s;
  std::uint64_t seed = 1;
};

// Writes FOLDER/model.onnx (f32) and FOLDER/plans.json where they are not there yet, and returns the study that searches
// them: accuracy on validation images against latency here, beginning with the uniform plans. Throws ConfigError.
StudyConfig quantize_study(const QuantizeConfig& config, const Resources& resources, const std::string& version);

struct PlanResult {
  std::int64_t trial = 0;
  Genome genome;
  double accuracy = 0, latency_s = 0;  // in percent; of the latest timing
  std::int64_t weight_bytes = 0;
};

struct QuantizeGoal {
  double max_drop = 1.0;                     // points of accuracy below the baseline
  std::optional<double> min_speedup;         // over the baseline
  std::optional<std::int64_t> max_weight_bytes;
};

struct QuantizeResult {
  // One a format, in their order; empty where the plan could not be run or timed here.
  std::vector<std::optional<PlanResult>> uniform;
  std::vector<PlanResult> front;  // fastest first
  std::optional<std::size_t> chosen;  // of the front: the fastest that keeps the goal, else the nearest to it
  bool goal_met = false;
};
// Of the study as it is stored. Throws ConfigError.
QuantizeResult quantize_result(const Store& store, const std::string& study, const QuantizeGoal& goal,
                               const Resources& resources);

// The plan as an ONNX model (QDQ), with ranges measured as in the search. Throws ConfigError: formats that no ONNX file
// holds.
std::string quantized_model(const QuantizeConfig& config, const Genome& genome, const Resources& resources,
                            const std::string& version);

}  // namespace ridgeline
