// What is searched for (objectives), and one tried candidate.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

enum class Direction : std::uint8_t { minimise, maximise };

// A quantity that a study minimises, maximises or only limits.
struct Objective {
  std::string name;  // "accuracy", "latency_s": SI, unit in the name
  std::string unit;  // "%", "s", "B"; "" for a pure number
  Direction direction = Direction::minimise;
  std::optional<double> limit;   // in natural units: an upper limit when minimised, a lower one when maximised
  bool constraint_only = false;  // limited, not optimised: takes no part in dominance
};

enum class Status : std::uint8_t { ok, infeasible, unsupported, unstable, failed };
enum class Fidelity : std::uint8_t { analytic, predicted, measured };
std::span<const std::string> status_names();
std::span<const std::string> fidelity_names();

// One evaluated candidate. `values` are minimised: a maximised objective's sign was flipped once, by the evaluator.
// A candidate that is evaluated on several rungs is a trial on each. Only those on rung 0, the whole evaluations, are
// results: fronts and archives take no other, and only searchers that ask on rungs are told of them.
struct Trial {
  std::int64_t id = 0;              // 0, 1, 2 ... in the order of asking
  Genome genome;                    // normalised
  std::uint64_t function_hash = 0;  // of what it decodes to
  Status status = Status::ok;
  Fidelity fidelity = Fidelity::analytic;
  int rung = 0;                // how much was saved on the evaluation: 0, nothing; 1, 2 ...: steps cheaper and coarser
  std::vector<double> values;  // one an objective, minimised; empty unless status is ok or infeasible
  double violation = 0.0;      // sum of relative excess over the limits; > 0 exactly when infeasible by a limit
  std::string reason;          // why the status is not ok

  bool has_values() const { return !values.empty(); }
};

inline double minimised(double natural, Direction direction) {
  return direction == Direction::minimise ? natural : -natural;
}
inline double natural(double minimised_value, Direction direction) { return minimised(minimised_value, direction); }

// By how much a natural value breaks the objective's limit, relative to the limit (to 1 where that is 0); 0 where it
// keeps it or there is none. Trial::violation is the sum over the objectives.
double limit_excess(const Objective& objective, double natural_value);

}  // namespace ridgeline
