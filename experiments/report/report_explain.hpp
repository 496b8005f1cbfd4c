// One trial shown again: its genome, its operators, what bounds each on every device the study names, every estimate
// beside the measurement, and the commands that reproduce it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/report.hpp"
#include "hwmodels/hardware_model.hpp"

namespace ridgeline {

// What a device's model says about a design.
struct DeviceEstimate {
  std::string device;   // as named
  std::string problem;  // why there is no estimate; empty where there is one
  Cost cost;
};

struct ExplainedObjective {
  ReportObjective objective;
  std::optional<double> value;     // natural; of the trial
  std::optional<double> estimate;  // what the objective's screen said before the timing
  std::string estimate_by;
};

struct TrialExplanation {
  StudyRecord record;
  Trial trial;
  std::vector<ExplainedObjective> objectives;
  Json genome;                                               // {"dimension": choice}, or gene indices without a space
  std::vector<std::pair<std::string, std::string>> choices;  // repeats joined
  std::string space_problem;                                 // why there is no design, where there is none
  std::optional<Design> design;
  std::int64_t macs = 0, parameters = 0, weight_bytes = 0, peak_activation_bytes = 0;  // of the design
  std::vector<DeviceEstimate> estimates;
  std::vector<MeasurementRecord> measurements;  // of this trial
  std::vector<std::string> commands;            // that show or time it again
};

// `devices`: asked beside those the study names. Throws ConfigError for an unknown study or trial, StoreError.
TrialExplanation explain_trial(const Store& store, const std::string& study, std::int64_t trial,
                               const Resources& resources, const std::vector<std::string>& devices = {});
Json explanation_json(const TrialExplanation& explanation);

// The record of a study; ConfigError listing the known names where there is none.
StudyRecord find_study(const Store& store, const std::string& name);

// `trial`, or of the front of highest fidelity the one with the best first objective. ConfigError: there is no front.
std::int64_t chosen_trial(const Store& store, const std::string& study, std::optional<std::int64_t> trial);

}  // namespace ridgeline
