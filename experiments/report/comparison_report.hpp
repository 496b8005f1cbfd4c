// Stored studies compared: their fronts, the table of comparison.hpp, and what a reader must know about them. Computed
// once for every form it is written in.
//
// A front's values are those of the timing at the end where there is one, else the search's own. What was infeasible in
// the search stays out; what was feasible stays in, even where the timing at the end is over its limit.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/report/comparison.hpp"
#include "experiments/report/report.hpp"

namespace ridgeline {

struct ComparedMember {
  FrontMember member;  // as the study's report has it
  Point values;        // one an optimised objective, natural, measured again where `again`
  bool again = false;
};

struct ComparedStudy {
  StudyRecord record;
  std::string variant;  // its row
  std::string run;      // the study that it is, or is a variant of; empty where studies without variants are compared
  std::string about;    // from its configuration
  Fidelity fidelity = Fidelity::analytic;
  double evaluations = 0;  // what its trials cost, in whole evaluations
  std::vector<ComparedMember> members;
  // Share of `searched_box` that the front dominates after so many trials, by the search's own values.
  std::vector<HypervolumeStep> history;
};

struct ComparisonReport {
  std::string database;
  std::vector<ReportObjective> objectives;  // the optimised ones, with one scale for all fronts
  std::vector<ComparedStudy> studies;
  FrontComparison table;       // of the studies, in their order
  ComparisonBox searched_box;  // as table.box, of the values that the searches went by
  bool grouped = false;        // rows are means over several runs
  bool measured_again = false;
  std::vector<std::string> notes;  // what keeps the comparison from being even, as sentences
};

// One study: it and its variants. Several: those studies; where each of them has variants, every variant is a row over
// all of them. `baseline`: a row's name, or a study's; empty: the last row. Throws ConfigError for an unknown or
// doubled study, one that has no variants and stands alone, other objectives, and an unknown baseline; StoreError.
ComparisonReport comparison_report_of(const Store& store, std::span<const std::string> studies,
                                      const Resources& resources, const std::string& baseline = "");

}  // namespace ridgeline
