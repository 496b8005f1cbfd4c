// A design compiled for this machine: oneDNN primitives in execution order, batch norms folded into weights,
// activations and residual additions fused as post-operations, images channels-last between operators, one arena for
// activations.
//
// f32, bf16 and int8 (u8/s8 activations with one scale a tensor, s8 weights with one scale an output channel or in all)
// are executed; every other format is emulated or `Unsupported`, as is bf16 on a CPU that has no instructions for it.
// An operator that computes in one format and is read in another is followed by a conversion. Not thread-safe: one
// thread calls run() at a time; oneDNN uses `threads` OpenMP threads for the duration of the constructor and of run().
// Compiled primitives are shared by all Executables of the process: the second network with a layer builds it in
// microseconds. A design without weights is given untrained_weights() (kernels/reference.hpp).
//
// Activations are quantized over Design::quantization. Without it, ranges are found by running the design in f32 once
// on a seeded random input; they are the same everywhere for a design without weights.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "spaces/design.hpp"

namespace ridgeline {

// This machine or library cannot run the design, with the operator and the reason. An answer, not an error.
class Unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What becomes of formats that have no primitive here: `none`: Unsupported; `missing`: their operators compute in f32
// on numbers rounded to what the format holds, wherever it would round them; `all`: bf16 and int8 are emulated too.
// What is emulated says how accurate a network is, not how fast.
enum class Emulation : std::uint8_t { none, missing, all };

struct ExecutableOptions {
  int threads = 1;
  Emulation emulation = Emulation::none;
  bool keep_op_times = false;  // time every step of run(); costs a clock reading a step
  bool fuse = true;            // false: every operator is a step of its own
  std::uint64_t seed = 1;      // of the weights a design without weights is given, and of the calibration input
};

// One executed step: an operator with everything fused into it, or a reorder.
struct StepInfo {
  NodeId node;                 // the operator that computes, or whose value a reorder converts
  std::vector<NodeId> fused;   // the operators folded into it (batch norms, activations, additions), ascending
  std::string kind;            // "conv2d", "linear", "reorder", ...
  std::string format;          // that it computes in: "f32", "bf16", "int8"
  std::string implementation;  // oneDNN's name: "brgconv:avx512_core_amx"
  std::string signature;  // everything that decides its time: kind, shape, stride, groups, format, post-operations,
                          // layouts; equal signatures run the same code on equal sizes
  std::int64_t macs;
};

// Where the arena keeps a tensor, and from which step to which (inclusive) its bytes are in use.
struct Placement {
  NodeId node;
  std::size_t first_step, last_step;
  std::int64_t offset, bytes;
};

// What one operator made of an input, in f32.
struct Activation {
  NodeId node;
  std::span<const float> values;  // elements(shape of the node): [N, C, H, W], or [N, H, W, C] where channels_last
  bool channels_last;
};
// Runs the design in f32 once and shows the output of every live node, in the order of making; `look` may not keep it.
void visit_activations(const Design& design, std::span<const float> input, int threads,
                       const std::function<void(const Activation&)>& look);
// The range of every node's output in one f32 run on `input`, one entry a node (0 for dead nodes).
std::vector<Range> activation_ranges(const Design& design, std::span<const float> input, int threads = 1);

class Executable {
 public:
  // Throws Unsupported.
  explicit Executable(const Design& design, const ExecutableOptions& options = {});
  Executable(Executable&&) noexcept;
  Executable& operator=(Executable&&) noexcept;
  ~Executable();

  std::span<float> input();  // plain f32 in the network's input shape, to be filled before run()
  // Plain f32 of one of the network's outputs, in the order they were marked; throws std::out_of_range.
  std::span<const float> output(std::size_t index = 0) const;
  void run();  // one inference
  std::span<const StepInfo> steps() const;
  std::span<const double> step_times_s() const;  // of the last run; empty unless keep_op_times
  std::int64_t arena_bytes() const;              // activations, placed from live ranges
  std::span<const Placement> placements() const;
  std::int64_t weight_bytes() const;  // as packed for the primitives

 private:
  friend void visit_activations(const Design&, std::span<const float>, int,
                                const std::function<void(const Activation&)>&);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
