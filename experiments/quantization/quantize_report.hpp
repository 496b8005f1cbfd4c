// What a `quantize` run found, in words and rows: for the terminal, as JSON, and as the first sections of its HTML
// report.
#pragma once

#include <string>
#include <vector>

#include "experiments/quantization/quantize.hpp"
#include "experiments/report/report_text.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

struct QuantizeReport {
  const QuantizeConfig& config;
  const QuantizeResult& result;

  // Uniform plans, then the front; then what fewer bits would change in the chosen plan. What is executed nowhere here
  // says so.
  std::string text(const TextStyle& style) const;
  std::string missed(const QuantizeGoal& goal) const;  // what of a goal is not met, and the nearest that was reached
  Json json() const;                                   // SI units; stable keys
  std::string html() const;                            // sections for report_html()
};

// Why a layer keeps its bits, from what the plan was measured to be without them: "int8 would save 1.67 us and lose
// 0.35 points".
std::string kept_reason(const KeptLayer& layer, QualityMetric metric);

}  // namespace ridgeline
