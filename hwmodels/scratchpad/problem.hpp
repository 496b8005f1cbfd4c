// A network on an accelerator whose scratchpad is too small for it: what is moved, what must lie where while an
// operator runs, and what a schedule therefore decides. The problem of COSMA (Li, Gupta, Malik, "Combined Scheduling,
// Memory Allocation and Tensor Replacement for Minimizing Off-Chip Data Accesses of DNN Accelerators", 2023,
// arXiv:2311.18246): operator order, offsets and replacement are decided together, and what is minimised are the bytes
// that cross the chip's border.
//
// Operators are executed layers (hwmodels/layers.hpp: norms, activations and additions fused); tensors are the
// activations between them. Steps are operators in the order in which they run, one at a time.
//
//  * While an operator runs, every tensor it reads, all its weights and its output lie in the scratchpad, each at one
//    offset, in one piece, overlapping nothing. Nothing is overwritten in place, and nothing is moved within it.
//  * Before a step tensors are evicted (written back first where no copy is off-chip and someone still needs them), and
//    what is missing is loaded. A tensor without readers left is dropped for nothing.
//  * An operator whose operands do not fit together streams: its weights first, then its largest activations until the
//    rest fits. A streamed operand passes between off-chip memory and the arithmetic without lying in the scratchpad
//    (its tiles' buffers are not counted), once for each operator that streams it.
//  * Compulsory bytes: weights, and inputs of the network that someone reads, once in; outputs of the network once out.
//    They are the same for every schedule. Everything else is beyond the compulsory: it is what solvers minimise.
//
// Weights have one reader, so that moving them costs the same always; what they cost is room.
//
// Values; functions are pure. Bytes throughout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

struct ScratchTensor {
  enum class Kind : std::uint8_t { input, intermediate, output };  // of the network
  static constexpr std::size_t no_producer = std::numeric_limits<std::size_t>::max();

  std::string name;
  NodeId node = 0;  // whose value it is
  std::int64_t bytes = 0;
  Kind kind = Kind::intermediate;
  std::size_t producer = no_producer;  // an operator; inputs have none
  std::vector<std::size_t> readers;    // operators, ascending, each once
};

struct ScratchOp {
  std::string name;
  NodeId node = 0;
  std::vector<std::size_t> reads;  // tensors, ascending, each once
  std::size_t writes = 0;
  std::int64_t weight_bytes = 0;
  // What does not lie in the scratchpad while it runs: set by set_capacity().
  bool streams_weights = false, streams_output = false;
  std::vector<std::size_t> streams;  // of `reads`, ascending

  bool streams_read(std::size_t tensor) const;
  std::int64_t resident_weights() const { return streams_weights ? 0 : weight_bytes; }
};

struct ScratchpadProblem {
  std::int64_t capacity_bytes = 0;
  std::vector<ScratchTensor> tensors;
  std::vector<ScratchOp> ops;  // in a topological order

  std::int64_t compulsory_bytes() const;
  // Of one operator's operands, weights included, streamed or not; and the largest of them all.
  std::int64_t working_set_bytes(const ScratchOp& op) const;
  std::int64_t largest_working_set_bytes() const;
  // The same of what must lie in the scratchpad.
  std::int64_t resident_bytes(const ScratchOp& op) const;
};

struct ScratchpadOptions {
  std::int64_t capacity_bytes = 0;
  bool stream_weights = false;  // all of them always: an accelerator with a buffer of its own for them
};

// Throws ConfigError: no capacity, a design without operators.
ScratchpadProblem scratchpad_problem(const Design& design, const ScratchpadOptions& options);
// Another scratchpad: decides anew what is streamed.
void set_capacity(ScratchpadProblem& problem, const ScratchpadOptions& options);
// The largest sum of bytes at a step when nothing is ever evicted: with so much and no gaps nothing is beyond the
// compulsory.
std::int64_t order_peak_bytes(const ScratchpadProblem& problem, const std::vector<std::size_t>& order);

}  // namespace ridgeline
