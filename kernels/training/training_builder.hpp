// Turns a network into the primitives of a forward and a backward pass over numbered buffers. Internal.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "kernels/onednn.hpp"
#include "kernels/training/parameters.hpp"
#include "kernels/training/range_rounding.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "kernels/training/training_graph.hpp"

namespace ridgeline {

struct TrainingBuffer {
  bool in_arena = true;
  std::int64_t bytes = 0;
  std::size_t first_call = 0, last_call = 0;
  bool touched = false;
};

// A tensor in memory.
struct TrainingTensor {
  MemoryDesc desc;
  std::size_t buffer = 0;
  std::int64_t offset = 0;  // bytes
};

// Work of the project's own on the memory of its tensors, in their order; `step` as TrainingGraph::forward has it.
using TrainingJob = std::function<void(std::span<std::byte* const> operands, std::uint64_t step)>;

struct TrainingCall {
  dnnl::primitive primitive;
  std::vector<std::pair<int, TrainingTensor>> arguments;  // DNNL_ARG_*; of a job only their order counts
  TrainingJob job{};                                      // instead of the primitive
};

struct TrainingProgram {
  std::vector<TrainingBuffer> buffers;
  std::vector<TrainingCall> calls;
  std::size_t backward_begins = 0;  // index into calls
  std::size_t scratch = 0, input = 0, output = 0, output_gradient = 0, parameters = 0, gradient = 0;  // buffers
  std::size_t input_size = 0, output_size = 0, parameter_count = 0;                                   // floats
  struct Statistics {
    NodeId node;
    std::size_t mean, variance;  // buffers
    std::size_t channels;
  };
  std::vector<Statistics> statistics;
};

// Every operator's function emits its forward calls at once and leaves its backward calls to a closure; the closures
// run in reverse order when the forward pass is complete.
class TrainingBuilder {
 public:
  TrainingBuilder(const Network& network, const TrainingOptions& options);
  TrainingProgram run();

 private:
  using Tensor = TrainingTensor;
  using Arguments = std::vector<std::pair<int, Tensor>>;

  // ---- tensors (training_builder.cpp)
  MemoryDesc image_or_plain(const Shape& shape) const;  // in the activations' type
  MemoryDesc plain(const Shape& shape) const;
  Tensor make(const MemoryDesc& desc, bool in_arena = true);
  Tensor converted(const Tensor& tensor, const MemoryDesc& wanted);  // the tensor itself where it is so already
  Tensor value_as(NodeId node, const MemoryDesc& wanted);
  Tensor plain_value(NodeId node) { return value_as(node, plain(network_.shape(node))); }
  Tensor parameter(NodeId node, ParameterBlock::Kind kind, const MemoryDesc& wanted);
  void set_gradient(NodeId node, ParameterBlock::Kind kind, const Tensor& gradient);
  Tensor block(NodeId node, ParameterBlock::Kind kind, const Shape& shape, std::size_t buffer) const;
  void accumulate(NodeId node, const Tensor& gradient);
  Tensor gradient_as(NodeId node, const MemoryDesc& wanted) { return converted(*gradients_[node], wanted); }
  void on_backward(NodeId node, std::function<void()> work);
  void emit(const dnnl::primitive& primitive, const MemoryDesc& scratchpad, Arguments arguments);
  template <typename Primitive, typename Description>
  void emit(const Description& description, Arguments arguments) {
    emit(Primitive(description), description.scratchpad_desc(), std::move(arguments));
  }
  void emit_job(TrainingJob job, const std::vector<Tensor>& operands);
  void touch(const Arguments& arguments);
  void place_input(NodeId node);
  void place_output();

  // ---- rounding (training_rounding.cpp)
  struct Rounded {
    Tensor from, to;
    Format format;
    std::optional<RangeRounding> rounding;  // over a learned range; else by the numbers
    const ParameterBlock* range = nullptr;
  };
  Rounded rounded(const Tensor& from, NodeId tensor, const Format& format);
  Rounded rounded_kernel(NodeId node);
  void emit_rounding(const Rounded& one);
  Tensor pulled(const Rounded& one, const Tensor& gradient, const Tensor& passed);
  void round_made(NodeId node);
  const Rounded* find_read(NodeId node, NodeId from, const MemoryDesc& wanted) const;
  // What `node` reads of `from`, rounded where the plan says so, and the gradient that goes back to it.
  Tensor operand(NodeId node, NodeId from, const MemoryDesc& wanted);
  void accumulate_operand(NodeId node, NodeId from, const Tensor& gradient);

  // ---- operators (training_operators.cpp, training_norms.cpp)
  void build(NodeId node);
  void conv2d(NodeId node);
  void linear(NodeId node);
  void matmul(NodeId node);
  void batch_norm(NodeId node);
  void layer_norm(NodeId node);
  void softmax(NodeId node);
  void activation(NodeId node);
  void add_or_mul(NodeId node);
  void concat(NodeId node);
  void pool(NodeId node);
  void reshape(NodeId node);
  void transpose(NodeId node);
  void zero(NodeId node);
  template <typename Primitive, typename Description>
  void weight_gradients(NodeId node, const Description& description, const Tensor& source, const Tensor& gradient);
  Tensor multiplied(const Tensor& a, const Tensor& b);
  Tensor matrix_product(const Tensor& a, const Tensor& b, const MemoryDesc& result);
  Tensor summed_over_image(const Tensor& image);  // [N,C,H,W] -> [N,C,1,1]
  std::optional<NodeId> relu_to_fuse(NodeId norm) const;

  const Network& network_;
  const TrainingOptions& options_;
  DataType type_;
  dnnl::primitive_attr attributes_;
  std::vector<ParameterBlock> blocks_;
  RoundingSites sites_;
  std::map<NodeId, std::vector<Rounded>> reads_;  // copies of a tensor, rounded for those who read it so
  std::map<NodeId, Rounded> kernels_;
  std::set<std::size_t> ranges_pulled_;  // offsets of ranges that have a gradient already
  TrainingProgram program_;
  std::vector<std::optional<Tensor>> values_, gradients_;  // one a node
  std::vector<bool> needs_gradient_;                       // some parameter is at or before the node
  std::map<NodeId, std::vector<Tensor>> copies_;           // of values in other layouts
  std::map<std::pair<NodeId, ParameterBlock::Kind>, std::vector<Tensor>> parameter_copies_;
  std::vector<std::function<void()>> backward_;
};

}  // namespace ridgeline
