// What every layer of a trained network costs in every format on this machine, conversions at boundaries included,
// measured inside whole networks (OHQ, Huang et al., 2024, measures each bit option of each layer on the chip).
//
// Whole plans are timed, not layers alone: a layer finds its input where the layer before it left it. The plans are the
// uniform ones, alternating ones, and as many others as it takes until every part of a plan (plan_parts.hpp) that
// occurs was timed at least once. They take turns beside a speed reference, each as a whole and step by step; a part
// costs the median over the plans that have it. Reading the clock between steps costs time too, and a whole pays for
// what no step has: one factor brings sums to wholes.
//
// LayerCosts is a plain value. PlanLatency is immutable; its const functions are pure and thread-safe.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/quantization/plan_parts.hpp"
#include "experiments/store/store.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

struct PartCost {
  PlanPart part;
  double seconds = 0.0;    // a sum of steps, before the factor; 0 where nothing has to be done
  double mad_s = 0.0;      // over the plans
  std::int64_t plans = 0;  // that it was seen in
  std::string signature;   // of the step that computes (StepInfo::signature); empty where there is no step
};

// A format that an operator cannot have on this machine.
struct LeftOut {
  std::size_t dimension = 0, choice = 0;
  std::string why;
};

// A plan in one format as far as operators have it, as it was timed.
struct UniformTiming {
  std::size_t choice = 0;
  double whole_s = 0.0;  // median of whole inferences
  double steps_s = 0.0;  // sum of the medians of its steps
};

struct LayerCosts {
  int threads = 1;
  std::uint64_t network_hash = 0;         // structural
  std::string environment;                // Environment::fingerprint() of the timings
  std::vector<std::string> names, words;  // as PlanSpace has them
  std::vector<std::string> tensor_words;  // PlanParts::tensor_formats()
  std::vector<LeftOut> left_out;          // by dimension, then choice
  double factor = 1.0;                    // wholes over sums of parts: the median of the timed plans
  std::vector<UniformTiming> uniform;     // one a choice that some operator can have, ascending
  std::vector<PartCost> parts;            // by part, each once
};

// What a plan took: its executable's steps, the median of each, and the median of whole inferences.
struct PlanTiming {
  std::vector<StepInfo> steps;
  std::vector<double> step_s;
  double whole_s = 0.0;
};

struct LayerCostOptions {
  int threads = 1;
  double seconds = 5.0;    // of timing; every plan has two turns in any case
  std::size_t plans = 40;  // timed at most, beside the uniform ones
  std::uint64_t seed = 1;
  std::function<void(double share)> progress{};  // of the timing that is done, 0 to 1
  // What times a plan, for tests; throws Unsupported. Empty: timed here.
  std::function<PlanTiming(const Design&)> timer{};
};

// Throws ConfigError where the space is wrong (check()), where no choice runs here, or where the timings make no
// numbers (a whole that took no time).
LayerCosts measure_layer_costs(const PlanSpace& space, const LayerCostOptions& options);

Json to_json(const LayerCosts& costs);
// Throws ConfigError with every problem: another version, unknown keys, numbers that are not finite or below 0, parts
// of unknown formats or choices, a part twice.
LayerCosts read_layer_costs(JsonDocument document);

// Where a plan's time goes. The sum is the prediction.
struct LatencyParts {
  std::vector<double> operators_s;  // one a dimension
  double conversions_s = 0.0;       // at boundaries and of the input
  double other_s = 0.0;             // steps that belong to no operator with formats
  double total_s() const;
};

class PlanLatency {
 public:
  // Throws ConfigError when the costs are of another network, other operators or other formats.
  PlanLatency(const PlanSpace& space, LayerCosts costs);

  const PlanSpace& space() const { return parts_.space(); }
  const PlanParts& parts() const { return parts_; }
  const LayerCosts& costs() const { return costs_; }
  // The choices that a dimension can have here, ascending; never empty.
  const std::vector<std::uint16_t>& choices(std::size_t dimension) const { return choices_[dimension]; }
  // The sum of the layers' costs, boundaries included, in seconds. A part that was not timed is estimated from its
  // like: the same operator with another result, or what such a conversion costs an element. Throws
  // std::invalid_argument for a plan with a choice that was left out.
  double predict(std::span<const std::uint16_t> genes) const { return break_down(genes).total_s(); }
  LatencyParts break_down(std::span<const std::uint16_t> genes) const;

 private:
  double cost_of(const PlanPart& part) const;
  void learn_likes();

  LayerCosts costs_;
  PlanParts parts_;
  std::vector<std::vector<std::uint16_t>> choices_;
  std::map<PlanPart, double> seconds_;    // factor included, as in the others
  std::map<PlanPart, double> elsewhere_;  // a part without its context
  std::map<PlanPart, double> likes_;      // also without its result and where it goes
  std::map<std::tuple<PlanPart::Kind, std::uint8_t, std::uint8_t>, double> element_s_;  // store, fetch: an element
};

// Rows to be printed: every operator in every format it can have, in the plan that is uniform in that format.
struct LayerCostRow {
  std::string layer, format;
  double latency_s = 0.0, mad_s = 0.0;
  std::int64_t plans = 0;
  std::string signature{};
};
std::vector<LayerCostRow> layer_cost_rows(const PlanLatency& latency);
// Conversions that take time, by tensor ("relu_4") and formats ("f32 > int8"), wherever they were seen.
std::vector<LayerCostRow> conversion_rows(const PlanLatency& latency);
Json to_json(std::span<const LayerCostRow> rows);  // layer, format, microseconds, mad_us, plans
// The same for Store::put_layers, one row for all operators that run the same code (medians).
std::vector<LayerLatency> layer_latencies(const PlanLatency& latency);

}  // namespace ridgeline
