// A study's report for other programs and documents. Values are natural and SI; keys and column names are stable and
// carry their unit where the objective's name does.
#pragma once

#include <string>

#include "experiments/report/report.hpp"
#include "hwmodels/hardware_model.hpp"

namespace ridgeline {

// Every trial, one a line (RFC 4180): trial, status, fidelity, front, an objective a column, reason, a dimension a
// column (or "genes" without a space). A trial without values has empty cells.
std::string trials_csv(const StudyReport& report, const std::vector<Trial>& trials, const SearchSpace* space);
// The same with the trials and the space read again, because a report keeps neither.
std::string trials_csv_of(const Store& store, const StudyReport& report, const Resources& resources);
// trial, and for every objective its value, the median of the timing at the end (_again), and the latest 95 % interval.
std::string front_csv(const StudyReport& report);

std::string front_markdown(const StudyReport& report);
std::string report_markdown(const StudyReport& report);

Json front_json(const StudyReport& report);   // an array, one object a member
Json report_json(const StudyReport& report);  // everything but the trials that are not on the front
Json objective_json(const Objective& objective);
Json measurement_json(
    const Measurement& measurement);  // latency_s {median, ci_low, ci_high, mad}, samples_s, operators
Json cost_json(const Cost& cost, const Network& network);
Json prediction_error_json(const PredictionError& error);

}  // namespace ridgeline
