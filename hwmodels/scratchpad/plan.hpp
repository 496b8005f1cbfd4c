// A schedule of a scratchpad problem, and what it moves. evaluate_plan() runs it byte for byte by the rules of
// problem.hpp and shares nothing with the solvers: it is what every plan is judged by.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/scratchpad/problem.hpp"

namespace ridgeline {

struct ScratchEviction {
  std::size_t tensor = 0;
  bool written = false;  // back to off-chip memory, which has no copy yet
};
struct ScratchLoad {
  std::size_t tensor = 0;
  std::int64_t offset = 0;
};

// One operator, what is evicted and then loaded before it, and where its output and weights lie.
struct ScratchStep {
  std::size_t op = 0;
  std::vector<ScratchEviction> evictions;
  std::vector<ScratchLoad> loads;
  std::optional<std::int64_t> output_offset;   // nothing: streamed
  std::optional<std::int64_t> weights_offset;  // nothing: none, or streamed
};

struct ScratchpadPlan {
  std::vector<ScratchStep> steps;
  std::vector<std::size_t> order() const;
};

struct ScratchpadTraffic {
  std::int64_t compulsory_bytes = 0;
  std::int64_t spill_bytes = 0;   // written back when evicted
  std::int64_t reload_bytes = 0;  // loaded again, or what was written back
  std::int64_t stream_bytes = 0;  // of operands that do not fit, beyond the compulsory
  std::int64_t peak_bytes = 0;    // the highest end of anything in the scratchpad

  std::int64_t beyond_bytes() const { return spill_bytes + reload_bytes + stream_bytes; }
  std::int64_t total_bytes() const { return compulsory_bytes + beyond_bytes(); }
};

// Throws std::invalid_argument saying which step breaks which rule.
ScratchpadTraffic evaluate_plan(const ScratchpadProblem& problem, const ScratchpadPlan& plan);

}  // namespace ridgeline
