// What a study would search, found without measuring anything: size of the space, range of every objective that can be
// had cheaply over a random sample, and how much of the sample keeps the limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/report.hpp"
#include "experiments/study/study_config.hpp"

namespace ridgeline {

struct PreviewObjective {
  ReportObjective objective;
  std::string by;                          // which evaluator was asked; empty: only a timing could tell, none was made
  std::size_t values = 0;                  // candidates with a value
  double least = 0, median = 0, most = 0;  // natural; meaningless without values
  double within_limit = 1;                 // share of the values
};

struct StudyPreview {
  std::string space;
  std::size_t dimensions = 0;
  double log10_size = 0;
  std::size_t draws = 0;      // raw combinations drawn
  double valid_share = 0;     // of them that keep the space's own constraints
  std::size_t sample = 0;     // valid candidates evaluated
  double feasible_share = 0;  // of them that keep every limit that could be checked
  std::vector<PreviewObjective> objectives;
  std::vector<std::pair<std::string, std::size_t>> reasons;  // why candidates of the sample had no value, most first
};

// Draws depend on config.seed only. Throws ConfigError as a study would.
StudyPreview preview_study(const StudyConfig& config, const Resources& resources, std::size_t sample = 500);
Json preview_json(const StudyPreview& preview);

// The share of raw combinations (every dimension drawn uniformly) that the space's constraints allow.
double valid_share(const SearchSpace& space, std::uint64_t seed, std::size_t draws);

}  // namespace ridgeline
