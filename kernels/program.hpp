// A design as a list of oneDNN primitives over numbered buffers, before memory is given to them. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "kernels/executable.hpp"
#include "kernels/lower.hpp"
#include "kernels/onednn.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

// Memory of one or more tensors. Arena buffers live from the first step that touches them to the last; own buffers (the
// input, constants) live always and are never overwritten.
struct Buffer {
  bool in_arena = true;
  std::int64_t bytes = 0;
  NodeId node = 0;
  std::size_t first_step = 0, last_step = 0;
  bool touched = false;
};

struct Operand {
  int argument;  // DNNL_ARG_*
  MemoryDesc desc;
  bool is_weights;  // `index` is of Program::weights, else of Program::buffers
  std::size_t index;
};

// Work of the project's own, from the memory of a step's first operand to that of its second.
using StepJob = std::function<void(const std::byte* from, std::byte* to)>;

struct Step {
  std::shared_ptr<const CompiledPrimitive> compiled;  // null: the job
  StepJob job;
  std::vector<Operand> operands;
  StepInfo info;
};

// A node's output is in `buffer` once this many steps are done.
struct TensorMade {
  NodeId node;
  std::size_t buffer, steps_done;
  bool channels_last;
};

struct Program {
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<std::shared_ptr<const AlignedBytes>> weights;
  std::size_t input_buffer = 0;
  std::vector<std::size_t> output_buffers;  // plain f32, in the order of Network::outputs()
  std::vector<std::size_t> output_sizes;    // elements
  std::vector<TensorMade> tensors;          // in the order of making
};

// Throws Unsupported.
Program build_program(const Design& design, const ExecutableOptions& options, std::span<const Range> ranges);

// Kernels of conv2d and linear groups as a primitive wants them. Weights of designs without any are kept for the next
// design that has a layer like it.
class WeightPacker {
 public:
  struct Rule {  // of 8-bit kernels
    Format::Granularity granularity = Format::Granularity::channel;
    int steps = 127;
    std::span<const Range> ranges{};  // empty: the kernel's own
  };
  WeightPacker(const Design& design, std::uint64_t seed) : design_(design), seed_(seed) {}

  // The scales of the folded kernel in int8, one an output channel.
  const std::vector<float>& scales(const Group& group, const Rule& rule);

  struct Packed {
    std::shared_ptr<const AlignedBytes> kernel, bias;  // bias null where there is none
  };
  // `bias_unit`: one an output channel, what one unit of the accumulator is worth (int8), or empty for 1.
  Packed pack(const Group& group, const PrimitiveSpec& spec, const CompiledPrimitive& compiled, const Rule& rule,
              std::span<const float> bias_unit);

  // The folded kernels of this operator are rounded to its weights' format.
  void emulate(NodeId anchor) { emulated_.insert(anchor); }
  bool has_bias(const Group& group) const;
  NodeWeights weights_of(NodeId node) const;

 private:
  std::string layer_key(const Group& group, const Rule& rule) const;
  void round_kernel(NodeId anchor, std::vector<float>& kernel) const;
  std::shared_ptr<const FoldedWeights> folded(const Group& group);
  Packed pack_now(const Group& group, const PrimitiveSpec& spec, const CompiledPrimitive& compiled, const Rule& rule,
                  std::span<const float> bias_unit);

  const Design& design_;
  std::uint64_t seed_;
  std::set<NodeId> emulated_;
  NodeId folded_for_ = 0;
  std::shared_ptr<const FoldedWeights> folded_;
  std::shared_ptr<const QuantizedKernel> quantized_;
  NodeId quantized_for_ = 0;
  std::shared_ptr<const std::vector<float>> scales_;
  std::vector<std::pair<std::string, int>> uses_;  // how often this design has used a stored layer
};

}  // namespace ridgeline
