// A trained network and a data set to precision plans that were really run and really timed: the network with its batch
// norms folded and the space of its plans are written as files, and searched like any other space.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/quantization/kept_layers.hpp"
#include "experiments/quantization/layer_costs.hpp"
#include "experiments/study/study.hpp"

namespace ridgeline {

struct QuantizeConfig {
  std::string model, data;                                  // a checkpoint or ONNX file; a data set
  std::string folder;                                       // of what is written; made where it is not there
  std::string name;                                         // of the study
  std::vector<std::string> formats{"f32", "bf16", "int8"};  // the choices of every operator; the first is the baseline
  QualityMetric metric = QualityMetric::accuracy;
  PostTrainingOptions post_training;
  std::string device;  // a described device that prices plans; empty: they are timed here
  int threads = 1;     // that latency here is for
  std::int64_t trials = 200;
  std::optional<double> wall_s;
  std::uint64_t seed = 1;
};

struct QuantizeGoal {
  double max_drop = 1.0;                // of the metric, in its unit and bad direction, from the first format's
  std::optional<double> min_speedup{};  // over the first format
  std::optional<std::int64_t> max_weight_bytes{};
};

struct PlanResult {
  std::int64_t trial = 0;
  Genome genome;
  double quality = 0;                       // natural units
  double latency_s = 0;                     // the median of the timing at the end, or of the search's, or the device's
  double ci_low_s = 0, ci_high_s = 0;       // of the timing at the end
  bool timed_again = false;                 // false: the machine was too busy at the end, or a device's
  std::optional<double> sum_of_layers_s{};  // what the layers' own costs add up to
  bool executed = true;                     // false: a format of it is emulated here
  std::int64_t weight_bytes = 0;
};

struct QuantizeResult {
  StudyResult::End end = StudyResult::End::budget;
  std::vector<std::string> operators;  // by gene
  // One a format, in their order; empty where the plan could not be run or timed here.
  std::vector<std::optional<PlanResult>> uniform;
  std::vector<PlanResult> front;           // fastest first; of the plans within the goal's weights, where there are any
  std::optional<std::size_t> chosen;       // of the front: the fastest that keeps the goal; else the best in quality
  bool goal_met = false;                   // no speedup is met where the first format's uniform plan has no latency
  std::optional<double> baseline_quality;  // of the first format's uniform plan, also where it has no latency
  std::vector<KeptLayer> kept;             // of the chosen plan
  std::string onnx, plan;  // files of the chosen plan; `onnx` is empty where no ONNX file holds its formats
  std::string allocated;   // why no plans were allocated, where none were
};

struct QuantizeHooks {
  StudyHooks study;
  std::function<PlanTiming(const Design&)> time_layers;  // what times a plan step by step; empty: this machine
  // Of what comes before and after the search.
  std::function<void(const std::string& phase, std::size_t done, std::size_t total)> phase;
};

// Throws ConfigError for flags, a folder, a model or a description of data that `quantize` refuses: before a database
// is made.
void check(const QuantizeConfig& config, const Resources& resources);

// Writes FOLDER/model.onnx (f32, batch norms folded, after the passes that keep the function) and FOLDER/plans.json;
// measures what each layer costs and loses in each format and allocates plans (FOLDER/layers.json, once); searches
// quality on validation images against latency, beginning with the uniform and the allocated plans; times front and
// uniform plans again, taking turns; writes FOLDER/quantized.onnx and FOLDER/quantized_plan.json for the chosen one.
// The plan file is there as soon as one plan has been evaluated, and always of the best so far. A study of that name in
// the store goes on, from the plans that it began with; before anything is measured or written over, StoreError where
// it was begun with something else. hooks.study.stop ends it in every phase: End::interrupted, with what there is by
// then. Throws ConfigError, StoreError.
QuantizeResult quantize(const QuantizeConfig& config, const QuantizeGoal& goal, const Resources& resources,
                        Store& store, const std::string& command, const QuantizeHooks& hooks);

}  // namespace ridgeline
