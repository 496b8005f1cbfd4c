// What turns a batch of candidates into objective values.
//
// An evaluator is made for one objective of one study from its "from" object: {"evaluator": "table", ...}. It fills
// natural values (not sign-flipped); the study flips, checks for finiteness, applies limits and sets the status.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "kernels/measure.hpp"
#include "search/trial.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct Candidate {
  std::int64_t trial_id;
  const Genome* genome;
  const Design* design;   // decoded once, shared by all evaluators
};

// One value of one candidate, or why there is none.
struct Score {
  double value = 0.0;                       // natural units
  Status status = Status::ok;               // ok, unsupported, unstable or failed
  std::string reason;
  std::optional<Measurement> measurement;   // to be stored, where the value was measured
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual Fidelity fidelity() const = 0;
  // True: candidates are given one at a time, alone on the machine, in shuffled order (timing).
  virtual bool exclusive() const { return false; }
  // scores.size() == candidates.size(). Must not throw for a candidate's own failure.
  virtual void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) = 0;
};

// What an evaluator may need to be made.
struct EvaluatorSetup {
  const SearchSpace* space;
  const Resources* resources;   // where tables and devices are found by name
  std::string objective;        // its name
  std::uint64_t seed = 0;
};

struct EvaluatorEntry {
  std::string name;
  std::string about;
  std::unique_ptr<Evaluator> (*make)(JsonReader options, const EvaluatorSetup& setup);  // notes problems in the reader
};
std::span<const EvaluatorEntry> evaluators();  // experiments/evaluators.cpp
std::unique_ptr<Evaluator> make_evaluator(JsonReader options, const EvaluatorSetup& setup);

}  // namespace ridgeline
