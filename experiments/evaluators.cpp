#include "experiments/evaluators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace ridgeline {
namespace {

constexpr std::size_t most_rungs = 20;

}  // namespace

std::span<const EvaluatorEntry> evaluators() {
  static const std::array<EvaluatorEntry, 11> entries = {{
      {"table", "a column of a published table", make_table_evaluator},
      {"cost", "a hardware model's estimate: latency_s, energy_j, peak_bytes, weight_bytes", make_cost_evaluator},
      {"measured", "whole-network latency timed on this machine", make_measured_evaluator},
      {"count", "parameters, macs, weight_bytes or peak_bytes of the network", make_count_evaluator},
      {"proxy", "a training-free score: DeepMAD's entropy or effectiveness", make_proxy_evaluator},
      {"supernet", "accuracy or nll on validation images with weights inherited from a trained supernet",
       make_supernet_evaluator},
      {"quantized", "accuracy or nll on validation images of a trained network in the plan's formats",
       make_quantized_evaluator},
      {"additive", "a sum over layers, by tables of layers and their choices", make_additive_evaluator},
      {"function", "an output of an analytic test function of the genes", make_function_evaluator},
      {"surrogate", "a published table of a part of a space, made whole by a predictor", make_surrogate_evaluator},
      {"predictor", "what was learnt from the trials of a study of the same space", make_predictor_evaluator},
  }};
  return entries;
}

std::vector<double> read_work(JsonReader& options, const std::string& key, const WorkRange& range) {
  if (!options.has(key) || !options.value()[key].is_array()) {
    if (!range.whole_numbers) {
      return {options.number(key, {.fallback = range.fallback, .least = range.least, .most = range.most})};
    }
    return {static_cast<double>(options.integer(key, {.fallback = static_cast<std::int64_t>(range.fallback),
                                                      .least = static_cast<std::int64_t>(range.least),
                                                      .most = static_cast<std::int64_t>(range.most)}))};
  }
  const std::vector<double> amounts = options.numbers(key);
  bool good = amounts.size() >= 2 && amounts.size() == options.value()[key].size() && amounts.size() <= most_rungs;
  for (std::size_t k = 0; good && k < amounts.size(); ++k) {
    good = amounts[k] >= range.least && amounts[k] <= range.most && (k == 0 || amounts[k] < amounts[k - 1]) &&
           (!range.whole_numbers || amounts[k] == std::floor(amounts[k]));
  }
  if (good) return amounts;
  options.note(key,
               fmt::format("one number, or 2 to {} for rungs, each less than the one before it{}, from {} to {}",
                           most_rungs, range.whole_numbers ? " and whole" : "", range.least, range.most),
               options.value()[key].dump());
  return {range.fallback};
}

std::unique_ptr<Evaluator> make_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  if (!options.value().is_object()) {
    options.note("", "an object such as {\"evaluator\": \"table\", ...}", describe(options.value()));
    return nullptr;
  }
  const std::string name = options.string("evaluator");
  const auto entry = std::ranges::find(evaluators(), name, &EvaluatorEntry::name);
  if (entry != evaluators().end()) return entry->make(std::move(options), setup);
  if (!name.empty()) {
    std::vector<std::string> known;
    for (const EvaluatorEntry& one : evaluators()) known.push_back(one.name);
    options.note("evaluator", "the name of an evaluator", "'" + name + "'", known_words(name, known));
  }
  return nullptr;
}

}  // namespace ridgeline
