// What turns a batch of candidates into objective values.
//
// An evaluator is made for one objective of one study from its "from" (or "screen") object: {"evaluator": "table",
// ...}. It fills natural values (not sign-flipped); the study flips signs, refuses what is not finite, applies limits
// and sets the status.
//
// Rungs: an evaluator that is given several amounts of work, the whole one first and then less and less, can evaluate
// coarsely what "successive-halving" and "hyperband" ask for ("images" of supernet and quantized, "target_s" of
// measured, "rungs" of function). All that have rungs in a study have as many; the others are the same on every rung.
//
//   table     {"table": NAME, "column": VALUE}                     a published table, experiments/evaluators/table.hpp
//   cost      {"device": NAME, "quantity": "latency_s"}            a hardware model; latency_s, energy_j, peak_bytes,
//                                                                  weight_bytes, and what else it lists as its
//                                                                  resources: luts, dsps, brams; sram_bytes,
//                                                                  flash_bytes; utilisation, area_mm2, bits_per_value
//   measured  {"threads": 1, "cache": "hot", "target_s": 0.2, ...} timed here, kernels/measure.hpp; "reuse": true takes
//                                                                  a stored timing of the same function, protocol and
//                                                                  environment, and says so; rungs: [0.2, 0.05]
//   count     {"quantity": "macs", "rule": {"norm_macs": true}}    parameters, macs, weight_bytes, peak_bytes
//   proxy     {"quantity": "entropy"}                              entropy, effectiveness: spaces/proxies.hpp
//   supernet  {"checkpoint": NAME, "data": FOLDER}                 validation accuracy with inherited weights; also
//                                                                  "quantity": "nll", "images" (rungs: [900, 300,
//                                                                  100]), "recalibration_images"
//   quantized {"model": FILE, "data": FOLDER}                      validation accuracy of a trained network in a plan's
//                                                                  formats, for spaces with "model"; also "quantity":
//                                                                  top5, nll, agreement (of classes with the f32
//                                                                  network), divergence (from its probabilities);
//                                                                  "images", also rungs; how it is quantized:
//                                                                  quantization/passes.hpp
//   predictor {"file": FILE}                                       learnt from the trials of another study of the
//                                                                  space: learned_score.hpp
//   surrogate {"table": NAME, "column": VALUE, "predictor": "ridge"}  a table of a part of the space, made whole
//   function  {"function": "zdt1", "output": "f1"}                 an analytic function of the genes, with a known
//                                                                  front and made-up rungs: evaluator_function.hpp
//   additive  {"problem": NAME, "quantity": "latency_s"}           a sum over layers, by tables of layers and their
//                                                                  choices: "penalty" or a cost of an allocation
//                                                                  problem, evaluator_additive.cpp
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/worker_pool.hpp"
#include "kernels/measure.hpp"
#include "search/trial.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct Candidate {
  std::int64_t trial_id;
  const Genome* genome;
  const Design* design;             // decoded once, shared by all evaluators
  std::uint64_t function_hash = 0;  // 0 = not known: nothing computed for another candidate is used again
  int rung = 0;                     // of Evaluator::rung_costs; one without rungs pays no heed to it
};

// One value of one candidate, or why there is none.
struct Score {
  double value = 0.0;                      // natural units
  Status status = Status::ok;              // ok, unsupported, unstable or failed
  std::string reason;                      // without numbers of the candidate's own, so that reasons can be counted
  std::optional<Measurement> measurement;  // to be stored, where the value was measured
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual Fidelity fidelity() const = 0;
  // True: candidates are given one at a time, alone on the machine, in shuffled order (timing).
  virtual bool exclusive() const { return false; }
  // scores.size() == candidates.size(). Must not throw for a candidate's own failure.
  virtual void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) = 0;
  // Changes when the contents behind the options change (a table's rows, a device's numbers); part of the study's
  // identity, so that a search is not resumed on other numbers.
  virtual std::uint64_t fingerprint() const { return 0; }
  // Of its values, where that is fixed ("s"); empty: a number without unit, or not known.
  virtual std::string unit() const { return {}; }
  // What an evaluation on each of its rungs costs, in whole ones: 1, and where it has rungs less and less.
  virtual std::vector<double> rung_costs() const { return {1.0}; }
  // Exclusive evaluators: what a timing on a rung holds for, canonical JSON; and whether a stored one may stand for a
  // new one.
  virtual std::string protocol(int /*rung*/) const { return {}; }
  virtual bool may_reuse() const { return false; }
  // Exclusive evaluators: all of these timed anew, interleaved, to check a front; one result a candidate.
  virtual std::vector<Measurement> time_again(std::span<const Candidate>, const std::function<void()>& /*progress*/) {
    return {};
  }
};

using MeasureFunction = std::function<Measurement(const Design&, const MeasureOptions&)>;
class DeviceCosts;

// What an evaluator may need to be made.
struct EvaluatorSetup {
  const SearchSpace* space = nullptr;
  const Resources* resources = nullptr;  // where tables and devices are found by name
  std::string objective{};               // its name
  std::uint64_t seed = 0;
  WorkerPool* pool = nullptr;            // for batches; null: in the caller's thread
  MeasureFunction measure{};             // what times a design; empty: measure()
  std::shared_ptr<DeviceCosts> costs{};  // estimates shared by a study's evaluators; null: the evaluator's own
  // (device, quantity) of the costs that the study limits. Where these are all that a device has only so much of, a
  // candidate that does not fit has its values, and the limits judge it; elsewhere it is unsupported.
  std::vector<std::pair<std::string, std::string>> limited_costs{};
};

struct EvaluatorEntry {
  std::string name;
  std::string about;
  // Notes problems in the reader and may then return null; throws ConfigError for the files it names.
  std::unique_ptr<Evaluator> (*make)(JsonReader options, const EvaluatorSetup& setup);
};
std::span<const EvaluatorEntry> evaluators();  // experiments/evaluators.cpp
// An amount of work under `key`: a number, or several, the whole one first and then less and less, for rungs. Notes
// what is none, and returns the first of `fallback` then. Each from `least` to `most`.
struct WorkRange {
  double fallback, least, most;
  bool whole_numbers = false;
};
std::vector<double> read_work(JsonReader& options, const std::string& key, const WorkRange& range);
// Notes an unknown name (with the nearest known one) and returns null.
std::unique_ptr<Evaluator> make_evaluator(JsonReader options, const EvaluatorSetup& setup);

}  // namespace ridgeline
